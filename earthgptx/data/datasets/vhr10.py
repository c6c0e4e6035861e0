"""NWPU VHR-10: optical images from the air and from space, with instance masks of ten classes.

The masks are those of VHR-10_dataset_coco. The boxes of the original release are loose in several images, so boxes
are computed from the masks. The release states no split: images are drawn by their number, 8 of 10 to train, 1 to val
and 1 to test.

Size: 650 images with objects, 533 to 1,728 pixels.
Classes: airplane, ship, storage tank, baseball diamond, tennis court, basketball court, ground track field, harbor,
    bridge, vehicle.
Layout: vhr10/annotations.json (COCO) and "vhr10/positive image set/*.jpg", as released under the name of
    NWPU VHR-10_dataset_coco; or vhr10/instances_{split}.json (COCO) and vhr10/images/*.jpg, which comes first.
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
from earthgptx.data.datasets.split_rule import drawn_split
from earthgptx.data.formats import coco
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

_ALL = "annotations.json"
SPLIT_PATHS = ("vhr10/instances_{split}.json", f"vhr10/{_ALL}")  # the second holds all splits


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``vhr10``."""
    folder = root / "vhr10"
    path = folder / f"instances_{split}.json"
    is_drawn = (folder / _ALL).is_file() and not path.is_file()
    yield from coco.read_instances(
        folder / _ALL if is_drawn else path,
        (folder / "images", folder / "positive image set"),
        dataset="vhr10",
        split=split,
        sensor="optical",
        name_of=partial(class_names.canonical, "vhr10"),
        on_broken=on_broken,
        boxes_from_polygons=True,
        wanted=(lambda name: drawn_split(name) == split) if is_drawn else None,
    )
