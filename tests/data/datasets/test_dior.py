"""DIOR: oriented boxes where they lie, upright ones else, and the split lists."""

from __future__ import annotations

import pytest

from earthgptx.data.datasets import DATASETS, dior
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_dior import make_dior
from tests.fixtures.voc_file import voc_object, write_voc


def test_oriented_boxes_come_with_their_bounds(tmp_path):
    make_dior(tmp_path, "train")
    first, second = dior.read(tmp_path, "train")
    assert (first.id, first.dataset, first.sensor) == ("dior/train/00001", "dior", "optical")
    assert [item.label for item in first.objects] == ["golf course", "expressway toll station"]
    assert first.objects[0].box == Box(11, 21, 60, 80)
    station = first.objects[1]
    assert station.box == Box(80, 40, 120, 80)
    assert station.rotated.points == ((100, 40), (120, 60), (100, 80), (80, 60))
    assert not station.has_mask
    assert second.objects[0].box == Box(140, 100, 160, 120)  # clipped to the image


def test_upright_boxes_count_pixels_from_one(tmp_path):
    make_dior(tmp_path, "val", oriented=False)
    first, _ = dior.read(tmp_path, "val")
    assert first.objects[0].box == Box(10, 20, 60, 80)
    assert first.objects[0].rotated is None


def test_each_split_has_its_list_and_the_test_images_their_folder(tmp_path):
    for split in ("train", "val", "test"):
        assert not DATASETS["dior"].has(tmp_path, split)
        make_dior(tmp_path, split)
        assert DATASETS["dior"].has(tmp_path, split)
    names = [[image.path.stem for image in dior.read(tmp_path, split)] for split in ("train", "val", "test")]
    assert names == [["00001", "00002"], ["00101", "00102"], ["00201", "00202"]]
    assert next(iter(dior.read(tmp_path, "test"))).path.parent.name == "JPEGImages-test"


def test_what_is_broken_is_said_and_the_rest_goes_on(tmp_path):
    make_dior(tmp_path, "train", oriented=False)
    (tmp_path / "DIOR" / "JPEGImages-trainval" / "00001.jpg").unlink()
    path = tmp_path / "DIOR" / "Annotations" / "Horizontal Bounding Boxes" / "00002.xml"
    write_voc(path, "00002.jpg", (160, 128), [voc_object("spaceship", "<bndbox/>")])
    broken = []
    (image,) = dior.read(tmp_path, "train", broken.append)
    assert image.objects == ()
    assert [item.source for item in broken] == ["dior", "dior"]
    assert "00001" in broken[0].item
    assert "image does not exist" in broken[0].reason
    assert "no class named 'spaceship'" in broken[1].reason
    with pytest.raises(MalformedDataset, match="image does not exist"):
        list(dior.read(tmp_path, "train"))


def test_a_missing_list_is_said(tmp_path):
    make_dior(tmp_path, "train")
    with pytest.raises(MalformedDataset, match=r"val\.txt does not exist"):
        list(dior.read(tmp_path, "val"))
