"""The square windows of a scene that the model looks at, and their pixels.

A scene goes in, `Window`s (square boxes in source pixels) and 224 x 224 pictures come out. The whole view comes
first, then its sub-images row by row (SPHINX's order: TL, TR, BL, BR), then one zoom view a small mark. It does not
know what a network makes of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from earthgptx.shapes import Box, Mark

PADDING_COLOUR = (
    124,
    116,
    104,
)  # ImageNet's mean: zero after normalisation, so padding is the quietest input
ZOOM_RUNG = 1.25  # zoom windows grow in rungs, so that marks that differ little share a window (and a cached feature)
LARGEST_CANVAS = 4096  # side of a padded square in source pixels that is still laid out in full
ZOOM_SLOT = -1


@dataclass(frozen=True)
class ViewGeometry:
    """How a scene is cut into views.

    Attributes:
        view_size: side of a view in pixels as the towers see it.
        sub_image_grid: sub-images a side (2: the paper's 448 px as 2 x 2 crops of 224; 0: the whole view alone).
        zoom: whether small marks get a view of their own.
        zoom_context: side of a zoom window as a multiple of the mark's longer side.
        zoom_least: smallest side of a zoom window, in source pixels.
        point_zoom_fraction: a point has no extent; its window is this fraction of the scene's longer side.
    """

    view_size: int = 224
    sub_image_grid: int = 2
    zoom: bool = True
    zoom_context: float = 2.0
    zoom_least: int = 64
    point_zoom_fraction: float = 0.1


def whole_window(width: int, height: int) -> Box:
    """The padded square around the scene: padding lies to the right and below, so pixel (0, 0) stays at (0, 0)."""
    side = max(width, height)
    return Box(0, 0, side, side)


def scene_windows(width: int, height: int, geometry: ViewGeometry) -> tuple[Box, ...]:
    """The whole view and its sub-images, in the order the model reads them.

    A scene that is no larger than one view has no detail that a sub-image could add, so it gives the whole view
    alone (docs/decisions/0002).
    """
    whole = whole_window(width, height)
    grid = geometry.sub_image_grid
    if whole.x1 <= geometry.view_size or grid < 2:
        return (whole,)
    step = whole.x1 / grid
    crops = [Box(c * step, r * step, (c + 1) * step, (r + 1) * step) for r in range(grid) for c in range(grid)]
    return (whole, *crops)


def zoom_window(mark: Mark, width: int, height: int, geometry: ViewGeometry) -> Box | None:
    """The window around a mark at the source's own resolution, or None where the whole view shows it as well.

    Side: `zoom_context` times the mark, at least `zoom_least` source pixels, rounded up to the next rung; centre
    rounded to a quarter of the side; moved inside the scene where it fits.
    """
    if not geometry.zoom:
        return None
    bounds = mark.bounds()
    longer = max(width, height)
    if mark.kind == "point":
        wanted = geometry.point_zoom_fraction * longer
    else:
        wanted = geometry.zoom_context * max(bounds.width, bounds.height)
    rungs = math.ceil(math.log(max(wanted / geometry.zoom_least, 1.0)) / math.log(ZOOM_RUNG) - 1e-9)
    side = round(geometry.zoom_least * ZOOM_RUNG**rungs)
    if side >= 0.8 * longer:
        return None
    grain = max(side // 4, 1)
    centre_x, centre_y = bounds.centre
    left = round((centre_x - side / 2) / grain) * grain
    top = round((centre_y - side / 2) / grain) * grain
    left = min(max(left, 0), max(width - side, 0))
    top = min(max(top, 0), max(height - side, 0))
    return Box(left, top, left + side, top + side)


def render_view(pixels: np.ndarray, window: Box, size: int) -> np.ndarray:
    """The pixels under a window, resampled to a view.

    Args:
        pixels: (H, W, 3) uint8.
        window: square box in source pixels; what lies outside the scene is padding.
        size: side of the view.

    Returns:
        (size, size, 3) uint8, bicubic and antialiased.
    """
    height, width = pixels.shape[:2]
    x0, y0 = math.floor(window.x0), math.floor(window.y0)
    x1, y1 = math.ceil(window.x1), math.ceil(window.y1)
    inner = pixels[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    if inner.shape[:2] != (y1 - y0, x1 - x0):
        if max(y1 - y0, x1 - x0) > LARGEST_CANVAS:
            return _render_visible(pixels, window, size)
        canvas = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
        canvas[:] = PADDING_COLOUR
        top, left = max(-y0, 0), max(-x0, 0)
        canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        inner = canvas
    part = (window.x0 - x0, window.y0 - y0, window.x1 - x0, window.y1 - y0)
    image = Image.fromarray(np.ascontiguousarray(inner))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=part))


def _render_visible(pixels: np.ndarray, window: Box, size: int) -> np.ndarray:
    """`render_view` of a window that reaches far past the scene: padding is laid out at the view's size alone."""
    height, width = pixels.shape[:2]
    step = window.width / size  # source pixels a view pixel
    left, right = _covered(window.x0, width, step, size)
    top, bottom = _covered(window.y0, height, step, size)
    part = (
        max(window.x0 + left * step, 0),
        max(window.y0 + top * step, 0),
        min(window.x0 + right * step, width),
        min(window.y0 + bottom * step, height),
    )
    x0, y0 = math.floor(part[0]), math.floor(part[1])
    inner = pixels[y0 : math.ceil(part[3]), x0 : math.ceil(part[2])]
    image = Image.fromarray(np.ascontiguousarray(inner))
    box = (part[0] - x0, part[1] - y0, part[2] - x0, part[3] - y0)
    view = np.empty((size, size, 3), np.uint8)
    view[:] = PADDING_COLOUR
    view[top:bottom, left:right] = np.asarray(
        image.resize((right - left, bottom - top), Image.Resampling.BICUBIC, box=box)
    )
    return view


def _covered(start: float, length: int, step: float, size: int) -> tuple[int, int]:
    """First and last + 1 of a view's pixels that a scene covers on one axis; one at least, however thin it is."""
    first = min(max(round(-start / step), 0), size - 1)
    return first, min(max(round((length - start) / step), first + 1), size)
