"""A scene's pixels on disk at full, half, quarter, ... size, and the tiles and thumbnails that are cut from them.

Why neither rio-tiler nor windows of the file: what is shown must be what the model sees, and `Scene.open` has turned
the picture upright, looked up palettes, taken decibels and stretched. Its result lies in one plain file that is mapped
into memory, so that a tile reads its own pages and nothing else, of a PNG as of a GeoTIFF, and no scene takes room
while nobody looks at it. (Scenes too large for that are the matter of `windowed_picture`.)
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from earthgptx.errors import TileOutsideScene

TILE_SIZE = 256
ROWS_AT_ONCE = 1024  # of the larger level, while it is halved
Pixels = NDArray[np.uint8]
_FILE = "levels.raw"  # one for all levels: each mapped file takes one of the process's few descriptors


class Picture(Protocol):
    """What tiles are cut from."""

    @property
    def max_zoom(self) -> int:
        """The zoom at which one tile pixel is one scene pixel."""
        ...

    @property
    def has_alpha(self) -> bool:
        """Whether some of it holds no data."""
        ...

    def tile(self, z: int, x: int, y: int, *, low: float = 0.0, high: float = 255.0) -> bytes:
        """A tile as PNG."""
        ...

    def thumbnail(self) -> bytes:
        """The whole scene as PNG, its longer side at most a tile."""
        ...


@dataclass(frozen=True)
class Pyramid:
    """Levels of a scene, each half the one before, down to one that fits a tile.

    Attributes:
        levels: (H, W, 3).
        alphas: (H, W) 255 where there is data and 0 where there is none; empty where there is data everywhere.
    """

    levels: tuple[Pixels, ...]
    alphas: tuple[Pixels, ...] = ()

    @property
    def max_zoom(self) -> int:
        """The zoom at which one tile pixel is one scene pixel."""
        return len(self.levels) - 1

    @property
    def has_alpha(self) -> bool:
        """Whether some of it holds no data."""
        return bool(self.alphas)

    def tile(self, z: int, x: int, y: int, *, low: float = 0.0, high: float = 255.0) -> bytes:
        """A tile as PNG; what lies outside the scene, or holds no data, is transparent.

        Args:
            z: zoom, `max_zoom` at full size and 0 where the whole scene is one tile.
            x, y: column and row of the tile, from the upper left corner.
            low, high: shown levels that become black and white.

        Raises:
            TileOutsideScene: beyond the grid.
        """
        place = self.max_zoom - z
        height, width = self.levels[0].shape[:2]
        check_tile(z, x, y, width=width, height=height, max_zoom=self.max_zoom)
        part = (slice(y * TILE_SIZE, (y + 1) * TILE_SIZE), slice(x * TILE_SIZE, (x + 1) * TILE_SIZE))
        alpha = np.asarray(self.alphas[place][part]) if self.alphas else None
        return tile_png(np.asarray(self.levels[place][part]), alpha, low=low, high=high)

    def thumbnail(self) -> bytes:
        """The whole scene as PNG, its longer side at most a tile."""
        pixels = np.asarray(self.levels[-1])
        return png(Image.fromarray(np.dstack([pixels, self.alphas[-1]]) if self.alphas else pixels))


def check_tile(z: int, x: int, y: int, *, width: int, height: int, max_zoom: int) -> None:
    """Refuses a tile that is not in the grid of a scene of this size.

    Raises:
        TileOutsideScene: beyond the grid.
    """
    if not 0 <= z <= max_zoom:
        raise TileOutsideScene(f"Zoom {z} is not in this scene's grid: it has 0 to {max_zoom}.")
    columns, rows = (math.ceil(side / (TILE_SIZE << (max_zoom - z))) for side in (width, height))
    if not (0 <= x < columns and 0 <= y < rows):
        raise TileOutsideScene(f"Tile ({x}, {y}) is not in the grid of {columns} x {rows} tiles at zoom {z}.")


def tile_png(pixels: Pixels, alpha: Pixels | None, *, low: float, high: float) -> bytes:
    """A tile with some pixels in its upper left corner.

    Args:
        pixels: (h, w, 3), at most a tile.
        alpha: (h, w), None where all of it is opaque.
        low, high: levels that become black and white.
    """
    height, width = pixels.shape[:2]
    tile = np.zeros((TILE_SIZE, TILE_SIZE, 4), np.uint8)
    tile[:height, :width, :3] = _levels(pixels, low, high)
    tile[:height, :width, 3] = 255 if alpha is None else alpha
    return png(Image.fromarray(tile))


def write_pyramid(pixels: Pixels, folder: Path, *, valid: NDArray[np.bool_] | None = None) -> Pyramid:
    """Writes all levels of a scene into a new folder.

    Args:
        pixels: (H, W, 3).
        folder: made here.
        valid: (H, W) True where there is data; None for everywhere.
    """
    folder.mkdir()
    path = folder / _FILE
    height, width = pixels.shape[:2]
    # Written, not mapped: a full disk is an error then, and not the end of the process.
    with path.open("xb") as stream:
        stream.write(np.ascontiguousarray(pixels).data)
        if valid is not None:
            for rows in _in_strips(height):
                stream.write((valid[rows].astype(np.uint8) * 255).data)
        sizes = level_sizes(width, height)
        for number in range(1, len(sizes)):
            stream.flush()
            _write_half(stream, _mapped(path, sizes[:number], has_alpha=valid is not None))
    return _mapped(path, sizes, has_alpha=valid is not None)


def read_pyramid(folder: Path, *, width: int, height: int, has_alpha: bool) -> Pyramid:
    """What `write_pyramid` wrote.

    Raises:
        ValueError: the file has not the size that this takes.
    """
    sizes = level_sizes(width, height)
    path, wanted = folder / _FILE, sum(_num_bytes(*size, has_alpha=has_alpha) for size in sizes)
    if path.stat().st_size != wanted:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes, not {wanted:,}")
    return _mapped(path, sizes, has_alpha=has_alpha)


def level_sizes(width: int, height: int) -> list[tuple[int, int]]:
    """(width, height) of all levels, full size first."""
    sizes = [(width, height)]
    while max(sizes[-1]) > TILE_SIZE:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def png(image: Image.Image) -> bytes:
    """A picture's PNG file, made quickly rather than small."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _mapped(path: Path, sizes: list[tuple[int, int]], *, has_alpha: bool) -> Pyramid:
    # Copy on write: torch warns of arrays that it may not write to, and nothing ever does.
    flat = np.memmap(path, dtype=np.uint8, mode="c")
    levels, alphas, start = [], [], 0
    for width, height in sizes:
        area = width * height
        levels.append(flat[start : start + 3 * area].reshape(height, width, 3))
        if has_alpha:
            alphas.append(flat[start + 3 * area : start + 4 * area].reshape(height, width))
        start += _num_bytes(width, height, has_alpha=has_alpha)
    return Pyramid(tuple(levels), tuple(alphas))


