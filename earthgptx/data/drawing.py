"""How marks, masks and labels are painted: one palette and one pen for answers and for data sheets.

Every line has a dark rim and a bright core and every label its own plate, so that neither a white roof nor black
water hides them. It knows neither answers nor samples.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from earthgptx.shapes import Mark, Mask, Point, Scribble

Colour = tuple[int, int, int]
Rectangle = tuple[float, float, float, float]

# Bright and far apart in hue: grey imagery has none of them, and neighbours in the list never look alike.
PALETTE: tuple[Colour, ...] = (
    (255, 214, 10),
    (0, 229, 255),
    (255, 92, 205),
    (124, 255, 79),
    (255, 140, 40),
    (178, 148, 255),
    (255, 92, 92),
    (64, 224, 176),
)
INK: Colour = (16, 18, 24)
MASK_OPACITY = 0.42
WRAP_COLUMNS = 30
WRAP_LINES = 3


@dataclass(frozen=True)
class Label:
    """Words on a plate of a colour, and the rectangle they speak of, in picture pixels."""

    anchor: Rectangle
    text: str
    colour: Colour


def colour_of(index: int) -> Colour:
    """The palette's colour at a place counted from 0; it begins anew past its end."""
    return PALETTE[index % len(PALETTE)]


def tinted(picture: Image.Image, mask: NDArray[np.bool_], colour: Colour, rim: int) -> Image.Image:
    """Tints the mask's pixels and draws its rim, which stays visible where the tint does not.

    Args:
        picture: RGB.
        mask: at the picture's size.
        colour: of tint and rim.
        rim: its width in pixels.
    """
    pixels = np.asarray(picture, dtype=np.float32).copy()
    pixels[mask] += (np.array(colour, dtype=np.float32) - pixels[mask]) * MASK_OPACITY
    pixels[mask & ~_shrunk(mask, rim)] = colour
    return Image.fromarray(pixels.round().astype(np.uint8))


def _shrunk(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """The mask without its outermost pixels; what touches the picture's edge has its rim there too."""
    for _ in range(steps):
        padded = np.pad(mask, 1)
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def draw_mark(pen: ImageDraw.ImageDraw, mark: Mark, colour: Colour, line: int, *, rim: Colour = INK) -> None:
    """One mark, already in picture pixels: a stroke of the rim's colour under a narrower one of its own."""
    if isinstance(mark, Mask) and mark.area == 0:
        return
    points = [(float(x), float(y)) for x, y in mark.outline()]
    if isinstance(mark, Point):
        x, y = points[0]
        for radius, fill in ((3 * line, rim), (2 * line, colour), (line * 0.7, rim)):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
        return
    if not isinstance(mark, Scribble):
        points = [*points, points[0], points[1]]  # past the start: the last joint is rounded too
    pen.line(points, fill=rim, width=line + 2 * max(1, line // 2), joint="curve")
    pen.line(points, fill=colour, width=line, joint="curve")


def draw_labels(pen: ImageDraw.ImageDraw, labels: Sequence[Label], size: tuple[int, int]) -> None:
    """Plates of coloured ground and dark words, each where it covers the fewest others."""
    font = ImageFont.load_default(size=max(16, round(max(size) / 48)))
    padding = max(3, round(max(size) / 300))
    taken: list[Rectangle] = []
    for label in labels:
        lines = textwrap.wrap(label.text, WRAP_COLUMNS, max_lines=WRAP_LINES, placeholder=" ...")
        words = "\n".join(lines)
        left, top, right, bottom = pen.multiline_textbbox((0, 0), words, font=font, spacing=padding)
        plate = (right - left + 2 * padding, bottom - top + 2 * padding)
        x, y = _free_corner(label.anchor, plate, size, taken=taken, anchors=[each.anchor for each in labels])
        taken.append((x, y, x + plate[0], y + plate[1]))
        pen.rounded_rectangle(taken[-1], radius=padding, fill=label.colour, outline=INK)
        origin = (x + padding - left, y + padding - top)
        pen.multiline_text(origin, words, font=font, fill=INK, spacing=padding)


def _free_corner(
    anchor: Rectangle,
    plate: tuple[float, float],
    size: tuple[int, int],
    *,
    taken: Sequence[Rectangle],
    anchors: Sequence[Rectangle],
) -> tuple[float, float]:
    """Top left corner of a plate: above its anchor, below, beside, inside; the least overlap wins."""
    x0, y0, x1, y1 = anchor
    width, height = plate
    gap = 6
    corners = [
        (x0, y0 - height - gap),
        (x0, y1 + gap),
        (x1 + gap, y0),
        (x0 - width - gap, y0),
        (x1 - width, y0 - height - gap),
        (x1 - width, y1 + gap),
        (x0 + gap, y0 + gap),
    ]
    most_x, most_y = max(size[0] - width, 0), max(size[1] - height, 0)
    kept = [(min(max(x, 0), most_x), min(max(y, 0), most_y)) for x, y in corners]

    def cost(corner: tuple[float, float]) -> float:
        plate_at = (corner[0], corner[1], corner[0] + width, corner[1] + height)
        # A hidden object is less bad than hidden words, but bad: its own or another's.
        words = sum(_overlap(plate_at, other) for other in taken)
        return words + 0.4 * sum(_overlap(plate_at, other) for other in anchors)

    return min(kept, key=cost)


def _overlap(a: Rectangle, b: Rectangle) -> float:
    """Shared area in square picture pixels."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
