"""Reads COCO instance files: images, categories, and annotations whose outlines are polygons.

Boxes are computed from the polygons and the file's own ``bbox`` is not looked at, because in several released
files the two do not agree. Crowd annotations (run lengths over many objects) are passed over.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from earthgptx.data.datasets import class_names
from earthgptx.data.annotation_file import existing_image, extent, field, read_json, rows
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box, Polygon


def read_instances(folder: Path, split: str, *, dataset: str, sensor: str) -> list[LabelledImage]:
    """The images of ``instances_{split}.json``, whose files lie in ``images/``.

    Args:
        folder: the dataset's own folder.
        split: "train", "val" or "test".
        dataset: the dataset's name, for class names and ids.
        sensor: one of `imagery.SENSORS`.

    Raises:
        MalformedDataset: the file or an image is missing, or a record is not as COCO has it.
    """
    path = folder / f"instances_{split}.json"
    content = read_json(path)
    labels = {
        field(row, "id", path): class_names.canonical(dataset, str(field(row, "name", path)))
        for row in rows(content, "categories", path)
    }
    objects: dict[Any, list[LabelledObject]] = defaultdict(list)
    for row in rows(content, "annotations", path):
        category = field(row, "category_id", path)
        if category not in labels:
            raise MalformedDataset(f"{path}: annotation {row.get('id')} has the unknown category {category}.")
        if row.get("iscrowd"):
            continue
        item = object_from_rings(field(row, "segmentation", path), labels[category], path)
        if item is not None:
            objects[field(row, "image_id", path)].append(item)
    images = []
    for row in rows(content, "images", path):
        image = existing_image(folder / "images" / str(field(row, "file_name", path)), path)
        images.append(
            LabelledImage(
                id=f"{dataset}/{split}/{image.stem}",
                path=image,
                dataset=dataset,
                sensor=sensor,
                width=extent(row, "width", path),
                height=extent(row, "height", path),
                objects=tuple(objects.pop(field(row, "id", path), ())),
            )
        )
    if objects:
        raise MalformedDataset(f"{path}: annotations belong to image {next(iter(objects))}, which is not listed.")
    return images


def object_from_rings(rings: Any, label: str, path: Path) -> LabelledObject | None:
    """The object that COCO's flat rings ``[[x, y, x, y, ...], ...]`` outline; None if they enclose nothing.

    Raises:
        MalformedDataset: the rings are no lists of coordinate pairs.
    """
    try:
        polygons = tuple(
            Polygon(tuple(zip(map(float, ring[0::2]), map(float, ring[1::2]), strict=True))) for ring in rings
        )
    except (TypeError, ValueError, KeyError) as error:
        raise MalformedDataset(f"{path}: an outline is not a list of x, y pairs: {error}.") from error
    polygons = tuple(polygon for polygon in polygons if len(polygon.points) >= 3 and polygon.area > 0)
    if not polygons:
        return None
    bounds = [polygon.bounds() for polygon in polygons]
    box = Box(
        min(part.x0 for part in bounds),
        min(part.y0 for part in bounds),
        max(part.x1 for part in bounds),
        max(part.y1 for part in bounds),
    )
    return LabelledObject(box=box, label=label, polygons=polygons)
