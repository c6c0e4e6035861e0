"""Reads YOLO's text labels: a file an image, a line an object, all numbers fractions of the image.

A line is a class number and then a box (centre and size), an oriented box (four corners) or a segment (an outline).
A folder of labels and one of images come in, labelled images come out; class names stand in `data.yaml` or a list.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from earthgptx.data.annotation_file import image_size, text_of
from earthgptx.data.formats.pairing import files_by_name, images_by_name
from earthgptx.data.formats.placement import numbers, oriented_object, outlined_object, placed_box
from earthgptx.data.quarantine import BrokenItem, OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box

_logger = logging.getLogger(__name__)

NAME_LISTS = ("classes.txt", "obj.names", "labels.txt", "_darknet.labels", "predefined_classes.txt")
LARGEST_FRACTION = 2.0  # more than this is a pixel, not a fraction of a box that reaches past its image

# What the YAML reader lets through of values that are none, as a date in month 13 or a number without a digit.
_NOT_YAML = (ValueError, LookupError, TypeError, AttributeError, RecursionError)

Kind = Literal["box", "oriented", "segment"]


def object_from(
    line: str, names: Mapping[int, str], size: tuple[int, int], *, name_of: Callable[[str], str], kind: Kind
) -> LabelledObject:
    """The object of one line.

    Args:
        line: class number and fractions.
        names: the class names by number.
        size: width and height of the image, in pixels.
        name_of: from a class name to the canonical one.
        kind: what eight numbers mean: corners of an oriented box, or a segment of four points.

    Raises:
        EnclosesNothing: it has no area.
        MalformedDataset: it is no such line, its class has no name, or it lies outside the image.
    """
    words = line.split()
    width, height = size
    class_number, *flat = numbers(words, len(words), "a class and fractions")
    if class_number not in names:
        raise MalformedDataset(f"class {words[0]} has no name: there are {len(names)}, from 0 on.")
    if flat and max(map(abs, flat)) > LARGEST_FRACTION:
        raise MalformedDataset(f"{max(flat, key=abs):g} is no fraction of the image's width or height.")
    label = name_of(names[int(class_number)])
    if len(flat) == 4:
        x, y, across, down = flat
        box = Box((x - across / 2) * width, (y - down / 2) * height, (x + across / 2) * width, (y + down / 2) * height)
        return LabelledObject(box=placed_box(box, width, height), label=label)
    if len(flat) < 4 or len(flat) % 2:
        raise MalformedDataset(
            f"a line has a class and 4 numbers (box), 8 (oriented) or an even count (segment), not {len(flat)}."
        )
    points = tuple((x * width, y * height) for x, y in zip(flat[0::2], flat[1::2], strict=True))
    if len(flat) == 8 and kind != "segment":
        return oriented_object(points, label, width, height)
    return outlined_object([points], label, width, height)


def read_folder(
    labels: Path,
    images: Path,
    *,
    names: Mapping[int, str],
    dataset: str,
    split: str,
    sensor: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    kind: Kind | None = None,
    wanted: Callable[[str], bool] | None = None,
    listed: Iterable[str] | None = None,
) -> Iterator[LabelledImage]:
    """The images of a folder, with the labels of the files of the same names.

    Images without a label file have no objects, as YOLO means it; how many there are is logged. Label files without
    an image are broken.

    Args:
        labels: the folder of the label files, which may have subfolders like the images'.
        images: the folder of the images.
        names: the class names by number, as `class_names` reads them.
        dataset, split, sensor: as they stand in the images.
        name_of: from a name in `names` to the canonical one.
        on_broken: told of every image and object that is left out.
        kind: what lines of eight numbers are; None asks the folder (see `kind_of`).
        wanted: says of a name whether it is read, where several splits share a folder; None reads all.
        listed: the names of the images to read; None for all.

    Raises:
        MalformedDataset: a folder does not exist.
    """
    files = files_by_name(labels, ".txt", dataset=dataset, on_broken=on_broken, passed_over=NAME_LISTS)
    pictures = images_by_name(images, dataset, on_broken)
    kind = kind or kind_of(files.values())
    if listed is not None:
        chosen = Counter(listed)
        for name in (name for name, times in chosen.items() if times > 1):
            on_broken(BrokenItem(dataset, f"image {name}", f"it is listed {chosen[name]} times, and read once."))
        files = {name: files.get(name, images / name) for name in chosen if name in files or name not in pictures}
        pictures = {name: pictures[name] for name in chosen if name in pictures}
    if wanted is not None:
        files = {name: path for name, path in files.items() if wanted(name)}
        pictures = {name: path for name, path in pictures.items() if wanted(name)}
    for name in sorted(set(files) - set(pictures)):
        on_broken(BrokenItem(dataset, str(files[name]), f"its image does not exist: {images} holds no {name}.*."))
    num_bare = 0
    for name, picture in pictures.items():
        lines: list[str] | None = None
        with setting_aside(dataset, str(files.get(name, picture)), on_broken):
            size = image_size(picture)
            lines = text_of(files[name]).splitlines() if name in files else []
        if lines is None:
            continue
        num_bare += name not in files
        objects = []
        for number, line in enumerate(lines, start=1):
            with setting_aside(dataset, f"{files[name]} line {number}", on_broken):
                if line.strip():
                    objects.append(object_from(line, names, size, name_of=name_of, kind=kind))
        yield LabelledImage(
            id=f"{dataset}/{split}/{name}",
            path=picture,
            dataset=dataset,
            sensor=sensor,
            width=size[0],
            height=size[1],
            objects=tuple(objects),
        )
    if num_bare:
        _logger.info("%d of %d images in %s have no label file and so no objects.", num_bare, len(pictures), images)


def kind_of(files: Iterable[Path]) -> Kind:
    """What lines of eight numbers are in these files: segments if any line is one beyond doubt, else oriented boxes."""
    for path in files:
        with suppress(MalformedDataset):  # `read_folder` reports it
            for line in text_of(path).splitlines():
                num_numbers = len(line.split()) - 1
                if num_numbers >= 6 and num_numbers != 8 and num_numbers % 2 == 0:
                    return "segment"
    return "oriented"


def class_names(path: Path) -> dict[int, str]:
    """Class names by number, from a `data.yaml` (``names`` as a list or by number) or a list with a name a line.

    Raises:
        MalformedDataset: the file does not exist or holds no names.
    """
    if not path.is_file():
        raise MalformedDataset(f"The class names {path} do not exist.")
    if path.suffix.lower() not in (".yaml", ".yml"):
        lines = [line.strip() for line in text_of(path).splitlines()]
        found = {number: line for number, line in enumerate(lines) if line}  # an empty line has its number, too
    else:
        written = yaml_content(path).get("names")
        if isinstance(written, list):
            written = dict(enumerate(written))
        try:
            found = {int(number): str(name) for number, name in (written or {}).items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise MalformedDataset(f"{path}: names is neither a list nor names by number: {error}.") from error
    if not found:
        raise MalformedDataset(f"{path} names no classes.")
    return found


def yaml_content(path: Path) -> dict[str, Any]:
    """The mapping of a `data.yaml`.

    Raises:
        MalformedDataset: it is no YAML, or no mapping.
    """
    import yaml  # type: ignore[import-untyped]  # publishes no types

    try:
        content = yaml.safe_load(text_of(path))
    except _NOT_YAML as error:
        raise MalformedDataset(f"{path} is not YAML: {' '.join(str(error).split())[:200]}.") from error
    except yaml.YAMLError as error:
        raise MalformedDataset(f"{path} is not YAML: {' '.join(str(error).split())[:200]}.") from error
    if not isinstance(content, dict):
        raise MalformedDataset(f"{path} holds no fields such as names.")
    return content
