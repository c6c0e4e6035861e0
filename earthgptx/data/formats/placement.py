"""Which boxes and outlines can be used in an image of a given size, and in which words the others are refused.

In come coordinates in pixels as a file has them; out come objects whose box lies in the image. Formats and datasets
share this, so that the same fault is said in the same words everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from earthgptx.data.sample import LabelledObject
from earthgptx.errors import EnclosesNothing, MalformedDataset
from earthgptx.shapes import Box, Polygon, Vertices

LEAST_LEFT = 1.0  # square pixels of a clipped box that must stay in the image


def placed_box(box: Box, width: int, height: int) -> Box:
    """The part of a box that lies in the image.

    Args:
        box: in pixels of the image; it may reach past the image.
        width, height: of the image, in pixels.

    Raises:
        EnclosesNothing: the box has no area.
        MalformedDataset: a coordinate is not finite, or less than a pixel of the box lies in the image.
    """
    if not all(map(math.isfinite, (box.x0, box.y0, box.x1, box.y1))):
        raise MalformedDataset(f"the box ({_listed(box)}) has a coordinate that is no finite number.")
    if box.width <= 0 or box.height <= 0:
        raise EnclosesNothing(
            f"the box ({_listed(box)}) is {box.width:g} x {box.height:g} pixels and encloses nothing."
        )
    clipped = box.clipped(width, height)
    if clipped != box and clipped.area < min(LEAST_LEFT, box.area):
        raise MalformedDataset(f"the box ({_listed(box)}) lies outside the image of {width} x {height} pixels.")
    return clipped


def outlined_object(
    rings: Iterable[Sequence[tuple[float, float]]], label: str, width: int, height: int
) -> LabelledObject:
    """The object that one or several outlines enclose; its box is theirs, clipped to the image.

    Args:
        rings: the outlines, whose union is the object. A part of fewer than three corners or without area is left
            out, as long as another one remains.
        label: the canonical class name.
        width, height: of the image, in pixels.

    Raises:
        EnclosesNothing: no outline encloses an area.
        MalformedDataset: a corner is not finite, or the object lies outside the image.
    """
    drawn = [_open(ring) for ring in rings]
    for ring in drawn:
        if not all(math.isfinite(value) for corner in ring for value in corner):
            raise MalformedDataset("an outline has a corner that is no finite number.")
    polygons = tuple(polygon for polygon in map(Polygon, drawn) if len(polygon.points) >= 3 and polygon.area > 0)
    if not polygons:
        counts = ", ".join(str(len(ring)) for ring in drawn) or "no"
        raise EnclosesNothing(f"an outline of {counts} points encloses nothing.")
    return LabelledObject(box=placed_box(bounds_of(polygons), width, height), label=label, polygons=polygons)


def oriented_object(corners: Sequence[tuple[float, float]], label: str, width: int, height: int) -> LabelledObject:
    """The object of a box that follows its own direction; its upright box is that of the corners, clipped.

    Args:
        corners: the four corners in order around the box, in pixels.
        label: the canonical class name.
        width, height: of the image, in pixels.

    Raises:
        EnclosesNothing: the box has no area.
        MalformedDataset: a corner is not finite, or the box lies outside the image.
    """
    if len(corners) != 4:
        raise MalformedDataset(f"an oriented box has 4 corners, not {len(corners)}.")
    if not all(math.isfinite(value) for corner in corners for value in corner):
        raise MalformedDataset("an oriented box has a corner that is no finite number.")
    rotated = Polygon(tuple(corners))
    if rotated.area <= 0:
        raise EnclosesNothing("an oriented box has no area.")
    return LabelledObject(box=placed_box(rotated.bounds(), width, height), label=label, rotated=rotated)


def turned_box(x: float, y: float, *, width: float, height: float, radians: float) -> tuple[tuple[float, float], ...]:
    """The four corners of a box around (x, y), turned clockwise on screen by an angle."""
    across = (math.cos(radians) * width / 2, math.sin(radians) * width / 2)
    down = (-math.sin(radians) * height / 2, math.cos(radians) * height / 2)
    return tuple(
        (x + side * across[0] + end * down[0], y + side * across[1] + end * down[1])
        for side, end in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    )


def ribbon(points: Sequence[tuple[float, float]], breadth: float) -> list[Vertices]:
    """An open line as quadrilaterals, one a segment, whose union is the line drawn with a pen of that breadth."""
    drawn: list[Vertices] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0)
        if length > 0 and math.isfinite(length):
            dx, dy = (y1 - y0) / length * breadth / 2, (x0 - x1) / length * breadth / 2
            drawn.append(((x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)))
    return drawn


def keyhole(exterior: Sequence[tuple[float, float]], holes: Iterable[Sequence[tuple[float, float]]]) -> Vertices:
    """An outline with holes as one ring, which leaves them open when it is filled by the even-odd rule.

    A hole is reached by a cut that is level, then upright, and left by the same cut: such edges cancel exactly.
    """
    ring = list(_open(exterior))
    is_clockwise = _signed_area(ring) > 0
    start = ring[0]
    for hole in holes:
        inner = _open(hole)
        against = inner if (_signed_area(inner) > 0) != is_clockwise else inner[::-1]  # so that the areas subtract
        elbow = (against[0][0], start[1])
        ring += [start, elbow, *against, against[0], elbow]
    return tuple(ring)


def bounds_of(polygons: Sequence[Polygon]) -> Box:
    """The smallest upright box around several polygons."""
    bounds = [polygon.bounds() for polygon in polygons]
    return Box(
        min(part.x0 for part in bounds),
        min(part.y0 for part in bounds),
        max(part.x1 for part in bounds),
        max(part.y1 for part in bounds),
    )


def numbers(written: Any, count: int, what: str) -> tuple[float, ...]:
    """The numbers of a list, as many as there must be; text of numbers counts, as XML and text files have it.

    Raises:
        MalformedDataset: there are more or fewer, or one is none.
    """
    try:
        if not isinstance(written, Sequence) or isinstance(written, str) or bool in map(type, written):
            raise TypeError
        found = tuple(map(float, written))
    except (TypeError, ValueError, OverflowError) as error:
        raise MalformedDataset(f"{_quoted(written)} is not {what}.") from error
    if len(found) != count:
        raise MalformedDataset(f"{_quoted(written)} is not {what}: it has {len(found)} numbers, not {count}.")
    return found


def _quoted(written: Any) -> str:
    """The first words of what a file has in the place of numbers."""
    is_words = isinstance(written, list) and all(isinstance(word, str) for word in written)
    return repr(" ".join(written)[:80]) if is_words else str(written)[:80]


def _open(ring: Sequence[tuple[float, float]]) -> Vertices:
    """The ring without a last corner that repeats the first."""
    points = tuple((float(x), float(y)) for x, y in ring)
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points


def _signed_area(ring: Sequence[tuple[float, float]]) -> float:
    """Positive where the ring runs clockwise on screen."""
    ahead = [*ring[1:], ring[0]]
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, ahead, strict=True)) / 2


def _listed(box: Box) -> str:
    return ", ".join(f"{value:g}" for value in (box.x0, box.y0, box.x1, box.y1))
