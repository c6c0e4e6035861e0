"""The pixels of a labelled image or a sample: its file opened, its window cut out, turned as it says.

The only place where data's nouns meet image files.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.imagery import Scene
from earthgptx.data.orientation import oriented_pixels
from earthgptx.data.sample import LabelledImage, Sample

LARGEST_SOURCE = 500_000_000  # pixels; DOTA's largest images have 20,000 x 20,000


def pixels_of(item: LabelledImage | Sample) -> NDArray[np.uint8]:
    """What the item shows, as the model sees it: (height, width, 3) 8-bit RGB of the item's own size.

    Raises:
        UnreadableImagery, ImageTooLarge, EmptyImagery: as `Scene.open` has them.
    """
    path = item.path if isinstance(item, LabelledImage) else item.image
    pixels = _scene(path, item.sensor, path.stat().st_mtime_ns if path.exists() else 0).pixels
    if item.window is not None:
        x0, y0, x1, y1 = (round(edge) for edge in (item.window.x0, item.window.y0, item.window.x1, item.window.y1))
        pixels = pixels[y0:y1, x0:x1]
    return oriented_pixels(pixels, item.orientation)


@lru_cache(maxsize=1)  # the tiles of a big image come one after the other
def _scene(path: Path, sensor: str, changed_at: int) -> Scene:
    return Scene.open(path, sensor=sensor, max_pixels=LARGEST_SOURCE)
