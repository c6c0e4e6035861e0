"""SAR-ACD: chips of civil aircraft of six types, seen by the SAR satellite Gaofen-3.

The chips are cut close, so the whole chip is the object's box. Some chips are near duplicates.

Size: 3,032 chips of about 40 to 150 pixels, grey; in the layout read here 618 for training and 102 for validation.
Classes: A220, A320/A321, A330, ARJ21, Boeing 737, Boeing 787.
Layout: sar_acd/{split}/{type}/*.jpg
Terms: open to the community to provide support for research.
Citation: Sun, Lv, Wang, Fu, "SCAN: Scattering Characteristics Analysis Network for Few-Shot Aircraft Classification
    in High-Resolution SAR Images", IEEE TGRS 60 (2022).
Home: https://github.com/AICyberTeam/SAR-ACD
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.datasets.chips import read_chips
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's chips; `root` is the folder that holds ``sar_acd``."""
    yield from read_chips(root / "sar_acd", split, dataset="sar_acd", sensor="sar", central=1.0, on_broken=on_broken)
