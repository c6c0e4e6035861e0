"""Wherever a scene lies on the Earth and however it is turned: polygons lie on their objects, and areas are true."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from rasterio.transform import Affine

from earthgptx.data.georeference import Georeference, reproject
from earthgptx.geo import big_scene
from earthgptx.geo.asking import Wishes
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature_files import features_of
from earthgptx.geo.outlines import on_map, outline
from earthgptx.geo.placing import Coordinates, coordinates_of, square_metres
from earthgptx.geo.region_plan import plan_regions
from earthgptx.geo.scene_asking import ask_scene
from earthgptx.geo.scene_marks import marks_of
from earthgptx.inference.assistant import Assistant
from earthgptx.rasters import fill_rings
from tests.geo.blob_scene import Blob, disc
from tests.geo.place_strategies import georeferences
from tests.geo.seeing_generator import SeeingGenerator

shapely = pytest.importorskip("shapely")
from shapely.geometry import shape as read_shape  # noqa: E402

masks = npst.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))
SIZE = (640, 530)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def back_in_pixels(geometry: dict, place: Georeference, crs: str, size: tuple[int, int]) -> np.ndarray:
    """(H, W) A geometry of the map drawn on the scene again."""
    filled = np.zeros((size[1], size[0]), bool)
    parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    for part in parts:
        rings = [np.array(place.ring_to_pixels([tuple(at) for at in ring], crs=crs)) for ring in part]
        filled |= fill_rings(rings, size[1], size[0])
    return filled


@settings(deadline=None)
@given(mask=masks, place=georeferences(), offset=st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)))
def test_a_polygon_of_degrees_is_the_mask_again(mask, place, offset):
    shape = outline(mask, tolerance=0)
    if not shape:
        return
    window = place.of_window(*offset)
    geometry = on_map(shape, window.ring_to_wgs84, wraps=True)
    assert read_shape(geometry).is_valid
    assert (back_in_pixels(geometry, window, "EPSG:4326", mask.shape[::-1]) == mask).all()


@settings(deadline=None, max_examples=50)
@given(mask=masks, place=georeferences(), tolerance=st.sampled_from([0.5, 1.0, 2.5]))
def test_a_simplified_polygon_stays_within_its_tolerance_on_the_map(mask, place, tolerance):
    exact, found = outline(mask, tolerance=0), outline(mask, tolerance=tolerance)
    if not found:
        return
    geometry = on_map(found, place.ring_to_wgs84, wraps=True)
    again = shapely.transform(
        read_shape(geometry), lambda points: np.array(place.ring_to_pixels([tuple(at) for at in points]))
    )
    truth = shapely.MultiPolygon([(rings[0], rings[1:]) for rings in exact])
    assert again.is_valid or again.buffer(0).symmetric_difference(again).area < 1e-3
    for one, other in ((truth, again), (again, truth)):
        along = shapely.segmentize(one.boundary, 0.25)
        farthest = max(other.boundary.distance(shapely.Point(at)) for at in shapely.get_coordinates(along))
        assert farthest <= tolerance + 0.01  # nine decimals of a degree are a hundredth of a 1 cm pixel


@QUICK
@given(place=georeferences(), at=st.tuples(st.floats(20, 600), st.floats(20, 500)), radius=st.floats(6, 15))
def test_areas_are_those_of_an_equal_area_map(tmp_path, place, at, radius):
    scene = BigScene(tmp_path / "a.tif", *SIZE, "optical", place, ())
    one = Blob(*at, radius, "red")
    mask = disc(one, *SIZE)
    shape = outline(mask, tolerance=0)
    lon, lat = place.to_wgs84(*at)
    equal_area = f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"
    ring = reproject(place.ring_to_map(shape[0][0]), source=place.crs_wkt, target=equal_area)
    # A projected system's nominal pixel size is believed where it is true within 1 %, so areas are within 2 %.
    assert square_metres(scene, shape, mask.sum()) == pytest.approx(shapely.Polygon(ring).area, rel=2e-2)


@QUICK
@given(
    place=georeferences(), at=st.tuples(st.floats(30, 600), st.floats(30, 500)), marks_crs=st.sampled_from([0, 1, 2])
)
def test_answers_lie_on_their_objects_from_end_to_end(tmp_path: Path, monkeypatch, place, at, marks_crs):
    monkeypatch.setattr(big_scene, "HELD_PIXELS", 0)
    one = Blob(*at, 9, "green")
    truth = disc(one, *SIZE)
    scene = scene_at(tmp_path / "a.tif", truth, place)
    crs = ("EPSG:4326", place.crs_wkt, "EPSG:3857")[marks_crs]
    corners = [(at[0] + x * 12, at[1] + y * 12) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]
    ring = [list(p) for p in reproject(place.ring_to_map(corners), source=place.crs_wkt, target=crs)]
    content = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": crs}},
        "features": [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}],
    }
    assistant = Assistant(SeeingGenerator())
    [mark] = marks_of(content, scene, name="It")
    answer = ask_scene(assistant, scene, "Segment the region.", [mark], view="zoom")
    [found] = [f for f in answer.to_geojson()["features"] if f["properties"]["role"] == "mask"]
    assert (back_in_pixels(found["geometry"], place, "EPSG:4326", SIZE) == truth).all()

    plan = plan_regions(scene, features_of(content, "It"), Wishes(captions=False, masks=True, tolerance=0, view="zoom"))
    for target in (coordinates_of(scene, "wgs84"), coordinates_of(scene, "scene")):
        assert_written_in(target, plan, assistant, truth, place)


def scene_at(path: Path, truth: np.ndarray, place: Georeference) -> BigScene:
    pixels = np.full((3, *truth.shape), 20, np.uint8)
    pixels[1][truth] = 220
    about = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": truth.shape[1], "height": truth.shape[0]}
    with rasterio.open(
        path, "w", photometric="rgb", crs=place.crs_wkt, transform=Affine(*place.transform), **about
    ) as f:
        f.write(pixels)
    return BigScene.open(path, sensor="optical")


def assert_written_in(target: Coordinates, plan, assistant, truth: np.ndarray, place: Georeference) -> None:
    records = [record for batch in range(len(plan.sizes)) for record in plan.answer(batch, assistant)]
    [feature] = plan.finish(json.loads(json.dumps(records)), target)
    assert feature.properties["egx_geometry"] == "mask"
    assert (back_in_pixels(feature.geometry, place, target.crs, SIZE) == truth).all()
    assert feature.properties["egx_area_px"] == truth.sum()


@pytest.mark.parametrize("lat", [0.0, 47.0, -65.0])
def test_long_edges_bend_as_the_scene_does(lat: float):
    """The outline of 30,000 x 30,000 pixels of 10 m, each edge 300 km, between whose ends degrees are not straight."""
    crs = "EPSG:32631" if lat >= 0 else "EPSG:32731"
    x, y = reproject([(3.0, lat)], source="EPSG:4326", target=crs)[0]
    place = Georeference(crs, (10.0, 0.0, x - 150_000, 0.0, -10.0, y + 150_000))
    side = 30_000.0
    geometry = on_map(((((0.0, 0.0), (side, 0.0), (side, side), (0.0, side)),),), place.ring_to_wgs84, wraps=True)
    ring = np.array(geometry["coordinates"][0])
    middles = [tuple(at) for at in (ring[1:] + ring[:-1]) / 2]
    for x, y in place.ring_to_pixels(middles):
        assert min(abs(x), abs(x - side), abs(y), abs(y - side)) < 0.1


def test_a_pixel_on_the_antimeridian_is_no_larger_than_its_neighbours():
    place = Georeference("EPSG:32660", (100.0, 0.0, 823_000.0, 0.0, -100.0, 1_000_000.0))
    row = [place.of_window(x, 0).ground_sample_distance() for x in range(200)]
    lons = [place.to_wgs84(x, 0)[0] for x in range(200)]
    assert min(lons) < 0 < max(lons)
    assert all(math.isclose(one, 100, rel_tol=0.01) for one in row)
