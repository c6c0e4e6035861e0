"""Masks of a scene of any size, between the windows they were seen in and run lengths in the scene's frame.

A mask as it was read, or a geometry in scene pixels, becomes a `Mask` of the whole scene, and a `Mask` is seen again in
any window. No array of the scene's size is ever made: 30,000 x 30,000 pixels of it would be 900 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earthgptx.geo.windows import Frame
from earthgptx.rasters import BoolArray, fill_rings, pack_runs
from earthgptx.shapes import Box, Mark, Mask

Indices = NDArray[np.int64]

_STRIP = 256  # columns of the scene that are filled at a time


def in_scene_frame(array: BoolArray, frame: Frame, *, width: int, height: int) -> Mask:
    """A mask of a window as a mask of its scene: a scene pixel is set where the read pixel under its centre is.

    Args:
        array: (h, w) of the window as it was read.
        frame: of the window.
        width, height: of the scene.
    """
    columns, rows = edges(frame)
    starts: list[Indices] = []
    ends: list[Indices] = []
    for place in np.flatnonzero(array.any(axis=0)).tolist():
        steps = np.diff(array[:, place].astype(np.int8), prepend=0, append=0)
        tops, bottoms = rows[np.flatnonzero(steps > 0)], rows[np.flatnonzero(steps < 0)]
        offsets = np.arange(columns[place], columns[place + 1], dtype=np.int64)[:, None] * height
        starts.append((offsets + tops).ravel())
        ends.append((offsets + bottoms).ravel())
    return _of_stretches(starts, ends, width=width, height=height)


def filled(geometry: dict[str, Any], *, width: int, height: int) -> Mask:
    """The pixels whose centres lie in a Polygon or MultiPolygon, holes left open.

    Args:
        geometry: in scene pixels, well formed.
        width, height: of the scene.
    """
    parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    rings = [[np.array([at[:2] for at in ring], dtype=np.float64).reshape(-1, 2) for ring in part] for part in parts]
    vertices = np.concatenate([ring for part in rings for ring in part])
    left, top = (int(v) for v in np.clip(np.floor(vertices.min(axis=0)), 0, (width, height)))
    right, bottom = (int(v) for v in np.clip(np.ceil(vertices.max(axis=0)), 0, (width, height)))
    starts: list[Indices] = []
    ends: list[Indices] = []
    for x in range(left, right, _STRIP):
        strip = np.zeros((bottom - top, min(_STRIP, right - x)), dtype=bool)
        for part in rings:
            strip |= fill_rings([ring - (x, top) for ring in part], *strip.shape)
        steps = np.diff(strip.T.astype(np.int8), axis=1, prepend=0, append=0)
        for sign, found in ((1, starts), (-1, ends)):
            columns, rows = np.nonzero(steps == sign)
            found.append((columns + x) * height + rows + top)
    return _of_stretches(starts, ends, width=width, height=height)


def seen_in(mask: Mask, frame: Frame) -> BoolArray:
    """(h, w) A mask of a scene in a window as it is read: what lies under the centres of the read pixels.

    A mask that falls between the centres keeps the one pixel under its middle, if that is in the window.
    """
    ends = np.cumsum(np.array(mask.check_counts(), dtype=np.int64))
    across = np.floor(frame.window.x0 + (np.arange(frame.width) + 0.5) * frame.step_x).astype(np.int64)
    down = np.floor(frame.window.y0 + (np.arange(frame.height) + 0.5) * frame.step_y).astype(np.int64)
    pixels = across[None, :] * mask.height + down[:, None]
    seen: BoolArray = np.searchsorted(ends, pixels, side="right") % 2 == 1
    if not seen.any() and mask.area:
        x, y = frame.to_view(*mask.bounds().centre)
        if 0 <= x < frame.width and 0 <= y < frame.height:
            seen[int(y), int(x)] = True
    return seen


def mark_in(mark: Mark, frame: Frame) -> Mark:
    """A mark of the scene as one on what was read of a window."""
    if isinstance(mark, Mask):
        return Mask.from_array(seen_in(mark, frame))
    if frame.window.x0 == frame.window.y0 == 0 and frame.step_x == frame.step_y == 1:
        return mark
    return mark.shifted(-frame.window.x0, -frame.window.y0).scaled(1 / frame.step_x, 1 / frame.step_y)


def extent_in_scene(array: BoolArray, frame: Frame) -> Box | None:
    """The smallest box of scene pixels around a mask of a window; None where it holds no pixel."""
    rows, columns = np.flatnonzero(array.any(axis=1)), np.flatnonzero(array.any(axis=0))
    if not len(rows):
        return None
    x, y = edges(frame)
    return Box(float(x[columns[0]]), float(y[rows[0]]), float(x[columns[-1] + 1]), float(y[rows[-1] + 1]))


def edges(frame: Frame) -> tuple[Indices, Indices]:
    """Between which whole scene pixels the read ones lie: pixel k covers those from edge k to edge k + 1, x then y."""
    across = np.ceil(np.arange(frame.width + 1) * frame.step_x - 0.5).astype(np.int64) + int(frame.window.x0)
    down = np.ceil(np.arange(frame.height + 1) * frame.step_y - 0.5).astype(np.int64) + int(frame.window.y0)
    across[-1], down[-1] = int(frame.window.x1), int(frame.window.y1)
    return across, down


def _of_stretches(starts: Sequence[Indices], ends: Sequence[Indices], *, width: int, height: int) -> Mask:
    """A mask from where its stretches of set pixels begin and end, counted column by column."""
    none = np.zeros(0, dtype=np.int64)
    first, last = np.sort(np.concatenate([none, *starts])), np.sort(np.concatenate([none, *ends]))
    is_parted = last[:-1] != first[1:]  # what goes on at the top of the next column is one stretch
    first = np.concatenate([first[:1], first[1:][is_parted]])
    last = np.concatenate([last[:-1][is_parted], last[-1:]])
    turns = np.stack([first, last], axis=1).ravel()
    runs: list[int] = np.diff(turns, prepend=0, append=width * height).tolist()
    if len(runs) > 1 and runs[-1] == 0:  # as `runs_from_array` writes a mask that reaches the last pixel
        runs.pop()
    return Mask(height, width, pack_runs(runs))
