"""Masks between windows and the scene's run lengths: what goes in comes out, without an array of the scene."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from earthgptx.geo.scene_masks import extent_in_scene, filled, in_scene_frame, mark_in, seen_in
from earthgptx.geo.windows import Frame
from earthgptx.rasters import fill_rings
from earthgptx.shapes import Box, Mask, Point
from tests.mark_strategies import star_polygons

arrays = npst.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@st.composite
def seen_masks(draw):
    """A mask of a window that was read at full resolution or reduced, and the scene's size."""
    array = draw(arrays)
    height, width = array.shape
    across, down = draw(st.integers(width, 4 * width)), draw(st.integers(height, 4 * height))
    x0, y0 = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    frame = Frame(Box(x0, y0, x0 + across, y0 + down), width, height)
    return array, frame, (x0 + across + draw(st.integers(0, 5)), y0 + down + draw(st.integers(0, 5)))


def naively(array: np.ndarray, frame: Frame, size: tuple[int, int]) -> np.ndarray:
    """Every scene pixel asks which read pixel lies under its centre."""
    raster = np.zeros((size[1], size[0]), bool)
    for y in range(int(frame.window.y0), int(frame.window.y1)):
        for x in range(int(frame.window.x0), int(frame.window.x1)):
            column, row = frame.to_view(x + 0.5, y + 0.5)
            raster[y, x] = array[int(row), int(column)]
    return raster


@given(seen_masks())
def test_a_seen_mask_lies_in_the_scene_where_it_was_seen(seen):
    array, frame, size = seen
    mask = in_scene_frame(array, frame, width=size[0], height=size[1])
    truth = naively(array, frame, size)
    assert (mask.to_array() == truth).all()
    assert mask == Mask.from_array(truth)  # the same run lengths, too
    extent = extent_in_scene(array, frame)
    assert (extent or Box(0, 0, 0, 0)) == mask.bounds()


@given(seen_masks())
def test_and_is_seen_again_in_its_window(seen):
    array, frame, size = seen
    mask = in_scene_frame(array, frame, width=size[0], height=size[1])
    assert (seen_in(mask, frame) == array).all()


@given(arrays)
def test_bounds_without_an_array(array):
    rows, columns = np.flatnonzero(array.any(axis=1)), np.flatnonzero(array.any(axis=0))
    truth = Box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else Box(0, 0, 0, 0)
    assert Mask.from_array(array).bounds() == truth


@given(st.lists(star_polygons(), min_size=1, max_size=3), st.integers(-30, 20))
def test_parts_and_holes_are_filled_as_in_one_raster(polygons, shift):
    outer = [(x + shift, y) for x, y in polygons[0].points]
    hole = [(24 + (x - shift - 24) / 3 + shift, 20 + (y - 20) / 3) for x, y in outer]
    parts = [[outer, hole], *[[list(one.points)] for one in polygons[1:]]]
    geometry = {"type": "MultiPolygon", "coordinates": [[[*ring, ring[0]] for ring in part] for part in parts]}
    truth = np.zeros((40, 48), bool)
    for part in parts:
        truth |= fill_rings([np.array(ring, dtype=float) for ring in part], 40, 48)
    assert filled(geometry, width=48, height=40) == Mask.from_array(truth)


def test_wide_geometries_are_filled_strip_by_strip():
    ring = [[10.2, 5.0], [900.0, 40.0], [300.0, 390.0], [10.2, 5.0]]
    truth = fill_rings([np.array(ring[:-1])], 400, 1000)
    assert filled({"type": "Polygon", "coordinates": [ring]}, width=1000, height=400) == Mask.from_array(truth)


def test_a_mask_of_an_enormous_scene_costs_what_its_window_costs():
    array = np.zeros((512, 512), bool)
    array[100:200, 50:70] = True
    frame = Frame(Box(20_000, 21_000, 20_512, 21_512), 512, 512)
    mask = in_scene_frame(array, frame, width=40_000, height=40_000)
    assert (mask.area, mask.bounds()) == (2000, Box(20_050, 21_100, 20_070, 21_200))
    assert len(mask.counts) < 400
    assert (seen_in(mask, frame) == array).all()


@settings(max_examples=30)
@given(st.integers(0, 39), st.integers(0, 47))
def test_a_tiny_mask_is_not_lost_in_a_reduced_window(row, column):
    array = np.zeros((40, 48), bool)
    array[row, column] = True
    seen = seen_in(Mask.from_array(array), Frame(Box(0, 0, 48, 40), 6, 5))
    assert np.argwhere(seen).tolist() == [[row // 8, column // 8]]


def test_marks_move_into_a_window_and_stay_themselves_in_the_whole():
    frame = Frame(Box(100, 200, 300, 600), width=100, height=100)
    assert mark_in(Point(150, 400), frame) == Point(25, 50)
    whole = Frame(Box(0, 0, 300, 600), width=300, height=600)
    box = Box(0.1, 0.2, 7.7, 9.3)
    assert mark_in(box, whole) is box
