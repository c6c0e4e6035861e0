"""Vertices to pixels, and pixels to COCO run lengths, in numpy alone.

A pixel belongs to a shape when its centre lies inside, so that shapes which share an edge share no pixel.
Nothing here knows what a mark is: vertices, sizes and boolean arrays come in and go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def _first_centre(edge: FloatArray, limit: int) -> NDArray[np.int64]:
    """Index of the first pixel whose centre (index + 0.5) is not before `edge`, kept in [0, limit]."""
    return np.clip(np.ceil(edge - 0.5), 0, limit).astype(np.int64)


def centre_range(start: float, stop: float, limit: int) -> slice:
    """The pixels of one axis whose centres lie in [start, stop), as a slice inside [0, limit)."""
    first, last = _first_centre(np.array([start, stop], dtype=np.float64), limit)
    return slice(int(first), int(last))


def fill_rings(rings: Sequence[FloatArray], height: int, width: int) -> BoolArray:
    """Fills closed rings by the even-odd rule: a ring inside another cuts a hole.

    Every edge toggles one pixel in each row it passes, and a running parity along the row does the rest; the
    cost is the number of (edge, row) pairs plus the area of the bounding box.

    Args:
        rings: vertices (N, 2) of each ring, x then y in pixels; the closing vertex is not repeated.
        height: rows of the raster.
        width: columns of the raster.
    """
    raster = np.zeros((height, width), dtype=bool)
    starts = np.concatenate(rings) if rings else np.zeros((0, 2))
    if len(starts) < 3:
        return raster
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    first = _first_centre(np.minimum(starts[:, 1], ends[:, 1]), height)
    last = _first_centre(np.maximum(starts[:, 1], ends[:, 1]), height)
    rows_of_edge = last - first  # zero for horizontal edges and for those above or below the raster
    total = int(rows_of_edge.sum())
    if total == 0:
        return raster
    edge = np.repeat(np.arange(len(starts)), rows_of_edge)
    row = np.arange(total) - np.repeat(np.cumsum(rows_of_edge) - rows_of_edge, rows_of_edge) + first[edge]
    delta = ends[edge] - starts[edge]
    crossing = starts[edge, 0] + (row + 0.5 - starts[edge, 1]) * delta[:, 0] / delta[:, 1]
    column = _first_centre(crossing, width)
    top, left = int(row.min()), int(column.min())
    toggles = np.zeros((int(row.max()) - top + 1, int(column.max()) - left + 1), dtype=np.uint8)
    np.add.at(toggles, (row - top, column - left), 1)  # wraps at 256, which keeps the parity
    inside = np.bitwise_xor.accumulate(toggles & 1, axis=1)[:, :-1]  # the last column only closes rows
    raster[top : top + inside.shape[0], left : left + inside.shape[1]] = inside.astype(bool)
    return raster


def fill_ellipse(centre: tuple[float, float], radii: tuple[float, float], height: int, width: int) -> BoolArray:
    """Fills an axis-aligned ellipse; `centre` and `radii` are x then y in pixels."""
    raster = np.zeros((height, width), dtype=bool)
    (x, y), (radius_x, radius_y) = centre, radii
    rows = centre_range(y - radius_y, y + radius_y, height)
    columns = centre_range(x - radius_x, x + radius_x, width)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return raster
    down = (np.arange(rows.start, rows.stop) + 0.5 - y) / radius_y
    across = (np.arange(columns.start, columns.stop) + 0.5 - x) / radius_x
    raster[rows, columns] = down[:, None] ** 2 + across[None, :] ** 2 <= 1.0
    return raster


def stroke_path(points: FloatArray, stroke_width: float, height: int, width: int) -> BoolArray:
    """Draws an open path with round joints: every pixel centre within half the stroke of a segment.

    Args:
        points: vertices (N, 2), x then y in pixels.
        stroke_width: width of the pen in pixels.
        height: rows of the raster.
        width: columns of the raster.
    """
    raster = np.zeros((height, width), dtype=bool)
    radius = stroke_width / 2.0
    for start, end in pairwise(points):
        low, high = np.minimum(start, end) - radius, np.maximum(start, end) + radius
        rows = centre_range(low[1], high[1] + 1e-9, height)  # closed above: a centre on the rim is drawn
        columns = centre_range(low[0], high[0] + 1e-9, width)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        y = (np.arange(rows.start, rows.stop) + 0.5 - start[1])[:, None]
        x = (np.arange(columns.start, columns.stop) + 0.5 - start[0])[None, :]
        along_x, along_y = end - start
        squared_length = along_x**2 + along_y**2
        # How far along the segment the nearest point lies, 0 at its start and 1 at its end.
        share = np.clip((x * along_x + y * along_y) / squared_length, 0.0, 1.0) if squared_length > 0 else 0.0
        raster[rows, columns] |= (x - share * along_x) ** 2 + (y - share * along_y) ** 2 <= radius**2
    return raster


def runs_from_array(array: BoolArray) -> list[int]:
    """Lengths of the alternating runs of False and True, column by column, the first run being False."""
    flat = np.asarray(array, dtype=bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]]) if flat.size else np.array([0, 0])
    runs: list[int] = np.diff(edges).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def array_from_runs(runs: Sequence[int], height: int, width: int) -> BoolArray:
    """Inverse of `runs_from_array`; the runs must add up to height * width."""
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((height, width), order="F")


def pack_runs(runs: Sequence[int]) -> str:
    """Writes runs as COCO's compressed string.

    From the third run on, a run is stored as the difference to the one two places before; each number is cut
    into groups of 5 bits, low group first, bit 6 saying that more follow and bit 5 of the last carrying the
    sign; 48 is added to land on printable characters.
    """
    characters: list[str] = []
    for index, run in enumerate(runs):
        rest = run - runs[index - 2] if index > 2 else run
        while True:
            group = rest & 0x1F
            rest >>= 5
            is_last = rest == (-1 if group & 0x10 else 0)
            characters.append(chr(48 + (group if is_last else group | 0x20)))
            if is_last:
                break
    return "".join(characters)


def unpack_runs(counts: str) -> list[int] | None:
    """Reads COCO's compressed string; None where the text is no such string."""
    runs: list[int] = []
    number = shift = 0
    for character in counts:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 60:
            return None
        number |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        if runs[-1] < 0:
            return None
        number = shift = 0
    return runs if shift == 0 else None
