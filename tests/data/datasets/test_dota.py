"""DOTA's two sets: which version's labels are read, oriented boxes, and the headers of v1."""

from __future__ import annotations

import pytest

from earthgptx.data.datasets import DATASETS, dota_v1, dota_v2
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_dota import make_dota


def test_a_line_is_four_corners_a_class_and_a_flag(tmp_path):
    make_dota(tmp_path, "train")
    first, empty = dota_v1.read(tmp_path, "train")
    assert (first.id, first.width, first.height) == ("dota_v1/train/P0003", 200, 120)
    plane, ship = first.objects
    assert (plane.label, plane.box) == ("airplane", Box(20, 20, 60, 60))
    assert plane.rotated.points == ((40, 20), (60, 40), (40, 60), (20, 40))
    assert (ship.label, ship.box) == ("ship", Box(100, 50, 150, 62))  # difficult, and there all the same
    assert ship.attributes == ()
    assert empty.objects == ()


def test_the_fuller_labels_of_v1_5_come_first(tmp_path):
    make_dota(tmp_path, "val")
    make_dota(tmp_path, "val", "v1.5")
    first, _ = dota_v1.read(tmp_path, "val")
    assert [item.label for item in first.objects] == ["airplane", "ship", "container crane"]


def test_v2_has_classes_that_v1_does_not_know(tmp_path):
    make_dota(tmp_path, "train", "v2.0")
    assert DATASETS["dota_v2"].has(tmp_path, "train")
    assert not DATASETS["dota_v1"].has(tmp_path, "train")
    first, second = dota_v2.read(tmp_path, "train")
    assert [item.label for item in first.objects] == ["airplane", "ship", "container crane", "helipad"]
    assert [item.label for item in second.objects] == ["helipad"]
    (tmp_path / "DOTA" / "train" / "labelTxt-v2.0" / "DOTA-v2.0_train").rename(tmp_path / "DOTA/train/labelTxt-v1.0")
    broken = []
    first, _ = dota_v1.read(tmp_path, "train", broken.append)  # label files straight in the version's folder
    assert len(first.objects) == 3
    assert "no class named 'helipad'" in broken[0].reason


def test_images_are_found_where_the_archives_put_them(tmp_path):
    make_dota(tmp_path, "train")
    folder = tmp_path / "DOTA" / "train" / "images"
    (folder / "part1" / "images").mkdir(parents=True)
    for path in folder.glob("*.png"):
        path.rename(folder / "part1" / "images" / path.name)
    assert [image.id for image in dota_v1.read(tmp_path, "train")] == ["dota_v1/train/P0003", "dota_v1/train/P0004"]


def test_the_test_split_is_not_offered(tmp_path):
    make_dota(tmp_path, "test")
    assert not DATASETS["dota_v1"].has(tmp_path, "test")
    with pytest.raises(MalformedDataset, match=r"no label file in labelTxt-v1\.5 nor labelTxt-v1\.0"):
        list(dota_v1.read(tmp_path, "test"))


def test_a_broken_line_and_a_missing_image_are_said(tmp_path):
    make_dota(tmp_path, "train")
    folder = tmp_path / "DOTA" / "train"
    with (folder / "labelTxt-v1.0" / "labelTxt" / "P0003.txt").open("a") as file:
        file.write("1 2 3 4 5 6 7 nan ship 0\n")
    (folder / "images" / "P0004.png").unlink()
    broken = []
    (image,) = dota_v1.read(tmp_path, "train", broken.append)
    assert len(image.objects) == 2
    assert broken[0].item.endswith("P0003.txt line 5")
    assert "P0004" in broken[1].item
