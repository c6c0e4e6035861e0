"""Marks and masks that cross the antimeridian: what is written lies on both sides of it and comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earthgptx.data.georeference import Georeference
from earthgptx.inference.features import mark_geometry, mask_geometry
from earthgptx.shapes import Box, Ellipse, Mark, Point, Polygon, Scribble

shapely = pytest.importorskip("shapely")
shape = pytest.importorskip("shapely.geometry").shape

# Pixels of a hundredth of a degree; the antimeridian lies where the pixel grid is at `at`.
EAST, WEST = 179.0, -181.0


def plate(at: float, left: float = EAST) -> Georeference:
    """A scene in degrees whose column `at` lies on the antimeridian."""
    return Georeference("EPSG:4326", (0.01, 0.0, left + (1 - at * 0.01), 0.0, -0.01, 10.0))


def uncut(geometry: dict[str, Any]) -> Any:
    """The same in degrees from 0 to 360, where nothing here is cut."""
    moved = shapely.transform(shape(geometry), lambda points: points + [[360.0, 0.0]] * (points[:, :1] < 0))
    return shapely.union_all(shapely.get_parts(moved))


bits = st.integers(1, 2**30 - 1).map(lambda number: np.array(list(f"{number:030b}")).reshape(5, 6) == "1")


@settings(max_examples=50)
@given(bits, st.one_of(st.integers(0, 6), st.floats(0, 6)), st.sampled_from([EAST, WEST]))
def test_a_mask_is_cut_into_valid_parts_of_the_same_area(mask: np.ndarray, at: float, left: float):
    geometry = mask_geometry(mask, plate(at, left).ring_to_wgs84, wraps=True)
    written = shape(geometry)
    assert all(part.is_valid and part.exterior.is_ccw for part in written.geoms)
    assert all(not hole.is_ccw for part in written.geoms for hole in part.interiors)
    assert written.bounds[0] >= -180
    assert written.bounds[2] <= 180
    assert sum(part.area for part in written.geoms) == pytest.approx(mask.sum() * 1e-4, rel=1e-5)
    centres = [(column + 0.5, row + 0.5) for row, column in np.argwhere(mask).tolist()]
    joined = uncut(geometry).buffer(1e-6)
    for longitude, latitude in plate(at).ring_to_wgs84(centres):
        assert joined.contains(shapely.Point(longitude, latitude))


@pytest.mark.parametrize("at", [30, 34.25, 40])
@pytest.mark.parametrize(
    "mark", [Box(10, 10, 60, 40), Ellipse(35, 20, 12, 9), Polygon(((5, 5), (60, 20), (30, 30), (70, 45), (5, 60)))]
)
def test_a_mark_with_an_area_becomes_parts_that_are_the_mark(mark: Mark, at: float):
    geometry = mark_geometry(mark, plate(at).ring_to_wgs84, wraps=True)
    assert geometry["type"] == "MultiPolygon"
    place = plate(at).ring_to_wgs84(mark.outline())
    assert uncut(geometry).symmetric_difference(shapely.Polygon(place)).area < 1e-9


@pytest.mark.parametrize("column", [10, 30])
def test_what_only_touches_the_antimeridian_stays_whole(column: int):
    geometry = mark_geometry(Box(column, 10, column + 20, 40), plate(30).ring_to_wgs84, wraps=True)
    assert geometry["type"] == "Polygon"
    [ring] = geometry["coordinates"]
    assert len(ring) == 5
    assert {abs(x) for x, _ in ring} == {180.0, 179.8}


def test_lines_and_points():
    place = plate(30).ring_to_wgs84
    geometry = mark_geometry(Scribble(((10, 10), (30, 20), (50, 10), (20, 10))), place, wraps=True)
    assert geometry["type"] == "MultiLineString"
    lines = geometry["coordinates"]
    assert lines == [
        [[179.8, 9.9], [180.0, 9.8]],
        [[-180.0, 9.8], [-179.8, 9.9], [-180.0, 9.9]],
        [[180.0, 9.9], [179.9, 9.9]],
    ]
    within = mark_geometry(Scribble(((31, 10), (50, 20))), place, wraps=True)
    assert within == {"type": "LineString", "coordinates": [[-179.99, 9.9], [-179.8, 9.8]]}
    assert mark_geometry(Point(40, 10), place, wraps=True)["coordinates"] == [-179.9, 9.9]
    assert mark_geometry(Point(40, 10), place)["coordinates"] == [180.1, 9.9]


def test_the_projection_of_a_zone_at_the_antimeridian():
    utm = Georeference("EPSG:32660", (100.0, 0.0, 823_000.0, 0.0, -100.0, 1_000_000.0))
    mask = np.zeros((120, 160), bool)
    mask[20:100, 30:130] = True
    mask[40:60, 50:90] = False
    geometry = mask_geometry(mask, utm.ring_to_wgs84, wraps=True)
    written = shape(geometry)
    assert len(written.geoms) == 2
    assert written.is_valid
    for part in geometry["coordinates"]:
        for ring in part:
            corners = [utm.from_wgs84(*place) for place in ring if abs(place[0]) < 180]
            assert np.abs(np.array(corners) - np.round(corners)).max() < 1e-3


def test_a_ring_around_the_pole_reaches_it():
    polar = Georeference("EPSG:3413", (1000.0, 0.0, -50_000.0, 0.0, -1000.0, 50_000.0))
    geometry = mark_geometry(Box(10, 20, 90, 80), polar.ring_to_wgs84, wraps=True)
    written = shape(geometry)
    assert written.is_valid
    assert written.bounds[0] == -180
    assert written.bounds[2:] == (180, 90)
    assert written.contains(shapely.Point(17.0, 89.99))
    assert written.area == pytest.approx(360 * (90 - 89.538), rel=0.01)
