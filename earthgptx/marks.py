"""The six kinds of mark as values: point, box, ellipse, polygon, scribble and mask.

Coordinates are pixels, x to the right and y down; pixel (i, j) covers [i, i+1) x [j, j+1), and boxes are
half-open. Values are taken as they are: reading and refusing marks is the work of `shapes`, from which the
rest of the package imports these classes too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np

from earthgptx.errors import MalformedMark
from earthgptx.rasters import (
    BoolArray,
    array_from_runs,
    centre_range,
    fill_ellipse,
    fill_rings,
    pack_runs,
    runs_from_array,
    stroke_path,
    unpack_runs,
)

Vertices = tuple[tuple[float, float], ...]

ELLIPSE_VERTICES = 32


def _never_empty(raster: BoolArray, centre: tuple[float, float]) -> BoolArray:
    """Gives a shape too thin to hold a pixel centre the one pixel under its own centre, if that exists."""
    height, width = raster.shape
    if not raster.any() and 0 <= centre[0] <= width and 0 <= centre[1] <= height and raster.size:
        raster[min(int(centre[1]), height - 1), min(int(centre[0]), width - 1)] = True
    return raster


@dataclass(frozen=True)
class Point:
    """A click."""

    x: float
    y: float
    kind: ClassVar[str] = "point"

    def bounds(self) -> Box:
        """The box of zero area at the point."""
        return Box(self.x, self.y, self.x, self.y)

    def scaled(self, factor_x: float, factor_y: float) -> Point:
        """The same place after the image is resized by these factors."""
        return Point(self.x * factor_x, self.y * factor_y)

    def shifted(self, dx: float, dy: float) -> Point:
        """Moved by (dx, dy) pixels."""
        return Point(self.x + dx, self.y + dy)

    def flipped(self, width: float) -> Point:
        """Mirrored left to right in an image of this width."""
        return Point(width - self.x, self.y)

    def outline(self) -> Vertices:
        """The point itself, as the only vertex."""
        return ((self.x, self.y),)

    def to_mask(self, height: int, width: int) -> BoolArray:
        """The one pixel under the point, in a raster (height, width)."""
        return _never_empty(np.zeros((height, width), dtype=bool), (self.x, self.y))

    def to_json(self) -> dict[str, Any]:
        """`{"kind": "point", "coordinates": [x, y]}`."""
        return {"kind": self.kind, "coordinates": [float(self.x), float(self.y)]}


@dataclass(frozen=True)
class Box:
    """An axis-aligned rectangle [x0, x1) x [y0, y1)."""

    x0: float
    y0: float
    x1: float
    y1: float
    kind: ClassVar[str] = "box"

    @property
    def width(self) -> float:
        """Extent in x, negative if the corners are swapped."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Extent in y, negative if the corners are swapped."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Square pixels; zero if the corners are swapped."""
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """x, y of the middle."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, 0 where both are empty."""
        shared = Box(
            max(self.x0, other.x0), max(self.y0, other.y0), min(self.x1, other.x1), min(self.y1, other.y1)
        ).area
        union = self.area + other.area - shared
        return min(1.0, shared / union) if union > 0 else 0.0

    def clipped(self, width: float, height: float) -> Box:
        """The part inside an image of this size; zero area if there is none."""
        return Box(
            min(max(self.x0, 0), width),
            min(max(self.y0, 0), height),
            min(max(self.x1, 0), width),
            min(max(self.y1, 0), height),
        )

    def bounds(self) -> Box:
        """The box itself."""
        return self

    def scaled(self, factor_x: float, factor_y: float) -> Box:
        """The same place after the image is resized by these factors."""
        return Box(self.x0 * factor_x, self.y0 * factor_y, self.x1 * factor_x, self.y1 * factor_y)

    def shifted(self, dx: float, dy: float) -> Box:
        """Moved by (dx, dy) pixels."""
        return Box(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def flipped(self, width: float) -> Box:
        """Mirrored left to right in an image of this width."""
        return Box(width - self.x1, self.y0, width - self.x0, self.y1)

    def outline(self) -> Vertices:
        """The corners, clockwise on screen from the top left."""
        return ((self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1))

    def to_mask(self, height: int, width: int) -> BoolArray:
        """The pixels whose centres lie inside, in a raster (height, width); never none if the centre is."""
        raster = np.zeros((height, width), dtype=bool)
        raster[centre_range(self.y0, self.y1, height), centre_range(self.x0, self.x1, width)] = True
        return _never_empty(raster, self.centre)

    def to_json(self) -> dict[str, Any]:
        """`{"kind": "box", "coordinates": [x0, y0, x1, y1]}`."""
        return {"kind": self.kind, "coordinates": [float(v) for v in (self.x0, self.y0, self.x1, self.y1)]}


@dataclass(frozen=True)
class Ellipse:
    """An axis-aligned ellipse; a circle is one with equal radii."""

    x: float
    y: float
    radius_x: float
    radius_y: float
    kind: ClassVar[str] = "ellipse"

    @classmethod
    def circle(cls, x: float, y: float, radius: float) -> Ellipse:
        """The circle of `radius` pixels around (x, y)."""
        return cls(x, y, radius, radius)

    def bounds(self) -> Box:
        """The smallest box around it."""
        return Box(self.x - self.radius_x, self.y - self.radius_y, self.x + self.radius_x, self.y + self.radius_y)

    def scaled(self, factor_x: float, factor_y: float) -> Ellipse:
        """The same place after the image is resized by these factors."""
        return Ellipse(self.x * factor_x, self.y * factor_y, self.radius_x * factor_x, self.radius_y * factor_y)

    def shifted(self, dx: float, dy: float) -> Ellipse:
        """Moved by (dx, dy) pixels."""
        return Ellipse(self.x + dx, self.y + dy, self.radius_x, self.radius_y)

    def flipped(self, width: float) -> Ellipse:
        """Mirrored left to right in an image of this width."""
        return Ellipse(width - self.x, self.y, self.radius_x, self.radius_y)

    def outline(self) -> Vertices:
        """32 vertices on the rim, clockwise on screen from the right."""
        angles = [2 * math.pi * step / ELLIPSE_VERTICES for step in range(ELLIPSE_VERTICES)]
        return tuple(
            (self.x + self.radius_x * math.cos(angle), self.y + self.radius_y * math.sin(angle)) for angle in angles
        )

    def to_mask(self, height: int, width: int) -> BoolArray:
        """The pixels whose centres lie inside, in a raster (height, width); never none if the centre is."""
        raster = fill_ellipse((self.x, self.y), (self.radius_x, self.radius_y), height, width)
        return _never_empty(raster, (self.x, self.y))

    def to_json(self) -> dict[str, Any]:
        """`{"kind": "ellipse", "coordinates": [x, y, radius_x, radius_y]}`."""
        return {
            "kind": self.kind,
            "coordinates": [float(v) for v in (self.x, self.y, self.radius_x, self.radius_y)],
        }


@dataclass(frozen=True)
class _Path:
    """What polygons and scribbles share: an ordered row of vertices."""

    points: Vertices
    kind: ClassVar[str] = "path"

    def __post_init__(self) -> None:
        """Turns lists and arrays into tuples, so that every path is hashable and compares by value."""
        object.__setattr__(self, "points", tuple((float(x), float(y)) for x, y in self.points))

    def bounds(self) -> Box:
        """The smallest box around the vertices."""
        xs, ys = zip(*self.points, strict=True) if self.points else ((0.0,), (0.0,))
        return Box(min(xs), min(ys), max(xs), max(ys))

    def scaled(self, factor_x: float, factor_y: float) -> Self:
        """The same place after the image is resized by these factors."""
        return type(self)(tuple((x * factor_x, y * factor_y) for x, y in self.points))

    def shifted(self, dx: float, dy: float) -> Self:
        """Moved by (dx, dy) pixels."""
        return type(self)(tuple((x + dx, y + dy) for x, y in self.points))

    def flipped(self, width: float) -> Self:
        """Mirrored left to right in an image of this width."""
        return type(self)(tuple((width - x, y) for x, y in self.points))

    def outline(self) -> Vertices:
        """The vertices in order."""
        return self.points

    def to_json(self) -> dict[str, Any]:
        """`{"kind": ..., "coordinates": [[x, y], ...]}`."""
        return {"kind": self.kind, "coordinates": [list(point) for point in self.points]}


@dataclass(frozen=True)
class Polygon(_Path):
    """A closed outline; the last vertex joins the first and is not repeated."""

    kind: ClassVar[str] = "polygon"

    @property
    def area(self) -> float:
        """Square pixels, by the shoelace formula."""
        ahead = self.points[1:] + self.points[:1]
        return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(self.points, ahead, strict=True))) / 2

    def to_mask(self, height: int, width: int) -> BoolArray:
        """The pixels whose centres lie inside, in a raster (height, width); at least one if it is there."""
        raster = fill_rings([np.array(self.points, dtype=np.float64)], height, width)
        return _never_empty(raster, self.bounds().centre)


