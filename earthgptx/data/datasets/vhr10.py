"""NWPU VHR-10 with instance masks: optical images from the air and from space, ten classes.

Images: Cheng, Han, Zhou, Guo, "Multi-class geospatial object detection and geographic image classification
based on collection of part detectors", ISPRS Journal 98 (2014). Masks: Su et al., "Object detection and
instance segmentation in remote sensing imagery based on precise Mask R-CNN", IGARSS 2019
(VHR-10_dataset_coco). Terms: research purposes only.

On disk: ``vhr10/instances_{split}.json`` (COCO) and ``vhr10/images/*.jpg``, 533 to 1,728 pixels.
"""

from __future__ import annotations

from pathlib import Path

from earthgptx.data.datasets.coco_instances import read_instances
from earthgptx.data.sample import LabelledImage


def read(root: Path, split: str) -> list[LabelledImage]:
    """The split's images; `root` is the folder that holds ``vhr10``."""
    return read_instances(root / "vhr10", split, dataset="vhr10", sensor="optical")
