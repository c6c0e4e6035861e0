"""Outlines of masks: valid, near the pixels' edges, whole across seams, and in their place on the map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from earthgptx.data.georeference import Georeference
from earthgptx.geo.outlines import (
    area_of,
    exact_parts,
    from_wkb,
    joined,
    middle_of,
    on_map,
    outline,
    simplify,
    to_wkb,
    touching,
)
from earthgptx.rasters import fill_rings
from tests.data.test_georeference import GEOREFERENCES

shapely = pytest.importorskip("shapely")
from shapely.geometry import shape as read_shape  # noqa: E402

masks = npst.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))


def filled(shape, height: int, width: int) -> np.ndarray:
    raster = np.zeros((height, width), bool)
    for polygon in shape:
        raster |= fill_rings([np.array(ring) for ring in polygon], height, width)
    return raster


@given(masks)
def test_without_tolerance_an_outline_fills_to_the_mask(mask):
    found = outline(mask, tolerance=0)
    assert (filled(found, *mask.shape) == mask).all()
    assert area_of(found) == mask.sum()


@settings(max_examples=60)
@given(mask=masks, tolerance=st.sampled_from([0.5, 1.0, 3.0]))
def test_a_simplified_outline_is_valid_and_stays_near(mask, tolerance):
    exact, found = outline(mask, tolerance=0), outline(mask, tolerance=tolerance)
    if not exact:
        assert found == ()
        return
    before, after = (shapely.MultiPolygon([(p[0], p[1:]) for p in one]) for one in (exact, found))
    assert after.is_valid
    for point in shapely.get_coordinates(before):
        # What stays near is the border of the whole: topology may keep a vertex, never move one.
        assert after.boundary.distance(shapely.Point(point)) <= tolerance + 1e-9 or after.is_empty
    assert sum(len(r) for p in found for r in p) <= sum(len(r) for p in exact for r in p)


def test_a_slope_becomes_a_line():
    mask = np.tri(60, 60, dtype=bool)
    assert sum(len(ring) for polygon in outline(mask, tolerance=1.0) for ring in polygon) <= 6


def test_a_mask_cut_at_seams_is_whole_again():
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), bool)
    for x, y in rng.integers(0, 50, (12, 2)):
        mask[y : y + 9, x : x + 12] = True
    parts = []
    for y in (0, 32):
        for x in (0, 20, 40):
            tile = mask[y : y + 32, x : x + 20 if x < 40 else 64]
            for part in exact_parts(tile):
                parts.append(tuple(tuple(tuple((a + x, b + y) for a, b in ring) for ring in p) for p in part))
    merged = [joined([parts[place] for place in group]) for group in touching(parts)]
    whole = exact_parts(mask)
    assert len(merged) == len(whole)
    assert sorted(map(area_of, merged)) == sorted(map(area_of, whole))
    assert (filled([p for one in merged for p in one], 64, 64) == mask).all()


def test_a_corner_in_common_joins_nothing():
    square = ((((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)),),)
    beside = ((((4.0, 4.0), (8.0, 4.0), (8.0, 8.0), (4.0, 8.0)),),)
    below = ((((0.0, 4.0), (4.0, 4.0), (4.0, 8.0), (0.0, 8.0)),),)
    assert touching([square, beside]) == [[0], [1]]
    assert touching([square, beside, below]) == [[0, 1, 2]]


def disc(radius: float = 20.0) -> np.ndarray:
    y, x = np.mgrid[:100, :120] + 0.5
    ring = np.hypot(x - 60, y - 40)
    return (ring <= radius) & (ring >= radius / 4)


@pytest.mark.parametrize("georeference", GEOREFERENCES.values(), ids=GEOREFERENCES.keys())
def test_a_polygon_lies_where_its_object_is(georeference: Georeference):
    mask = disc()
    placed = on_map(outline(mask, tolerance=0.5), georeference.ring_to_wgs84, wraps=True)
    geometry = read_shape(placed)
    assert geometry.is_valid
    assert geometry.exterior.is_ccw
    assert not geometry.interiors[0].is_ccw
    back = [tuple(georeference.from_wgs84(*place) for place in ring) for ring in placed["coordinates"]]
    again = filled([back], *mask.shape)
    assert (again & mask).sum() / (again | mask).sum() > 0.97


@pytest.mark.parametrize(
    "georeference",
    [
        Georeference("EPSG:4326", (1e-3, 0.0, 179.94, 0.0, -1e-3, 10.0)),  # goes on past 180
        Georeference("EPSG:4326", (1e-3, 0.0, -180.06, 0.0, -1e-3, 10.0)),
        Georeference("EPSG:32660", (100.0, 0.0, 823_000.0, 0.0, -100.0, 1_000_000.0)),
    ],
    ids=["east", "west", "utm zone 60"],
)
def test_what_crosses_the_antimeridian_is_cut_there(georeference: Georeference):
    shape = outline(disc(), tolerance=0)
    placed = on_map(shape, georeference.ring_to_wgs84, wraps=True)
    assert placed["type"] == "MultiPolygon"
    geometry = read_shape(placed)
    assert geometry.is_valid
    west, _, east, _ = geometry.bounds
    assert west == pytest.approx(-180, abs=1e-6)
    assert east == pytest.approx(180, abs=1e-6)
    assert geometry.area == pytest.approx(disc().sum() * 1e-6, rel=0.2)


def test_no_coordinates_no_polygon():
    def nowhere(points):
        return tuple((math.inf, math.inf) for _ in points)

    assert on_map(outline(disc(), tolerance=1), nowhere, wraps=True) is None


def test_binary_and_back():
    placed = on_map(outline(disc(), tolerance=1), tuple, wraps=False)
    high = {"type": "Point", "coordinates": [1.0, 2.0, 30.0]}
    again = from_wkb(to_wkb([placed, None, high]).tolist())
    assert read_shape(again[0]).equals(read_shape(placed))
    assert again[1:] == [None, {"type": "Point", "coordinates": [1.0, 2.0]}]


def test_middle_and_simplify():
    shape = outline(disc(), tolerance=0)
    assert middle_of(shape) == pytest.approx((60, 40), abs=0.1)
    assert area_of(simplify(shape, tolerance=2)) == pytest.approx(disc().sum(), rel=0.1)
