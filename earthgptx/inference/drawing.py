"""A scene with marks, masks and labels drawn on it, at a size to look at.

Pixels, marks and masks come in, a picture comes out; `data.drawing` holds the pen. It knows nothing of answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from earthgptx.data.drawing import Label, colour_of, draw_labels, draw_mark, tinted
from earthgptx.shapes import Mark

LEAST_SIDE = 1000  # a smaller scene is magnified by a whole number, so that words fit beside its objects
MOST_SIDE = 2048  # a larger one is reduced: this is a picture to look at, not the data


@dataclass(frozen=True)
class Note:
    """A mark to outline, its number, the words beside it (may be empty), its colour's place in the palette."""

    mark: Mark
    number: int
    text: str
    colour: int


@dataclass(frozen=True, eq=False)
class Overlay:
    """A mask (H, W) to lay over the scene, its words (may be empty), its colour's place in the palette."""

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
        resized = Image.fromarray(overlay.array).resize(size, Image.Resampling.NEAREST)
        canvas = tinted(canvas, np.asarray(resized, dtype=bool), colour_of(overlay.colour), max(1, line // 2))
    pen = ImageDraw.Draw(canvas)
    for note in notes:
        draw_mark(pen, note.mark.scaled(size[0] / width, size[1] / height), colour_of(note.colour), line)
    draw_labels(pen, _labels(notes, overlays, (size[0] / width, size[1] / height)), size)
    return canvas


def picture_scale(width: int, height: int) -> float:
    """Picture pixels a scene pixel: 2, 3, .. for small scenes, below 1 for large ones."""
    longer = max(width, height)
    if longer > MOST_SIDE:
        return MOST_SIDE / longer
    return max(1, round(LEAST_SIDE / longer))


def _labels(notes: Sequence[Note], overlays: Sequence[Overlay], factors: tuple[float, float]) -> list[Label]:
    labels = []
    for note in notes:
        bounds = note.mark.scaled(*factors).bounds()
        words = f"{note.number} {note.text}".rstrip()
        labels.append(Label((bounds.x0, bounds.y0, bounds.x1, bounds.y1), words, colour_of(note.colour)))
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
            labels.append(Label(anchor, overlay.text, colour_of(overlay.colour)))
    return labels
