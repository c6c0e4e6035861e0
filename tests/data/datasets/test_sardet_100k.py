"""SARDet-100K: boxes of a COCO file a split, and images in the split's folder or in one."""

from __future__ import annotations

import json

from earthgptx.data.datasets import sardet_100k
from earthgptx.shapes import Box
from tests.fixtures.make_sardet import make_sardet


def test_boxes_are_read_and_one_outside_is_said(tmp_path):
    make_sardet(tmp_path, "train")
    broken = []
    first, empty = sardet_100k.read(tmp_path, "train", broken.append)
    assert [(item.label, item.box) for item in first.objects] == [
        ("ship", Box(10, 20, 40, 28)),
        ("storage tank", Box(60, 60, 80, 80)),
    ]
    assert empty.objects == ()
    assert len(broken) == 1
    assert "annotation 2" in broken[0].item
    assert "lies outside the image of 128 x 128" in broken[0].reason


def test_outlines_are_not_taken_for_masks(tmp_path):
    make_sardet(tmp_path, "val")
    path = tmp_path / "SARDet_100K" / "Annotations" / "val.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = [[10, 20, 40, 20, 40, 28, 10, 28]]
    path.write_text(json.dumps(content))
    first, _ = sardet_100k.read(tmp_path, "val", [].append)
    assert not first.objects[0].has_mask


def test_images_may_lie_in_one_folder(tmp_path):
    make_sardet(tmp_path, "test")
    folder = tmp_path / "SARDet_100K" / "JPEGImages"
    for path in (folder / "test").iterdir():
        path.rename(folder / path.name)
    assert len(list(sardet_100k.read(tmp_path, "test", [].append))) == 2
