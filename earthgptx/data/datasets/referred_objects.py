"""Reads sets of referring expressions: VOC XML with a description an object, and splits that number the objects.

A number counts the `object` elements of all XML files in sorted order, from 0 over the whole folder. Out come the
images that hold an object of the split, with those objects only: the others belong to another split, or nobody
described them, so such an image's objects are never all that it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from earthgptx.data.annotation_file import image_size
from earthgptx.data.formats import voc
from earthgptx.data.formats.pairing import files_by_name, named_image
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import MalformedDataset


def read_referred(
    annotations: Path,
    images: Path,
    numbers: Path,
    *,
    dataset: str,
    split: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    is_inclusive: bool = True,
) -> Iterator[LabelledImage]:
    """The images of a split, with the objects that it numbers.

    Args:
        annotations: the folder of the XML files; all of them are read, since all count.
        images: the folder of the images.
        numbers: the split's list of object numbers.
        dataset, split: as they stand in the images, whose sensor is optical.
        name_of: from the class name in the file to the canonical one.
        on_broken: told of every image and object that is left out.
        is_inclusive: as in `voc.object_from`.

    Raises:
        MalformedDataset: a folder or the list is missing, the list numbers an object that no file has, or a file is
            not XML: the numbers behind it would be unknown.
    """
    wanted = listed_numbers(numbers)
    files = files_by_name(annotations, ".xml", dataset=dataset, on_broken=on_broken)
    first = 0
    for name, path in files.items():
        file = voc.read_file(path)
        chosen = [position for position in range(len(file.elements)) if first + position in wanted]
        first += len(file.elements)
        if not chosen:
            continue
        image: LabelledImage | None = None
        with setting_aside(dataset, str(path), on_broken):
            picture = named_image(file.file_name or f"{name}.jpg", [images], path).path
            width, height = file.size or image_size(picture)
            image = LabelledImage(
                id=f"{dataset}/{split}/{name}",
                path=picture,
                dataset=dataset,
                sensor="optical",
                width=width,
                height=height,
            )
        if image is None:
            continue
        objects = []
        for position in chosen:
            with setting_aside(dataset, f"{path} object {position + 1}", on_broken):
                element = file.elements[position]
                found = voc.object_from(
                    element, name_of=name_of, width=image.width, height=image.height, is_inclusive=is_inclusive
                )
                text = " ".join((element.findtext("description") or "").split())
                objects.append(replace(found, descriptions=(text,) if text else ()))
        if objects:
            yield replace(image, objects=merged(objects))
    if wanted and max(wanted) >= first:
        raise MalformedDataset(f"{numbers} numbers object {max(wanted)}, but {annotations} holds {first} objects.")


def merged(objects: list[LabelledObject]) -> tuple[LabelledObject, ...]:
    """The objects with those of one box and one class joined: one object with all their descriptions, each once."""
    by_place: dict[tuple[object, str], LabelledObject] = {}
    for item in objects:
        before = by_place.setdefault((item.box, item.label), item)
        if before is not item:
            texts = tuple(dict.fromkeys((*before.descriptions, *item.descriptions)))
            by_place[item.box, item.label] = replace(before, descriptions=texts)
    return tuple(by_place.values())


def listed_numbers(path: Path) -> frozenset[int]:
    """The object numbers of a split, one a line.

    Raises:
        MalformedDataset: there is no such list, or a line is no number.
    """
    lines = voc.split_names(path)
    for line in lines:
        if not line.isdecimal():
            raise MalformedDataset(f"{path} should number objects, but holds the line {line!r}.")
    return frozenset(map(int, lines))
