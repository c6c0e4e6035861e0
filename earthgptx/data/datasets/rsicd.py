"""RSICD: optical scenes with five captions each.

About 2.2 of an image's five captions are distinct; all are kept, as the dataset has them. The file's name begins with
the scene's class, except where it is only a number.

Size: 10,921 images of 224 x 224 pixels; in the layout read here 2,400 for training and 300 for validation.
Classes: 30 scenes, as in airport, bare land, beach, dense residential, storage tanks, viaduct.
Layout: rsicd/captions_{split}.json, a list of {"file_name", "captions"}, and rsicd/images/*.jpg
Terms: not stated; cite the paper.
Citation: Lu, Wang, Zheng, Li, "Exploring Models and Data for Remote Sensing Image Caption Generation", IEEE TGRS 56
    (2018).
Home: https://github.com/201528014227051/RSICD_optimal
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earthgptx.data.annotation_file import existing_image, field, image_size, read_json, rows
from earthgptx.data.datasets.class_names import SCENES
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedDataset

_SCENE = re.compile(r"([A-Za-z]+)_")
_SPACE_BEFORE_STOP = re.compile(r"\s+([.,;!?])")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``rsicd``."""
    folder = root / "rsicd"
    path = folder / f"captions_{split}.json"
    for number, row in enumerate(rows({"": read_json(path)}, "", path), start=1):
        image: LabelledImage | None = None
        with setting_aside("rsicd", f"{path} record {number}", on_broken):
            image = _image(row, folder, path, split)
        if image is not None:
            yield image


def _image(row: dict[str, Any], folder: Path, path: Path, split: str) -> LabelledImage:
    image = existing_image(folder / "images" / str(field(row, "file_name", path)), path)
    written = field(row, "captions", path)
    if not isinstance(written, list) or not all(isinstance(text, str) for text in written):
        raise MalformedDataset(f"{path}: the captions of {image.name} are not a list of sentences.")
    captions = tuple(text for text in map(_tidied, written) if text)
    if not captions:
        raise MalformedDataset(f"{path}: {image.name} has no caption.")
    width, height = image_size(image)
    return LabelledImage(
        id=f"rsicd/{split}/{image.stem}",
        path=image,
        dataset="rsicd",
        sensor="optical",
        width=width,
        height=height,
        captions=captions,
        scene=scene_of(image.name),
    )


def scene_of(file_name: str) -> str | None:
    """The scene that a file name begins with, as in denseresidential_82.jpg; None if it is only a number."""
    found = _SCENE.match(file_name)
    return None if found is None else SCENES.get(found.group(1).lower(), found.group(1).lower())


def _tidied(caption: str) -> str:
    """Single spaces, none before a stop; the words stay as they are."""
    return _SPACE_BEFORE_STOP.sub(r"\1", " ".join(caption.split()))
