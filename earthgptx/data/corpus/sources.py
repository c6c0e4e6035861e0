"""Which sources lie below a folder, split by split, and where those that do not come from.

The table of datasets and a user's own labels become one kind of thing here: a split that can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from earthgptx.data.datasets import DATASETS, SPLITS
from earthgptx.data.formats.detect import OwnDataset
from earthgptx.data.instructions import TASKS
from earthgptx.data.quarantine import OnBroken
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.errors import MalformedDataset


@dataclass(frozen=True)
class SourceSplit:
    """One split of one source, ready to be read.

    Attributes:
        source, domain, sensor: as in `DatasetSource`.
        split: one of SPLITS.
        folder: holds all its files.
        tasks: those that its labels can answer.
        read: gives the items, told what to do with broken ones.
    """

    source: str
    domain: str
    sensor: str
    split: str
    folder: Path
    tasks: tuple[str, ...]
    read: Callable[[OnBroken], Iterable[LabelledImage | Sample]]

    @property
    def name(self) -> str:
        """Source and split, as files are named after them."""
        return f"{self.source}-{self.split}"


def find_sources(root: Path, names: Sequence[str]) -> tuple[list[SourceSplit], tuple[str, ...]]:
    """The splits of the named datasets that lie below a folder, in the table's order, and the names of those without.

    Raises:
        MalformedDataset: a name is not in the table.
    """
    for name in names:
        if name not in DATASETS:
            near = get_close_matches(name, DATASETS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(DATASETS)}."
            raise MalformedDataset(f"There is no source named {name!r}; {hint}")
    found: list[SourceSplit] = []
    absent: list[str] = []
    for source in DATASETS.values():
        if source.name not in names:
            continue
        splits = [split for split in SPLITS if source.has(root, split)]
        found += (
            SourceSplit(
                source=source.name,
                domain=source.domain,
                sensor=source.sensor,
                split=split,
                folder=root / source.folder,
                tasks=source.tasks,
                read=partial(source.read, root, split),
            )
            for split in splits
        )
        absent += [] if splits else [source.name]
    return found, tuple(absent)


def own_splits(own: OwnDataset, root: Path) -> list[SourceSplit]:
    """The splits of a user's own labels.

    Raises:
        MalformedDataset: they do not lie below the root, or are called like a dataset of the table.
    """
    if own.name in DATASETS:
        raise MalformedDataset(f"Your own labels cannot be called {own.name!r}: that is a source of the table.")
    if not own.path.is_relative_to(root):
        raise MalformedDataset(
            f"Your own labels {own.path} do not lie below the root {root}; a corpus's image paths are relative to it."
        )
    return [
        SourceSplit(
            source=own.name,
            domain=own.sensor,
            sensor=own.sensor,
            split=split,
            folder=own.path if own.path.is_dir() else own.path.parent,
            tasks=TASKS,
            read=partial(own.read, split),
        )
        for split in own.splits
    ]
