"""A scene with marks, masks and labels drawn on it, legible on optical, SAR and infrared imagery alike.

Pixels, marks and masks come in, a picture comes out. Every line has a dark rim and a bright core and every
label its own plate, so that neither a white roof nor black water hides them. It knows nothing of answers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from earthgptx.shapes import Mark, Point, Scribble

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
LEAST_SIDE = 1000  # a smaller scene is magnified by a whole number, so that words fit beside its objects
MOST_SIDE = 2048  # a larger one is reduced: this is a picture to look at, not the data
MASK_OPACITY = 0.42
WRAP_COLUMNS = 30
WRAP_LINES = 3


@dataclass(frozen=True)
class Note:
    """A mark to outline, its number, the words beside it (may be empty), its colour's place in PALETTE."""

    mark: Mark
    number: int
    text: str
    colour: int


@dataclass(frozen=True, eq=False)
class Overlay:
    """A mask (H, W) to lay over the scene, its words (may be empty), its colour's place in PALETTE."""

    array: NDArray[np.bool_]
    text: str
    colour: int


def draw_scene(
    pixels: NDArray[np.uint8], *, notes: Sequence[Note] = (), overlays: Sequence[Overlay] = ()
) -> Image.Image:
    """Draws marks, masks and labels on a scene.

    Args:
        pixels: (H, W, 3); magnified by a whole number below `LEAST_SIDE`, reduced above `MOST_SIDE`.
        notes: in pixels of the scene.
        overlays: at the scene's size.
    """
    height, width = pixels.shape[:2]
    scale = picture_scale(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resampling = Image.Resampling.BICUBIC if scale >= 1 else Image.Resampling.BOX
    canvas = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, resampling)
    line = max(3, round(max(size) / 320))
    for overlay in overlays:
        canvas = _blend(canvas, overlay, line)
    pen = ImageDraw.Draw(canvas)
    for note in notes:
        _draw_mark(pen, note.mark.scaled(size[0] / width, size[1] / height), _colour(note.colour), line)
    _draw_labels(pen, _labels(notes, overlays, (size[0] / width, size[1] / height)), size)
    return canvas


def picture_scale(width: int, height: int) -> float:
    """Picture pixels a scene pixel: 2, 3, .. for small scenes, below 1 for large ones."""
    longer = max(width, height)
    if longer > MOST_SIDE:
        return MOST_SIDE / longer
    return max(1, round(LEAST_SIDE / longer))


def _colour(index: int) -> Colour:
    return PALETTE[index % len(PALETTE)]


def _blend(canvas: Image.Image, overlay: Overlay, line: int) -> Image.Image:
    """Tints the mask's pixels and draws its rim, which stays visible where the tint does not."""
    resized = Image.fromarray(overlay.array).resize(canvas.size, Image.Resampling.NEAREST)
    mask = np.asarray(resized, dtype=bool)
    colour = np.array(_colour(overlay.colour), dtype=np.float32)
    pixels = np.asarray(canvas, dtype=np.float32).copy()
    pixels[mask] += (colour - pixels[mask]) * MASK_OPACITY
    rim = mask & ~_shrunk(mask, max(1, line // 2))
    pixels[rim] = colour
    return Image.fromarray(pixels.round().astype(np.uint8))


def _shrunk(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """The mask without its outermost pixels; what touches the picture's edge has its rim there too."""
    for _ in range(steps):
        padded = np.pad(mask, 1)
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def _draw_mark(pen: ImageDraw.ImageDraw, mark: Mark, colour: Colour, line: int) -> None:
    """One mark, already in picture pixels: a dark stroke under a narrower bright one."""
    points = [(float(x), float(y)) for x, y in mark.outline()]
    if isinstance(mark, Point):
        x, y = points[0]
        for radius, fill in ((3 * line, INK), (2 * line, colour), (line * 0.7, INK)):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
        return
    if not isinstance(mark, Scribble):
        points = [*points, points[0], points[1]]  # past the start: the last joint is rounded too
    pen.line(points, fill=INK, width=line + 2 * max(1, line // 2), joint="curve")
    pen.line(points, fill=colour, width=line, joint="curve")


@dataclass(frozen=True)
class _Label:
    anchor: Rectangle  # what it speaks of, in picture pixels
    text: str
    colour: Colour


def _labels(notes: Sequence[Note], overlays: Sequence[Overlay], factors: tuple[float, float]) -> list[_Label]:
    labels = []
    for note in notes:
        bounds = note.mark.scaled(*factors).bounds()
        words = f"{note.number} {note.text}".rstrip()
        labels.append(_Label((bounds.x0, bounds.y0, bounds.x1, bounds.y1), words, _colour(note.colour)))
    for overlay in overlays:
        if overlay.text and overlay.array.any():
            rows = np.flatnonzero(overlay.array.any(axis=1))
            columns = np.flatnonzero(overlay.array.any(axis=0))
            anchor = (
                columns[0] * factors[0],
                rows[0] * factors[1],
                (columns[-1] + 1) * factors[0],
                (rows[-1] + 1) * factors[1],
            )
            labels.append(_Label(anchor, overlay.text, _colour(overlay.colour)))
    return labels


def _draw_labels(pen: ImageDraw.ImageDraw, labels: Sequence[_Label], size: tuple[int, int]) -> None:
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
