"""SAR-AIRcraft-1.0: aircraft of seven types on airports, in SAR images of Gaofen-3.

Size: 4,368 images of 800 x 800 to 1500 x 1500 pixels, 16,463 aircraft. The splits' sizes are not stated here.
Classes: A220, A320/321, A330, ARJ21, Boeing737, Boeing787, other.
Layout: SAR-AIRcraft-1.0/ with Annotations/*.xml (Pascal VOC), JPEGImages/*.jpg and
    ImageSets/Main/{train,val,test}.txt.
Terms: not stated; cite the paper.
Citation: Wang, Kang, Zeng, Wang, Zhang, Sun, "SAR-AIRcraft-1.0: High-resolution SAR Aircraft Detection and Recognition
    Dataset", Journal of Radars 12 (2023).
Home: https://radars.ac.cn/en/article/doi/10.12000/JR23043
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.formats import voc
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = ("SAR-AIRcraft-1.0/ImageSets/Main/{split}.txt",)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``SAR-AIRcraft-1.0``."""
    folder = root / "SAR-AIRcraft-1.0"
    yield from voc.read_folder(
        folder / "Annotations",
        folder / "JPEGImages",
        dataset="sar_aircraft",
        split=split,
        sensor="sar",
        name_of=partial(canonical, "sar_aircraft"),
        on_broken=on_broken,
        names=voc.split_names(folder / "ImageSets" / "Main" / f"{split}.txt"),
    )
