"""LabelMe's shapes, and what is wrong with a file."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from earthgptx.data.formats import labelme
from earthgptx.shapes import Box
from tests.fixtures.make_own import SIZE, SQUARE, make_labelme, mask_text

POLYGON = {"label": "Ship", "shape_type": "polygon", "points": SQUARE}


def read(root, **options):
    options = {"dataset": "own", "split": "train", "sensor": "sar", "name_of": str.lower} | options
    return list(labelme.read_folder(root, **options))


def only(shape):
    return labelme.object_from({"label": "x", **shape}, name_of=str.lower, width=SIZE[0], height=SIZE[1])


def test_a_folder_of_files(tmp_path):
    make_labelme(tmp_path, "a", [POLYGON, {**POLYGON, "description": "a long grey ship"}])
    (tmp_path / "deep").mkdir()
    make_labelme(tmp_path / "deep", "b", [], imageHeight=None)
    first, second = read(tmp_path)
    assert (first.id, second.id) == ("own/train/a", "own/train/deep/b")
    assert (second.width, second.height) == SIZE
    assert [item.label for item in first.objects] == ["ship", "ship"]
    assert first.objects[0].box == Box(20, 30, 60, 70)
    assert first.objects[1].descriptions == ("a long grey ship",)


def test_named_files_alone(tmp_path):
    for name in ("a", "b"):
        make_labelme(tmp_path, name, [POLYGON])
    assert [image.id for image in read(tmp_path, names=["b"])] == ["own/train/b"]
    broken = []
    assert read(tmp_path, names=["c"], on_broken=broken.append) == []
    assert "does not exist" in broken[0].reason


def test_rectangles_from_any_corner():
    box = Box(20, 30, 60, 70)
    for points in ([(20, 30), (60, 70)], [(60, 70), (20, 30)], [(60, 30), (20, 70)], SQUARE):
        assert only({"shape_type": "rectangle", "points": points}).box == box


def test_a_circle_is_its_centre_and_a_point_of_its_rim():
    item = only({"shape_type": "circle", "points": [(50, 50), (53, 54)]})
    assert item.box == Box(45, 45, 55, 55)
    assert item.polygons[0].area == pytest.approx(math.pi * 25, rel=0.01)


def test_lines_are_ribbons_and_points_are_squares():
    item = only({"shape_type": "linestrip", "points": [(10, 50), (90, 50), (90, 80)]})
    breadth = labelme.LINE_BREADTH
    assert item.box == Box(10, 50 - breadth / 2, 90 + breadth / 2, 80)
    assert item.mask(*SIZE[::-1]).sum() == pytest.approx(110 * breadth, rel=0.05)
    half = labelme.POINT_SIZE / 2
    item = only({"shape_type": "point", "points": [(40, 50)]})
    assert item.box == Box(40 - half, 50 - half, 40 + half, 50 + half)
    assert not item.has_mask
    assert only({"shape_type": "point", "points": [(0, 0)]}).box == Box(0, 0, half, half)


@settings(max_examples=20, deadline=None)
@given(arrays.arrays(bool, (9, 13)), st.integers(0, 100), st.integers(0, 90))
def test_masks_lie_where_their_first_point_is(mask, left, top):
    if not mask.any():
        return
    points = [(left, top), (left + 12, top + 8)]
    item = only({"shape_type": "mask", "points": points, "mask": mask_text(mask)})
    expected = np.zeros(SIZE[::-1], dtype=bool)
    expected[top : top + 9, left : left + 13] = mask
    assert (item.mask(*SIZE[::-1]) == expected).all()


def test_boxes_in_their_own_direction():
    item = only({"shape_type": "rotation", "points": [(40, 30), (50, 40), (40, 50), (30, 40)]})
    assert item.rotated.area == pytest.approx(200)


def test_parts_of_one_group_are_one_object(tmp_path):
    other = [(100, 10), (120, 10), (120, 30)]
    parts = [{**POLYGON, "group_id": 1}, {**POLYGON, "points": other, "group_id": 1}, {**POLYGON, "group_id": 2}]
    make_labelme(tmp_path, "a", [*parts, {**POLYGON, "label": "tank", "group_id": 1}, POLYGON, POLYGON])
    (image,) = read(tmp_path)
    assert [(item.label, len(item.polygons)) for item in image.objects] == [
        ("ship", 2),
        ("ship", 1),
        ("tank", 1),
        ("ship", 1),
        ("ship", 1),
    ]
    assert image.objects[0].box == Box(20, 10, 120, 70)


def test_exactly_the_broken_items_are_set_aside(tmp_path):
    shapes = [
        POLYGON,
        {**POLYGON, "points": SQUARE[:2]},
        {**POLYGON, "label": " "},
        {**POLYGON, "shape_type": "cuboid"},
        {**POLYGON, "points": []},
        {**POLYGON, "points": [[1, 2, 3], [4, 5]]},
        {**POLYGON, "shape_type": "rectangle", "points": [(400, 10), (420, 30)]},
        {**POLYGON, "shape_type": "circle", "points": [(50, 50)]},
        {**POLYGON, "shape_type": "mask", "mask": "no picture"},
        {**POLYGON, "shape_type": "rotation", "points": SQUARE[:3]},
    ]
    make_labelme(tmp_path, "a", shapes)
    make_labelme(tmp_path, "b", [POLYGON])
    (tmp_path / "b.jpg").unlink()
    (tmp_path / "c.json").write_text('{"setting": 1}', encoding="utf-8")
    (tmp_path / "d.json").write_text("{", encoding="utf-8")
    make_labelme(tmp_path, "e", [POLYGON], imageWidth="wide")
    broken = []
    (image,) = read(tmp_path, on_broken=broken.append)
    assert len(image.objects) == 1
    found = [(item.item.rsplit("/", 1)[-1], item.reason) for item in broken]
    wanted = [
        ("a.json shape 2", "2 points"),
        ("a.json shape 3", "no label"),
        ("a.json shape 4", "'cuboid'"),
        ("a.json shape 5", "no points"),
        ("a.json shape 6", "3 numbers, not 2"),
        ("a.json shape 7", "outside"),
        ("a.json shape 8", "not 1 points"),
        ("a.json shape 9", "no picture"),
        ("a.json shape 10", "not 3"),
        ("b.json", "does not exist"),
        ("c.json", "shapes"),
        ("d.json", "not JSON"),
        ("e.json", "whole number"),
    ]
    assert [item for item, _ in found] == [item for item, _ in wanted]
    for (_, reason), (_, words) in zip(found, wanted, strict=True):
        assert words in reason
