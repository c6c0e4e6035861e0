"""Polygons to pixels: agreement with pycocotools, windows, unions and shared edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from earthgptx.shapes import (
    Box,
    rasterise_polygons,
)
from tests.mark_strategies import (
    HEIGHT,
    WIDTH,
    distance_to_outline,
    star_polygons,
    whole_boxes,
)


@given(star_polygons())
def test_fill_differs_from_pycocotools_by_boundary_pixels_only(polygon):
    coco = pytest.importorskip("pycocotools.mask")
    flat = [value for point in polygon.points for value in point]
    theirs = coco.decode(coco.merge(coco.frPyObjects([flat], HEIGHT, WIDTH))).astype(bool)
    ours = rasterise_polygons([polygon.points], Box(0, 0, WIDTH, HEIGHT), (HEIGHT, WIDTH))
    rows, columns = np.nonzero(ours != theirs)
    for x, y in zip(columns + 0.5, rows + 0.5, strict=True):
        assert distance_to_outline(polygon, x, y) <= 1.5


@given(star_polygons(), whole_boxes())
def test_a_window_of_its_own_size_is_a_crop_of_the_whole(polygon, window):
    whole = rasterise_polygons([polygon.points], Box(0, 0, WIDTH, HEIGHT), (HEIGHT, WIDTH))
    size = (int(window.height), int(window.width))
    part = rasterise_polygons([polygon.points], window, size)
    crop = whole[int(window.y0) : int(window.y1), int(window.x0) : int(window.x1)]
    # A vertex moved by the window's corner may round across a pixel centre: a few per thousand at most.
    assert (part != crop).sum() <= 1


def test_union_of_polygons_and_a_window_past_the_image():
    squares = [((0, 0), (4, 0), (4, 4), (0, 4)), ((2, 2), (6, 2), (6, 6), (2, 6))]
    assert rasterise_polygons(squares, Box(0, 0, 8, 8), (8, 8)).sum() == 28
    outside = rasterise_polygons(squares, Box(-8, -8, 8, 8), (16, 16))
    assert outside.sum() == 28
    assert outside[8, 8]
    assert rasterise_polygons(squares, Box(0, 0, 8, 8), (16, 16)).sum() == 4 * 28
    assert not rasterise_polygons([], Box(0, 0, 8, 8), (4, 4)).any()
    assert not rasterise_polygons(squares, Box(3, 3, 3, 3), (4, 4)).any()


def test_squares_side_by_side_share_no_pixel_and_leave_no_gap():
    left, right = (
        ((0.5, 0.5), (3.5, 0.5), (3.5, 6.5), (0.5, 6.5)),
        ((3.5, 0.5), (7.5, 0.5), (7.5, 6.5), (3.5, 6.5)),
    )
    frame = Box(0, 0, 8, 8)
    parts = [rasterise_polygons([ring], frame, (8, 8)) for ring in (left, right)]
    assert not (parts[0] & parts[1]).any()
    assert (parts[0] | parts[1]).sum() == 7 * 6
