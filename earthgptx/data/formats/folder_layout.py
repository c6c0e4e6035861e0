"""How people lay out labelled folders: which folder holds labels, which the images beside it, and which split it is.

Paths go in, paths come out. Whether a file is a label file is decided by whoever asks; nothing is opened here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from earthgptx.data.annotation_file import IMAGE_SUFFIXES

_SPLIT = re.compile(r"(train|training|val|valid|validation|test|testing)\d*")
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_WORD = re.compile(r"[A-Za-z]+\d*")

# What folders of labels are called, in lower case, and what the folder of their images is called instead.
_LABEL_FOLDERS = ("labels", "labeltxt", "annotations", "ann", "json", "jsons", "xml", "xmls")
_IMAGE_FOLDERS = ("images", "JPEGImages", "img", "imgs", "image")


def split_of(path: PurePath) -> str | None:
    """The split that a path names, in a folder or in the file's name: "train", "val" or "test"; None for none.

    The last part that names one counts: ``train/images`` is train, and so is ``annotations/instances_train2017.json``.
    """
    for part in reversed((*path.parts[:-1], path.stem)):
        for word in reversed(_WORD.findall(part.lower())):
            found = _SPLIT.fullmatch(word)
            if found:
                return _SPLIT_NAMES[found.group(1)]
    return None


def files_below(folder: Path, *suffixes: str) -> Iterator[Path]:
    """Files with one of these endings, in any letter case, sorted by path.

    What is hidden, or lies in a hidden folder, is passed over. Folders that are links are followed, unless they lead
    back to where they lie in.
    """
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        inside = [name for name in folders if not name.startswith(".")]
        folders[:] = [name for name in inside if not _leads_back(Path(place) / name, folder)]
        found += [
            Path(place) / name
            for name in names
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes
        ]
    yield from sorted(found)


def _leads_back(place: Path, folder: Path) -> bool:
    """Whether a place below a folder is a link to a folder that it lies in."""
    if not place.is_symlink():
        return False
    around = (parent for parent in place.parents if parent == folder or folder in parent.parents)
    return os.path.realpath(place) in {os.path.realpath(parent) for parent in around}


def uppermost(folders: Iterable[Path]) -> list[Path]:
    """The folders that lie in none of the others, sorted: reading them with their subfolders reads each file once."""
    distinct = set(folders)
    return sorted(folder for folder in distinct if not distinct & set(folder.parents))


def root_around(file: Path) -> Path:
    """The folder of a set of which one file is handed in: above its own, where that is one of labels or of a split."""
    parent = file.parent
    is_part = _is_label_folder(parent.name) or _SPLIT.fullmatch(parent.name.lower()) is not None
    return parent.parent if is_part else parent


def image_folder(labels: Path, root: Path) -> Path:
    """The folder of the images that belong to a folder of labels.

    In this order: the same path with ``labels`` (or its like) replaced by ``images``; a folder of images beside it;
    the folder itself, where it holds images; the folder above it.

    Args:
        labels: the folder of labels.
        root: the folder that was handed in; nothing above it is looked at.
    """
    below = [labels, *(parent for parent in labels.parents if parent == root or root in parent.parents)]
    for folder in below:
        if folder != root and _is_label_folder(folder.name):
            rest = labels.relative_to(folder)
            for name in _IMAGE_FOLDERS:
                for candidate in (folder.parent / name / rest, folder.parent / name):
                    if candidate.is_dir():
                        return candidate
    if _holds_images(labels) or labels == root:
        return labels
    beside = next((labels.parent / name for name in _IMAGE_FOLDERS if (labels.parent / name).is_dir()), None)
    return beside or labels.parent


def image_folders(annotations: Path, root: Path, split: str) -> list[Path]:
    """The folders in which the images of one annotation file may lie, the likeliest first.

    Its own folder, those around it that bear its split's name, then those that bear none.
    """
    named = [*_IMAGE_FOLDERS, ""]
    bases = dict.fromkeys((annotations.parent, annotations.parent.parent, root))
    within = [base for base in bases if base == root or root in base.parents]
    candidates = [base / name for base in within for name in named]
    inside = [child for base in candidates if base.is_dir() for child in sorted(base.iterdir()) if child.is_dir()]
    of_split = [child for child in inside if split_of(child.relative_to(root)) == split]
    plain = [folder for folder in candidates if folder.is_dir()]
    return list(dict.fromkeys((annotations.parent, *of_split, *plain)))


def _is_label_folder(name: str) -> bool:
    return name.lower().startswith(_LABEL_FOLDERS)


def _holds_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
