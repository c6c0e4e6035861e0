"""Aerial-mancar: thermal infrared images of people and cars from the air.

Without a list of images or folders by split, images are drawn by name, 8 of 10 to train, 1 to val, 1 to test; frames of
one film may come into different splits.

Size: not stated.
Classes: could not be confirmed beyond people and cars; the names in the files are tidied and taken as they are.
Layout: aerial_mancar/Annotations/*.xml (Pascal VOC) and
    aerial_mancar/JPEGImages/* or aerial_mancar/images/*,
    with aerial_mancar/ImageSets/Main/{split}.txt where there is a list,
    or aerial_mancar/labels/*.txt (YOLO), aerial_mancar/images/* and
    aerial_mancar/classes.txt or data.yaml.
    Annotations, labels and images may have a folder for each split. How the provider's own archive is laid out
    could not be confirmed.
Terms: not stated.
Citation: none is known; name the provider, InfiRay (Yantai IRay Technology).
Home: on request from InfiRay, http://openai.iraytek.com/apply/Aerial_mancar.html/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.datasets import infiray
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = infiray.split_paths("aerial_mancar")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``aerial_mancar``.

    Raises:
        MalformedDataset: no annotations are there, or YOLO's are there without names of classes.
    """
    yield from infiray.read("aerial_mancar", root, split, on_broken)
