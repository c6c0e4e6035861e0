"""Reads folders of chips: one small image an object, its type being the folder's name.

A chip comes without a box; each dataset says which part of the chip is the object.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.annotation_file import image_size, subfolders
from earthgptx.data.datasets import class_names
from earthgptx.data.datasets.split_rule import drawn_split
from earthgptx.data.formats.pairing import images_by_name
from earthgptx.data.quarantine import OnBroken, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box

ALL_CHIPS = "images"  # the folder in which a release without splits has its chips


def read_chips(
    folder: Path, split: str, *, dataset: str, sensor: str, central: float, on_broken: OnBroken
) -> Iterator[LabelledImage]:
    """The chips of ``{split}/{type}/``; where there is no such folder, those of ``images/{type}/`` drawn by name.

    Args:
        folder: the dataset's own folder.
        split: "train", "val" or "test".
        dataset: the dataset's name, for class names and ids.
        sensor: one of `imagery.SENSORS`.
        central: the share of the chip's width and height, around its middle, that is the object's box.
        on_broken: told of every folder of an unknown type, and of every chip that is no image.

    Raises:
        MalformedDataset: the folder of the split, or of all chips, is missing or holds no folders.
    """
    is_drawn = (folder / ALL_CHIPS).is_dir() and not (folder / split).is_dir()
    for class_folder in subfolders(folder / (ALL_CHIPS if is_drawn else split)):
        label = ""
        with setting_aside(dataset, str(class_folder), on_broken):
            label = class_names.canonical(dataset, class_folder.name)
        for name, path in images_by_name(class_folder, dataset, on_broken).items() if label else ():
            if is_drawn and drawn_split(f"{class_folder.name}/{name}") != split:
                continue
            size: tuple[int, int] | None = None
            with setting_aside(dataset, str(path), on_broken):
                size = image_size(path)
            if size is None:
                continue
            width, height = size
            margin_x, margin_y = width * (1 - central) / 2, height * (1 - central) / 2
            box = Box(margin_x, margin_y, width - margin_x, height - margin_y)
            yield LabelledImage(
                id=f"{dataset}/{split}/{class_folder.name}/{name}",
                path=path,
                dataset=dataset,
                sensor=sensor,
                width=width,
                height=height,
                objects=(LabelledObject(box=box, label=label),),
            )
