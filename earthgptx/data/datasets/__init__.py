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


class _Adapter(Protocol):
    """What every module of a dataset has."""

    @property
    def SPLIT_PATHS(self) -> tuple[str, ...]:  # noqa: N802 - a constant of the module
        """Where a split may lie, as `DatasetSource.split_paths`."""
        ...

    def read(self, root: Path, split: str, on_broken: OnBroken = refuse) -> Iterable[LabelledImage | Sample]:
        """As `Reader`."""
        ...


_BOXES = ("roc", "region_caption", "relation", "count", "vqa")
_MASKS = (*_BOXES, "segment_region", "segment_class", "grounded_caption", "refer")
_CHIPS = ("roc", "region_caption", "vqa")
_REFERRED = ("roc", "region_caption", "relation")  # not all objects are labelled: nothing to count
_PARTLY_OUTLINED = (*_REFERRED, "segment_region")  # groups are no objects, and masks are there for a part
_CAPTIONS = ("image_caption", "scene", "vqa")
_DIALOGUES = ()


def _table(*rows: tuple[str, str, _Adapter, tuple[str, ...]]) -> dict[str, DatasetSource]:
    """The rows by their names: name, domain, module and tasks; photographs from the ground are optical images, too."""
    return {
        name: DatasetSource(
            name=name,
            domain=domain,
            sensor="optical" if domain == "natural" else domain,
            folder=adapter.SPLIT_PATHS[0].split("/")[0],
            split_paths=adapter.SPLIT_PATHS,
            tasks=tasks,
            read=adapter.read,
            holds_dialogues=not tasks,
        )
        for name, domain, adapter, tasks in rows
    }


DATASETS: dict[str, DatasetSource] = _table(
    ("vhr10", "optical", vhr10, _MASKS),
    ("ssdd", "sar", ssdd, _MASKS),
    ("hituav", "infrared", hituav, _BOXES),
    ("rsicd", "optical", rsicd, _CAPTIONS),
    ("sar_acd", "sar", sar_acd, _CHIPS),
    ("mstar", "sar", mstar, _CHIPS),
    ("dior", "optical", dior, _BOXES),
    ("dior_rsvg", "optical", dior_rsvg, _REFERRED),
    ("opt_rsvg", "optical", opt_rsvg, _REFERRED),
    ("dota_v1", "optical", dota_v1, _BOXES),
    ("dota_v2", "optical", dota_v2, _BOXES),
    ("ssdd_official", "sar", ssdd_official, _MASKS),
    ("air_sarship", "sar", air_sarship, _BOXES),
    ("sardet_100k", "sar", sardet_100k, _BOXES),
    ("msar", "sar", msar, _BOXES),
    ("sar_aircraft", "sar", sar_aircraft, _BOXES),
    ("sea_shipping", "infrared", sea_shipping, _BOXES),
    ("infrared_security", "infrared", infrared_security, _BOXES),
    ("aerial_mancar", "infrared", aerial_mancar, _BOXES),
    ("double_light_vehicle", "infrared", double_light_vehicle, _BOXES),
    ("openimages", "natural", openimages, _PARTLY_OUTLINED),
    ("visual_genome", "natural", visual_genome, _REFERRED),
    ("rsvp", "optical", rsvp, _DIALOGUES),
)


def missing(root: Path, split: str, names: Sequence[str] = tuple(DATASETS)) -> tuple[str, ...]:
    """One sentence for each named dataset that the folder does not hold in this split."""
    sentences = []
    for name in names:
        source = _source(name)
        if not source.has(root, split):
            needed = " nor ".join(str(place.relative_to(root)) for place in source.places(root, split))
            sentences.append(f"{name} has no {split} split here: {root} holds no {needed}.")
    return tuple(sentences)


def available(
    root: Path, split: str, *, names: Sequence[str] | None = None, skip_missing: bool = True
) -> list[LabelledImage]:
    """The images of the datasets that the folder holds, grouped by dataset in the order named, for training and scores.

    Every image must be whole: a score over what happened to be readable would be no score, so that one that is there
    but broken is always an error (the builder sets it aside instead). All are held at once, so that sets of millions
    of images are better built into a corpus. Datasets of dialogues have no labelled images to give.

    A dataset that was named but is not there, or has none to give, is logged as a warning (see also `missing`).

    Args:
        root: the folder that holds the datasets' folders.
        split: "train", "val" or "test".
        names: which datasets to read, each once; None takes whatever is there of all that are known. Some hold the
            same images (DOTA's versions, SSDD's releases, SARDet-100K and its parts): name those that you mean.
        skip_missing: False makes a dataset that is not there an error.

    Raises:
        MalformedDataset: a dataset is broken, or unknown, or missing where it must not be; or none is there.
    """
    wanted = tuple(DATASETS) if names is None else tuple(dict.fromkeys(names))
    absent = missing(root, split, wanted)
    if absent and not skip_missing:
        raise MalformedDataset(" ".join(absent))
    if len(absent) == len(wanted):
        raise MalformedDataset(f"{root} holds no {split} split of any of {', '.join(wanted)}.")
    for sentence in absent if names is not None else ():
        _logger.warning("%s", sentence)
    images: list[LabelledImage] = []
    for source in map(_source, wanted):
        if not source.has(root, split):
            continue
        if not source.holds_dialogues:
            images.extend(item for item in source.read(root, split) if isinstance(item, LabelledImage))
        elif names is not None:
            _logger.warning("%s holds dialogues and no labelled images: build a corpus to train on it.", source.name)
    return images


def _source(name: str) -> DatasetSource:
    if name not in DATASETS:
        raise MalformedDataset(f"There is no dataset named {name!r}; known are {', '.join(DATASETS)}.")
    return DATASETS[name]
