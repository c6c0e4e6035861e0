"""SARDet-100K: ten public sets of SAR images with upright boxes, brought to one form and one list of classes.

Among the ten are SSDD, AIR-SARShip, MSAR and SAR-AIRcraft, cut to patches: who uses those too has their images twice.

Size: 116,598 images, 245,653 objects; 94,493 images train, 10,492 val, 11,613 test.
Classes: ship, aircraft, car, tank (for oil), bridge, harbor.
Layout: SARDet_100K/ with Annotations/{train,val,test}.json (COCO) and JPEGImages/{split}/*, or all images in
    JPEGImages/ itself. Outlines, where the files have any, are not read.
Terms: CC BY-NC 4.0; the ten sets have terms of their own.
Citation: Li, Li, Li, Hou, Liu, Cheng, Yang, "SARDet-100K: Towards Open-Source Benchmark and ToolKit for Large-Scale SAR
    Object Detection", NeurIPS 2024.
Home: https://github.com/zcablii/SARDet_100K
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.formats import coco
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage, LabelledObject

SPLIT_PATHS = ("SARDet_100K/Annotations/{split}.json",)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``SARDet_100K``."""
    folder = root / "SARDet_100K"
    yield from coco.read_instances(
        folder / "Annotations" / f"{split}.json",
        [folder / "JPEGImages" / split, folder / "JPEGImages"],
        dataset="sardet_100k",
        split=split,
        sensor="sar",
        name_of=partial(canonical, "sardet_100k"),
        on_broken=on_broken,
        make_object=_boxed,
    )


def _boxed(row: dict[str, Any], label: str, width: int, height: int) -> LabelledObject:
    """The object of an annotation's ``bbox`` alone."""
    return coco.object_from({**row, "segmentation": None}, label, width, height)
