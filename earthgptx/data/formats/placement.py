"""Which boxes and outlines can be used in an image of a given size, and in which words the others are refused.

In come coordinates in pixels as a file has them; out come objects whose box lies in the image. Formats and datasets
share this, so that the same fault is said in the same words everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
        found = tuple(map(float, written))
    except (TypeError, ValueError) as error:
        raise MalformedDataset(f"{str(written)[:80]} is not {what}.") from error
    if len(found) != count:
        raise MalformedDataset(f"{str(written)[:80]} is not {what}: it has {len(found)} numbers, not {count}.")
    return found


def _open(ring: Sequence[tuple[float, float]]) -> Vertices:
    """The ring without a last corner that repeats the first."""
    points = tuple((float(x), float(y)) for x, y in ring)
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points


def _listed(box: Box) -> str:
    return ", ".join(f"{value:g}" for value in (box.x0, box.y0, box.x1, box.y1))
