"""MSTAR: chips of ten types of ground vehicle, one vehicle a chip, in X-band spotlight SAR.

The Air Force Moving and Stationary Target Recognition database, public release, by way of a repository under
CC BY-NC 4.0. The vehicle stands near the middle with its radar shadow above it; the object's box is the
central 60% of the chip, which holds both in every type. Beware: chip size alone tells some types apart.

On disk: ``mstar/{split}/{type}/*.jpg``, 128 to 193 pixels, grey.
"""

from __future__ import annotations

from pathlib import Path

from earthgptx.data.datasets.chips import read_chips
from earthgptx.data.sample import LabelledImage


def read(root: Path, split: str) -> list[LabelledImage]:
    """The split's chips; `root` is the folder that holds ``mstar``."""
    return read_chips(root / "mstar", split, dataset="mstar", sensor="sar", central=0.6)
