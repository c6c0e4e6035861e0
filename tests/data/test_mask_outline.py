"""Masks to polygons and back: nothing is lost, whatever the shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earthgptx.data.mask_outline import mask_from_runs, polygons_around
from earthgptx.errors import MalformedMark
from earthgptx.shapes import Box, Mask, rasterise_polygons


def filled(polygons, shape):
    height, width = shape
    return rasterise_polygons([polygon.points for polygon in polygons], Box(0, 0, width, height), shape)


@settings(max_examples=200, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_filling_the_outlines_gives_the_mask_back(mask):
    assert np.array_equal(filled(polygons_around(mask), mask.shape), mask)


@settings(max_examples=60, deadline=None)
@given(arrays(np.bool_, (7, 8)), st.integers(2, 5))
def test_outlines_can_be_scaled_by_odd_factors(mask, half):
    factor = 2 * half + 1  # the middle of each big pixel is the centre of a small one
    scaled = [polygon.scaled(factor, factor) for polygon in polygons_around(mask)]
    raster = filled(scaled, (7 * factor, 8 * factor))
    assert np.array_equal(raster[half::factor, half::factor], mask)


def test_parts_that_touch_at_a_corner_are_two_polygons():
    mask = np.array([[1, 0], [0, 1]], dtype=bool)
    assert len(polygons_around(mask)) == 2


def test_an_island_in_a_hole_is_a_polygon_of_its_own():
    mask = np.ones((7, 7), dtype=bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    ring, island = polygons_around(mask)
    assert ring.bounds() == Box(0, 0, 7, 7)
    assert island.bounds() == Box(3, 3, 4, 4)
    assert np.array_equal(filled((ring,), mask.shape), mask & (np.arange(49).reshape(7, 7) != 24))


def test_a_mask_of_hundreds_of_parts_and_holes_is_the_same_again():
    mask = np.random.default_rng(0).random((120, 120)) < 0.6
    polygons = polygons_around(mask)
    assert len(polygons) > 300
    assert np.array_equal(filled(polygons, mask.shape), mask)


def test_a_slope_is_one_line():
    mask = np.tri(50, dtype=bool)
    (triangle,) = polygons_around(mask)
    assert len(triangle.points) <= 6
    assert polygons_around(np.zeros((3, 3), dtype=bool)) == ()


@given(arrays(np.bool_, (4, 5)))
def test_run_lengths_are_read_packed_and_plain(mask):
    packed = Mask.from_array(mask)
    assert np.array_equal(mask_from_runs({"size": [4, 5], "counts": packed.counts}), mask)
    assert np.array_equal(mask_from_runs({"size": [4, 5], "counts": packed.check_counts()}), mask)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (None, 'needs "size"'),
        ({"size": [4], "counts": [20]}, 'needs "size"'),
        ({"size": [4, 0], "counts": [0]}, 'needs "size"'),
        ({"size": [True, 20], "counts": [20]}, 'needs "size"'),
        ({"size": [100_000, 100_000], "counts": [10**10]}, "too large"),
        ({"size": [4, 5], "counts": [True, 19]}, "whole numbers"),
        ({"size": [4, 5], "counts": [3, 4]}, "cover 7 pixels, but 5 x 4 has 20"),
        ({"size": [4, 5], "counts": [-1, 21]}, "whole numbers"),
        ({"size": [4, 5], "counts": "@@@"}, "has 20"),
        ({"size": [4, 5]}, "text or a list"),
    ],
)
def test_broken_run_lengths_are_refused(written, message):
    with pytest.raises(MalformedMark, match=message):
        mask_from_runs(written)