@dataclass(frozen=True)
class Scribble(_Path):
    """A stroke of the pen: an open path."""

    kind: ClassVar[str] = "scribble"

    @property
    def length(self) -> float:
        """Pixels along the path."""
        return sum(math.dist(a, b) for a, b in pairwise(self.points))

    def to_mask(self, height: int, width: int, stroke_width: float = 3.0) -> BoolArray:
        """The stroke with round ends, `stroke_width` pixels wide, in a raster (height, width)."""
        return stroke_path(np.array(self.points, dtype=np.float64), stroke_width, height, width)


@dataclass(frozen=True)
class Mask:
    """A set of pixels of one image, as COCO's compressed run lengths (column by column)."""

    height: int
    width: int
    counts: str
    kind: ClassVar[str] = "mask"

    @classmethod
    def from_array(cls, array: BoolArray) -> Mask:
        """Packs a boolean array (height, width)."""
        height, width = array.shape
        return cls(height, width, pack_runs(runs_from_array(array)))

    def check_counts(self) -> list[int]:
        """The run lengths, checked.

        Raises:
            MalformedMark: the counts are no run lengths of an image of this size.
        """
        runs = unpack_runs(self.counts)
        needed = self.height * self.width
        if runs is None or sum(runs) != needed:
            covered = 0 if runs is None else sum(runs)
            raise MalformedMark(
                f"The mask's counts cover {covered} pixels, but {self.width} x {self.height} has {needed}."
            )
        return runs

    def to_array(self) -> BoolArray:
        """Unpacks to (height, width).

        Raises:
            MalformedMark: the counts are no run lengths of an image of this size.
        """
        return array_from_runs(self.check_counts(), self.height, self.width)

    @property
    def area(self) -> int:
        """Number of pixels set."""
        return sum(self.check_counts()[1::2])

    def bounds(self) -> Box:
        """The smallest box around the pixels set; all zeros if there is none. No array is made."""
        ends = np.cumsum(np.array(self.check_counts(), dtype=np.int64))
        starts = np.concatenate([[0], ends[:-1]])[1::2]
        ends = ends[1::2]
        starts, ends = starts[ends > starts], ends[ends > starts]
        if not len(starts):
            return Box(0, 0, 0, 0)
        x0, x1 = int(starts[0]) // self.height, (int(ends[-1]) - 1) // self.height + 1
        if (starts // self.height != (ends - 1) // self.height).any():  # one goes on at the top of the next column
            return Box(x0, 0, x1, self.height)
        return Box(x0, int((starts % self.height).min()), x1, int(((ends - 1) % self.height).max()) + 1)

    def scaled(self, factor_x: float, factor_y: float) -> Mask:
        """Resampled to the resized image, each new pixel taking the old one under its centre."""
        width, height = max(1, round(self.width * factor_x)), max(1, round(self.height * factor_y))
        rows = ((np.arange(height) + 0.5) * self.height / height).astype(int)
        columns = ((np.arange(width) + 0.5) * self.width / width).astype(int)
        return Mask.from_array(self.to_array()[rows[:, None], columns[None, :]])

    def shifted(self, dx: float, dy: float) -> Mask:
        """Moved by whole pixels (rounded) in the same frame; what leaves it is lost."""
        array, moved = self.to_array(), np.zeros((self.height, self.width), dtype=bool)
        rows, columns = np.nonzero(array)
        rows, columns = rows + round(dy), columns + round(dx)
        stays = (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
        moved[rows[stays], columns[stays]] = True
        return Mask.from_array(moved)

    def flipped(self, width: float) -> Mask:
        """Mirrored left to right; `width` must be the mask's own.

        Raises:
            MalformedMark: the image has another width than the mask.
        """
        if width != self.width:
            raise MalformedMark(f"A mask {self.width} wide cannot be mirrored in an image {width:g} wide.")
        return Mask.from_array(self.to_array()[:, ::-1])

    def outline(self) -> Vertices:
        """Left edges of the rows going down, then right edges going up: exact where rows are whole."""
        array = self.to_array()
        rows = np.flatnonzero(array.any(axis=1))
        left = array.argmax(axis=1)
        right = self.width - array[:, ::-1].argmax(axis=1)
        down = [(float(left[row]), float(y)) for row in rows for y in (row, row + 1)]
        up = [(float(right[row]), float(y)) for row in rows[::-1] for y in (row + 1, row)]
        return tuple(down + up)

    def to_mask(self, height: int, width: int) -> BoolArray:
        """The array, cut or padded with False at the right and bottom to (height, width)."""
        raster = np.zeros((height, width), dtype=bool)
        part = self.to_array()[:height, :width]
        raster[: part.shape[0], : part.shape[1]] = part
        return raster

    def to_json(self) -> dict[str, Any]:
        """`{"kind": "mask", "size": [height, width], "counts": "..."}`, COCO's own two members."""
        return {"kind": self.kind, "size": [self.height, self.width], "counts": self.counts}


Mark = Point | Box | Ellipse | Polygon | Scribble | Mask
