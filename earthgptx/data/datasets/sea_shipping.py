"""Sea-shipping: thermal infrared images of ships at sea, in ports and off the coast.

Without a list of images or folders by split, images are drawn by name, 8 of 10 to train, 1 to val, 1 to test; frames of
one film may come into different splits.

Size: 8,002 images of 384 x 288, 640 x 512 or 1280 x 1024 pixels, as a redistributor counts them.
Classes: liner, bulk carrier, warship, sailboat, canoe, container ship, fishing boat.
Layout: sea_shipping/Annotations/*.xml (Pascal VOC) and
    sea_shipping/JPEGImages/* or sea_shipping/images/*,
    with sea_shipping/ImageSets/Main/{split}.txt where there is a list,
    or sea_shipping/labels/*.txt (YOLO), sea_shipping/images/* and
    sea_shipping/classes.txt or data.yaml.
    Annotations, labels and images may have a folder for each split. How the provider's own archive is laid out
    could not be confirmed.
Terms: not stated.
Citation: none is known; name the provider, InfiRay (Yantai IRay Technology).
Home: on request from InfiRay, http://openai.iraytek.com/apply/Sea_shipping.html/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.datasets import infiray
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage

SPLIT_PATHS = infiray.split_paths("sea_shipping")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``sea_shipping``.

    Raises:
        MalformedDataset: no annotations are there, or YOLO's are there without names of classes.
    """
    yield from infiray.read("sea_shipping", root, split, on_broken)
