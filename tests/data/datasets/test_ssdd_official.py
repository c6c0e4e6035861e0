"""The official release of SSDD: the edition that says most is read, in VOC or COCO style."""

from __future__ import annotations

import pytest

from earthgptx.data.datasets import DATASETS, ssdd_official
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_ssdd_official import ROTATED, make_ssdd_official, make_ssdd_official_coco


def only_ship(root, split="train"):
    first, _ = ssdd_official.read(root, split)
    (ship,) = first.objects
    assert (first.sensor, ship.label, ship.box) == ("sar", "ship", Box(30, 20, 50, 40))
    return ship


@pytest.mark.parametrize(
    ("edition", "has_mask", "is_turned"),
    [
        ("BBox_SSDD", False, False),
        ("RBox_SSDD", False, True),
        ("PSeg_SSDD", True, False),
        ("BBox_RBox_PSeg_SSDD", True, True),
    ],
)
def test_each_edition_gives_what_it_has(tmp_path, edition, has_mask, is_turned):
    make_ssdd_official(tmp_path, "train", edition)
    ship = only_ship(tmp_path)
    assert ship.has_mask is has_mask
    assert (ship.rotated.points if ship.rotated else None) == (tuple(ROTATED) if is_turned else None)


def test_outlines_come_before_oriented_boxes_before_upright_ones(tmp_path):
    make_ssdd_official(tmp_path, "test", "BBox_SSDD")
    assert only_ship(tmp_path, "test").rotated is None
    make_ssdd_official(tmp_path, "test", "RBox_SSDD")
    assert only_ship(tmp_path, "test").rotated is not None
    make_ssdd_official(tmp_path, "test", "PSeg_SSDD")
    assert only_ship(tmp_path, "test").has_mask


def test_the_coco_style_says_the_same(tmp_path):
    make_ssdd_official_coco(tmp_path, "test")
    assert only_ship(tmp_path, "test").has_mask
    names = [image.path.stem for image in ssdd_official.read(tmp_path, "test")]
    assert names == ["000001", "000009"]


def test_there_is_no_val_split(tmp_path):
    make_ssdd_official(tmp_path, "train")
    source = DATASETS["ssdd_official"]
    assert (source.has(tmp_path, "train"), source.has(tmp_path, "val")) == (True, False)
    with pytest.raises(MalformedDataset, match="holds the val split of none of"):
        list(ssdd_official.read(tmp_path, "val"))


def test_an_outline_of_two_points_is_said(tmp_path):
    make_ssdd_official(tmp_path, "train", "PSeg_SSDD")
    path = tmp_path / "Official-SSDD-OPEN/PSeg_SSDD/voc_style/Annotations_train/000002.xml"
    text = path.read_text()
    start, end = text.index("<segm>"), text.index("</segm>")
    path.write_text(text[:start] + "<segm><point>30,20</point><point>50,40</point>" + text[end:])
    broken = []
    first, second = ssdd_official.read(tmp_path, "train", broken.append)
    assert (len(first.objects), len(second.objects)) == (0, 1)
    assert "2 points" in broken[0].reason
