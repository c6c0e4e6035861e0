"""InfiRay's thermal sets in VOC XML and YOLO text."""

from __future__ import annotations

from types import GeneratorType

import pytest

from earthgptx.data.datasets import DATASETS
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_infiray import OBJECTS, SIZE, make_voc, make_yolo

NAMES = ("sea_shipping", "infrared_security", "aerial_mancar", "double_light_vehicle")
SPLITS = ("train", "val", "test")


def read(root, name, split):
    broken = []
    images = DATASETS[name].read(root, split, broken.append)
    assert isinstance(images, GeneratorType)
    return list(images), broken


def read_all(root, name):
    parts = [read(root, name, split) for split in SPLITS]
    images = sorted((image for found, _ in parts for image in found), key=lambda image: image.path.name)
    return images, [item for _, broken in parts for item in broken]


@pytest.mark.parametrize("make", [make_voc, make_yolo])
@pytest.mark.parametrize("name", NAMES)
def test_both_formats_say_the_same(tmp_path, make, name):
    make(tmp_path, name)
    images, broken = read_all(tmp_path, name)
    assert [image.path.stem for image in images] == ["000001", "000002", "000003"]
    assert all((image.sensor, image.width, image.height) == ("infrared", *SIZE) for image in images)
    canoe, carrier = images[0].objects
    assert (canoe.label, carrier.label) == ("canoe", "bulk carrier")
    assert canoe.box.iou(Box(10, 10, 20, 18)) == pytest.approx(1, abs=1e-3)
    is_closed = name == "sea_shipping"
    assert [item.label for item in images[1].objects] == ["canoe"] if is_closed else ["canoe", "submarine"]
    reasons = [item.reason for item in broken]
    assert sum("lies outside the image of 64 x 48" in reason for reason in reasons) == 1
    assert sum("no class named 'submarine'" in reason for reason in reasons) == is_closed
    assert sum("image does not exist" in reason for reason in reasons) == 1
    assert sum("is not XML" in reason for reason in reasons) == (make is make_voc)
    assert len(reasons) == 2 + is_closed + (make is make_voc)


def test_lists_of_images_decide_where_there_are_some(tmp_path):
    folder = make_voc(tmp_path)
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("000003\n000001\n", encoding="utf-8")
    assert [image.id for image in read(tmp_path, "sea_shipping", "train")[0]] == [
        "sea_shipping/train/000003",
        "sea_shipping/train/000001",
    ]
    assert read(tmp_path, "sea_shipping", "val") == ([], [])


def test_lists_decide_for_yolo_too(tmp_path):
    folder = make_yolo(tmp_path)
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "test.txt").write_text("000002.png\n", encoding="utf-8")
    images, _ = read(tmp_path, "aerial_mancar", "test")
    assert [image.id for image in images] == ["aerial_mancar/test/000002"]
    assert read(tmp_path, "aerial_mancar", "train") == ([], [])


def test_what_lies_in_no_folder_of_a_split_is_drawn(tmp_path):
    make_yolo(tmp_path, split="val")
    make_yolo(tmp_path)
    names = [image.id.split("/", 2)[2] for split in SPLITS for image in read(tmp_path, "aerial_mancar", split)[0]]
    assert sorted(names) == [f"00000{k}" for k in (1, 2, 3)] + [f"val/00000{k}" for k in (1, 2, 3)]


def test_folders_of_splits_decide_where_there_are_some(tmp_path):
    make_yolo(tmp_path, split="val")
    images, _ = read(tmp_path, "aerial_mancar", "val")
    assert [image.id for image in images] == [f"aerial_mancar/val/val/00000{number}" for number in (1, 2, 3)]
    assert read(tmp_path, "aerial_mancar", "train") == ([], [])
    assert len(OBJECTS) == 4


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(MalformedDataset, match="neither Annotations"):
        read(tmp_path, "sea_shipping", "train")
    folder = make_yolo(tmp_path)
    (folder / "classes.txt").unlink()
    with pytest.raises(MalformedDataset, match=r"classes\.txt does not exist"):
        read(tmp_path, "aerial_mancar", "train")
    assert DATASETS["aerial_mancar"].has(tmp_path, "train")
    assert not DATASETS["sea_shipping"].has(tmp_path, "train")
