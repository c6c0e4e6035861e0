"""Which images a `data.yaml` gives to which split: folders of images, or lists of images in text files.

A `data.yaml` comes in, folders and names of images come out. Paths in it are often those of another machine, or of the
folder from which its author trained: what cannot be found below the root is left to the names of folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from earthgptx.data.annotation_file import text_of
from earthgptx.data.formats.pairing import file_below
from earthgptx.data.formats.yolo import yaml_content

_KEYS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class ImagePlace:
    """Images of one split.

    Attributes:
        split: "train", "val" or "test".
        folder: the images' folder.
        listed: the images that are meant, by their paths from the folder without the ending; None for all.
    """

    split: str
    folder: Path
    listed: tuple[str, ...] | None = None


def image_places(data: Path, root: Path) -> list[ImagePlace]:
    """Where the images of each split lie, in the order train, val, test; a folder that two splits name is the first's.

    Args:
        data: the `data.yaml`, with ``train``, ``val`` and ``test``, each a path or several, from ``path`` on.
        root: nothing outside it is taken.

    Raises:
        MalformedDataset: it is no YAML, or names a list that is no text.
    """
    content = yaml_content(data)
    bases = [data.parent / str(content["path"])] if content.get("path") else []
    found: dict[tuple[Path, tuple[str, ...] | None], ImagePlace] = {}
    for key, split in _KEYS.items():
        for written in _paths(content.get(key)):
            place = _below(written, [*bases, data.parent, root], root)
            places = _listed(place, split, [*bases, root]) if place is not None and place.is_file() else []
            if place is not None and place.is_dir():
                places = [ImagePlace(split, place)]
            for one in places:
                found.setdefault((one.folder, one.listed), one)
    return list(found.values())


def label_folder(images: Path) -> Path:
    """The folder of the labels of a folder of images: with ``labels`` for the last ``images``; else the same folder."""
    for number in range(len(images.parts) - 1, 0, -1):
        if images.parts[number].lower() == "images":
            labels = Path(*images.parts[:number], "labels", *images.parts[number + 1 :])
            return labels if labels.is_dir() else images
    return images


def _paths(written: Any) -> list[str]:
    """A path or a list of them, as texts."""
    several = written if isinstance(written, list) else [written]
    return [path for path in several if isinstance(path, str) and path]


def _below(written: str, bases: list[Path], root: Path) -> Path | None:
    """A path of a `data.yaml` where it leads below the root: as written, or without leading ``..``."""
    plain = "/".join(part for part in PurePosixPath(written).parts if part not in ("..", "/"))
    for base in bases:
        for relative in (written, plain):
            place = Path(os.path.normpath(base / relative))
            if (place == root or place.is_relative_to(root)) and place.exists():
                return place
    return None


def _listed(path: Path, split: str, bases: list[Path]) -> Iterator[ImagePlace]:
    """The images of a text file with a path a line, by the folders that they lie in."""
    by_folder: dict[Path, list[str]] = {}
    lost = []
    for line in filter(None, map(str.strip, text_of(path).splitlines())):
        image = file_below(line, [path.parent, *bases])
        if image is None:
            below = f"/{line}".replace("\\", "/").rpartition("/images/")[2]
            lost.append(os.path.splitext(below.lstrip("/"))[0])
        else:
            folder = _images_around(image.path)
            by_folder.setdefault(folder, []).append(image.path.relative_to(folder).with_suffix("").as_posix())
    for number, (folder, names) in enumerate(by_folder.items()):
        yield ImagePlace(split, folder, tuple(names + (lost if number == 0 else [])))
    if lost and not by_folder:
        yield ImagePlace(split, path.parent, tuple(lost))


def _images_around(image: Path) -> Path:
    """The uppermost folder called ``images`` that an image lies in, else its own folder."""
    return next((folder for folder in reversed(image.parents) if folder.name.lower() == "images"), image.parent)
