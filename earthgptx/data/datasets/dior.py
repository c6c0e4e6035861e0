"""DIOR: objects of 20 classes in aerial images of more than 80 countries.

The oriented boxes of DIOR-R are read where they lie on disk, and an object's upright box is then their bounds;
else the upright boxes are read.

Size: 23,463 images of 800 x 800 pixels, 192,472 objects; 5,862 images train, 5,863 val, 11,738 test.
Classes: airplane, airport, baseball field, basketball court, bridge, chimney, dam, expressway service area, expressway
    toll station, golf field, ground track field, harbor, overpass, ship, stadium, storage tank, tennis court, train
    station, vehicle, windmill.
Layout: DIOR/ with Annotations/Horizontal Bounding Boxes/*.xml (Pascal VOC), Annotations/Oriented Bounding Boxes/*.xml
    (robndbox with four corners), ImageSets/Main/{train,val,test}.txt, JPEGImages-trainval/*.jpg and
    JPEGImages-test/*.jpg.
Terms: not stated.
Citation: Li, Wan, Cheng, Meng, Han, "Object detection in optical remote sensing images: A survey and a new benchmark",
    ISPRS Journal of Photogrammetry and Remote Sensing 159 (2020); oriented boxes: Cheng et al., "Anchor-free Oriented
    Proposal Generator for Object Detection", IEEE TGRS 60 (2022).
Home: https://gcheng-nwpu.github.io/#Datasets
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.formats import voc
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("DIOR/ImageSets/Main/{split}.txt",)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``DIOR``."""
    folder = root / "DIOR"
    oriented = folder / "Annotations" / "Oriented Bounding Boxes"
    upright = folder / "Annotations" / "Horizontal Bounding Boxes"
    yield from voc.read_folder(
        oriented if oriented.is_dir() else upright,
        folder / ("JPEGImages-test" if split == "test" else "JPEGImages-trainval"),
        dataset="dior",
        split=split,
        sensor="optical",
        name_of=partial(canonical, "dior"),
        on_broken=on_broken,
        names=voc.split_names(folder / "ImageSets" / "Main" / f"{split}.txt"),
    )
