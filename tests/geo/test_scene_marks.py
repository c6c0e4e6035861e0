"""Marks of a question from files: any reference system, any format, every kind, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earthgptx.data.georeference import reproject
from earthgptx.errors import EarthGPTXError
from earthgptx.geo import big_scene
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.scene_marks import marks_of, read_marks
from earthgptx.shapes import Box, Mask, Point, Polygon, Scribble
from tests.geo.blob_scene import PLACES, georeference, write_scene

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

SIZE = (600, 500)
IN_PIXELS: list[tuple[str, Any]] = [
    ("Point", [30.5, 40.5]),
    ("LineString", [[10, 10], [90, 50]]),
    ("Polygon", [[[50, 60], [80, 60], [70, 90], [50, 60]]]),
    ("Polygon", [[[50, 60], [50, 90], [80, 90], [80, 60], [50, 60]]]),
]
MARKS = [Point(30.5, 40.5), Scribble(((10, 10), (90, 50))), Polygon(((50, 60), (80, 60), (70, 90)))]


def scene(tmp_path: Path, place: str | None, monkeypatch: pytest.MonkeyPatch) -> BigScene:
    monkeypatch.setattr(big_scene, "HELD_PIXELS", 0)
    return BigScene.open(write_scene(tmp_path / "a.tif", [], *SIZE, place), sensor="optical")


def moved(coordinates: Any, move: Any) -> Any:
    if isinstance(coordinates[0], list):
        return [moved(item, move) for item in coordinates]
    return list(move([tuple(coordinates)])[0])


def written(path: Path, features: list[Any], **members: Any) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def feature(kind: str, coordinates: Any, /, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("crs", [None, "EPSG:4326", "EPSG:3857", "EPSG:32632", "urn:ogc:def:crs:OGC:1.3:CRS84"])
def test_marks_in_any_stated_system_lie_where_they_were_drawn(tmp_path, monkeypatch, place: str, crs: str | None):
    grid = georeference(place)

    def move(points: list[tuple[float, float]]) -> Any:
        return reproject(grid.ring_to_map(points), source=grid.crs_wkt, target=crs or "EPSG:4326")

    features = [feature(kind, moved(coordinates, move)) for kind, coordinates in IN_PIXELS]
    members = {} if crs is None else {"crs": {"type": "name", "properties": {"name": crs}}}
    found = read_marks(written(tmp_path / "m.geojson", features, **members), scene(tmp_path, place, monkeypatch))
    assert [one.kind for one in found] == ["point", "scribble", "polygon", "box"]
    for one, truth in zip(found, [*MARKS, Box(50, 60, 80, 90)], strict=True):
        assert np.allclose(one.outline(), truth.outline(), atol=1e-4)


def test_pixels_where_it_says_so_and_where_there_is_no_map(tmp_path, monkeypatch):
    features = [feature(kind, coordinates, coordinates="pixels") for kind, coordinates in IN_PIXELS]
    path = written(tmp_path / "m.geojson", [*features, feature("Point", [1, 1], role="mask")])
    for place in (None, "rotated"):
        assert list(read_marks(path, scene(tmp_path, place, monkeypatch)))[:3] == MARKS
    bare = {"type": "Point", "coordinates": [30.5, 40.5]}
    assert marks_of(bare, scene(tmp_path, None, monkeypatch), name="It") == (MARKS[0],)


def test_holes_and_parts_become_masks_of_the_scene(tmp_path, monkeypatch):
    outer, inner = [[10, 10], [30, 10], [30, 30], [10, 30], [10, 10]], [[15, 15], [20, 15], [20, 20], [15, 20]]
    apart = [[580, 480], [620, 480], [620, 520], [580, 520]]
    content = {
        "type": "FeatureCollection",
        "features": [
            feature("MultiPolygon", [[outer, inner], [apart]]),
            feature("Polygon", [outer], kind="mask"),
            feature("MultiPolygon", [[outer]]),
        ],
    }
    mask, plain, box = marks_of(content, scene(tmp_path, None, monkeypatch), name="It")
    assert isinstance(mask, Mask)
    assert (mask.width, mask.height, mask.area) == (*SIZE, 20 * 20 - 5 * 5 + 20 * 20)
    assert not mask.to_array()[17, 17]
    assert plain == Mask.from_array(Box(10, 10, 30, 30).to_mask(500, 600))
    assert box == Box(10, 10, 30, 30)


BAD: list[tuple[dict[str, Any], str]] = [
    (feature("Point", [5.0, 51.0]), "It, Feature 2: It lies outside the scene"),
    (feature("Point", [float("nan"), 51.0]), "Feature 2: .*NaN"),
    (feature("Polygon", []), "Feature 2: Its Polygon is empty"),
    ({**feature("Point", []), "id": "berth"}, "Feature 'berth': Its Point is empty"),
    ({"type": "Feature", "geometry": None}, "Feature 2: It has no geometry"),
    (feature("Point", [4.3, 151.0]), "latitude 151"),
]


@pytest.mark.parametrize(("bad", "words"), BAD, ids=lambda value: str(value)[-40:])
def test_a_bad_mark_is_refused_by_its_name(tmp_path, monkeypatch, bad: dict[str, Any], words: str):
    on_scene = georeference("utm").to_wgs84(10, 10)
    content = {"type": "FeatureCollection", "features": [feature("Point", list(on_scene)), bad]}
    with pytest.raises(EarthGPTXError, match=words) as caught:
        marks_of(content, scene(tmp_path, "utm", monkeypatch), name="It")
    assert "\n" not in str(caught.value)


def test_files_that_hold_no_marks(tmp_path, monkeypatch):
    on = scene(tmp_path, None, monkeypatch)
    with pytest.raises(EarthGPTXError, match="1 features and 0 marks"):
        read_marks(written(tmp_path / "a.geojson", [feature("Point", [1, 1], role="mask")]), on)
    with pytest.raises(EarthGPTXError, match="65 marks"):
        read_marks(written(tmp_path / "b.geojson", [feature("Point", [1, 1])] * 65), on)
    with pytest.raises(EarthGPTXError, match="no coordinate reference system"):
        read_marks(written(tmp_path / "c.geojson", [feature("Point", [1, 1])], crs="EPSG:99999"), on)
    with pytest.raises(EarthGPTXError, match="no file of regions"):
        read_marks(tmp_path / "d.geojson", on)
