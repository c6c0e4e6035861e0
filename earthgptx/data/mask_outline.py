"""Masks to polygons: what a dataset gives as a raster or as run lengths, as the outlines that objects carry.

In comes a boolean array or COCO's run lengths; out come rings that fill to the same pixels again. No dataset and
no file is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from earthgptx.errors import MalformedMark
from earthgptx.rasters import array_from_runs
from earthgptx.shapes import Mask, Polygon

LARGEST_MASK = 2**28  # pixels of a mask in run lengths: a few bytes of text can claim any number

_Point = tuple[float, float]
_Corner = tuple[int, int]


def polygons_around(mask: NDArray[np.bool_]) -> tuple[Polygon, ...]:
    """The outlines of a mask, one polygon for each connected part (by edges, not by corners).

    A ring runs through the middles of the edges between pixels inside and pixels outside, so that a slope is one
    straight line and filling the ring by pixel centres gives the mask back exactly. A hole is joined to its ring by a
    path that is walked there and back and encloses nothing.

    Args:
        mask: shape (height, width).

    Returns:
        Polygons in pixels of the mask, in the order of their first row; empty for an empty mask.
    """
    parts: list[list[_Point]] = []
    part_of: dict[_Corner, int] = {}  # by the pixels at whose left a border runs
    starts_of_runs = _starts_of_runs(mask)
    for ring in _rings(mask):  # a ring comes before all those that begin further down or, in its row, to the right
        if _signed_area(ring.points) > 0:
            part = len(parts)
            parts.append(list(ring.points))
        else:
            # The pixel above a hole is in the hole's part, and so is the first pixel of the run that it is in.
            column, row = ring.start
            part = part_of[starts_of_runs(column, row - 1)]
            start, entry = parts[part][0], ring.points[0]
            # The way there is level, then upright: such edges cancel exactly on the way back, whatever the scale.
            elbow = (entry[0], start[1])
            parts[part] += [start, elbow, *ring.points, entry, elbow]
        part_of.update(dict.fromkeys(ring.right_of, part))
    return tuple(Polygon(tuple(points)) for points in parts)


def mask_from_runs(written: Any, *, height: int | None = None, width: int | None = None) -> NDArray[np.bool_]:
    """The mask of COCO's ``{"size": [height, width], "counts": ...}``.

    Args:
        written: a record whose counts are COCO's compressed text or a list of run lengths.
        height, width: of the image that it must cover; None for any.

    Returns:
        Shape (height, width).

    Raises:
        MalformedMark: it is no such record, of another size than the image, or of more pixels than can be read; or
            the runs do not cover them.
    """
    size = written.get("size") if isinstance(written, Mapping) else None
    if not _is_size(size):
        raise MalformedMark(f'A mask in run lengths needs "size" ([height, width]), but it is {str(size)[:40]}.')
    if tuple(size) != (height or size[0], width or size[1]):
        raise MalformedMark(f"A mask is {size[1]} x {size[0]} pixels, but its image is {width} x {height}.")
    height, width = size
    if height * width > LARGEST_MASK:
        raise MalformedMark(f"A mask of {width} x {height} pixels is too large: {LARGEST_MASK:,} can be read.")
    counts = written.get("counts")
    if isinstance(counts, str):
        return Mask(height, width, counts).to_array()
    if not isinstance(counts, Sequence) or not all(type(run) is int and run >= 0 for run in counts):
        raise MalformedMark("A mask's counts are text or a list of whole numbers from 0 on.")
    if sum(counts) != height * width:
        raise MalformedMark(
            f"The mask's counts cover {sum(counts)} pixels, but {width} x {height} has {height * width}."
        )
    return array_from_runs(counts, height, width)


def _is_size(size: Any) -> TypeGuard[Sequence[int]]:
    return (
        isinstance(size, Sequence)
        and not isinstance(size, str)
        and len(size) == 2
        and all(type(extent) is int and extent > 0 for extent in size)
    )


@dataclass(frozen=True)
class _Ring:
    """One closed border of a mask.

    Attributes:
        points: its vertices.
        start: the first corner of pixels on the way, of the uppermost ones the leftmost.
        right_of: the pixels of the mask, column and row, at whose left it runs.
    """

    points: list[_Point]
    start: _Corner
    right_of: list[_Corner]


def _starts_of_runs(mask: NDArray[np.bool_]) -> Callable[[int, int], _Corner]:
    """Tells of a pixel of the mask where, in its row, the run of pixels begins that it is in; column before row."""
    width = mask.shape[1]
    begins = mask.copy()
    begins[:, 1:] &= ~mask[:, :-1]
    places = np.flatnonzero(begins)

    def start_of(column: int, row: int) -> _Corner:
        place = int(places[np.searchsorted(places, row * width + column, "right") - 1])
        return place % width, place // width

    return start_of


def _rings(mask: NDArray[np.bool_]) -> Iterator[_Ring]:
    """Every closed border of the mask, with the mask to the right of the way, in the order of their first corners."""
    following = _border_edges(mask)
    for start in tuple(following):
        if start not in following:  # on the way of a ring before
            continue
        origin = previous, corner = start, following[start][0]
        middles = [_middle(previous, corner)]
        right_of = []
        while (edge := (corner, _step(following, corner, previous))) != origin:
            middles.append(_middle(*edge))
            previous, corner = edge
            if corner[1] < previous[1]:
                right_of.append(corner)
        yield _Ring(_without_middles(middles), start, right_of)


def _middle(start: _Corner, end: _Corner) -> _Point:
    return (start[0] + end[0]) / 2, (start[1] + end[1]) / 2


def _border_edges(mask: NDArray[np.bool_]) -> dict[_Corner, list[_Corner]]:
    """From each corner of the border to the corners that follow it, row by row; (x, y) in whole pixels."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    edges: list[tuple[int, int, int, int]] = []
    # Top edges go right, right edges down, bottom edges left, left edges up: the mask lies to the right of the way.
    for outside, (x0, y0, x1, y1) in (
        (padded[:-2, 1:-1], (0, 0, 1, 0)),
        (padded[1:-1, 2:], (1, 0, 1, 1)),
        (padded[2:, 1:-1], (1, 1, 0, 1)),
        (padded[1:-1, :-2], (0, 1, 0, 0)),
    ):
        rows, columns = np.nonzero(inside & ~outside)
        edges += zip(
            (columns + x0).tolist(), (rows + y0).tolist(), (columns + x1).tolist(), (rows + y1).tolist(), strict=True
        )
    following: dict[_Corner, list[_Corner]] = {}
    for from_x, from_y, to_x, to_y in sorted(edges, key=lambda edge: (edge[1], edge[0])):
        following.setdefault((from_x, from_y), []).append((to_x, to_y))
    return following


def _step(following: dict[_Corner, list[_Corner]], corner: _Corner, previous: _Corner) -> _Corner:
    """Takes the edge that leaves a corner; where two pixels touch only there, the one that stays with its pixel."""
    ways = following[corner]
    to_the_right = (corner[0] - corner[1] + previous[1], corner[1] + corner[0] - previous[0])
    after = ways.pop(ways.index(to_the_right) if len(ways) > 1 else 0)
    if not ways:
        del following[corner]
    return after


def _without_middles(points: list[_Point]) -> list[_Point]:
    """The ring without the points that lie on the straight line between their neighbours."""
    count = len(points)
    kept = []
    for index, (x, y) in enumerate(points):
        before, after = points[index - 1], points[(index + 1) % count]
        if (x - before[0]) * (after[1] - y) != (y - before[1]) * (after[0] - x):
            kept.append((x, y))
    return kept


def _signed_area(ring: Sequence[_Point]) -> float:
    """Positive for a ring that is walked clockwise as the image is seen (y down)."""
    points = np.array(ring)
    following = np.roll(points, -1, axis=0)
    return float((points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]).sum()) / 2
