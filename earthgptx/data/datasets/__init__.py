"""Public datasets, one file each, and the table of them all.

Every `read(root, split)` takes the folder that holds all sets (``vhr10/``, ``ssdd/``, ...) and gives
`LabelledImage`s in the order of the dataset's own files. Adding a dataset is a file and a row here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from earthgptx.data.datasets import hituav, mstar, rsicd, sar_acd, ssdd, vhr10
from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedDataset

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatasetSource:
    """One row of the table.

    Attributes:
        name: as in `LabelledImage.dataset`.
        sensor: one of `imagery.SENSORS`.
        folder: the dataset's folder below the root.
        split_path: what must exist below the root for a split to be there; ``{split}`` is filled in.
        tasks: the names in `instructions.TASKS` that its labels can answer.
        read: gives the images of a split, from the root that holds `folder`.
    """

    name: str
    sensor: str
    folder: str
    split_path: str
    tasks: tuple[str, ...]
    read: Callable[[Path, str], list[LabelledImage]]


_BOX_TASKS = ("roc", "region_caption", "relation", "count", "vqa")
_MASK_TASKS = (*_BOX_TASKS, "segment_region", "segment_class", "grounded_caption")
_CHIP_TASKS = ("roc", "region_caption", "vqa")

DATASETS: dict[str, DatasetSource] = {
    source.name: source
    for source in (
        DatasetSource("vhr10", "optical", "vhr10", "vhr10/instances_{split}.json", _MASK_TASKS, vhr10.read),
        DatasetSource("ssdd", "sar", "ssdd", "ssdd/instances_{split}.json", _MASK_TASKS, ssdd.read),
        DatasetSource("hituav", "infrared", "hituav", "hituav/annotations/{split}.json", _BOX_TASKS, hituav.read),
        DatasetSource(
            "rsicd",
            "optical",
            "rsicd",
            "rsicd/captions_{split}.json",
            ("image_caption", "scene", "vqa"),
            rsicd.read,
        ),
        DatasetSource("sar_acd", "sar", "sar_acd", "sar_acd/{split}", _CHIP_TASKS, sar_acd.read),
        DatasetSource("mstar", "sar", "mstar", "mstar/{split}", _CHIP_TASKS, mstar.read),
    )
}


def missing(root: Path, split: str, names: Sequence[str] = tuple(DATASETS)) -> tuple[str, ...]:
    """One sentence for each named dataset that the folder does not hold in this split."""
    sentences = []
    for name in names:
        needed = root / _source(name).split_path.format(split=split)
        if not needed.exists():
            sentences.append(f"{name} has no {split} split here: {needed} does not exist.")
    return tuple(sentences)


def available(
    root: Path, split: str, *, names: Sequence[str] = tuple(DATASETS), skip_missing: bool = True
) -> list[LabelledImage]:
    """The images of every named dataset that the folder holds, grouped by dataset in the order named.

    A dataset that is not there is logged as a warning (and listed by `missing`); one that is there but broken
    is always an error.

    Args:
        root: the folder that holds the datasets' folders.
        split: "train", "val" or "test".
        names: which datasets to read.
        skip_missing: False makes a dataset that is not there an error.

    Raises:
        MalformedDataset: a dataset is broken, or unknown, or missing where it must not be; or none is there.
    """
    absent = missing(root, split, names)
    if absent and not skip_missing:
        raise MalformedDataset(" ".join(absent))
    if len(absent) == len(names):
        raise MalformedDataset(f"{root} holds no {split} split of any of {', '.join(names)}.")
    for sentence in absent:
        _logger.warning("%s", sentence)
    images: list[LabelledImage] = []
    for name in names:
        source = _source(name)
        if (root / source.split_path.format(split=split)).exists():
            images.extend(source.read(root, split))
    return images


def _source(name: str) -> DatasetSource:
    if name not in DATASETS:
        raise MalformedDataset(f"There is no dataset named {name!r}; known are {', '.join(DATASETS)}.")
    return DATASETS[name]
