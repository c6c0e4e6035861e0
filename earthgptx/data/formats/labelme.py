"""Reads LabelMe's JSON: a file an image, a list of shapes drawn by hand.

A JSON file or a folder of them comes in, objects or labelled images come out. Objects have a box, so a point is taken
for a small square around it and a line for a ribbon along it; pixels embedded in the JSON are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from earthgptx.data.annotation_file import extent, field, image_size, listed, read_json
from earthgptx.data.formats.pairing import files_by_name, named_image
from earthgptx.data.formats.placement import (
    numbers,
    oriented_object,
    outlined_object,
    placed_box,
    ribbon,
)
from earthgptx.data.mask_outline import LARGEST_MASK, polygons_around
from earthgptx.data.picture_file import read_mask
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import ImageTooLarge, MalformedDataset, UnreadableImagery
from earthgptx.shapes import Box, Ellipse, Vertices

POINT_SIZE = 9.0  # pixels: width and height of the square that a point is taken for
LINE_BREADTH = 3.0  # pixels: how broad a line is taken to be


def object_from(shape: dict[str, Any], *, name_of: Callable[[str], str], width: int, height: int) -> LabelledObject:
    """The object of one shape.

    Args:
        shape: polygon, rectangle, circle (centre and a point of the rim), point, line, linestrip, mask, or rotation
            (a box of four corners in its own direction, as X-AnyLabeling writes it).
        name_of: from the label in the file to the canonical name.
        width, height: of the image, in pixels.

    Raises:
        EnclosesNothing: it has no area.
        MalformedDataset: it is of another type, not well formed, or outside the image.
    """
    written = shape.get("label")
    if not isinstance(written, str) or not written.strip():
        raise MalformedDataset(f"the shape has no label, but {written!r}.")
    label = name_of(written)
    kind = shape.get("shape_type") or "polygon"  # early files have no type
    points = _points(shape)
    if kind == "polygon":
        return outlined_object([points], label, width, height)
    if kind == "rectangle":
        xs, ys = [x for x, _ in points], [y for _, y in points]
        if len(points) not in (2, 4):
            raise MalformedDataset(f"a rectangle has 2 corners, not {len(points)}.")
        return LabelledObject(box=placed_box(Box(min(xs), min(ys), max(xs), max(ys)), width, height), label=label)
    if kind == "circle":
        if len(points) != 2:
            raise MalformedDataset(f"a circle has a centre and a point of its rim, not {len(points)} points.")
        (x, y), rim = points
        return outlined_object([Ellipse.circle(x, y, math.dist((x, y), rim)).outline()], label, width, height)
    if kind in ("line", "linestrip"):
        return outlined_object(ribbon(points, LINE_BREADTH), label, width, height)
    if kind == "point":
        x, y = points[0]
        half = POINT_SIZE / 2
        return LabelledObject(box=placed_box(Box(x - half, y - half, x + half, y + half), width, height), label=label)
    if kind == "mask":
        return outlined_object(_rings_of_mask(shape, points), label, width, height)
    if kind == "rotation":
        return oriented_object(points, label, width, height)
    raise MalformedDataset(f"a shape of the type {kind!r} cannot be read.")


def objects_of(
    content: Any,
    path: Path,
    size: tuple[int, int],
    *,
    dataset: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
) -> tuple[LabelledObject, ...]:
    """The objects of one file's content, in its order.

    Shapes of one label and one ``group_id`` are the parts of one object, where all of them are outlines. A shape's
    ``description`` becomes the object's.

    Args:
        content: the parsed file.
        path: the file, for reports.
        size: width and height of the image, in pixels.
        dataset: the dataset's name, for reports.
        name_of: from the label in the file to the canonical name.
        on_broken: told of every shape that is left out.
    """
    groups: dict[Any, list[LabelledObject]] = {}
    for number, shape in enumerate(listed(content, "shapes", path), start=1):
        with setting_aside(dataset, f"{path} shape {number}", on_broken):
            if not isinstance(shape, dict):
                raise MalformedDataset(f"a shape has named fields, but this is {str(shape)[:40]!r}.")
            found = object_from(shape, name_of=name_of, width=size[0], height=size[1])
            described = str(shape.get("description") or "").strip()
            if described:
                found = LabelledObject(found.box, found.label, found.polygons, found.rotated, (), (described,))
            group = shape.get("group_id")
            is_part = group is not None and found.has_mask
            groups.setdefault((found.label, str(group)) if is_part else number, []).append(found)
    return tuple(_joined(parts) for parts in groups.values())


def read_folder(
    folder: Path,
    *,
    dataset: str,
    split: str,
    sensor: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    images: Sequence[Path] = (),
    names: Iterable[str] | None = None,
) -> Iterator[LabelledImage]:
    """The images of a folder of JSON files, which may have subfolders.

    Args:
        folder: where the JSON files lie, and their images beside them.
        dataset, split, sensor: as they stand in the images.
        name_of: as in `objects_of`.
        on_broken: told of every image and shape that is left out.
        images: further folders in which images may lie.
        names: the files to read, without their ending; None for all.

    Raises:
        MalformedDataset: the folder does not exist.
    """
    files = files_by_name(folder, ".json", dataset=dataset, on_broken=on_broken)
    for name in files if names is None else names:
        path = files.get(name, folder / f"{name}.json")
        image: Path | None = None
        with setting_aside(dataset, str(path), on_broken):
            content = read_json(path)
            listed(content, "shapes", path)  # a file of something else is one broken item
            found = named_image(str(field(content, "imagePath", path)), (path.parent, *images), path).path
            size = _size(content, path) or image_size(found)
            image = found
        if image is None:
            continue
        yield LabelledImage(
            id=f"{dataset}/{split}/{name}",
            path=image,
            dataset=dataset,
            sensor=sensor,
            width=size[0],
            height=size[1],
            objects=objects_of(content, path, size, dataset=dataset, name_of=name_of, on_broken=on_broken),
        )


def _size(content: dict[str, Any], path: Path) -> tuple[int, int] | None:
    """Width and height as the file has them; None where it has none."""
    if content.get("imageWidth") is None or content.get("imageHeight") is None:
        return None
    return extent(content, "imageWidth", path), extent(content, "imageHeight", path)


def _points(shape: dict[str, Any]) -> list[tuple[float, float]]:
    written = shape.get("points")
    if not isinstance(written, list) or not written:
        raise MalformedDataset(f"the shape has no points, but {str(written)[:40]}.")
    pairs = [numbers(point, 2, "a point of x, y") for point in written]
    return [(x, y) for x, y in pairs]


def _rings_of_mask(shape: dict[str, Any], points: list[tuple[float, float]]) -> list[Vertices]:
    """The outlines of a mask: a small PNG in base64, whose upper left pixel is the first point's."""
    try:
        content = io.BytesIO(base64.b64decode(str(shape.get("mask")), validate=True))
        mask = read_mask(content, "the shape's mask", max_pixels=LARGEST_MASK)
    except (binascii.Error, ValueError) as error:
        raise MalformedDataset(f"the shape's mask is no picture in base64: {error}.") from error
    except (UnreadableImagery, ImageTooLarge) as error:
        raise MalformedDataset(str(error)) from error
    left, top = round(points[0][0]), round(points[0][1])
    return [polygon.shifted(left, top).points for polygon in polygons_around(mask)]


def _joined(parts: list[LabelledObject]) -> LabelledObject:
    """Several parts as one object; a part alone stays as it is."""
    if len(parts) == 1:
        return parts[0]
    boxes = [part.box for part in parts]
    return LabelledObject(
        box=Box(
            min(box.x0 for box in boxes),
            min(box.y0 for box in boxes),
            max(box.x1 for box in boxes),
            max(box.y1 for box in boxes),
        ),
        label=parts[0].label,
        polygons=tuple(polygon for part in parts for polygon in part.polygons),
        descriptions=tuple(text for part in parts for text in part.descriptions),
    )
