"""Whatever a file holds: a reader gives what is whole, reports what is not, and raises nothing but our own errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earthgptx.data.annotation_file import image_size
from earthgptx.data.datasets.class_names import tidied
from earthgptx.data.formats import coco, dialogues, dota, geojson, labelme, voc, yolo
from earthgptx.data.formats.detect import own_dataset
from earthgptx.data.formats.yolo_splits import image_places
from earthgptx.errors import EarthGPTXError, MalformedDataset
from tests.fixtures.hostile import check, damaged, damaged_bytes
from tests.fixtures.make_dialogues import make_dialogue_images, make_geopixeld, make_grandf, make_mdvp, runs
from tests.fixtures.make_own import (
    SIZE,
    SQUARE,
    coco_content,
    make_coco,
    make_geojson,
    make_geotiff,
    make_labelme,
    make_yolo,
    mask_text,
    picture,
    yolo_corners,
    yolo_line,
)
from tests.fixtures.voc_file import bndbox, voc_object, write_voc

SHARED = {"dataset": "own", "split": "train", "sensor": "sar"}
NAMED = {**SHARED, "name_of": tidied}
FLAT = [value for point in SQUARE for value in point]
MASK = np.eye(9, dtype=bool)

# One folder serves all examples: each writes its file anew.
searching = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")


COCO = coco_content(
    ("ship", "car"),
    [
        {"image_id": 1, "category_id": 1, "bbox": [20, 30, 40, 40], "segmentation": [FLAT]},
        {"image_id": 1, "category_id": 2, "bbox": [20, 30, 40, 40]},
        {"image_id": 2, "category_id": 1, "segmentation": {"size": [120, 160], "counts": [100, 50, 19050]}},
    ],
    num_images=2,
)


@searching
@given(damaged(COCO))
def test_coco(tmp_path, content):
    path = tmp_path / "annotations.json"
    if not (tmp_path / "images").exists():
        make_coco(tmp_path, COCO)
    write_json(path, content)
    check(lambda on_broken: coco.read_instances(path, tmp_path / "images", on_broken=on_broken, **NAMED))


@searching
@given(st.data())
def test_damaged_json_text(tmp_path, data):
    path = tmp_path / "annotations.json"
    if not path.exists():
        make_coco(tmp_path, COCO)
    path.write_bytes(data.draw(damaged_bytes(json.dumps(COCO).encode())))
    check(lambda on_broken: coco.read_instances(path, tmp_path / "images", on_broken=on_broken, **NAMED))
    with_own_errors(lambda: own_dataset(path, sensor="sar", name="own"))


def with_own_errors(act):
    try:
        act()
    except EarthGPTXError:
        return


XML_OBJECTS = [
    voc_object("ship", bndbox((21, 31, 60, 70))),
    voc_object("ship", "<robndbox><cx>40</cx><cy>50</cy><w>20</w><h>10</h><angle>0.7</angle></robndbox>"),
    voc_object("ship", "<segm><point>10,10</point><point>50,10</point><point>50,50</point></segm>"),
    voc_object("ship", "<polygon><x1>1</x1><y1>1</y1><x2>9</x2><y2>1</y2><x3>9</x3><y3>9</y3></polygon>"),
]


@searching
@given(st.data(), st.sampled_from(["utf-8", "gbk", "utf-16", "iso-8859-1"]), st.booleans())
def test_voc(tmp_path, data, encoding, declares):
    path = tmp_path / "Annotations" / "a.xml"
    if not path.exists():
        picture(tmp_path / "JPEGImages" / "a.jpg")
    write_voc(path, "a.jpg", SIZE, XML_OBJECTS, encoding=encoding, declares=declares)
    path.write_bytes(data.draw(damaged_bytes(path.read_bytes())))
    check(lambda on_broken: voc.read_folder(path.parent, tmp_path / "JPEGImages", on_broken=on_broken, **NAMED))


XML_VALUES = st.sampled_from(["", "nan", "-inf", "1e999", "9" * 400, "0x1", "1,5", "-3", "\u0663"]) | st.text(
    "0123456789.-e", max_size=6
)


@searching
@given(st.lists(XML_VALUES, min_size=8, max_size=8))
def test_numbers_of_voc(tmp_path, values):
    path = tmp_path / "Annotations" / "a.xml"
    if not path.exists():
        picture(tmp_path / "JPEGImages" / "a.jpg")
    corners = "".join(f"<x{k}>{values[2 * k - 2]}</x{k}><y{k}>{values[2 * k - 1]}</y{k}>" for k in range(1, 5))
    box = "".join(
        f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), values, strict=False)
    )
    objects = [
        voc_object("ship", f"<bndbox>{box}</bndbox>"),
        voc_object("ship", f"<robndbox>{corners}</robndbox>"),
        voc_object("ship", f"<polygon>{corners}</polygon>"),
        voc_object(values[0], bndbox((21, 31, 60, 70))),
    ]
    write_voc(path, "a.jpg", (values[6], values[7]), objects)
    check(lambda on_broken: voc.read_folder(path.parent, tmp_path / "JPEGImages", on_broken=on_broken, **NAMED))


LINES = "\n".join([yolo_line(0, (20, 30, 60, 70)), yolo_corners(1, SQUARE), yolo_corners(0, [*SQUARE, (10, 50)])])


@searching
@given(
    damaged_bytes(LINES.encode()), damaged_bytes(b"names: {0: ship, 1: car}\npath: .\ntrain: images\nval: [images]\n")
)
def test_yolo(tmp_path, content, yaml):
    if not (tmp_path / "labels").exists():
        make_yolo(tmp_path, {"a": []})
    (tmp_path / "labels" / "a.txt").write_bytes(content)
    names = {0: "ship", 1: "car"}
    check(
        lambda on_broken: yolo.read_folder(
            tmp_path / "labels", tmp_path / "images", names=names, on_broken=on_broken, **NAMED
        )
    )
    (tmp_path / "data.yaml").write_bytes(yaml)
    with_own_errors(lambda: yolo.class_names(tmp_path / "data.yaml"))
    with_own_errors(lambda: image_places(tmp_path / "data.yaml", tmp_path))
    with_own_errors(lambda: own_dataset(tmp_path, sensor="sar", name="own"))


@pytest.mark.parametrize(
    "value",
    ["!!int ''", "!!timestamp x", "2001-13-40", "!!float ''", "{[a]: 1}", "[" * 400, "!!binary 'x'", "&a [*a]", "1_0"],
)
def test_yaml_that_its_reader_stumbles_over(tmp_path, value):
    (tmp_path / "data.yaml").write_text(f"names: {value}\n", encoding="utf-8")
    with_own_errors(lambda: yolo.class_names(tmp_path / "data.yaml"))
    (tmp_path / "data.yaml").write_text(f"train: {value}\n", encoding="utf-8")
    with_own_errors(lambda: image_places(tmp_path / "data.yaml", tmp_path))


@searching
@given(damaged_bytes(b"imagesource:x\ngsd:1\n40 20 60 40 40 60 20 40 plane 0\n100 50 150 50 150 62 100 62 ship 1\n"))
def test_dota(tmp_path, content):
    if not (tmp_path / "labelTxt").exists():
        picture(tmp_path / "images" / "P1.png")
        (tmp_path / "labelTxt").mkdir()
    (tmp_path / "labelTxt" / "P1.txt").write_bytes(content)
    check(lambda on_broken: dota.read_folder(tmp_path / "labelTxt", tmp_path / "images", on_broken=on_broken, **NAMED))


SHAPES = [
    {"label": "ship", "shape_type": "polygon", "points": SQUARE, "group_id": 1},
    {"label": "ship", "shape_type": "rectangle", "points": [[20, 30], [60, 70]]},
    {"label": "ship", "shape_type": "circle", "points": [[50, 50], [53, 54]]},
    {"label": "ship", "shape_type": "linestrip", "points": [[10, 50], [90, 50], [90, 80]]},
    {"label": "ship", "shape_type": "mask", "points": [[10, 50], [18, 58]], "mask": mask_text(MASK)},
    {"label": "ship", "shape_type": "rotation", "points": SQUARE},
    {"label": "ship", "shape_type": "point", "points": [[10, 50]]},
]
LABELME = {"shapes": SHAPES, "imagePath": "a.jpg", "imageHeight": SIZE[1], "imageWidth": SIZE[0], "imageData": None}


@searching
@given(damaged(LABELME))
def test_labelme(tmp_path, content):
    path = tmp_path / "a.json"
    if not path.exists():
        make_labelme(tmp_path, "a", SHAPES)
    write_json(path, content)
    check(lambda on_broken: labelme.read_folder(tmp_path, on_broken=on_broken, **NAMED))


RING = [[[500_000 + 2 * x, 5_800_000 - 2 * y] for x, y in [*SQUARE, SQUARE[0]]]]
FEATURES = [
    {"type": "Feature", "properties": {"label": "ship"}, "geometry": {"type": "Polygon", "coordinates": RING}},
    {"type": "Feature", "properties": {"label": "pier"}, "geometry": {"type": "LineString", "coordinates": RING[0]}},
    {"type": "Feature", "properties": {"label": "buoy"}, "geometry": {"type": "Point", "coordinates": RING[0][0]}},
    {"type": "Feature", "properties": {"label": "car"}, "geometry": {"type": "MultiPolygon", "coordinates": [RING]}},
]
GEOJSON = {
    "type": "FeatureCollection",
    "features": FEATURES,
    "crs": {"type": "name", "properties": {"name": "EPSG:32633"}},
}


@searching
@given(damaged(GEOJSON))
def test_geojson(tmp_path, content):
    path = tmp_path / "scene.geojson"
    if not path.exists():
        make_geotiff(tmp_path / "scene.tif")
        make_geojson(path, FEATURES)
    write_json(path, content)
    check(lambda on_broken: geojson.read_scene(path, tmp_path / "scene.tif", on_broken=on_broken, **NAMED))


OWN = {
    "image": "a.png",
    "sensor": "sar",
    "regions": [{"kind": "box", "coordinates": [1, 2, 30, 40], "object": 0}],
    "conversations": [{"from": "user", "value": "<Region 1>?"}, {"from": "model", "value": "a ship <pix>"}],
    "objects": [{"label": "ship", "box": [1, 2, 30, 40], "polygons": [SQUARE], "attributes": ["red"]}],
    "masks": [[0]],
}
TALK = [{"from": "human", "value": "?"}, {"from": "gpt", "value": "<p> a </p> [SEG] <Region 99999999999999999999>"}]


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talks")
    make_dialogue_images(folder)
    whole = [
        json.loads(make(folder).read_text(encoding="utf-8"))[:2] for make in (make_mdvp, make_geopixeld, make_grandf)
    ]
    records = [record for group in whole for record in group]
    return folder, [*records, OWN, {"image": "a.png", "conversations": TALK, "segmentation": [runs(8, 4, 24, 16)]}]


@searching
@given(st.data())
def test_dialogues(talks, data):
    folder, whole = talks
    records = [data.draw(damaged(record)) for record in data.draw(st.lists(st.sampled_from(whole), max_size=3))]
    path = folder / "talk.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records) or "[]", encoding="utf-8")
    check(lambda on_broken: dialogues.read(path, folder / "train", on_broken=on_broken, **SHARED))


@searching
@given(st.data(), st.sampled_from(["a.jpg", "a.png", "a.tif", "a.bmp"]))
def test_sizes_of_damaged_images(tmp_path, data, name):
    path = tmp_path / f"whole-{name}"
    if not path.exists():
        picture(path)
    (tmp_path / name).write_bytes(data.draw(damaged_bytes(path.read_bytes())))
    try:
        width, height = image_size(tmp_path / name)
    except MalformedDataset:
        return
    assert width > 0
    assert height > 0
