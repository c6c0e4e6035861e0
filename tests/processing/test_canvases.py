"""Canvases: every kind of mark looks different, lies in its place, and covers what the mark covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.processing.canvases import FILLED, HEAT, HEAT_RADIUS, STROKE, STROKE_WIDTH, draw_canvas
from earthgptx.shapes import Box, Ellipse, Mark, Mask, Point, Polygon, Scribble
from tests.mark_strategies import marks, star_polygons

SIZE = 112
FRAME = Box(0, 0, 64, 64)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:64, :64] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


SAME_PLACE: tuple[Mark, ...] = (
    Point(32, 32),
    Box(20, 20, 44, 44),
    Ellipse(32, 32, 12, 12),
    Polygon(((20, 44), (32, 20), (44, 44))),
    Scribble(((20, 20), (44, 44), (44, 20))),
    Mask.from_array(disc(32, 32, 12)),
)


def test_kinds_at_one_place_look_different():
    drawn = [draw_canvas(mark, FRAME, SIZE).astype(float) for mark in SAME_PLACE]
    for one in range(len(drawn)):
        for other in range(one):
            assert np.abs(drawn[one] - drawn[other]).mean() > 1, (SAME_PLACE[one].kind, SAME_PLACE[other].kind)


@pytest.mark.parametrize(
    ("mark", "channels"),
    list(zip(SAME_PLACE, [{HEAT}, *[{FILLED, STROKE}] * 3, {STROKE}, {FILLED}], strict=True)),
    ids=lambda value: getattr(value, "kind", ""),
)
def test_each_kind_has_its_channels(mark: Mark, channels: set[int]):
    canvas = draw_canvas(mark, FRAME, SIZE)
    assert (canvas.shape, canvas.dtype) == ((3, SIZE, SIZE), np.uint8)
    assert {channel for channel in range(3) if canvas[channel].any()} == channels


def bounds_on_canvas(mark: Mark, frame: Box) -> tuple[float, float, float, float]:
    bounds, scale = mark.bounds(), SIZE / frame.width
    return (
        (bounds.x0 - frame.x0) * scale,
        (bounds.y0 - frame.y0) * scale,
        (bounds.x1 - frame.x0) * scale,
        (bounds.y1 - frame.y0) * scale,
    )


@given(marks, st.sampled_from([FRAME, Box(8, 4, 40, 36), Box(0, 0, 200, 200)]))
def test_nothing_is_drawn_outside_the_mark_s_place(mark: Mark, frame: Box):
    canvas = draw_canvas(mark, frame, SIZE)
    slack = STROKE_WIDTH / 2 + 2
    if mark.kind == "point":
        canvas, slack = canvas > 255 * math.exp(-0.5), HEAT_RADIUS + 1  # the heat within one standard deviation
    rows, columns = np.nonzero(canvas.any(axis=0))
    x0, y0, x1, y1 = bounds_on_canvas(mark, frame)
    assert (columns + 0.5 >= x0 - slack).all()
    assert (columns + 0.5 <= x1 + slack).all()
    assert (rows + 0.5 >= y0 - slack).all()
    assert (rows + 0.5 <= y1 + slack).all()


@given(marks)
def test_every_mark_leaves_a_trace(mark: Mark):
    if isinstance(mark, Mask) and mark.area == 0:
        return
    for side in (64, 1000):
        assert draw_canvas(mark, Box(0, 0, side, side), SIZE).max() > 0 or isinstance(mark, Mask)


def shoelace(points: tuple[tuple[float, float], ...]) -> float:
    ahead = points[1:] + points[:1]
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, ahead, strict=True))) / 2


@given(
    st.one_of(
        star_polygons(),
        st.builds(Ellipse, st.floats(20, 44), st.floats(20, 44), st.floats(2, 18), st.floats(2, 18)),
        st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), *[st.floats(0, 30)] * 2, *[st.floats(2, 32)] * 2),
    ),
    st.floats(64, 300),
)
def test_the_fill_covers_what_the_mark_covers(mark: Mark, side: float):
    scale = SIZE / side
    outline = mark.outline()
    if isinstance(mark, Ellipse):
        area = math.pi * mark.radius_x * mark.radius_y
    else:
        area = mark.area if isinstance(mark, Box) else shoelace(outline)
    perimeter = sum(math.dist(a, b) for a, b in zip(outline, outline[1:] + outline[:1], strict=True))
    filled = draw_canvas(mark, Box(0, 0, side, side), SIZE)[FILLED] / 255
    # Pixels on the edge count whole or not at all: their number is bounded by the edge's length.
    assert abs(float(filled.sum()) - area * scale**2) <= perimeter * scale + 1


@given(st.floats(1, 30), st.integers(SIZE, 600))
def test_a_mask_in_a_finer_scene_keeps_its_area(radius: float, side: int):
    mask, scale = Mask.from_array(disc(32, 32, radius)), SIZE / side
    drawn = draw_canvas(mask, Box(0, 0, side, side), SIZE)[FILLED].astype(float) / 255
    perimeter = 2 * math.pi * (radius + 1) * scale
    # Measured over sides of 112 to 600 px and 30 radii: at most 0.26 of the perimeter.
    assert abs(float(drawn.sum()) - mask.area * scale**2) <= perimeter / 3 + 0.1


@given(st.floats(2, 30), st.integers(16, SIZE))
def test_a_mask_that_is_magnified_keeps_its_pixels(radius: float, side: int):
    array = np.zeros((SIZE, SIZE), bool)
    array[:64, :64] = disc(32, 32, radius)
    drawn = draw_canvas(Mask.from_array(array[:side, :side]), Box(0, 0, side, side), SIZE)[FILLED]
    centres = ((np.arange(SIZE) + 0.5) * side / SIZE).astype(int)
    assert np.array_equal(drawn > 0, array[np.ix_(centres, centres)])


def test_a_frame_magnifies_and_moves():
    near = draw_canvas(Box(30, 30, 34, 34), Box(24, 24, 40, 40), SIZE)[FILLED]
    rows, columns = np.nonzero(near)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (42, 69, 42, 69)


def test_a_mark_that_reaches_out_of_its_frame_is_cut():
    canvas = draw_canvas(Box(-20, 10, 20, 30), FRAME, SIZE)[FILLED]
    assert canvas[18:52, 0].all()
    assert not canvas[:, 40:].any()


def test_the_heat_is_highest_at_the_point():
    heat = draw_canvas(Point(16.3, 40.9), FRAME, SIZE)[HEAT]
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    assert (row, column) == (int(40.9 * SIZE / 64), int(16.3 * SIZE / 64))
