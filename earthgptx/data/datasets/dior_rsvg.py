"""DIOR-RSVG: expressions that refer to single objects in DIOR's images.

The splits divide the expressions and not the images: one image may show an object of the train split and another one
of the test split. Expressions of one object, with one box and one class, are its several descriptions.

Size: 17,402 images of 800 x 800 pixels, 38,320 expressions; 26,991 train, 3,829 val, 7,500 test.
Classes: the 20 of DIOR.
Layout: DIOR_RSVG/ with Annotations/*.xml (Pascal VOC with a description an object), JPEGImages/*.jpg, and train.txt,
    val.txt and test.txt, which number the objects of all XML files in sorted order, from 0 over the whole folder.
Terms: not stated.
Citation: Zhan, Xiong, Yuan, "RSVG: Exploring Data and Models for Visual Grounding on Remote Sensing Data", IEEE TGRS 61
    (2023).
Home: https://github.com/ZhanYang-nwpu/RSVG-pytorch
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.datasets.referred_objects import read_referred
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("DIOR_RSVG/{split}.txt",)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``DIOR_RSVG``."""
    folder = root / "DIOR_RSVG"
    yield from read_referred(
        folder / "Annotations",
        folder / "JPEGImages",
        folder / f"{split}.txt",
        dataset="dior_rsvg",
        split=split,
        name_of=partial(canonical, "dior"),
        on_broken=on_broken,
    )
