"""Reads folders of chips: one small image an object, its type being the folder's name.

A chip comes without a box; each dataset says which part of the chip is the object.
"""

from __future__ import annotations

from pathlib import Path

from earthgptx.data.datasets import class_names
from earthgptx.data.annotation_file import image_size, images_in, subfolders
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box


def read_chips(folder: Path, split: str, *, dataset: str, sensor: str, central: float) -> list[LabelledImage]:
    """The chips of ``{split}/{type}/``.

    Args:
        folder: the dataset's own folder.
        split: "train", "val" or "test".
        dataset: the dataset's name, for class names and ids.
        sensor: one of `imagery.SENSORS`.
        central: the share of the chip's width and height, around its middle, that is the object's box.

    Raises:
        MalformedDataset: a folder is missing or has an unknown name, or a chip is no image.
    """
    chips = []
    for class_folder in subfolders(folder / split):
        label = class_names.canonical(dataset, class_folder.name)
        for path in images_in(class_folder):
            width, height = image_size(path)
            margin_x, margin_y = width * (1 - central) / 2, height * (1 - central) / 2
            box = Box(margin_x, margin_y, width - margin_x, height - margin_y)
            chips.append(
                LabelledImage(
                    id=f"{dataset}/{split}/{class_folder.name}/{path.stem}",
                    path=path,
                    dataset=dataset,
                    sensor=sensor,
                    width=width,
                    height=height,
                    objects=(LabelledObject(box=box, label=label),),
                )
            )
    return chips
