"""Properties of the six marks: run lengths agree with pycocotools, boxes and masks turn into each other."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.errors import MalformedMark
from earthgptx.shapes import (
    Box,
    Ellipse,
    Mask,
    Point,
    Polygon,
    Scribble,
    mark_from_json,
)
from tests.mark_strategies import (
    HEIGHT,
    WIDTH,
    arrays,
    distance_to_outline,
    marks,
    masks,
    quarter_x,
    quarter_y,
    star_polygons,
    vertex,
    whole_boxes,
)


@given(arrays)
def test_mask_returns_the_array_it_was_made_from(array):
    mask = Mask.from_array(array)
    assert (mask.to_array() == array).all()
    assert mask.area == array.sum()


@given(arrays)
def test_counts_are_those_of_pycocotools(array):
    coco = pytest.importorskip("pycocotools.mask")
    encoded = coco.encode(np.asfortranarray(array.astype(np.uint8)))
    mask = Mask.from_array(array)
    assert mask.counts == encoded["counts"].decode()
    assert mask.area == coco.area(encoded)
    if array.any():
        x, y, w, h = coco.toBbox(encoded)
        assert mask.bounds() == Box(x, y, x + w, y + h)


def test_long_runs_survive_packing():
    array = np.zeros((700, 900), dtype=bool)
    array[13:650, 5:880] = True
    array[300, 300] = False
    assert (Mask.from_array(array).to_array() == array).all()


@given(whole_boxes())
def test_box_to_mask_to_box(box):
    mask = Mask.from_array(box.to_mask(HEIGHT, WIDTH))
    assert mask.bounds() == box
    assert mask.area == box.area
    assert mask_from_outline(mask) == mask


def mask_from_outline(mask: Mask) -> Mask:
    return Mask.from_array(Polygon(mask.outline()).to_mask(mask.height, mask.width))


@pytest.mark.parametrize("counts", ["", "9", "\x00", "é", "zz", "0" * 40])
def test_counts_that_do_not_fill_the_image_are_refused(counts):
    with pytest.raises(MalformedMark, match="pixels"):
        Mask(4, 5, counts).to_array()


@given(st.text(max_size=30))
def test_no_text_as_counts_breaks_the_reader(counts):
    written = {"kind": "mask", "size": [7, 9], "counts": counts}
    with contextlib.suppress(MalformedMark):
        assert mark_from_json(written).to_array().shape == (7, 9)


@given(marks)
def test_mirroring_twice_is_identity(mark):
    again = mark.flipped(WIDTH).flipped(WIDTH)
    assert np.allclose(again.outline() or [(0, 0)], mark.outline() or [(0, 0)])
    assert again.kind == mark.kind
    if isinstance(mark, Mask):
        assert again == mark


@given(st.one_of(whole_boxes(), masks, vertex.map(lambda v: Point(*v)), star_polygons()))
def test_mirroring_the_mark_mirrors_its_pixels(mark):
    before, after = mark.to_mask(HEIGHT, WIDTH), mark.flipped(WIDTH).to_mask(HEIGHT, WIDTH)
    rows, columns = np.nonzero(before[:, ::-1] != after)
    for x, y in zip(columns + 0.5, rows + 0.5, strict=True):  # a centre on the outline goes to one side only
        assert distance_to_outline(mark.flipped(WIDTH), x, y) < 1e-6


@given(marks, st.integers(-3, 3), st.integers(-3, 3))
def test_bounds_move_and_grow_with_the_mark(mark, dx, dy):
    box = mark.bounds()
    doubled = mark.scaled(2, 2).bounds()
    corners = [2 * box.x0, 2 * box.y0, 2 * box.x1, 2 * box.y1]
    assert np.allclose([doubled.x0, doubled.y0, doubled.x1, doubled.y1], corners)
    if not isinstance(mark, Mask):  # a mask is cut at the frame
        moved = mark.shifted(dx, dy).bounds()
        assert np.allclose([moved.x0 - dx, moved.y1 - dy], [box.x0, box.y1])


def test_shifting_a_mask_moves_pixels_and_drops_those_that_leave():
    array = np.zeros((4, 6), dtype=bool)
    array[1, 0] = array[2, 3] = True
    moved = Mask.from_array(array).shifted(-1, 1).to_array()
    assert moved.sum() == 1
    assert moved[3, 2]


def test_a_mask_cannot_be_mirrored_in_an_image_of_another_width():
    with pytest.raises(MalformedMark, match=r"6 wide.*7 wide"):
        Mask.from_array(np.ones((4, 6), dtype=bool)).flipped(7)


@given(whole_boxes(), whole_boxes())
def test_iou_is_symmetric_bounded_and_agrees_with_pixels(first, second):
    a, b = first.to_mask(HEIGHT, WIDTH), second.to_mask(HEIGHT, WIDTH)
    assert first.iou(second) == second.iou(first)
    assert first.iou(second) == pytest.approx((a & b).sum() / (a | b).sum())
    assert first.iou(first) == 1


@given(marks)
def test_pixels_lie_in_the_bounds(mark):
    stroke = 2 if isinstance(mark, Scribble) else 0
    box = mark.bounds()
    rows, columns = np.nonzero(mark.to_mask(HEIGHT, WIDTH))
    assert (columns + 0.5 >= box.x0 - stroke - 0.5).all()
    assert (columns + 0.5 <= box.x1 + stroke + 0.5).all()
    assert (rows + 0.5 >= box.y0 - stroke - 0.5).all()
    assert (rows + 0.5 <= box.y1 + stroke + 0.5).all()


@given(quarter_x, quarter_y)
def test_a_mark_too_small_for_a_pixel_centre_still_shows(x, y):
    speck = Box(x - 0.01, y - 0.01, x + 0.01, y + 0.01)
    thin = Polygon(((x, y), (x + 0.01, y), (x, y + 0.01)))
    for mark in (speck, Ellipse.circle(x, y, 0.01), thin, Point(x, y)):
        assert mark.to_mask(HEIGHT, WIDTH).sum() == 1
        assert mark.to_mask(HEIGHT, WIDTH)[int(y), int(x)]


def test_circle_is_an_ellipse_of_the_right_area():
    circle = Ellipse.circle(50, 50, 30)
    assert circle == Ellipse(50, 50, 30, 30)
    assert circle.to_mask(100, 100).sum() == pytest.approx(math.pi * 900, rel=0.01)
    assert Polygon(circle.outline()).area == pytest.approx(math.pi * 900, rel=0.01)


def test_scribble_stroke_has_its_width():
    stroke = Scribble(((5, 10.5), (25, 10.5))).to_mask(20, 30)
    assert stroke[9:12, 6:24].all()
    assert not stroke[[7, 13]].any()
    wide = Scribble(((5, 10.5), (25, 10.5))).to_mask(20, 30, stroke_width=7.0)
    assert wide[7:14, 6:24].all()


def test_lists_and_arrays_make_the_same_path_as_tuples():
    assert Scribble([(5, 5), (9, 30)]) == Scribble(np.array([[5, 5], [9, 30]])) == Scribble(((5, 5), (9, 30)))
    assert len({Polygon([(0, 0), (1, 0), (1, 1)]), Polygon(((0, 0), (1, 0), (1, 1)))}) == 1
