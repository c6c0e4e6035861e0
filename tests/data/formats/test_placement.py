"""Which boxes and outlines are taken, which are refused, and in which words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.formats.placement import keyhole, numbers, outlined_object, placed_box, ribbon, turned_box
from earthgptx.errors import EnclosesNothing, MalformedDataset
from earthgptx.shapes import Box, Polygon, rasterise_polygons

EDGE = st.floats(-50, 150)


@given(EDGE, EDGE, st.floats(0.01, 80), st.floats(0.01, 80))
def test_a_placed_box_lies_in_its_image_or_is_refused(x, y, across, down):
    box = Box(x, y, x + across, y + down)
    clipped = box.clipped(100, 60)
    if clipped != box and clipped.area < min(1, box.area):
        with pytest.raises(MalformedDataset, match="100 x 60"):
            placed_box(box, 100, 60)
    else:
        assert placed_box(box, 100, 60) == clipped


@pytest.mark.parametrize("box", [Box(5, 5, 5, 9), Box(5, 5, 9, 5), Box(9, 9, 5, 5)])
def test_a_box_without_area_encloses_nothing(box):
    with pytest.raises(EnclosesNothing, match="encloses nothing"):
        placed_box(box, 10, 10)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(value):
    with pytest.raises(MalformedDataset, match="finite"):
        placed_box(Box(0, 0, value, 5), 10, 10)
    with pytest.raises(MalformedDataset, match="finite"):
        outlined_object([[(0, 0), (5, 0), (value, 5)]], "x", 10, 10)


@pytest.mark.parametrize("written", ["1234", {1: 2}, None, 7, [1, 2, 3, True], [1, 2, 3, "x"], [10**400] * 4])
def test_what_is_no_list_of_numbers_is_refused(written):
    with pytest.raises(MalformedDataset, match="is not a box"):
        numbers(written, 4, "a box")


def test_numbers_may_be_written_as_text():
    assert numbers(["1", " 2.5 ", 3, 4.0], 4, "a box") == (1, 2.5, 3, 4)


def test_an_outline_keeps_its_parts_and_loses_a_closing_point():
    found = outlined_object([[(1, 1), (5, 1), (5, 5), (1, 1)], [(7, 7), (9, 7)], [(6, 6), (8, 6), (8, 8)]], "x", 10, 10)
    assert [len(polygon.points) for polygon in found.polygons] == [3, 3]
    assert found.box == Box(1, 1, 8, 8)
    with pytest.raises(EnclosesNothing, match="2 points"):
        outlined_object([[(1, 1), (5, 5)]], "x", 10, 10)


@given(st.floats(0, 2 * math.pi), st.floats(1, 40), st.floats(1, 40))
def test_a_turned_box_keeps_its_size_and_centre(radians, width, height):
    corners = turned_box(30, 20, width=width, height=height, radians=radians)
    assert Polygon(corners).area == pytest.approx(width * height)
    assert np.mean(corners, axis=0) == pytest.approx([30, 20])
    assert math.dist(corners[0], corners[1]) == pytest.approx(width)
    # Clockwise on screen, where y runs down: the first side points along the angle.
    assert corners[1][1] - corners[0][1] == pytest.approx(math.sin(radians) * width, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), unique=True, max_size=6), st.booleans())
def test_holes_stay_open_in_the_one_ring(cells, is_reversed):
    exterior = [(2.0, 2.0), (42.0, 2.0), (42.0, 32.0), (2.0, 32.0)]
    holes = [
        [(4.0 + 10 * i, 4.0 + 10 * j), (10.0 + 10 * i, 4.0 + 10 * j), (7.0 + 10 * i, 9.0 + 10 * j)] for i, j in cells
    ]
    ring = keyhole(exterior[::-1] if is_reversed else exterior, holes)
    window = Box(0, 0, 50, 40)
    expected = rasterise_polygons([exterior], window, (40, 50))
    for hole in holes:
        expected &= ~rasterise_polygons([hole], window, (40, 50))
    assert (rasterise_polygons([ring], window, (40, 50)) == expected).all()
    assert Polygon(ring).area == pytest.approx(1200 - sum(Polygon(tuple(hole)).area for hole in holes))


def test_a_ribbon_is_as_broad_as_its_pen():
    (quad,) = ribbon([(10, 10), (30, 10)], 4)
    assert Polygon(quad).bounds() == Box(10, 8, 30, 12)
    assert ribbon([(5, 5), (5, 5)], 4) == []
