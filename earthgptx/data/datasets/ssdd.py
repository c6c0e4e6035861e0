"""SSDD with instance masks: ships in SAR images of RadarSat-2, TerraSAR-X and Sentinel-1.

Li, Qu, Shao, "Ship detection in SAR images based on an improved faster R-CNN", BIGSARDATA 2017; Zhang et al.,
"SAR Ship Detection Dataset (SSDD): Official Release and Comprehensive Data Analysis", Remote Sensing 13
(2021). Masks by the authors of VHR-10_dataset_coco. Terms: none stated; cite the papers. The official test
split is the images whose names end in 1 or 9.

On disk: ``ssdd/instances_{split}.json`` (COCO) and ``ssdd/images/*.jpg``, about 500 x 330 pixels, grey.
"""

from __future__ import annotations

from pathlib import Path

from earthgptx.data.datasets.coco_instances import read_instances
from earthgptx.data.sample import LabelledImage


def read(root: Path, split: str) -> list[LabelledImage]:
    """The split's images; `root` is the folder that holds ``ssdd``."""
    return read_instances(root / "ssdd", split, dataset="ssdd", sensor="sar")
