"""DOTA v2: oriented boxes in aerial and satellite images of up to 20,000 pixels a side, more of them than in v1.

Objects flagged as difficult are kept as objects like any other, and the flag is not, as in DOTA v1. The test splits
have no labels and are not offered. The images of v1 are among these: use one of them.

Size: 11,268 images and 1,793,658 objects, test included; 1,830 images train, 593 val.
Classes: those of DOTA v1.5, and airport and helipad.
Layout: DOTA/{train,val}/ with images/*.png (or images/part1/images/*.png, as the archives unpack), and
    labelTxt-v2.0/DOTA-v2.0_{split}/*.txt, or the text files in labelTxt-v2.0 itself. A line is four corners, the class
    and the difficult flag; the two header lines of v1 are passed over if they are there.
Terms: academic, non-commercial use only; the images' own terms (Google Earth and others) must be kept.
Citation: Ding et al., "Object Detection in Aerial Images: A Large-Scale Benchmark and Challenges", IEEE TPAMI 44
    (2022).
Home: https://captain-whu.github.io/DOTA/dataset.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.datasets.dota_folders import read_version
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("DOTA/{split}/labelTxt-v2.0",)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``DOTA``."""
    yield from read_version(
        root / "DOTA" / split,
        ("v2.0",),
        dataset="dota_v2",
        split=split,
        name_of=partial(canonical, "dota_v2"),
        on_broken=on_broken,
    )