def _num_bytes(width: int, height: int, *, has_alpha: bool) -> int:
    return width * height * (4 if has_alpha else 3)


def _write_half(stream: BinaryIO, above: Pyramid) -> None:
    """Appends the next level to a file."""
    level = above.levels[-1]
    if not above.alphas:
        for rows in _in_strips(len(level)):
            stream.write(_halved(np.asarray(level[rows])).data)
        return
    alpha = above.alphas[-1]
    for rows in _in_strips(len(level)):
        stream.write(_halved_where(np.asarray(level[rows]), np.asarray(alpha[rows])).data)
    for rows in _in_strips(len(level)):
        stream.write(_quads(np.asarray(alpha[rows])).max(axis=0).data)


def _in_strips(height: int) -> list[slice]:
    return [slice(top, top + ROWS_AT_ONCE) for top in range(0, height, ROWS_AT_ONCE)]


def _quads(layer: Pixels) -> Pixels:
    """(4, h, w, ...) the four pixels that become one; an odd last row or column counts twice."""
    height, width = layer.shape[:2]
    beyond = [(0, height % 2), (0, width % 2), *[(0, 0)] * (layer.ndim - 2)]
    even = np.pad(layer, beyond, mode="edge")
    return np.stack([even[::2, ::2], even[1::2, ::2], even[::2, 1::2], even[1::2, 1::2]])


def _halved(pixels: Pixels) -> Pixels:
    """Means of 2 x 2 pixels."""
    means: Pixels = ((_quads(pixels).sum(axis=0, dtype=np.uint16) + 2) // 4).astype(np.uint8)
    return means


def _halved_where(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Means of those of 2 x 2 pixels that hold data, so that the border of the data does not darken."""
    weights = (_quads(alpha) > 0).astype(np.uint16)[..., None]
    total = (_quads(pixels) * weights).sum(axis=0, dtype=np.uint16)
    count = np.maximum(weights.sum(axis=0, dtype=np.uint16), 1)
    means: Pixels = ((total + count // 2) // count).astype(np.uint8)
    return means


def _levels(pixels: Pixels, low: float, high: float) -> Pixels:
    if (low, high) == (0.0, 255.0):
        return pixels
    table = np.clip((np.arange(256) - low) * (255.0 / (high - low)), 0, 255)
    return np.asarray(np.rint(table).astype(np.uint8)[pixels])
