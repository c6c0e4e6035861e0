"""Features on a scene: where they lie in its pixels, and what is refused, each with one sentence."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.georeference import Georeference
from earthgptx.errors import EarthGPTXError
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature import Feature
from earthgptx.geo.regions import region_of
from earthgptx.geo.windows import Frame
from earthgptx.shapes import Box, Mask, Point, Polygon, Scribble

UTM = Georeference("EPSG:32631", (0.5, 0.0, 590_000.0, 0.0, -0.5, 5_750_000.0))
ROTATED = Georeference("EPSG:32631", (0.4, 0.3, 590_000.0, 0.3, -0.4, 5_750_000.0))
DEGREES = Georeference("EPSG:4326", (1e-5, 0.0, 4.3, 0.0, -1e-5, 51.9))
DATE_LINE = Georeference("EPSG:4326", (1e-3, 0.0, 179.0, 0.0, -1e-3, 10.0))  # on to 181 degrees east


def scene(place: Georeference | None, width: int = 2000, height: int = 1500) -> BigScene:
    return BigScene(Path("a.tif"), width, height, "optical", place, ())


def feature(kind: str, coordinates: object, /, **properties: object) -> Feature:
    return Feature(1, None, {"type": kind, "coordinates": coordinates}, properties)


def ring(points, place: Georeference) -> list[list[float]]:
    placed = [list(place.to_wgs84(x, y)) for x, y in points]
    return [*placed, placed[0]]


@pytest.mark.parametrize("place", [UTM, ROTATED, DEGREES], ids=["utm", "rotated", "degrees"])
@given(x=st.floats(0, 1900), y=st.floats(0, 1400), side=st.floats(1, 90))
def test_a_region_comes_back_to_its_pixels(place, x, y, side):
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    region = region_of(feature("Polygon", [ring(corners, place)]), scene(place), "EPSG:4326")
    assert (region.bounds.x0, region.bounds.y1) == pytest.approx((x, y + side), abs=0.01)
    frame = Frame(Box(0, 0, 2000, 1500), width=1000, height=750)
    mark = region.mark_in(frame)
    assert isinstance(mark, Box | Polygon)
    assert mark.bounds().x0 == pytest.approx(x / 2, abs=0.01)


def test_regions_in_another_reference_system():
    east, north = UTM.to_map(40, 60)
    assert region_of(feature("Point", [east, north]), scene(UTM), "EPSG:32631").bounds.centre == (40, 60)


def test_pixels_where_the_scene_or_the_file_or_the_feature_says_so():
    assert region_of(feature("Point", [4, 5]), scene(None), "EPSG:4326").bounds == Box(4, 5, 4, 5)
    assert region_of(feature("Point", [4, 5]), scene(UTM), None).bounds == Box(4, 5, 4, 5)
    drawn = feature("Point", [4, 5], coordinates="pixels")
    assert region_of(drawn, scene(UTM), "EPSG:4326").bounds == Box(4, 5, 4, 5)


def test_every_kind_becomes_its_mark():
    frame = Frame(Box(100, 100, 300, 300), width=100, height=100)
    outer = [[110, 110], [190, 110], [190, 190], [110, 180], [110, 110]]
    hole = [[130, 130], [150, 130], [150, 150], [130, 150], [130, 130]]
    apart = [[220, 220], [240, 220], [240, 240], [220, 240], [220, 220]]
    kinds = {
        Point: feature("Point", [150, 150]),
        Scribble: feature("LineString", [[110, 110], [190, 150]]),
        Polygon: feature("MultiPolygon", [[outer]]),
        Mask: feature("MultiPolygon", [[outer, hole], [apart]]),
    }
    for kind, one in kinds.items():
        assert isinstance(region_of(one, scene(None), None).mark_in(frame), kind)
    mask = region_of(kinds[Mask], scene(None), None).mark_in(frame).to_array()
    assert mask[8, 8]
    assert mask[65, 65]
    assert not mask[20, 20]
    holed = region_of(feature("Polygon", [outer, hole]), scene(None), None).mark_in(frame)
    assert not holed.to_array()[20, 20]


@pytest.mark.parametrize("winding", [1, -1])
def test_winding_does_not_matter(winding: int):
    corners = [[10, 10], [50, 10], [50, 40], [10, 40], [10, 10]][::winding]
    assert region_of(feature("Polygon", [corners]), scene(None), None).bounds == Box(10, 10, 50, 40)


def test_regions_across_the_antimeridian_are_one_piece():
    cut = [
        [[[179.9, 9.5], [180.0, 9.5], [180.0, 9.4], [179.9, 9.4], [179.9, 9.5]]],
        [[[-180.0, 9.5], [-179.9, 9.5], [-179.9, 9.4], [-180.0, 9.4], [-180.0, 9.5]]],
    ]
    jumping = [[[179.9, 9.5], [-179.9, 9.5], [-179.9, 9.4], [179.9, 9.4], [179.9, 9.5]]]
    for one in (feature("MultiPolygon", cut), feature("Polygon", jumping)):
        bounds = region_of(one, scene(DATE_LINE), "EPSG:4326").bounds
        assert (bounds.x0, bounds.y0, bounds.x1, bounds.y1) == pytest.approx((900, 500, 1100, 600), abs=1e-6)
    mark = region_of(feature("MultiPolygon", cut), scene(DATE_LINE), "EPSG:4326").mark_in(
        Frame(Box(800, 400, 1200, 800), 400, 400)
    )
    assert np.count_nonzero(mark.to_array()) == 200 * 100


BAD = [
    (Feature(1, None, None), "no geometry"),
    (Feature(1, None, {"type": "Polygon"}), "where a list should be"),
    (Feature(1, None, None, problem="It is broken."), "It is broken"),
    (feature("Polygon", []), "Polygon is empty"),
    (feature("Polygon", [[]]), "Polygon is empty"),
    (feature("Point", []), "Point is empty"),
    (feature("MultiPolygon", []), "MultiPolygon is empty"),
    (feature("Point", [4.3]), "2 numbers"),
    (feature("Point", ["4", "51"]), "2 numbers"),
    (feature("Point", [math.nan, 51.0]), "NaN or infinite"),
    (feature("Point", [4.3, math.inf]), "NaN or infinite"),
    (feature("Point", [51.9, 143.0]), "latitude 143"),
    (feature("Point", [-120.0, 40.0]), "outside the scene|projection does not reach"),
    (feature("Point", [4.4, 51.0]), "outside the scene.*0 to 2,000"),
    (feature("MultiPoint", [[4.3, 51.9], [4.31, 51.9]]), "2 parts"),
    (feature("GeometryCollection", []), "'GeometryCollection'"),
    (feature("Circle", [1, 2, 3]), "'Circle'"),
    (feature("Polygon", [[[4.301, 51.899], [4.302, 51.899], [4.301, 51.899]]]), "3 different vertices"),
    (feature("LineString", [[4.301, 51.899], [4.301, 51.899]]), "2 different vertices"),
    (
        feature("Polygon", [[[4.301, 51.899], [4.303, 51.898], [4.303, 51.899], [4.301, 51.898], [4.301, 51.899]]]),
        "crosses or touches itself",
    ),
]


@pytest.mark.parametrize(("one", "words"), BAD, ids=lambda value: str(value)[:30])
def test_bad_features_are_refused_with_one_sentence(one: Feature, words: str):
    with pytest.raises(EarthGPTXError, match=words) as caught:
        region_of(one, scene(DEGREES), "EPSG:4326")
    assert "\n" not in str(caught.value)


def test_degrees_need_a_georeference():
    with pytest.raises(EarthGPTXError, match="no georeference"):
        region_of(feature("Point", [4, 5], coordinates="wgs84"), scene(None), "EPSG:4326")
