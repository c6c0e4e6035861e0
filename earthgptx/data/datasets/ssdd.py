"""SSDD: ships in SAR images of RadarSat-2, TerraSAR-X and Sentinel-1, with instance masks.

The masks are those of VHR-10_dataset_coco; boxes are computed from them. The official test split is the images whose
names end in 1 or 9.

Size: 1,160 images of about 500 x 330 pixels; in the layout read here 836 for training and 92 for validation.
Classes: ship.
Layout: ssdd/instances_{split}.json (COCO) and ssdd/images/*.jpg, grey
Terms: not stated; cite the papers.
Citation: Li, Qu, Shao, "Ship detection in SAR images based on an improved faster R-CNN", BIGSARDATA 2017; Zhang et
    al., "SAR Ship Detection Dataset (SSDD): Official Release and Comprehensive Data Analysis", Remote Sensing 13
    (2021).
Home: https://github.com/TianwenZhang0825/Official-SSDD
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets import class_names
from earthgptx.data.formats import coco
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("ssdd/instances_{split}.json",)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``ssdd``."""
    folder = root / "ssdd"
    yield from coco.read_instances(
        folder / f"instances_{split}.json",
        folder / "images",
        dataset="ssdd",
        split=split,
        sensor="sar",
        name_of=partial(class_names.canonical, "ssdd"),
        on_broken=on_broken,
        boxes_from_polygons=True,
    )
