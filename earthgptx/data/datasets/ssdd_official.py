"""SSDD, official release: ships in SAR images of RadarSat-2, TerraSAR-X and Sentinel-1, in every edition.

Of the editions that lie on disk, the one that says most of a ship is read: outlines before oriented boxes before
upright ones. The small set `ssdd` is another release of the same images: use one of them.

Size: 1,160 images of about 500 x 350 pixels; 928 train, 232 test; there is no val split.
Classes: ship.
Layout: Official-SSDD-OPEN/ with an edition a folder: BBox_RBox_PSeg_SSDD, PSeg_SSDD, RBox_SSDD, BBox_SSDD. In each,
    voc_style/ with Annotations_{split}/*.xml (bndbox, rotated_bndbox with four corners, segm with points) and
    JPEGImages_{split}/*.jpg, or coco_style/ with annotations/{split}.json and images/{split}/*.jpg. The test images
    are those whose names end in 1 or 9.
Terms: not stated; cite the papers.
Citation: Zhang et al., "SAR Ship Detection Dataset (SSDD): Official Release and Comprehensive Data Analysis", Remote
    Sensing 13 (2021); Li, Qu, Shao, "Ship detection in SAR images based on an improved faster R-CNN", BIGSARDATA 2017.
Home: https://github.com/TianwenZhang0825/Official-SSDD
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.formats import coco, voc
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedDataset

_NAME = "ssdd_official"
EDITIONS = ("BBox_RBox_PSeg_SSDD", "PSeg_SSDD", "RBox_SSDD", "BBox_SSDD")  # what says most comes first
SPLIT_PATHS = tuple(
    f"Official-SSDD-OPEN/{edition}/{path}"
    for edition in EDITIONS
    for path in ("voc_style/Annotations_{split}", "coco_style/annotations/{split}.json")
)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``Official-SSDD-OPEN``.

    Raises:
        MalformedDataset: no edition has the split.
    """
    folder = root / "Official-SSDD-OPEN"
    name_of = partial(canonical, _NAME)
    for edition in EDITIONS:
        in_voc, in_coco = folder / edition / "voc_style", folder / edition / "coco_style"
        if (in_voc / f"Annotations_{split}").is_dir():
            yield from voc.read_folder(
                in_voc / f"Annotations_{split}",
                in_voc / f"JPEGImages_{split}",
                dataset=_NAME,
                split=split,
                sensor="sar",
                name_of=name_of,
                on_broken=on_broken,
            )
            return
        if (in_coco / "annotations" / f"{split}.json").is_file():
            yield from coco.read_instances(
                in_coco / "annotations" / f"{split}.json",
                in_coco / "images" / split,
                dataset=_NAME,
                split=split,
                sensor="sar",
                name_of=name_of,
                on_broken=on_broken,
            )
            return
    raise MalformedDataset(f"{folder} holds the {split} split of none of {', '.join(EDITIONS)}.")
