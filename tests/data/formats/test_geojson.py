"""GeoJSON over a GeoTIFF: any reference system to pixels, and what is wrong with a feature."""

from __future__ import annotations

import json
import logging

import pytest

from earthgptx.data.formats import geojson
from earthgptx.data.raster_file import raster_place
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_own import SIZE, SQUARE, make_geojson, make_geotiff, picture

UTM = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}


def on_map(points, metres=2.0):
    """Pixels to the GeoTIFF's own coordinates."""
    return [[500_000 + metres * x, 5_800_000 - metres * y] for x, y in points]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]] for ring in rings]}


def read(root, **options):
    options = {"dataset": "own", "split": "train", "sensor": "optical", "name_of": str.lower} | options
    return list(geojson.read_scene(root / "scene.geojson", root / "scene.tif", **options))


def feature(geometry, label="Ship", key="label"):
    return {"properties": {"id": 7, key: label}, "geometry": geometry}


def corners(box):
    return (box.x0, box.y0, box.x1, box.y1)


def test_a_system_that_the_file_names(tmp_path):
    make_geotiff(tmp_path / "scene.tif")
    make_geojson(tmp_path / "scene.geojson", [feature(polygon(on_map(SQUARE)))], crs=UTM)
    (image,) = read(tmp_path)
    assert image.id == "own/train/scene"
    assert (image.width, image.height) == SIZE
    (item,) = image.objects
    assert corners(item.box) == pytest.approx((20, 30, 60, 70))
    assert item.label == "ship"
    assert item.has_mask


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:3857"])
def test_degrees_over_any_image(tmp_path, crs):
    make_geotiff(tmp_path / "scene.tif", crs=crs)
    place = raster_place(tmp_path / "scene.tif")
    ring = [[*place.to_wgs84(x, y), 12.5] for x, y in SQUARE]  # with an altitude
    make_geojson(tmp_path / "scene.geojson", [feature(polygon(ring))])
    (item,) = read(tmp_path)[0].objects
    assert corners(item.box) == pytest.approx((20, 30, 60, 70), abs=1e-3)


def test_numbers_that_cannot_be_degrees_are_the_images_own(tmp_path, caplog):
    make_geotiff(tmp_path / "scene.tif")
    empty = {"properties": {"label": "x"}, "geometry": None}
    make_geojson(tmp_path / "scene.geojson", [empty, feature(polygon(on_map(SQUARE)))])
    broken = []
    with caplog.at_level(logging.INFO):
        (image,) = read(tmp_path, on_broken=broken.append)
    assert corners(image.objects[0].box) == pytest.approx((20, 30, 60, 70))
    assert "image's own" in caplog.text
    assert [item.reason for item in broken] == ["it has no geometry."]


def test_holes_parts_lines_and_points(tmp_path):
    make_geotiff(tmp_path / "scene.tif")
    hole = [(30, 40), (50, 40), (50, 60), (30, 60)]
    other = [(100, 10), (120, 10), (120, 30), (100, 30)]
    ring, inner, apart = (on_map(points) for points in (SQUARE, hole, other))
    features = [
        feature(polygon(ring, inner)),
        feature({"type": "MultiPolygon", "coordinates": [[[*ring, ring[0]]], [[*apart, apart[0]]]]}),
        feature({"type": "LineString", "coordinates": on_map([(10, 50), (90, 50)])}),
        feature({"type": "Point", "coordinates": on_map([(40, 50)])[0]}),
    ]
    make_geojson(tmp_path / "scene.geojson", features, crs=UTM)
    holed, parts, line, point = read(tmp_path)[0].objects
    assert holed.mask(*SIZE[::-1]).sum() == 1600 - 400
    assert len(parts.polygons) == 2
    assert corners(parts.box) == pytest.approx((20, 10, 120, 70))
    assert line.box.width == pytest.approx(80)
    assert point.box.iou(Box(35.5, 45.5, 44.5, 54.5)) == pytest.approx(1)


@pytest.mark.parametrize(("key", "label"), [("label", "A"), ("Class", "A"), ("CATEGORY", "A"), ("name", "A")])
def test_the_property_that_holds_the_label_is_found(tmp_path, key, label):
    make_geotiff(tmp_path / "scene.tif")
    make_geojson(tmp_path / "scene.geojson", [feature(polygon(on_map(SQUARE)), label, key)], crs=UTM)
    assert read(tmp_path)[0].objects[0].label == "a"
    assert read(tmp_path, label_property="id")[0].objects[0].label == "7"


def test_exactly_the_broken_items_are_set_aside(tmp_path):
    make_geotiff(tmp_path / "scene.tif")
    whole = polygon(on_map(SQUARE))
    features = [
        feature(whole),
        feature(whole, label=None),
        feature(polygon(on_map([(400, 30), (440, 30), (440, 70)]))),
        feature(polygon(on_map(SQUARE[:2]))),
        feature({"type": "GeometryCollection", "coordinates": [[1, 2]]}),
        feature({"type": "Polygon", "coordinates": []}),
        feature({"type": "Polygon", "coordinates": [[["a", 1]]]}),
        {"properties": None, "geometry": whole},
    ]
    make_geojson(tmp_path / "scene.geojson", features, crs=UTM)
    broken = []
    (image,) = read(tmp_path, on_broken=broken.append)
    assert [item.item.rsplit(" ", 1)[-1] for item in broken] == list("2345678")
    words = ["no label", "outside", "2 points", "GeometryCollection", "filled list", "not a position", "no label"]
    assert all(word in item.reason for word, item in zip(words, broken, strict=True))
    assert len(image.objects) == 1


@pytest.mark.parametrize(
    "feature_like", [None, 7, [], {}, {"properties": [1], "geometry": "x"}, {"geometry": {"type": "Point"}}]
)
def test_what_is_no_feature_costs_only_itself(tmp_path, feature_like):
    make_geotiff(tmp_path / "scene.tif")
    path = make_geojson(tmp_path / "scene.geojson", [feature(polygon(on_map(SQUARE)))], crs=UTM)
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "features": [feature_like, *content["features"]]}), encoding="utf-8")
    broken = []
    (image,) = read(tmp_path, on_broken=broken.append)
    assert len(image.objects) == len(broken) == 1


def test_what_is_wrong_as_a_whole(tmp_path):
    make_geotiff(tmp_path / "scene.tif")
    with pytest.raises(MalformedDataset, match="does not exist"):
        read(tmp_path)
    make_geojson(tmp_path / "scene.geojson", [{"properties": {"colour": 1}, "geometry": None}])
    with pytest.raises(MalformedDataset, match="there is colour"):
        read(tmp_path)
    named = {"type": "name", "properties": {"name": "EPSG:nowhere"}}
    make_geojson(tmp_path / "scene.geojson", [feature(polygon(SQUARE))], crs=named)
    with pytest.raises(MalformedDataset, match="no coordinate reference system"):
        read(tmp_path)
    (tmp_path / "scene.tif").unlink()
    picture(tmp_path / "scene.png").rename(tmp_path / "scene.tif")
    with pytest.raises(MalformedDataset, match="no place on the map"):
        read(tmp_path)
