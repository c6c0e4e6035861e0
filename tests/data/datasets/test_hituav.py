"""HIT-UAV in the four editions of its release."""

from __future__ import annotations

import pytest

from earthgptx.data.datasets import DATASETS
from tests.fixtures.make_hituav import (
    make_hituav,
    make_hituav_normal_json,
    make_hituav_rotate_json,
    make_hituav_xml,
)


def read(root, split="val"):
    assert DATASETS["hituav"].has(root, split)
    return list(DATASETS["hituav"].read(root, split))


def corners(item):
    return pytest.approx((item.box.x0, item.box.y0, item.box.x1, item.box.y1), abs=1e-3)


@pytest.mark.parametrize("split", ["train", "val"])
def test_upright_editions_say_the_same(tmp_path, split):
    make_hituav(tmp_path / "mini", split)
    make_hituav_normal_json(tmp_path / "json", split)
    make_hituav_xml(tmp_path / "xml", split, "normal_xml")
    truth = read(tmp_path / "mini", split)
    for edition in ("json", "xml"):
        found = read(tmp_path / edition, split)
        assert [image.id for image in found] == [image.id for image in truth]
        assert [image.objects for image in found] == [image.objects for image in truth]


@pytest.mark.parametrize("edition", ["json", "xml"])
def test_turned_editions_say_the_same(tmp_path, edition):
    if edition == "json":
        make_hituav_rotate_json(tmp_path, "val")
    else:
        make_hituav_xml(tmp_path, "val", "rotate_xml")
    first, empty, last = read(tmp_path)
    person, car = first.objects
    assert (person.label, car.label, last.objects[0].label) == ("person", "car", "other vehicle")
    assert empty.objects == ()
    assert corners(person) == (20, 20, 26, 30)
    half = (30 + 12) / 2 * 0.5**0.5
    assert corners(car) == (103 - half, 67 - half, 103 + half, 67 + half)
    assert car.rotated.area == pytest.approx(360)
    assert corners(last.objects[0]) == (130, 30, 160, 50)  # clipped, its turned box is not
    assert last.objects[0].rotated.bounds().x1 == 170
    assert first.path.name == "0_100_00_0_00000.jpg"


def test_the_layout_without_editions_comes_first(tmp_path):
    make_hituav_rotate_json(tmp_path, "val")
    make_hituav(tmp_path, "val")
    assert all(item.rotated is None for image in read(tmp_path) for item in image.objects)


def test_turned_boxes_are_taken_before_upright_ones(tmp_path):
    make_hituav_normal_json(tmp_path, "val")
    make_hituav_rotate_json(tmp_path, "val")
    make_hituav_xml(tmp_path, "val", "normal_xml")
    assert all(item.rotated is not None for image in read(tmp_path) for item in image.objects)
