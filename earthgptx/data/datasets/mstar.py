"""MSTAR: chips of ten types of ground vehicle, one vehicle a chip, in X-band spotlight SAR.

The public release of the Air Force's Moving and Stationary Target Recognition database. The vehicle stands near the
middle with its radar shadow above it; the object's box is the central 60% of the chip, which holds both in every
type. Beware: the chip's size alone tells some types apart.

Size: not stated for the public release as a whole; chips of 128 to 193 pixels, grey; in the layout read here 594 for
    training and 100 for validation.
Classes: 2S1, BMP2, BRDM-2, BTR-60, BTR-70, D7, T-62, T-72, ZIL-131, ZSU-23-4.
Layout: mstar/{split}/{type}/*.jpg
Terms: public release; the copy in folders of JPEG that is read here comes from a repository under CC BY-NC 4.0.
Citation: Ross, Worrell, Velten, Mossing, Bryant, "Standard SAR ATR evaluation experiments using the MSTAR public
    release data set", SPIE 3370 (1998).
Home: https://www.sdms.afrl.af.mil/index.php?collection=mstar
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.datasets.chips import read_chips
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("mstar/{split}",)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's chips; `root` is the folder that holds ``mstar``."""
    yield from read_chips(root / "mstar", split, dataset="mstar", sensor="sar", central=0.6, on_broken=on_broken)
