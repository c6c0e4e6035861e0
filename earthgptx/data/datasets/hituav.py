"""HIT-UAV: thermal infrared images from a drone, 60 to 130 m above ground, by day and night.

The release holds four editions of one set: upright and turned boxes, each as JSON and as XML. The first that is
there is read, in the order given under Layout: turned boxes have upright ones around them. The JSON is like COCO, but
says ``annotation`` for annotations and ``filename`` for file_name, and its ``segmentation`` is only the corners of the
box; turned boxes are centre, size and an angle in radians, clockwise. The XML's upright boxes count from 0 and are
half-open, unlike VOC's own. ``DontCare`` marks what the authors could not name; it is passed over.

Size: 2,898 images of 640 x 512 pixels, grey: 2,029 for training, 290 for validation, 579 for test.
Classes: person, car, bicycle, other vehicle.
Layout: hituav/annotations/{split}.json and hituav/{split}/*.jpg
    or hituav/rotate_json/annotations/{split}.json and hituav/rotate_json/images/{split}/*.jpg
    or hituav/normal_json/annotations/{split}.json (instances_val.json) and hituav/normal_json/{split}/*.jpg
    or hituav/{rotate_xml,normal_xml}/{Annotations,JPEGImages,ImageSets/Main/{split}.txt}
Terms: CC BY 4.0.
Citation: Suo, Wang, Zhang, Chen, Zhou, Shi, "HIT-UAV: A high-altitude infrared thermal dataset for Unmanned Aerial
    Vehicle-based object detection", Scientific Data 10 (2023).
Home: https://github.com/suojiashun/HIT-UAV-Infrared-Thermal-Dataset
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from earthgptx.data.datasets import class_names
from earthgptx.data.formats import coco, voc
from earthgptx.data.formats.placement import numbers, oriented_object, placed_box, turned_box
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box

_UNNAMED = ("DontCare",)
_KEYS = coco.CocoKeys(annotations=("annotation", "annotations"), file_name=("filename", "file_name"))

# Where an edition's annotations of a split lie, below the set's folder, and where its images do.
_JSON_EDITIONS = (
    ("annotations/{split}.json", "{split}"),
    ("rotate_json/annotations/{split}.json", "rotate_json/images/{split}"),
    ("normal_json/annotations/{split}.json", "normal_json/{split}"),
    ("normal_json/annotations/instances_{split}.json", "normal_json/{split}"),
)
_XML_EDITIONS = ("rotate_xml", "normal_xml")

SPLIT_PATHS = (
    *(f"hituav/{annotations}" for annotations, _ in _JSON_EDITIONS),
    *(f"hituav/{edition}/ImageSets/Main/{{split}}.txt" for edition in _XML_EDITIONS),
)


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``hituav``."""
    folder = root / "hituav"
    for edition in _XML_EDITIONS:
        listed = folder / edition / "ImageSets" / "Main" / f"{split}.txt"
        if listed.is_file() and not any((folder / path.format(split=split)).is_file() for path, _ in _JSON_EDITIONS):
            yield from _read_xml(folder / edition, listed, split, on_broken)
            return
    places = [
        (folder / path.format(split=split), folder / images.format(split=split)) for path, images in _JSON_EDITIONS
    ]
    annotations, images = next((place for place in places if place[0].is_file()), places[0])
    yield from coco.read_instances(
        annotations,
        images,
        dataset="hituav",
        split=split,
        sensor="infrared",
        name_of=partial(class_names.canonical, "hituav"),
        on_broken=on_broken,
        make_object=_object_from,
        passed_over=_UNNAMED,
        keys=_KEYS,
    )


def _read_xml(folder: Path, listed: Path, split: str, on_broken: OnBroken) -> Iterator[LabelledImage]:
    yield from voc.read_folder(
        folder / "Annotations",
        folder / "JPEGImages",
        dataset="hituav",
        split=split,
        sensor="infrared",
        name_of=partial(class_names.canonical, "hituav"),
        on_broken=on_broken,
        names=voc.split_names(listed),
        is_inclusive=False,
        passed_over=_UNNAMED,
    )


def _object_from(row: dict[str, Any], label: str, width: int, height: int) -> LabelledObject:
    """The object of one annotation: four numbers are corner and size, five are centre, size and angle."""
    written = row.get("bbox")
    if isinstance(written, list) and len(written) == 5:
        x, y, across, down, radians = numbers(written, 5, "a box of x, y, width, height, angle")
        return oriented_object(turned_box(x, y, width=across, height=down, radians=radians), label, width, height)
    x, y, across, down = numbers(written, 4, "a box of x, y, width, height")
    return LabelledObject(box=placed_box(Box(x, y, x + across, y + down), width, height), label=label)
