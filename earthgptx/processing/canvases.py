"""Marks become canvases: what the spatial encoder sees of a point, a box, a circle, a polygon or a scribble.

Three channels (filled shape, outline or stroke, point heat) in a square frame, so that the kinds really look different.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from earthgptx.rasters import stroke_path
from earthgptx.shapes import Box, Mark, Mask

FILLED, STROKE, HEAT = 0, 1, 2
HEAT_RADIUS = 3.0  # standard deviation of a point's heat in canvas pixels: nearly half a patch
STROKE_WIDTH = 2.0  # canvas pixels


def draw_canvas(mark: Mark, frame: Box, size: int) -> np.ndarray:
    """Draws one mark in one frame.

    Args:
        mark: in source pixels.
        frame: the square window, in source pixels, that the canvas covers.
        size: side of the canvas.

    Returns:
        (3, size, size) uint8, 255 where the channel is on.
    """
    canvas = np.zeros((3, size, size), np.uint8)
    if isinstance(mark, Mask):
        canvas[FILLED] = _resampled_mask(mark, frame, size)
        return canvas
    scale = size / frame.width
    here = mark.shifted(-frame.x0, -frame.y0).scaled(scale, scale)
    outline = np.array(here.outline(), dtype=np.float64)
    if mark.kind == "point":
        canvas[HEAT] = _heat(*here.outline()[0], size)
        return canvas
    path = outline if mark.kind == "scribble" else np.concatenate([outline, outline[:1]])
    canvas[STROKE] = 255 * stroke_path(path, STROKE_WIDTH, size, size).astype(np.uint8)
    if mark.kind != "scribble":
        canvas[FILLED] = 255 * here.to_mask(size, size).astype(np.uint8)
    return canvas


def _heat(x: float, y: float, size: int) -> np.ndarray:
    centres = np.arange(size) + 0.5
    squared = (centres[None, :] - x) ** 2 + (centres[:, None] - y) ** 2
    return (255 * np.exp(-squared / (2 * HEAT_RADIUS**2))).astype(np.uint8)


def _resampled_mask(mask: Mask, frame: Box, size: int) -> np.ndarray:
    """The frame's part of a mask, by area, so that a mask smaller than a canvas pixel does not vanish."""
    x0, y0, x1, y1 = (round(v) for v in (frame.x0, frame.y0, frame.x1, frame.y1))
    window = np.zeros((max(y1 - y0, 1), max(x1 - x0, 1)), np.uint8)
    source = mask.to_array()[max(y0, 0) : y1, max(x0, 0) : x1]
    top, left = max(-y0, 0), max(-x0, 0)
    window[top : top + source.shape[0], left : left + source.shape[1]] = 255 * source
    return np.asarray(Image.fromarray(window).resize((size, size), Image.Resampling.BOX))
