"""NWPU VHR-10: optical images from the air and from space, with instance masks of ten classes.

The masks are those of VHR-10_dataset_coco. The boxes of the original release are loose in several images, so boxes
are computed from the masks.

Size: 650 images with objects, 533 to 1,728 pixels; in the layout read here 454 for training and 66 for validation.
Classes: airplane, ship, storage tank, baseball diamond, tennis court, basketball court, ground track field, harbor,
    bridge, vehicle.
Layout: vhr10/instances_{split}.json (COCO) and vhr10/images/*.jpg
Terms: research purposes only.
Citation: Cheng, Han, Zhou, Guo, "Multi-class geospatial object detection and geographic image classification based
    on collection of part detectors", ISPRS Journal 98 (2014); masks: Su et al., "Object detection and instance
    segmentation in remote sensing imagery based on precise Mask R-CNN", IGARSS 2019.
Home: https://github.com/chaozhong2010/VHR-10_dataset_coco
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets import class_names
from earthgptx.data.formats import coco
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``vhr10``."""
    folder = root / "vhr10"
    yield from coco.read_instances(
        folder / f"instances_{split}.json",
        folder / "images",
        dataset="vhr10",
        split=split,
        sensor="optical",
        name_of=partial(class_names.canonical, "vhr10"),
        on_broken=on_broken,
        boxes_from_polygons=True,
    )
