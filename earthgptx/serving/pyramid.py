"""A scene's pixels on disk at full, half, quarter, ... size, and the tiles and thumbnails that are cut from them.

Why neither rio-tiler nor windows of the file: what is shown must be what the model sees, and `Scene.open` has turned
the picture upright, looked up palettes, taken decibels and stretched. Its result lies in plain arrays that are mapped
into memory, so that a tile reads its own pages and nothing else, of a PNG as of a GeoTIFF, and no scene takes room
while nobody looks at it.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from earthgptx.errors import TileOutsideScene

TILE_SIZE = 256
ROWS_AT_ONCE = 1024  # of the larger level, while it is halved
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pyramid:
    """Levels of (H, W, 3) uint8, each half the one before, down to one that fits a tile."""

    levels: tuple[Pixels, ...]

    @property
    def max_zoom(self) -> int:
        """The zoom at which one tile pixel is one scene pixel."""
        return len(self.levels) - 1

    def tile(self, z: int, x: int, y: int, *, low: float = 0.0, high: float = 255.0) -> bytes:
        """A tile as PNG; what lies outside the scene is transparent.

        Args:
            z: zoom, `max_zoom` at full size and 0 where the whole scene is one tile.
            x, y: column and row of the tile, from the upper left corner.
            low, high: shown levels that become black and white.

        Raises:
            TileOutsideScene: beyond the grid.
        """
        if not 0 <= z <= self.max_zoom:
            raise TileOutsideScene(f"Zoom {z} is not in this scene's grid: it has 0 to {self.max_zoom}.")
        level = self.levels[self.max_zoom - z]
        columns, rows = (math.ceil(side / TILE_SIZE) for side in (level.shape[1], level.shape[0]))
        if not (0 <= x < columns and 0 <= y < rows):
            raise TileOutsideScene(f"Tile ({x}, {y}) is not in the grid of {columns} x {rows} tiles at zoom {z}.")
        left, top = x * TILE_SIZE, y * TILE_SIZE
        part = np.asarray(level[top : top + TILE_SIZE, left : left + TILE_SIZE])
        tile = np.zeros((TILE_SIZE, TILE_SIZE, 4), np.uint8)
        tile[: part.shape[0], : part.shape[1], :3] = _levels(part, low, high)
        tile[: part.shape[0], : part.shape[1], 3] = 255
        return png(Image.fromarray(tile))

    def thumbnail(self) -> bytes:
        """The whole scene as PNG, its longer side at most a tile."""
        return png(Image.fromarray(np.asarray(self.levels[-1])))


def write_pyramid(pixels: Pixels, folder: Path) -> Pyramid:
    """Writes all levels of a scene into a new folder.

    Args:
        pixels: (H, W, 3).
        folder: made here.
    """
    folder.mkdir()
    np.save(folder / "0.npy", pixels)
    levels = [_mapped(folder / "0.npy")]
    while max(levels[-1].shape[:2]) > TILE_SIZE:
        above = levels[-1]
        height, width = ((side + 1) // 2 for side in above.shape[:2])
        path = folder / f"{len(levels)}.npy"
        level = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(height, width, 3))
        for top in range(0, above.shape[0], ROWS_AT_ONCE):
            half = _halved(np.asarray(above[top : top + ROWS_AT_ONCE]))
            level[top // 2 : top // 2 + len(half)] = half
        level.flush()
        levels.append(_mapped(path))
    return Pyramid(tuple(levels))


def png(image: Image.Image) -> bytes:
    """A picture's PNG file, made quickly rather than small."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _mapped(path: Path) -> Pixels:
    # Copy on write: torch warns of arrays that it may not write to, and nothing ever does.
    return np.load(path, mmap_mode="c", allow_pickle=False)


def _halved(pixels: Pixels) -> Pixels:
    """Means of 2 x 2 pixels; an odd last row or column counts twice."""
    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def _levels(pixels: Pixels, low: float, high: float) -> Pixels:
    if (low, high) == (0.0, 255.0):
        return pixels
    table = np.clip((np.arange(256) - low) * (255.0 / (high - low)), 0, 255)
    return np.asarray(np.rint(table).astype(np.uint8)[pixels])
