"""Hypothesis strategies for marks on one small image, shared by the tests of shapes, marks and rasters."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from earthgptx.shapes import Box, Ellipse, Mark, Mask, Point, Polygon, Scribble

WIDTH, HEIGHT = 48, 40

# Quarters of a pixel, off the pixel centres: exact in binary, so equalities below are equalities.
quarter_x = st.integers(0, WIDTH * 4 - 1).map(lambda n: n / 4 + 1 / 8)
quarter_y = st.integers(0, HEIGHT * 4 - 1).map(lambda n: n / 4 + 1 / 8)
vertex = st.tuples(quarter_x, quarter_y)
arrays = npst.arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))


@st.composite
def whole_boxes(draw):
    x0, y0 = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return Box(x0, y0, draw(st.integers(x0 + 1, WIDTH)), draw(st.integers(y0 + 1, HEIGHT)))


@st.composite
def star_polygons(draw):
    """Rings whose vertices go round a middle: they never cross themselves."""
    count = draw(st.integers(3, 9))
    radii = draw(st.lists(st.floats(3, 18), min_size=count, max_size=count))
    angles = [2 * math.pi * number / count for number in range(count)]
    return Polygon(tuple((24 + r * math.cos(a), 20 + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)))


masks = npst.arrays(bool, (HEIGHT, WIDTH)).map(Mask.from_array)
marks: st.SearchStrategy[Mark] = st.one_of(
    vertex.map(lambda v: Point(*v)),
    whole_boxes(),
    st.builds(Ellipse, quarter_x, quarter_y, quarter_x, quarter_y),
    star_polygons(),
    st.lists(vertex, min_size=2, max_size=9, unique=True).map(lambda points: Scribble(tuple(points))),
    masks,
)


def distance_to_outline(polygon: Polygon, x: float, y: float) -> float:
    """Distance in pixels from a place to the nearest edge."""
    starts = np.array(polygon.points)
    along = np.roll(starts, -1, axis=0) - starts
    to_point = np.array([x, y]) - starts
    share = np.clip((to_point * along).sum(1) / np.maximum((along**2).sum(1), 1e-12), 0, 1)
    return float(np.linalg.norm(to_point - share[:, None] * along, axis=1).min())
