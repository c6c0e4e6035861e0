"""Double-light-vehicle: infrared images of road traffic from a camera with two eyes, thermal and visible.

Only the thermal images are meant here: put the visible ones elsewhere, since all images below the folder count as
infrared. Without a list of images or folders by split, images are drawn by name, 8 of 10 to train, 1 to val, 1
to test; frames of one film may come into different splits.

Size: not stated.
Classes: could not be confirmed; the names in the files are tidied and taken as they are.
Layout: double_light_vehicle/Annotations/*.xml (Pascal VOC) and
    double_light_vehicle/JPEGImages/* or double_light_vehicle/images/*,
    with double_light_vehicle/ImageSets/Main/{split}.txt where there is a list,
    or double_light_vehicle/labels/*.txt (YOLO), double_light_vehicle/images/* and
    double_light_vehicle/classes.txt or data.yaml.
    Annotations, labels and images may have a folder for each split. How the provider's own archive is laid out
    could not be confirmed.
Terms: not stated.
Citation: none is known; name the provider, InfiRay (Yantai IRay Technology).
Home: on request from InfiRay, http://openai.iraytek.com/apply/Double_light_vehicle.html/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.datasets import infiray
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = infiray.split_paths("double_light_vehicle")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``double_light_vehicle``.

    Raises:
        MalformedDataset: no annotations are there, or YOLO's are there without names of classes.
    """
    yield from infiray.read("double_light_vehicle", root, split, on_broken)
