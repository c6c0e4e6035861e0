"""OPT-RSVG: expressions that refer to single objects in aerial and satellite images of several sources.

As in DIOR-RSVG, the splits divide the expressions and not the images. Boxes have fractions of a pixel and are taken
as positions, not as counted pixels.

Size: 25,452 images, 48,952 expressions; 19,580 train, 4,895 val, 24,477 test. The images' size is not stated.
Classes: airplane, ground track field, tennis court, bridge, basketball court, storage tank, ship, baseball diamond, T
    junction, crossroad, parking lot, harbor, vehicle, swimming pool.
Layout: OPT-RSVG/ with Annotations/*.xml (Pascal VOC with a description an object), Image/*.jpg, and
    split/{train,val,test}.txt, which number the objects of all XML files in sorted order, from 0. The layout of
    DIOR-RSVG, with JPEGImages/ and the lists beside it, is read as well.
Terms: not stated.
Citation: Li, Wang, Xu, Zhong, Wang, "Language-Guided Progressive Attention for Visual Grounding in Remote Sensing
    Images", IEEE TGRS 62 (2024).
Home: https://github.com/like413/OPT-RSVG
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.datasets.referred_objects import read_referred
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("OPT-RSVG/split/{split}.txt", "OPT-RSVG/{split}.txt")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``OPT-RSVG``."""
    folder = root / "OPT-RSVG"
    lists = folder / "split"
    images = folder / "Image"
    yield from read_referred(
        folder / "Annotations",
        images if images.is_dir() else folder / "JPEGImages",
        (lists if lists.is_dir() else folder) / f"{split}.txt",
        dataset="opt_rsvg",
        split=split,
        name_of=partial(canonical, "opt_rsvg"),
        on_broken=on_broken,
        is_inclusive=False,
    )
