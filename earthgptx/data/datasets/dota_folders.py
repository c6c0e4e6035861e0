"""Reads one version of DOTA out of the folder that its versions share.

The labels' folder is told by the version; out come labelled images with oriented boxes. Which classes a version has
is told by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from earthgptx.data.formats import dota
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedDataset


def read_version(
    folder: Path,
    versions: Sequence[str],
    *,
    dataset: str,
    split: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
) -> Iterator[LabelledImage]:
    """The images of a split with the labels of the first version that lies there.

    Args:
        folder: the split's own folder, which holds ``images`` and the labels' folders.
        versions: as in "v1.5", the one to prefer first.
        dataset, split: as they stand in the images, whose sensor is optical.
        name_of: from the class name in the file to the canonical one.
        on_broken: told of every image and object that is left out.

    Raises:
        MalformedDataset: no version's labels lie there, or there are no images.
    """
    labels = next(filter(None, (_labels(folder, version, split) for version in versions)), None)
    if labels is None:
        wanted = " nor ".join(f"labelTxt-{version}" for version in versions)
        raise MalformedDataset(f"The folder {folder} holds no label file in {wanted}.")
    yield from dota.read_folder(
        labels,
        folder / "images",
        dataset=dataset,
        split=split,
        sensor="optical",
        name_of=name_of,
        on_broken=on_broken,
    )


def _labels(folder: Path, version: str, split: str) -> Path | None:
    """The folder that holds a version's label files: as its archive unpacks, or without the inner folder."""
    outer = folder / f"labelTxt-{version}"
    for inner in (outer / "labelTxt", outer / f"DOTA-{version}_{split}", outer):
        if any(inner.glob("*.txt")):
            return inner
    return None
