"""Public datasets, one file each, and the table of them all.

Every `read(root, split)` takes the folder that holds all sets (``vhr10/``, ``ssdd/``, ...) and gives
`LabelledImage`s, or `Sample`s where the dataset holds dialogues, in the order of the dataset's own files. Adding a
dataset is a file and a row here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from earthgptx.data.datasets import (
    aerial_mancar,
    air_sarship,
    dior,
    dior_rsvg,
    dota_v1,
    dota_v2,
    double_light_vehicle,
    hituav,
    infrared_security,
    msar,
    mstar,
    openimages,
    opt_rsvg,
    rsicd,
    rsvp,
    sar_acd,
    sar_aircraft,
    sardet_100k,
    sea_shipping,
    ssdd,
    ssdd_official,
    vhr10,
    visual_genome,
)
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.errors import MalformedDataset

_logger = logging.getLogger(__name__)


DOMAINS = ("natural", "optical", "sar", "infrared")
SPLITS = ("train", "val", "test")


class Reader(Protocol):
    """How a dataset is read: one item after the other, in the order of its own files."""

    def __call__(self, root: Path, split: str, on_broken: OnBroken = refuse) -> Iterable[LabelledImage | Sample]:
        """The items of a split.

        Args:
            root: the folder that holds the dataset's folder.
            split: one of SPLITS.
            on_broken: told of every image and annotation that is left out because it is broken.

        Raises:
            MalformedDataset: an annotation file is missing or is not what it should be as a whole.
        """
        ...


@dataclass(frozen=True)
class DatasetSource:
    """One row of the table.

    Attributes:
        name: as in `LabelledImage.dataset`.
        domain: one of DOMAINS; natural images are photographs from the ground.
        sensor: one of `imagery.SENSORS`.
        folder: the dataset's folder below the root.
        split_paths: a split is there if any of these exists below the root; ``{split}`` is filled in, and ``{part}``,
            which writes "val" out as "validation".
        tasks: the names in `instructions.TASKS` that its labels can answer.
        read: gives the items of a split. The docstring of its module says what the dataset is (`about`).
        holds_dialogues: whether it gives `Sample`s.
    """

    name: str
    domain: str
    sensor: str
    folder: str
    split_paths: tuple[str, ...]
    tasks: tuple[str, ...]
    read: Reader
    holds_dialogues: bool = False

    def has(self, root: Path, split: str) -> bool:
        """Whether the split lies below the root."""
        return any(path.exists() for path in self.places(root, split))

    def places(self, root: Path, split: str) -> tuple[Path, ...]:
        """Where the split may lie."""
        part = "validation" if split == "val" else split
        return tuple(root / path.format(split=split, part=part) for path in self.split_paths)


_BOX_TASKS = ("roc", "region_caption", "relation", "count", "vqa")
_MASK_TASKS = (*_BOX_TASKS, "segment_region", "segment_class", "grounded_caption", "refer")
_CHIP_TASKS = ("roc", "region_caption", "vqa")
_REFERRED_TASKS = ("roc", "region_caption", "relation")  # not all objects are labelled: nothing to count
_CAPTION_TASKS = ("image_caption", "scene", "vqa")

DATASETS: dict[str, DatasetSource] = {
    source.name: source
    for source in (
        DatasetSource(
            "vhr10", "optical", "optical", "vhr10", ("vhr10/instances_{split}.json",), _MASK_TASKS, vhr10.read
        ),
        DatasetSource("ssdd", "sar", "sar", "ssdd", ("ssdd/instances_{split}.json",), _MASK_TASKS, ssdd.read),
        DatasetSource("hituav", "infrared", "infrared", "hituav", hituav.SPLIT_PATHS, _BOX_TASKS, hituav.read),
        DatasetSource(
            "rsicd", "optical", "optical", "rsicd", ("rsicd/captions_{split}.json",), _CAPTION_TASKS, rsicd.read
        ),
        DatasetSource("sar_acd", "sar", "sar", "sar_acd", ("sar_acd/{split}",), _CHIP_TASKS, sar_acd.read),
        DatasetSource("mstar", "sar", "sar", "mstar", ("mstar/{split}",), _CHIP_TASKS, mstar.read),
        DatasetSource(
            "dior", "optical", "optical", "DIOR", ("DIOR/ImageSets/Main/{split}.txt",), _BOX_TASKS, dior.read
        ),
        DatasetSource(
            "dior_rsvg",
            "optical",
            "optical",
            "DIOR_RSVG",
            ("DIOR_RSVG/{split}.txt",),
            _REFERRED_TASKS,
            dior_rsvg.read,
        ),
        DatasetSource(
            "opt_rsvg",
            "optical",
            "optical",
            "OPT-RSVG",
            ("OPT-RSVG/split/{split}.txt", "OPT-RSVG/{split}.txt"),
            _REFERRED_TASKS,
            opt_rsvg.read,
        ),
        DatasetSource(
            "dota_v1",
            "optical",
            "optical",
            "DOTA",
            ("DOTA/{split}/labelTxt-v1.5", "DOTA/{split}/labelTxt-v1.0"),
            _BOX_TASKS,
            dota_v1.read,
        ),
        DatasetSource(
            "dota_v2", "optical", "optical", "DOTA", ("DOTA/{split}/labelTxt-v2.0",), _BOX_TASKS, dota_v2.read
        ),
        DatasetSource(
            "ssdd_official",
            "sar",
            "sar",
            "Official-SSDD-OPEN",
            ssdd_official.SPLIT_PATHS,
            _MASK_TASKS,
            ssdd_official.read,
        ),
        DatasetSource(
            "air_sarship", "sar", "sar", "AIR-SARShip-2.0", air_sarship.SPLIT_PATHS, _BOX_TASKS, air_sarship.read
        ),
        DatasetSource(
            "sardet_100k",
            "sar",
            "sar",
            "SARDet_100K",
            ("SARDet_100K/Annotations/{split}.json",),
            _BOX_TASKS,
            sardet_100k.read,
        ),
        DatasetSource("msar", "sar", "sar", "MSAR-1.0 dataset", msar.SPLIT_PATHS, _BOX_TASKS, msar.read),
        DatasetSource(
            "sar_aircraft",
            "sar",
            "sar",
            "SAR-AIRcraft-1.0",
            ("SAR-AIRcraft-1.0/ImageSets/Main/{split}.txt",),
            _BOX_TASKS,
            sar_aircraft.read,
        ),
        DatasetSource(
            "sea_shipping",
            "infrared",
            "infrared",
            "sea_shipping",
            sea_shipping.SPLIT_PATHS,
            _BOX_TASKS,
            sea_shipping.read,
        ),
        DatasetSource(
            "infrared_security",
            "infrared",
            "infrared",
            "infrared_security",
            infrared_security.SPLIT_PATHS,
            _BOX_TASKS,
            infrared_security.read,
        ),
        DatasetSource(
            "aerial_mancar",
            "infrared",
            "infrared",
            "aerial_mancar",
            aerial_mancar.SPLIT_PATHS,
            _BOX_TASKS,
            aerial_mancar.read,
        ),
        DatasetSource(
            "double_light_vehicle",
            "infrared",
            "infrared",
            "double_light_vehicle",
            double_light_vehicle.SPLIT_PATHS,
            _BOX_TASKS,
            double_light_vehicle.read,
        ),
        DatasetSource(
            "openimages",
            "natural",
            "optical",
            "openimages",
            openimages.SPLIT_PATHS,
            (*_REFERRED_TASKS, "segment_region"),  # groups are no objects, and masks are there for a part
            openimages.read,
        ),
        DatasetSource(
            "visual_genome",
            "natural",
            "optical",
            "visual_genome",
            visual_genome.SPLIT_PATHS,
            _REFERRED_TASKS,
            visual_genome.read,
        ),
        DatasetSource("rsvp", "optical", "optical", "rsvp", rsvp.SPLIT_PATHS, (), rsvp.read, holds_dialogues=True),
    )
}


def missing(root: Path, split: str, names: Sequence[str] = tuple(DATASETS)) -> tuple[str, ...]:
    """One sentence for each named dataset that the folder does not hold in this split."""
    sentences = []
    for name in names:
        source = _source(name)
        if not source.has(root, split):
            needed = " or ".join(map(str, source.places(root, split)))
            sentences.append(f"{name} has no {split} split here: {needed} does not exist.")
    return tuple(sentences)


def available(
    root: Path, split: str, *, names: Sequence[str] | None = None, skip_missing: bool = True
) -> list[LabelledImage]:
    """The images of the datasets that the folder holds, grouped by dataset in the order named.

    Every image must be whole. Datasets of dialogues have no labelled images to give and are passed over.

    A dataset that was named but is not there is logged as a warning (and listed by `missing`); one that is there
    but broken is always an error.

    Args:
        root: the folder that holds the datasets' folders.
        split: "train", "val" or "test".
        names: which datasets to read; None takes whatever is there of all that are known.
        skip_missing: False makes a dataset that is not there an error.

    Raises:
        MalformedDataset: a dataset is broken, or unknown, or missing where it must not be; or none is there.
    """
    wanted = tuple(DATASETS) if names is None else names
    absent = missing(root, split, wanted)
    if absent and not skip_missing:
        raise MalformedDataset(" ".join(absent))
    if len(absent) == len(wanted):
        raise MalformedDataset(f"{root} holds no {split} split of any of {', '.join(wanted)}.")
    for sentence in absent if names is not None else ():
        _logger.warning("%s", sentence)
    images: list[LabelledImage] = []
    for name in wanted:
        source = _source(name)
        if source.has(root, split) and not source.holds_dialogues:
            images.extend(item for item in source.read(root, split) if isinstance(item, LabelledImage))
    return images


def _source(name: str) -> DatasetSource:
    if name not in DATASETS:
        raise MalformedDataset(f"There is no dataset named {name!r}; known are {', '.join(DATASETS)}.")
    return DATASETS[name]
