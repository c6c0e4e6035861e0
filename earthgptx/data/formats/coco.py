"""Reads COCO instance files: images, categories, and annotations with a box, polygons or run lengths.

One JSON file comes in, labelled images come out one after the other, in the order of the file's images. The file is
never in memory as a whole: where its records stand is noted, 20 bytes each, and they are read image by image. Crowd
annotations (run lengths over many objects) are no objects, as COCO means it; their classes are the image's gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from earthgptx.data.annotation_file import extent, field, image_size
from earthgptx.data.formats.json_stream import members, record_at
from earthgptx.data.formats.pairing import named_image
from earthgptx.data.formats.place_index import PlaceIndex
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


@dataclass(frozen=True)
class _Contents:
    """What an instance file holds: its categories by their numbers, and where the other records stand by theirs."""

    categories: Mapping[str, str]
    images: PlaceIndex
    annotations: PlaceIndex


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
    wanted: Callable[[str], bool] | None = None,
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
        make_object: stands in for `object_from` where a release's fields mean something else than COCO's.
        passed_over: categories that label nothing, as "DontCare".
        keys: other names of the file's parts than COCO's.
        checks_size: opens every image's header and reports it where its size is not the file's.
        wanted: says of an image's name whether it is read, where one file holds several splits; None reads all.

    Raises:
        MalformedDataset: the file is missing, or is not such a file as a whole.
    """
    keys = keys or CocoKeys()
    make_object = make_object or partial(object_from, boxes_from_polygons=boxes_from_polygons)
    folders = [images] if isinstance(images, Path) else list(images)
    contents = _contents(path, keys, dataset, on_broken)
    with path.open("rb") as file:
        for start, end in contents.annotations.outside(contents.images):
            row = record_at(file, start, end, path)
            on_broken(BrokenItem(dataset, _item(path, row), f"belongs to image {_owner(row)}, which is not listed."))
        seen_numbers: set[str] = set()
        seen_ids: set[str] = set()
        for start, end in contents.images:
            row = record_at(file, start, end, path)
            number = _number(row["id"])
            image: LabelledImage | None = None
            with setting_aside(dataset, f"{path} image {number}", on_broken):
                if number in seen_numbers:
                    raise MalformedDataset(f"two images have the number {number}.")
                seen_numbers.add(number)
                found, name = _image(row, path, folders, dataset=dataset, split=split, sensor=sensor, keys=keys)
                if wanted is not None and not wanted(name):
                    continue
                if found.id in seen_ids:
                    raise MalformedDataset(f"{found.path.name} is listed a second time, whatever its ending.")
                seen_ids.add(found.id)
                if checks_size:
                    _check_size(found)
                image = found
            if image is None:
                continue
            objects, crowds = [], []
            for annotation in _annotations(file, path, contents.annotations, number):
                category_number = _number(annotation.get("category_id"))
                category = contents.categories.get(category_number)
                if category in passed_over:
                    continue
                with setting_aside(dataset, _item(path, annotation), on_broken):
                    if category is None:
                        raise MalformedDataset(f"the annotation has the unknown category {category_number}.")
                    if _is_crowd(annotation):
                        crowds.append(name_of(category))
                    else:
                        objects.append(make_object(annotation, name_of(category), image.width, image.height))
            yield replace(image, objects=tuple(objects), gaps=tuple(dict.fromkeys(crowds)))


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
    if isinstance(segmentation, list) and all(ring == [] for ring in segmentation):
        segmentation = None  # [[]] says the same to some tools
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
        try:
            mask = mask_from_runs(segmentation, height=height, width=width)
            return [polygon.points for polygon in polygons_around(mask)]
        except MalformedMark as error:
            raise MalformedDataset(str(error)) from error
    if not isinstance(segmentation, list):
        raise MalformedDataset(f"{str(segmentation)[:40]!r} is neither outlines of x, y pairs nor run lengths.")
    rings = []
    for ring in segmentation:
        flat = numbers(ring, len(ring) if isinstance(ring, list) else 0, "an outline of x, y pairs")
        if len(flat) % 2:
            raise MalformedDataset(f"an outline has {len(flat)} numbers, which are no x, y pairs.")
        rings.append(tuple(zip(flat[0::2], flat[1::2], strict=True)))
    return rings


def _contents(path: Path, keys: CocoKeys, dataset: str, on_broken: OnBroken) -> _Contents:
    """Reads the file once from end to end."""
    categories: dict[str, str] = {}
    lists: dict[str, PlaceIndex] = {}
    for name, elements, _ in members(path):
        if elements is None or name not in ("images", "categories", *keys.annotations):
            continue
        places = lists.setdefault(name, PlaceIndex())
        for position, (row, start, end) in enumerate(elements, start=1):
            with setting_aside(dataset, f"{path} {name} record {position}", on_broken):
                if name == "categories":
                    categories[_number(field(row, "id", path))] = str(field(row, "name", path))
                else:
                    key = field(row, "id", path) if name == "images" else _owner(row, path)
                    places.add(_number(key), start, end)
    annotations = next((name for name in keys.annotations if name in lists), keys.annotations[0])
    for name in ("images", "categories", annotations):
        if name not in lists:
            raise MalformedDataset(f"{path} has no list of records under {name!r}.")
    return _Contents(categories, lists["images"], lists[annotations])


def _annotations(file: IO[bytes], path: Path, places: PlaceIndex, number: str) -> Iterator[dict[str, Any]]:
    """The annotations of an image, in the file's order."""
    for start, end in places.of(number):
        row = record_at(file, start, end, path)
        if _owner(row) == number:
            yield row


def _image(
    row: dict[str, Any], path: Path, folders: Sequence[Path], *, dataset: str, split: str, sensor: str, keys: CocoKeys
) -> tuple[LabelledImage, str]:
    """The image of one record, without its objects, and its name; its size from the record, else from its file."""
    written = str(field(row, next((name for name in keys.file_name if name in row), keys.file_name[0]), path))
    file, name = named_image(written, folders, path)
    if "width" in row and "height" in row:
        width, height = extent(row, "width", path), extent(row, "height", path)
    else:
        width, height = image_size(file)
    image = LabelledImage(
        id=f"{dataset}/{split}/{name}", path=file, dataset=dataset, sensor=sensor, width=width, height=height
    )
    return image, name


def _check_size(image: LabelledImage) -> None:
    width, height = image_size(image.path)
    if (width, height) != (image.width, image.height):
        raise MalformedDataset(
            f"{image.path.name} is {width} x {height} pixels, but its labels are for {image.width} x {image.height}."
        )


def _owner(row: Any, path: Path | None = None) -> str:
    """The number of the image that an annotation belongs to."""
    return _number(row.get("image_id") if path is None else field(row, "image_id", path))


def _number(written: Any) -> str:
    """A record's number as text: some tools write 7 in one place and "7" or 7.0 in another."""
    return str(int(written) if isinstance(written, float) and written.is_integer() else written)[:200]


def _is_crowd(annotation: Mapping[str, Any]) -> bool:
    return annotation.get("iscrowd") in (1, "1")


def _item(path: Path, row: Mapping[str, Any]) -> str:
    return f"{path} annotation {_number(row.get('id'))}"
