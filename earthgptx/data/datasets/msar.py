"""MSAR-1.0: aircraft, oil tanks, bridges and ships in slices of SAR images of HISEA-1 and Gaofen-3.

A list of names in ImageSets/Main is followed where there is one. The release states no split, so slices are else
drawn by their name, 8 of 10 to train, 1 to val and 1 to test; neighbours of one scene may come into different splits.

Size: 28,449 slices of 256 x 256 pixels, some of bridges of 2048 x 2048; 1,851 bridges, 39,858 ships, 12,319 oil tanks,
    6,368 aircraft.
Classes: in Chinese, as aircraft, oil tank, bridge, ship; the names of oil tank and bridge are confirmed by other
    readers, those of aircraft and ship are taken from the dataset's own description. English names are read as well.
Layout: MSAR-1.0 dataset/ with Annotations/*.xml (Pascal VOC, in UTF-8 or GBK) and JPEGImages/*.jpg. The large scenes of
    the release are not read.
Terms: not stated; cite the dataset.
Citation: Chen, Huang, Xia, Wu, Sheng, Sun, Yao, "Large-scale multi-class SAR image target detection dataset-1.0",
    Journal of Radars (2022).
Home: https://radars.ac.cn/web/data/getData?dataType=MSAR
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.datasets.split_rule import drawn_split
from earthgptx.data.formats import voc
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("MSAR-1.0 dataset/Annotations",)  # every split is drawn from the same folder


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``MSAR-1.0 dataset``."""
    folder = root / "MSAR-1.0 dataset"
    listed = folder / "ImageSets" / "Main" / f"{split}.txt"
    has_list = listed.is_file()
    yield from voc.read_folder(
        folder / "Annotations",
        folder / "JPEGImages",
        dataset="msar",
        split=split,
        sensor="sar",
        name_of=partial(canonical, "msar"),
        on_broken=on_broken,
        names=voc.split_names(listed) if has_list else None,
        wanted=None if has_list else lambda name: drawn_split(name) == split,
    )
