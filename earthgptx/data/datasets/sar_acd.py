"""SAR-ACD: chips of civil aircraft of six types, seen by Gaofen-3.

Sun, Lv, Wang, Fu, "SCAN: Scattering Characteristics Analysis Network for Few-Shot Aircraft Classification in
High-Resolution SAR Images", IEEE TGRS 60 (2022). Terms: open to the community to provide support for
research. Some chips are near duplicates. The chips are cut close, so the whole chip is the object's box.

On disk: ``sar_acd/{split}/{type}/*.jpg``, about 40 to 150 pixels, grey.
"""

from __future__ import annotations

from pathlib import Path

from earthgptx.data.datasets.chips import read_chips
from earthgptx.data.sample import LabelledImage


def read(root: Path, split: str) -> list[LabelledImage]:
    """The split's chips; `root` is the folder that holds ``sar_acd``."""
    return read_chips(root / "sar_acd", split, dataset="sar_acd", sensor="sar", central=1.0)
