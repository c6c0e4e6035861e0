"""For each mark on a big scene, the window through which the model should see it.

Bounds of marks in scene pixels come in; windows, and the way between their pixels and the scene's, go out. Windows lie
on fixed grids, so a mark's window depends on nothing but the mark. Nothing here reads an image.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from earthgptx.data.imagery import Scene
from earthgptx.shapes import Box, Vertices

View = Literal["auto", "zoom", "overview"]

LEAST_SIDE = 512  # scene pixels; the model's sub-images show this much at about full resolution
CONTEXT = 4.0  # sides of a window in sides of a mark: what is around an object tells half of what it is
VIEW_SIDE = 1024  # pixels of a window as it is read; the model reduces the whole, and zooms into the rest

# Questions that only the whole scene can answer.
_ZOOM_OUT = re.compile(
    r"\b(?:whole|entire|full|complete)\s+(?:image|scene|picture|area)\b|\boverall\b|\bzoom(?:ed)?[- ]out\b"
    r"|\bwhere\b.*\bin\s+the\s+(?:image|scene|picture)\b",
    re.IGNORECASE,
)
_POSITION = re.compile(
    r"\bwhere(?:abouts)?\s+(?:is|are|can|does|do|in|on)\b|\btell\s+me\s+where\b|\b(?:rough\s+)?position\s+of\b"
    r"|\b(?:part|area|place)\s+(?:in|of)\s+the\s+(?:image|scene|picture)\b|\blocate\b.*\bin\s+words\b",
    re.IGNORECASE,
)
# Questions that need several marks in one view.
_RELATION = re.compile(
    r"\brelat(?:ion|e|ive)|\bbetween\b|\bcompar|\b(?:each|one\s+an)\s*other\b|\binteract|\bconnects?\b|\btogether\b"
    r"|\b(?:arranged|placed|positioned)\b|\bwith\s+respect\s+to\b|\bwhich\s+(?:one\s+)?of\b|\b(?:same|similar|differ)"
    r"|\b(?:near|clos|farth|furth|larg|bigg|small|high|tall|long|wid)(?:er|est)\b|\bdistance\b|\bhow\s+far\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Frame:
    """A window of the scene and the size at which it was read.

    Attributes:
        window: whole pixels of the scene.
        width, height: pixels of the window as read.
    """

    window: Box
    width: int
    height: int

    @classmethod
    def of(cls, window: Box, read: Scene) -> Frame:
        """The frame of a window and what was read of it."""
        return cls(window, read.width, read.height)

    @property
    def step_x(self) -> float:
        """Scene pixels a read pixel, to the right."""
        return self.window.width / self.width

    @property
    def step_y(self) -> float:
        """Scene pixels a read pixel, downwards."""
        return self.window.height / self.height

    @property
    def area_step(self) -> float:
        """Scene pixels in a read pixel."""
        return self.step_x * self.step_y

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """A position in scene pixels to one in read pixels."""
        return (x - self.window.x0) / self.step_x, (y - self.window.y0) / self.step_y

    def to_scene(self, points: Sequence[tuple[float, float]]) -> Vertices:
        """Positions in read pixels to scene pixels."""
        x0, y0, step_x, step_y = self.window.x0, self.window.y0, self.step_x, self.step_y
        return tuple((x0 + x * step_x, y0 + y * step_y) for x, y in points)


def whole(width: int, height: int) -> Box:
    """The window of a whole scene: its overview."""
    return Box(0, 0, width, height)


def wants_overview(question: str) -> bool:
    """Whether a question is about the whole scene, or about a place in it, so that the model must see all of it."""
    asks_where = _POSITION.search(question) is not None and not relates(question)
    return asks_where or _ZOOM_OUT.search(question) is not None


def relates(question: str) -> bool:
    """Whether a question is about how marks stand to each other, so that the model must see them together."""
    return _RELATION.search(question) is not None


def window_of(bounds: Box, width: int, height: int, *, view: View = "auto") -> Box:
    """The window for a mark with these bounds.

    Its side is the least of 512, 1024, 2048, ... scene pixels that is `CONTEXT` times the mark's longer side; such
    windows overlap by half, and the one whose middle is nearest to the mark's is taken, so that the mark lies well
    inside.

    Args:
        bounds: of the mark, in scene pixels; those of a point have no extent.
        width, height: of the scene.
        view: "overview" always gives the whole scene; "auto" gives it where it is no larger than one view.

    Returns:
        Whole pixels inside the scene.
    """
    if view == "overview" or (view == "auto" and max(width, height) <= VIEW_SIDE):
        return whole(width, height)
    side = LEAST_SIDE
    while side < CONTEXT * max(bounds.width, bounds.height) and side < max(width, height):
        side *= 2
    x, y = bounds.centre
    left, right = _span(x, side, width)
    top, bottom = _span(y, side, height)
    return Box(left, top, right, bottom)


def _span(centre: float, side: int, length: int) -> tuple[int, int]:
    """Start and end of the window on one axis."""
    stride = side // 2
    start = (round(centre / stride) - 1) * stride
    start = max(0, min(start, length - side))
    return start, min(start + side, length)


def group_by_window(windows: Sequence[Box]) -> dict[Box, list[int]]:
    """Which marks share a window: the places of its marks, windows in the order of their first mark."""
    groups: dict[Box, list[int]] = {}
    for place, window in enumerate(windows):
        groups.setdefault(window, []).append(place)
    return groups


def cells(width: int, height: int, side: int) -> list[Box]:
    """The scene cut into squares of a side, row by row; those at its right and lower edge may be narrower."""
    return [
        Box(x, y, min(x + side, width), min(y + side, height))
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]


def with_margin(cell: Box, margin: int, width: int, height: int) -> Box:
    """A cell and what lies around it in the scene, so that objects on its border are seen whole."""
    return Box(
        max(cell.x0 - margin, 0),
        max(cell.y0 - margin, 0),
        min(cell.x1 + margin, width),
        min(cell.y1 + margin, height),
    )
