"""The image that a row of a corpus may carry, put where image files are opened.

In come a sample and the bytes of its row, out comes the same sample with an image that can be opened. How
pixels are read is not known here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from earthgptx.data.sample import Sample


def with_image(sample: Sample, image_bytes: bytes, folder: Path) -> Sample:
    """Writes the image into a folder and gives the sample that shows it.

    A row carries the whole file, or, where the sample is a window of a file, a picture of that window alone: then
    the sample given back has no window.

    Args:
        sample: as the row has it.
        image_bytes: as the row has it.
        folder: where to write; an image that is there already is not written again.
    """
    is_window = sample.window is not None
    suffix = ".png" if is_window else sample.image.suffix
    path = folder / f"{hashlib.blake2b(image_bytes, digest_size=16).hexdigest()}{suffix}"
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")  # a half is never taken for an image
        unfinished.write_bytes(image_bytes)
        unfinished.replace(path)
    return replace(sample, image=path, window=None)
