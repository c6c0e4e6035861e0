"""DOTA v1: oriented boxes in aerial and satellite images of up to 20,000 pixels a side.

The labels of v1.5 are read where they lie, else those of v1.0: v1.5 labels the same images again, with objects of
fewer than 10 pixels and one more class. Objects flagged as difficult are kept as objects like any other, since a
picture shows them all the same; the flag itself is not kept, since it says nothing of the object. The test split has
no labels and is not offered. The images of v1 are also in v2: use one of them.

Size: 2,806 images; 1,411 train, 458 val; 188,282 objects in v1.0, 403,318 in v1.5, test included.
Classes: plane, baseball diamond, bridge, ground track field, small vehicle, large vehicle, ship, tennis court,
    basketball court, storage tank, soccer ball field, roundabout, harbor, swimming pool, helicopter; in v1.5 container
    crane, too.
Layout: DOTA/{train,val}/ with images/*.png (or images/part1/images/*.png, as the archives unpack), and
    labelTxt-v1.0/labelTxt/*.txt or labelTxt-v1.5/DOTA-v1.5_{split}/*.txt, or the text files in labelTxt-v1.* itself. A
    file begins with the lines imagesource and gsd; a line is four corners, the class and the difficult flag.
Terms: academic, non-commercial use only; the images' own terms (Google Earth and others) must be kept.
Citation: Xia et al., "DOTA: A Large-Scale Dataset for Object Detection in Aerial Images", CVPR 2018.
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

SPLIT_PATHS = ("DOTA/{split}/labelTxt-v1.5", "DOTA/{split}/labelTxt-v1.0")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``DOTA``."""
    yield from read_version(
        root / "DOTA" / split,
        ("v1.5", "v1.0"),
        dataset="dota_v1",
        split=split,
        name_of=partial(canonical, "dota_v1"),
        on_broken=on_broken,
    )
