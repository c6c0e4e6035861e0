"""SAR-ACD: chips of civil aircraft of six types, seen by the SAR satellite Gaofen-3.

The chips are cut close, so the whole chip is the object's box. The release states no split: chips are drawn by type and
name, 8 of 10 to train, 1 to val and 1 to test. Some chips are near duplicates, which may come into different splits.

Size: 3,032 chips of about 40 to 150 pixels, grey.
Classes: A220, A320/A321, A330, ARJ21, Boeing 737, Boeing 787.
Layout: sar_acd/images/{type}/*.jpg, as released; or sar_acd/{split}/{type}/*.jpg, which comes first.
Terms: open to the community to provide support for research.
Citation: Sun, Lv, Wang, Fu, "SCAN: Scattering Characteristics Analysis Network for Few-Shot Aircraft Classification
    in High-Resolution SAR Images", IEEE TGRS 60 (2022).
Home: https://github.com/AICyberTeam/SAR-ACD
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.datasets.chips import ALL_CHIPS, read_chips
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("sar_acd/{split}", f"sar_acd/{ALL_CHIPS}")  # the second holds all splits


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's chips; `root` is the folder that holds ``sar_acd``."""
    yield from read_chips(root / "sar_acd", split, dataset="sar_acd", sensor="sar", central=1.0, on_broken=on_broken)
