"""Adapters against fabricated folders in each set's true format, and against the real sets where present."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from earthgptx.data.datasets import DATASETS, available, class_names, missing
from earthgptx.data.datasets.class_table import NUM_IMAGES
from earthgptx.data.datasets.rsicd import scene_of
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_all import MAKERS, make_all

REAL = Path(os.environ.get("EARTHGPTX_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_all(tmp_path_factory.mktemp("sets"), "val")


def by_dataset(root, split, name):
    return list(DATASETS[name].read(root, split))


def test_every_set_is_read_with_truths_that_hold_for_all(root):
    images = available(root, "val")
    assert [name for name, _ in Counter(image.dataset for image in images).items()] == list(MAKERS)
    assert len({image.id for image in images}) == len(images) == 21
    known = {(sensor, name.label) for name in class_names.CLASSES for sensor in name.sensors}
    for image in images:
        assert image.path.is_file()
        assert image.id.startswith(f"{image.dataset}/val/")
        assert image.sensor == DATASETS[image.dataset].sensor
        for item in image.objects:
            assert (image.sensor, item.label) in known
            assert item.box.area > 0
            assert item.box == item.box.clipped(image.width, image.height)


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_splits_are_found_by_their_names(tmp_path, split):
    make_all(tmp_path, split)
    assert len(available(tmp_path, split)) == 21
    assert len(missing(tmp_path, "val")) == len(DATASETS)


def test_coco_boxes_come_from_the_polygons(root):
    first = by_dataset(root, "val", "vhr10")[0]
    assert [item.label for item in first.objects] == ["ship", "ship", "harbor"]
    assert first.objects[0].box == Box(18, 13, 42, 37)
    assert all(item.has_mask for item in first.objects)


def test_an_object_in_two_parts_is_one_object(root):
    (tank,) = by_dataset(root, "val", "vhr10")[1].objects
    assert len(tank.polygons) == 2
    assert tank.box == Box(85, 15, 115, 72)


def test_annotations_find_their_image_by_id(root):
    ships = by_dataset(root, "val", "ssdd")
    assert [len(image.objects) for image in ships] == [2, 1]
    assert ships[0].sensor == "sar"


def test_hituav_drops_dont_care_and_empty_boxes_and_clips(root):
    first, empty, last = by_dataset(root, "val", "hituav")
    assert [item.label for item in first.objects] == ["person", "person", "car"]
    assert empty.objects == ()
    assert [item.label for item in last.objects] == ["bicycle", "other vehicle"]
    assert last.objects[1].box == Box(140, 30, 160, 50)
    assert not last.objects[1].has_mask


def test_rsicd_captions_are_tidied_and_scenes_named(root):
    dense, tanks, nameless = by_dataset(root, "val", "rsicd")
    assert dense.captions[0] == "many houses are close together."
    assert len(dense.captions) == 4
    assert tanks.captions[1] == "there are tanks, and a road."
    assert (dense.scene, tanks.scene, nameless.scene) == ("dense residential", "storage tanks", None)


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        ("beach_3.jpg", "beach"),
        ("railwaystation_9.jpg", "railway station"),
        ("01.jpg", None),
        ("x_1.jpg", "x"),
    ],
)
def test_scene_of_a_file_name(name, scene):
    assert scene_of(name) == scene


def test_chips_are_one_object_each(root):
    aircraft, vehicles = by_dataset(root, "val", "sar_acd"), by_dataset(root, "val", "mstar")
    assert {image.objects[0].label for image in aircraft} == {"a220", "a320/a321", "boeing 787"}
    assert aircraft[0].objects[0].box == Box(0, 0, 60, 50)
    assert {image.objects[0].label for image in vehicles} == {"2s1", "brdm 2", "zsu 23 4"}
    assert vehicles[0].objects[0].box.iou(Box(20, 20, 80, 80)) == pytest.approx(1)
    assert len(vehicles) == 3


def test_a_missing_set_is_said_and_skipped_or_refused(root, tmp_path, caplog):
    shutil.copytree(root / "ssdd", tmp_path / "ssdd")
    with caplog.at_level(logging.WARNING):
        images = available(tmp_path, "val")
    assert {image.dataset for image in images} == {"ssdd"}
    assert len(missing(tmp_path, "val")) == len(DATASETS) - 1
    assert not caplog.records  # nobody asked for the others by name
    with caplog.at_level(logging.WARNING):
        assert available(tmp_path, "val", names=("hituav", "ssdd")) == images
    (record,) = caplog.records
    assert "hituav has no val split" in record.message
    with pytest.raises(MalformedDataset, match=r"holds no vhr10/instances_val\.json nor vhr10/annotations\.json\."):
        available(tmp_path, "val", skip_missing=False)
    with pytest.raises(MalformedDataset, match="no test split of any"):
        available(tmp_path, "test")
    with pytest.raises(MalformedDataset, match="no dataset named 'dota'"):
        available(tmp_path, "val", names=("dota",))


@pytest.mark.parametrize("name", list(MAKERS))
def test_a_missing_split_is_one_clear_error(tmp_path, name):
    with pytest.raises(MalformedDataset, match="does not exist"):
        list(DATASETS[name].read(tmp_path, "val"))


@pytest.mark.parametrize("name", ["vhr10", "ssdd", "hituav", "rsicd"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"images": 3}', "[1]", '[{"file_name": "a.jpg"}]'])
def test_broken_annotation_files_are_refused(tmp_path, name, content):
    MAKERS[name](tmp_path, "val")
    path = tmp_path / DATASETS[name].split_paths[0].format(split="val")
    path.write_text(content, encoding="utf-8")
    if name == "rsicd" and content == "[]":
        assert list(DATASETS[name].read(tmp_path, "val")) == []
        return
    with pytest.raises(MalformedDataset):
        list(DATASETS[name].read(tmp_path, "val"))


@pytest.mark.parametrize("name", ["vhr10", "ssdd", "hituav", "rsicd"])
def test_a_missing_image_is_named(tmp_path, name):
    MAKERS[name](tmp_path, "val")
    image = list(DATASETS[name].read(tmp_path, "val"))[-1].path
    image.unlink()
    with pytest.raises(MalformedDataset, match=image.name):
        list(DATASETS[name].read(tmp_path, "val"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("category_id", 77, "unknown category 77"),
        ("image_id", 77, "image 77, which is not listed"),
        ("segmentation", [[1, 2, 3]], "x, y pairs"),
        ("segmentation", [["a", "b"]], "x, y pairs"),
        ("segmentation", 5, "x, y pairs"),
    ],
)
def test_broken_coco_annotations_are_refused(tmp_path, key, value, message):
    MAKERS["vhr10"](tmp_path, "val")
    path = tmp_path / "vhr10" / "instances_val.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["annotations"][0][key] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MalformedDataset, match=message):
        list(DATASETS["vhr10"].read(tmp_path, "val"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("category_id", 9, "unknown category 9"),
        ("image_id", 9, "image 9, which is not listed"),
        ("bbox", [1, 2, 3], "not a box"),
        ("bbox", None, "not a box"),
    ],
)
def test_broken_hituav_annotations_are_refused(tmp_path, key, value, message):
    MAKERS["hituav"](tmp_path, "val")
    path = tmp_path / "hituav" / "annotations" / "val.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["annotation"][0][key] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MalformedDataset, match=message):
        list(DATASETS["hituav"].read(tmp_path, "val"))


@pytest.mark.parametrize("name", ["vhr10", "hituav"])
@pytest.mark.parametrize("width", [0, -3, "640", None, 1.5])
def test_broken_image_sizes_are_refused(tmp_path, name, width):
    MAKERS[name](tmp_path, "val")
    path = tmp_path / DATASETS[name].split_paths[0].format(split="val")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["images"][0]["width"] = width
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MalformedDataset, match="width must be a whole number"):
        list(DATASETS[name].read(tmp_path, "val"))


def test_broken_chips_are_refused(tmp_path):
    MAKERS["mstar"](tmp_path, "val")
    (tmp_path / "mstar" / "val" / "2S1" / "broken.jpg").write_text("no image", encoding="utf-8")
    with pytest.raises(MalformedDataset, match=r"broken\.jpg cannot be read"):
        list(DATASETS["mstar"].read(tmp_path, "val"))
    (tmp_path / "sar_acd" / "val").mkdir(parents=True)
    with pytest.raises(MalformedDataset, match="no class folders"):
        list(DATASETS["sar_acd"].read(tmp_path, "val"))
    (tmp_path / "sar_acd" / "val" / "Concorde").mkdir()
    with pytest.raises(MalformedDataset, match="no class named 'Concorde'"):
        list(DATASETS["sar_acd"].read(tmp_path, "val"))


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real sets are not at {REAL}")
@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ("val", {"vhr10": 66, "ssdd": 92, "hituav": 290, "rsicd": 300, "sar_acd": 102, "mstar": 100}),
        pytest.param(
            "train",
            {"vhr10": 454, "ssdd": 836, "hituav": 1500, "rsicd": 2400, "sar_acd": 618, "mstar": 594},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_real_sets_hold_what_their_page_says(split, counts):
    images = available(REAL, split, names=list(counts), skip_missing=False)
    assert Counter(image.dataset for image in images) == counts
    for image in images:
        assert all(item.has_mask == (image.dataset in ("vhr10", "ssdd")) for item in image.objects)
        assert len(image.captions) == (5 if image.dataset == "rsicd" else 0)
    labels = {item.label for image in images for item in image.objects}
    assert labels == {label for numbers in NUM_IMAGES.values() for label in numbers}
