"""How InfiRay's four thermal sets are read: Pascal VOC's XML or YOLO's text, whichever lies in the set's folder.

A set's name and the root come in, labelled images come out. Copies of these sets go around in both formats, some with
both at once; XML is taken first, because it names its classes. Which classes a set has is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.datasets.split_rule import drawn_split
from earthgptx.data.formats import voc, yolo
from earthgptx.data.quarantine import OnBroken
from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedDataset

_SENSOR = "infrared"
_NAME_LISTS = ("classes.txt", "data.yaml", "labels/classes.txt", "obj.names")
_LISTS = "ImageSets/Main"


def split_paths(name: str) -> tuple[str, ...]:
    """Where a split of a set may lie, as `DatasetSource` has it; the last two hold all splits together."""
    return tuple(
        f"{name}/{path}"
        for path in (f"{_LISTS}/{{split}}.txt", "labels/{split}", "Annotations/{split}", "Annotations", "labels")
    )


def read(name: str, root: Path, split: str, on_broken: OnBroken) -> Iterator[LabelledImage]:
    """The images of a split, from whichever format is there.

    Args:
        name: of the dataset, and of its folder below the root.
        root: the folder that holds the set's folder.
        split: "train", "val" or "test".
        on_broken: told of every image and object that is left out.

    Raises:
        MalformedDataset: neither format is there, or YOLO's is there without names of classes.
    """
    folder = root / name
    if (folder / "Annotations").is_dir():
        yield from _read_voc(name, folder, split, on_broken)
    elif (folder / "labels").is_dir():
        yield from _read_yolo(name, folder, split, on_broken)
    else:
        raise MalformedDataset(f"{folder} holds neither Annotations (VOC) nor labels (YOLO).")


def _read_voc(name: str, folder: Path, split: str, on_broken: OnBroken) -> Iterator[LabelledImage]:
    annotations = folder / "Annotations"
    pictures = folder / "JPEGImages" if (folder / "JPEGImages").is_dir() else folder / "images"
    names = _listed(folder, split)
    yield from voc.read_folder(
        annotations,
        pictures,
        dataset=name,
        split=split,
        sensor=_SENSOR,
        name_of=partial(canonical, name),
        on_broken=on_broken,
        names=names,
        wanted=_membership(annotations, split) if names is None else None,
    )


def _read_yolo(name: str, folder: Path, split: str, on_broken: OnBroken) -> Iterator[LabelledImage]:
    classes = next((folder / path for path in _NAME_LISTS if (folder / path).is_file()), None)
    if classes is None:
        raise MalformedDataset(f"{folder} holds YOLO labels but no names of classes: {_NAME_LISTS[0]} does not exist.")
    names = _listed(folder, split)
    yield from yolo.read_folder(
        folder / "labels",
        folder / "images",
        names=yolo.class_names(classes),
        dataset=name,
        split=split,
        sensor=_SENSOR,
        name_of=partial(canonical, name),
        on_broken=on_broken,
        listed=names,
        wanted=_membership(folder / "labels", split) if names is None else None,
    )


def _listed(folder: Path, split: str) -> list[str] | None:
    """The names in the split's list; none where only other splits have lists, None where there is no list at all."""
    lists = {name: folder / _LISTS / f"{name}.txt" for name in ("train", "val", "test")}
    if lists[split].is_file():
        return voc.split_names(lists[split])
    return [] if any(path.is_file() for path in lists.values()) else None


def _membership(annotations: Path, split: str) -> Callable[[str], bool]:
    """Says of an annotation's name, with its folders, whether it belongs to a split: by its folder, else by a draw."""
    by_folder = {name for name in ("train", "val", "test") if (annotations / name).is_dir()}

    def belongs(name: str) -> bool:
        first = name.split("/")[0]
        return (first if first in by_folder else drawn_split(name)) == split

    return belongs
