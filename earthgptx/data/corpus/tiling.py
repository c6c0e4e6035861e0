"""Big images cut into overlapping windows, each a labelled image of its own.

In comes a labelled image, out come the windows that hold objects and the objects that no window shows well enough.
No pixel is read: a window is a number of pixels of the same file (`LabelledImage.window`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from earthgptx.data.orientation import speaks_of_frame
from earthgptx.data.sample import LabelledImage, LabelledObject, Relation
from earthgptx.errors import MalformedTiling
from earthgptx.shapes import Box, Polygon, Vertices

_NEGLIGIBLE = 1e-6  # of an object's area: what rounding may cut off


@dataclass(frozen=True)
class Tiling:
    """How images are cut.

    An image of up to `largest_whole` pixels a side stays whole: two windows on it would show almost the same. The
    defaults leave AIR-SARShip's 1,000 pixels as they are and cut DOTA's 20,000 into 26 x 26 windows.

    Attributes:
        size: the windows' side, in pixels.
        overlap: what neighbours share at least, in pixels. An object of this extent or less is whole in a window.
        largest_whole: images whose longer side has at most this many pixels are not cut.
        visibility: an object belongs to a window that holds at least this share of its area.
    """

    size: int = 1024
    overlap: int = 256
    largest_whole: int = 1280
    visibility: float = 0.5

    def __post_init__(self) -> None:
        """Refuses what cannot be done.

        Raises:
            MalformedTiling: with these numbers windows would not move on, or no object would belong to one.
        """
        if not 0 <= self.overlap < self.size:
            raise MalformedTiling(
                f"The overlap of windows must be from 0 to below their size {self.size}: {self.overlap}."
            )
        if self.largest_whole < self.size:
            raise MalformedTiling(f"Images of {self.largest_whole} pixels cannot be cut to windows of {self.size}.")
        if not 0 < self.visibility <= 1:
            raise MalformedTiling(f"The visible share of an object must be above 0 and at most 1: {self.visibility}.")

    def cuts(self, image: LabelledImage) -> bool:
        """Whether the image is larger than what stays whole."""
        return max(image.width, image.height) > self.largest_whole


@dataclass(frozen=True)
class Tiles:
    """What became of an image.

    Attributes:
        images: the windows with at least one object, row by row from the top left.
        lost: the numbers of the objects that no window shows enough of; they are larger than a window.
    """

    images: tuple[LabelledImage, ...]
    lost: tuple[int, ...]


@dataclass
class _Kept:
    """The objects of one window, the number that each has in the whole image, and labels of what else is seen."""

    objects: list[LabelledObject] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    gaps: dict[str, None] = field(default_factory=dict)  # keeps the order, once each


def tile(image: LabelledImage, tiling: Tiling) -> Tiles:
    """Cuts an image into windows.

    A window has the objects whose area it holds enough of, with boxes and outlines cut at its edges, and the
    relations between them. The labels of objects that it shows less of are its gaps. An object that is cut keeps no
    rotated box. Captions and scene are the whole image's and are left out, as are descriptions of objects that speak
    of a place in the image.

    Args:
        image: not a window itself, and not turned.
        tiling: sizes and thresholds.

    Raises:
        ValueError: the image is a window or turned already.
    """
    if image.window is not None or image.orientation:
        raise ValueError(f"{image.id} is a window or turned already and cannot be cut.")
    columns, rows = (starts(length, tiling) for length in (image.width, image.height))
    kept: dict[tuple[int, int], _Kept] = {}
    lost = []
    for number, item in enumerate(image.objects):
        is_shown = False
        for y0 in _meeting(rows, item.box.y0, item.box.y1, tiling.size):
            for x0 in _meeting(columns, item.box.x0, item.box.x1, tiling.size):
                group = kept.setdefault((y0, x0), _Kept())
                part = seen_through(item, _window(image, x0, y0, tiling), tiling.visibility)
                if part is None:
                    group.gaps[item.label] = None
                else:
                    group.objects.append(part)
                    group.numbers.append(number)
                    is_shown = True
        if not is_shown:
            lost.append(number)
    images = tuple(
        _tile(image, _window(image, x0, y0, tiling), kept[y0, x0]) for y0, x0 in sorted(kept) if kept[y0, x0].objects
    )
    return Tiles(images=images, lost=tuple(lost))


def starts(length: int, tiling: Tiling) -> list[int]:
    """Where windows begin along a side of `length` pixels: evenly stepped, the last one flush with the end."""
    last = max(0, length - tiling.size)
    return [*range(0, last, tiling.size - tiling.overlap), last]


def seen_through(item: LabelledObject, window: Box, visibility: float) -> LabelledObject | None:
    """The part of an object in a window, in the window's pixels; None if it is less than `visibility` of its area."""
    outlines = item.polygons or ((item.rotated,) if item.rotated is not None else (Polygon(item.box.outline()),))
    parts = [Polygon(clipped_ring(outline.points, window)) for outline in outlines]
    parts = [part for part in parts if len(part.points) >= 3 and part.area > 0]
    whole = sum(outline.area for outline in outlines)
    share = sum(part.area for part in parts) / whole if whole > 0 else 0.0
    if share < visibility * (1 - _NEGLIGIBLE) or not parts:
        return None
    dx, dy = -window.x0, -window.y0
    is_whole = share > 1 - _NEGLIGIBLE
    inside = item.box.shifted(dx, dy).clipped(window.width, window.height)
    return replace(
        item,
        box=inside if is_whole else _around(parts).shifted(dx, dy),
        polygons=tuple(part.shifted(dx, dy) for part in parts) if item.polygons else (),
        rotated=item.rotated.shifted(dx, dy) if item.rotated is not None and is_whole else None,
        descriptions=tuple(text for text in item.descriptions if not speaks_of_frame(text)),
    )


