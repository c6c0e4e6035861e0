"""RSICD: optical scenes with five captions each.

About 2.2 of an image's five captions are distinct; all are kept, as the dataset has them. The file's name begins with
the scene's class, except where it is only a number.

Size: 10,921 images of 224 x 224 pixels, in three splits.
Classes: 30 scenes, as in airport, bare land, beach, dense residential, storage tanks, viaduct.
Layout: rsicd/dataset_rsicd.json, as released: "images", a list of {"filename", "split", "sentences": [{"raw"}]}, and
    rsicd/RSICD_images/*.jpg; or rsicd/captions_{split}.json, a list of {"file_name", "captions"}, and
    rsicd/images/*.jpg, which comes first.
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

from earthgptx.data.annotation_file import field, image_size, listed, read_json
from earthgptx.data.datasets.class_names import SCENES
from earthgptx.data.formats.pairing import named_image
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedDataset

SPLIT_PATHS = ("rsicd/captions_{split}.json", "rsicd/dataset_rsicd.json")  # the second holds all splits
_SCENE = re.compile(r"([A-Za-z]+)_")
_SPACE_BEFORE_STOP = re.compile(r"\s+([.,;!?])")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``rsicd``.

    Raises:
        MalformedDataset: the captions are not there, or are not such a file as a whole.
    """
    folder = root / "rsicd"
    path = folder / f"captions_{split}.json"
    release = folder / "dataset_rsicd.json"
    is_release = release.is_file() and not path.is_file()
    path = release if is_release else path
    seen: set[str] = set()
    for number, row in enumerate(_records(path, is_release=is_release), start=1):
        image: LabelledImage | None = None
        with setting_aside("rsicd", f"{path} record {number}", on_broken):
            if is_release and field(row, "split", path) != split:
                continue
            found = _image(_in_short(row, path) if is_release else row, folder, path, split)
            if found.id in seen:
                raise MalformedDataset(f"{found.path.name} is listed a second time.")
            seen.add(found.id)
            image = found
        if image is not None:
            yield image


def _records(path: Path, *, is_release: bool) -> list[Any]:
    content = read_json(path)
    if is_release:
        return listed(content, "images", path)
    if not isinstance(content, list):
        raise MalformedDataset(f"{path} is no list of records.")
    return content


def _in_short(row: Any, path: Path) -> dict[str, Any]:
    """A record of the release as one of the short form."""
    sentences = listed(row, "sentences", path)
    return {"file_name": field(row, "filename", path), "captions": [field(said, "raw", path) for said in sentences]}


def _image(row: Any, folder: Path, path: Path, split: str) -> LabelledImage:
    written = str(field(row, "file_name", path))
    image, name = named_image(written, (folder / "images", folder / "RSICD_images"), path)
    captions = field(row, "captions", path)
    if not isinstance(captions, list) or not all(isinstance(text, str) for text in captions):
        raise MalformedDataset(f"{path}: the captions of {image.name} are not a list of sentences.")
    captions = tuple(text for text in map(_tidied, captions) if text)
    if not captions:
        raise MalformedDataset(f"{path}: {image.name} has no caption.")
    width, height = image_size(image)
    return LabelledImage(
        id=f"rsicd/{split}/{name}",
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
