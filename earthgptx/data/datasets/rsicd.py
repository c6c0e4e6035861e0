"""RSICD: optical scenes with five captions each.

Lu, Wang, Zheng, Li, "Exploring Models and Data for Remote Sensing Image Caption Generation", IEEE TGRS 56
(2018). Terms: none stated; cite the paper. About 2.2 of an image's five captions are distinct. The file's
name begins with the scene's class, except where it is only a number.

On disk: ``rsicd/captions_{split}.json``, a list of ``{"file_name", "captions"}``, and ``rsicd/images/*.jpg``,
224 x 224 pixels.
"""

from __future__ import annotations

import re
from pathlib import Path

from earthgptx.data.annotation_file import existing_image, field, image_size, read_json, rows
from earthgptx.data.datasets.class_names import SCENES
from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedDataset

_SCENE = re.compile(r"([A-Za-z]+)_")
_SPACE_BEFORE_STOP = re.compile(r"\s+([.,;!?])")


def read(root: Path, split: str) -> list[LabelledImage]:
    """The split's images; `root` is the folder that holds ``rsicd``.

    Raises:
        MalformedDataset: the file or an image is missing, or a record has no captions.
    """
    folder = root / "rsicd"
    path = folder / f"captions_{split}.json"
    images = []
    for row in rows({"": read_json(path)}, "", path):
        image = existing_image(folder / "images" / str(field(row, "file_name", path)), path)
        written = field(row, "captions", path)
        if not isinstance(written, list) or not all(isinstance(text, str) for text in written):
            raise MalformedDataset(f"{path}: the captions of {image.name} are not a list of sentences.")
        captions = tuple(text for text in map(_tidied, written) if text)
        if not captions:
            raise MalformedDataset(f"{path}: {image.name} has no caption.")
        width, height = image_size(image)
        images.append(
            LabelledImage(
                id=f"rsicd/{split}/{image.stem}",
                path=image,
                dataset="rsicd",
                sensor="optical",
                width=width,
                height=height,
                captions=captions,
                scene=scene_of(image.name),
            )
        )
    return images


def scene_of(file_name: str) -> str | None:
    """The scene that a file name begins with, as in denseresidential_82.jpg; None if it is only a number."""
    found = _SCENE.match(file_name)
    return None if found is None else SCENES.get(found.group(1).lower(), found.group(1).lower())


def _tidied(caption: str) -> str:
    """Single spaces, none before a stop; the words stay as they are."""
    return _SPACE_BEFORE_STOP.sub(r"\1", " ".join(caption.split()))