def clipped_ring(points: Vertices, window: Box) -> Vertices:
    """The part of a closed ring in a window, by Sutherland and Hodgman's cuts along one edge after the other.

    Where the ring leaves the window in several places, the parts are joined along its edge by lines without area, so
    that one ring stays one ring and fills to the right pixels.
    """
    edges = ((0, window.x0, True), (0, window.x1, False), (1, window.y0, True), (1, window.y1, False))
    for axis, limit, is_lower in edges:
        points = _cut(points, axis, limit, is_lower)
    return points


def _cut(points: Vertices, axis: int, limit: float, is_lower: bool) -> Vertices:
    """The ring's part on one side of a straight line."""
    kept: list[tuple[float, float]] = []
    for here, there in zip(points, points[1:] + points[:1], strict=True):
        is_in = (here[axis] >= limit) if is_lower else (here[axis] <= limit)
        goes_in = (there[axis] >= limit) if is_lower else (there[axis] <= limit)
        if is_in:
            kept.append(here)
        if is_in != goes_in:
            along = (limit - here[axis]) / (there[axis] - here[axis])
            other = here[1 - axis] + along * (there[1 - axis] - here[1 - axis])
            kept.append((limit, other) if axis == 0 else (other, limit))
    return tuple(kept)


def _meeting(begins: Sequence[int], low: float, high: float, size: int) -> list[int]:
    """The windows along one axis that an extent touches."""
    return [begin for begin in begins if begin < high and begin + size > low]


def _window(image: LabelledImage, x0: int, y0: int, tiling: Tiling) -> Box:
    x1, y1 = min(x0 + tiling.size, image.width), min(y0 + tiling.size, image.height)
    return Box(float(x0), float(y0), float(x1), float(y1))


def _tile(image: LabelledImage, window: Box, kept: _Kept) -> LabelledImage:
    """One window as a labelled image; its id ends in where it begins."""
    new_number = {number: position for position, number in enumerate(kept.numbers)}
    return replace(
        image,
        id=f"{image.id}@{window.x0:.0f}-{window.y0:.0f}",
        width=int(window.width),
        height=int(window.height),
        objects=tuple(kept.objects),
        captions=(),
        scene=None,
        relations=tuple(
            Relation(new_number[relation.subject], relation.predicate, new_number[relation.object])
            for relation in image.relations
            if relation.subject in new_number and relation.object in new_number
        ),
        window=window,
        gaps=tuple(dict.fromkeys((*image.gaps, *kept.gaps))),
    )


def _around(parts: Sequence[Polygon]) -> Box:
    bounds = [part.bounds() for part in parts]
    return Box(
        min(box.x0 for box in bounds),
        min(box.y0 for box in bounds),
        max(box.x1 for box in bounds),
        max(box.y1 for box in bounds),
    )
