"""HIT-UAV: thermal infrared images from a drone, 60 to 130 m high, by day and night.

Suo, Wang, Zhang, Chen, Zhou, Shi, "HIT-UAV: A high-altitude infrared thermal dataset for Unmanned Aerial
Vehicle-based object detection", Scientific Data 10 (2023). Terms: CC BY 4.0. Boxes only: the files'
``segmentation`` is the box's corners. ``DontCare`` marks what the authors could not name; it is dropped.

On disk: ``hituav/annotations/{split}.json``, like COCO but with ``annotation`` for annotations and
``filename`` for file_name, and ``hituav/{split}/*.jpg``, 640 x 512 pixels, grey.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from earthgptx.data.datasets import class_names
from earthgptx.data.annotation_file import existing_image, extent, field, read_json, rows
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box

_UNNAMED = "DontCare"


def read(root: Path, split: str) -> list[LabelledImage]:
    """The split's images; `root` is the folder that holds ``hituav``.

    Boxes are clipped to their image; those without area are dropped.

    Raises:
        MalformedDataset: the file or an image is missing, or a record lacks a field.
    """
    folder = root / "hituav"
    path = folder / "annotations" / f"{split}.json"
    content = read_json(path)
    names = {field(row, "id", path): str(field(row, "name", path)) for row in rows(content, "categories", path)}
    images = {field(row, "id", path): row for row in rows(content, "images", path)}
    objects: dict[Any, list[LabelledObject]] = defaultdict(list)
    for row in rows(content, "annotation", path):
        name = names.get(field(row, "category_id", path))
        owner = images.get(field(row, "image_id", path))
        if name is None or owner is None:
            lacking = f"image {row['image_id']}" if name else f"category {row['category_id']}"
            raise MalformedDataset(f"{path}: annotation {row.get('id')} belongs to the unlisted {lacking}.")
        if name == _UNNAMED:
            continue
        box = _box(field(row, "bbox", path), path)
        box = box.clipped(extent(owner, "width", path), extent(owner, "height", path))
        if box.area > 0:
            label = class_names.canonical("hituav", name)
            objects[row["image_id"]].append(LabelledObject(box=box, label=label))
    found = []
    for key, row in images.items():
        image = existing_image(folder / split / str(field(row, "filename", path)), path)
        found.append(
            LabelledImage(
                id=f"hituav/{split}/{image.stem}",
                path=image,
                dataset="hituav",
                sensor="infrared",
                width=extent(row, "width", path),
                height=extent(row, "height", path),
                objects=tuple(objects[key]) if key in objects else (),
            )
        )
    return found


def _box(written: Any, path: Path) -> Box:
    """A box from ``[x, y, width, height]``."""
    try:
        x, y, width, height = map(float, written)
    except (TypeError, ValueError) as error:
        raise MalformedDataset(f"{path}: {written!r} is not a box of x, y, width, height.") from error
    return Box(x, y, x + width, y + height)
