"""Tiles of a scene that is too large to be decoded: windows of its file near by, and one overview on disk far away.

A `BigScene` comes in. The overview is made once, when the scene is opened, and answers all zooms at which a tile would
read more than a few thousand pixels a side; a file without overviews of its own is decoded whole only then.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earthgptx.geo.big_scene import BigScene
from earthgptx.serving.pyramid import (
    TILE_SIZE,
    Pixels,
    Pyramid,
    check_tile,
    level_sizes,
    read_pyramid,
    tile_png,
    write_pyramid,
)
from earthgptx.shapes import Box

_OVERVIEW_SIDE = 2048  # at most, so that a tile just above reads about as many scene pixels a side at 30,000


@dataclass(frozen=True)
class WindowedPicture:
    """A big scene as tiles.

    Attributes:
        scene: read by windows.
        overview: its last levels.
    """

    scene: BigScene
    overview: Pyramid

    @property
    def max_zoom(self) -> int:
        """The zoom at which one tile pixel is one scene pixel."""
        return len(level_sizes(self.scene.width, self.scene.height)) - 1

    @property
    def has_alpha(self) -> bool:
        """Whether some of the overview holds no data."""
        return self.overview.has_alpha

    def tile(self, z: int, x: int, y: int, *, low: float = 0.0, high: float = 255.0) -> bytes:
        """A tile as PNG; what lies outside the scene, or holds no data, is transparent.

        Raises:
            TileOutsideScene: beyond the grid.
            UnreadableImagery: the file is damaged there, or gone.
        """
        width, height = self.scene.width, self.scene.height
        check_tile(z, x, y, width=width, height=height, max_zoom=self.max_zoom)
        if z <= self.overview.max_zoom:
            return self.overview.tile(z, x, y, low=low, high=high)
        step = 1 << (self.max_zoom - z)
        side = TILE_SIZE * step
        window = Box(x * side, y * side, min((x + 1) * side, width), min((y + 1) * side, height))
        pixels, alpha = _read(self.scene, window, step)
        return tile_png(pixels, alpha, low=low, high=high)

    def thumbnail(self) -> bytes:
        """The whole scene as PNG, its longer side at most a tile."""
        return self.overview.thumbnail()


def write_overview(scene: BigScene, folder: Path) -> WindowedPicture:
    """Reads a scene reduced, and keeps that in a new folder."""
    step = _overview_step(scene)
    pixels, alpha = _read(scene, Box(0, 0, scene.width, scene.height), step)
    return WindowedPicture(scene, write_pyramid(pixels, folder, valid=None if alpha is None else alpha > 0))


def read_overview(scene: BigScene, folder: Path, *, has_alpha: bool) -> WindowedPicture:
    """What `write_overview` wrote.

    Raises:
        ValueError: the file has not the size that this takes.
    """
    step = _overview_step(scene)
    width, height = (-(-side // step) for side in (scene.width, scene.height))
    return WindowedPicture(scene, read_pyramid(folder, width=width, height=height, has_alpha=has_alpha))


def _overview_step(scene: BigScene) -> int:
    """Scene pixels a pixel of the overview, a power of two."""
    step = 1
    while max(scene.width, scene.height) > _OVERVIEW_SIDE * step:
        step *= 2
    return step


def _read(scene: BigScene, window: Box, step: int) -> tuple[Pixels, Pixels | None]:
    """A window reduced by a power of two, rounded up as the pyramid does it, and where it holds data."""
    width, height = (-(-int(side) // step) for side in (window.width, window.height))
    read = scene.read(window, max(width, height))
    beyond = ((0, max(height - read.height, 0)), (0, max(width - read.width, 0)))
    pixels = np.pad(read.pixels, (*beyond, (0, 0)), mode="edge")[:height, :width]
    if read.valid is None:
        return pixels, None
    return pixels, np.pad(read.valid.astype(np.uint8) * 255, beyond, mode="edge")[:height, :width]
