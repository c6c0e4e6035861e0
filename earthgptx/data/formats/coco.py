"""Reads COCO instance files: images, categories, and annotations with a box, polygons or run lengths.

One JSON file comes in, labelled images come out one after the other, in the order of the file's images. Crowd
annotations (run lengths over many objects) are passed over, as COCO means them to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from earthgptx.data.annotation_file import extent, field, image_size, read_json, rows
from earthgptx.data.formats.pairing import name_in_id, named_image
from earthgptx.data.formats.placement import numbers, outlined_object, placed_box
from earthgptx.data.mask_outline import mask_from_runs, polygons_around
from earthgptx.data.quarantine import BrokenItem, OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import MalformedDataset, MalformedMark
from earthgptx.shapes import Box, Vertices


@dataclass(frozen=True)
class CocoKeys:
    """How a file calls its parts; some releases depart from COCO's own names.

    Attributes:
        annotations: the list of annotations; the first of these names that the file has.
        file_name: an image's file, likewise.
    """

    annotations: tuple[str, ...] = ("annotations",)
    file_name: tuple[str, ...] = ("file_name",)


def read_instances(
    path: Path,
    images: Path | Sequence[Path],
    *,
    dataset: str,
    split: str,
    sensor: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    boxes_from_polygons: bool = False,
    make_object: Callable[[dict[str, Any], str, int, int], LabelledObject] | None = None,
    passed_over: Sequence[str] = (),
    keys: CocoKeys | None = None,
    checks_size: bool = False,
) -> Iterator[LabelledImage]:
    """The images of one instance file.

    Args:
        path: the JSON file.
        images: the folder or folders in which its images lie.
        dataset, split, sensor: as they stand in the images.
        name_of: from a category's name to the canonical one; raises MalformedDataset for one it does not know.
        on_broken: told of every image and annotation that is left out.
        boxes_from_polygons: takes boxes from the outlines and never from the file's ``bbox``, where a release is
            known to have the two disagree. Annotations without an outline have their ``bbox`` all the same.
        make_object: makes an object of an annotation, its label and the image's width and height, instead of
            `object_from`: for a release whose fields mean something else than COCO's.
        passed_over: categories that label nothing, as "DontCare".
        keys: other names of the file's parts than COCO's.
        checks_size: opens every image's header and reports it where its size is not the file's.

    Raises:
        MalformedDataset: the file is missing, or is not such a file as a whole.
    """
    keys = keys or CocoKeys()
    make_object = make_object or partial(object_from, boxes_from_polygons=boxes_from_polygons)
    folders = [images] if isinstance(images, Path) else list(images)
    content = read_json(path)
    categories = {_key(row, path): str(field(row, "name", path)) for row in rows(content, "categories", path)}
    listed = rows(content, "images", path)
    by_image: dict[str, list[dict[str, Any]]] = {_key(row, path): [] for row in listed}
    for row in rows(content, _present(content, keys.annotations), path):
        owner = str(row.get("image_id"))
        if owner in by_image:
            by_image[owner].append(row)
        else:
            on_broken(BrokenItem(dataset, _item(path, row), f"belongs to image {owner}, which is not listed."))
    seen: set[str] = set()
    for row in listed:
        annotations = by_image.pop(str(row["id"]), None)
        image: LabelledImage | None = None
        with setting_aside(dataset, f"{path} image {row['id']}", on_broken):
            if annotations is None:
                raise MalformedDataset(f"two images have the number {row['id']}.")
            found = _image(row, path, folders, dataset=dataset, split=split, sensor=sensor, keys=keys)
            if found.id in seen:
                raise MalformedDataset(f"{found.path.name} is listed a second time.")
            seen.add(found.id)
            if checks_size:
                _check_size(found)
            image = found
        if image is None:
            continue
        objects = []
        for annotation in annotations or ():
            category = categories.get(str(annotation.get("category_id")))
            if annotation.get("iscrowd") or category in passed_over:
                continue
            with setting_aside(dataset, _item(path, annotation), on_broken):
                if category is None:
                    raise MalformedDataset(f"the annotation has the unknown category {annotation.get('category_id')}.")
                objects.append(make_object(annotation, name_of(category), image.width, image.height))
        yield replace(image, objects=tuple(objects))


def object_from(
    row: dict[str, Any], label: str, width: int, height: int, *, boxes_from_polygons: bool = False
) -> LabelledObject:
    """The object of one annotation.

    Args:
        row: the annotation.
        label: the canonical class name.
        width, height: of the image, in pixels.
        boxes_from_polygons: as in `read_instances`.

    Raises:
        EnclosesNothing: its box or its outlines have no area.
        MalformedDataset: it has neither outline nor box, or one that is not well formed or not in the image.
    """
    segmentation = row.get("segmentation")
    written = row.get("bbox")
    box = None
    if written is not None and not (boxes_from_polygons and segmentation):
        x, y, box_width, box_height = numbers(written, 4, "a box of x, y, width, height")
        box = placed_box(Box(x, y, x + box_width, y + box_height), width, height)
    if not segmentation:
        if box is None:
            raise MalformedDataset("the annotation has neither an outline nor a box.")
        return LabelledObject(box=box, label=label)
    outlined = outlined_object(rings_of(segmentation, width, height), label, width, height)
    return outlined if box is None else LabelledObject(box=box, label=label, polygons=outlined.polygons)


def rings_of(segmentation: Any, width: int, height: int) -> list[Vertices]:
    """The outlines of a ``segmentation``: flat rings ``[[x, y, x, y, ...], ...]``, or run lengths in either form.

    Raises:
        MalformedDataset: it is neither, or the run lengths are of another size than the image.
    """
    if isinstance(segmentation, dict):
        if segmentation.get("size") != [height, width]:
            size = segmentation.get("size")
            raise MalformedDataset(f"the run lengths are of size {size}, but the image is {height} high, {width} wide.")
        try:
            return [polygon.points for polygon in polygons_around(mask_from_runs(segmentation))]
        except MalformedMark as error:
            raise MalformedDataset(str(error)) from error
    try:
        return [tuple(zip(map(float, ring[0::2]), map(float, ring[1::2]), strict=True)) for ring in segmentation]
    except (TypeError, ValueError, KeyError) as error:
        raise MalformedDataset(f"an outline is not a list of x, y pairs: {error}.") from error


def _image(
    row: dict[str, Any], path: Path, folders: Sequence[Path], *, dataset: str, split: str, sensor: str, keys: CocoKeys
) -> LabelledImage:
    """The image of one record, without its objects; its size from the record, else from its file."""
    written = str(field(row, _present(row, keys.file_name), path))
    file = named_image(written, folders, path)
    if "width" in row and "height" in row:
        width, height = extent(row, "width", path), extent(row, "height", path)
    else:
        width, height = image_size(file)
    return LabelledImage(
        id=f"{dataset}/{split}/{name_in_id(written)}",
        path=file,
        dataset=dataset,
        sensor=sensor,
        width=width,
        height=height,
    )


def _check_size(image: LabelledImage) -> None:
    width, height = image_size(image.path)
    if (width, height) != (image.width, image.height):
        raise MalformedDataset(
            f"{image.path.name} is {width} x {height} pixels, but its labels are for {image.width} x {image.height}."
        )


def _key(row: dict[str, Any], path: Path) -> str:
    """A record's own number as text: some tools write 7 in one place and "7" in another."""
    return str(field(row, "id", path))


def _present(row: dict[str, Any], names: Sequence[str]) -> str:
    """The first of several names that a record has; the first of all where it has none, to be missed by name."""
    return next((name for name in names if name in row), names[0])


def _item(path: Path, row: dict[str, Any]) -> str:
    return f"{path} annotation {row.get('id')}"
