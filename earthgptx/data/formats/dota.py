"""Reads DOTA's labelTxt: a text file an image, a line an object: four corners, class and difficult flag.

A text file or a folder of them comes in, objects with turned boxes or labelled images come out. The two lines that
v1 puts at the head (`imagesource:`, `gsd:`) are known and passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from earthgptx.data.annotation_file import image_size, text_of
from earthgptx.data.formats.pairing import Pictures, files_by_name
from earthgptx.data.formats.placement import numbers, oriented_object
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import MalformedDataset

_HEADERS = ("imagesource:", "gsd:")


def objects_from(
    lines: Iterable[str],
    path: Path,
    size: tuple[int, int],
    *,
    dataset: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    with_difficult: bool = True,
) -> tuple[LabelledObject, ...]:
    """The objects of one label file, in its order.

    Args:
        lines: the file's lines.
        path: the file, for reports.
        size: width and height of the image, in pixels.
        dataset: the dataset's name, for reports.
        name_of: from the class name in the file to the canonical one.
        on_broken: told of every object that is left out.
        with_difficult: takes objects that are flagged as difficult (1 or 2), too.
    """
    objects = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or line.strip().lower().startswith(_HEADERS):
            continue
        with setting_aside(dataset, f"{path} line {number}", on_broken):
            if len(words) not in (9, 10):
                raise MalformedDataset(
                    f"a line has 8 numbers, a class and a flag, but this one has {len(words)} words."
                )
            flat = numbers(words[:8], 8, "four corners")
            if with_difficult or len(words) == 9 or words[9] == "0":
                corners = tuple(zip(flat[0::2], flat[1::2], strict=True))
                objects.append(oriented_object(corners, name_of(words[8]), *size))
    return tuple(objects)


def read_folder(
    labels: Path,
    images: Path,
    *,
    dataset: str,
    split: str,
    sensor: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    with_difficult: bool = True,
) -> Iterator[LabelledImage]:
    """The images of a folder of label files.

    Args:
        labels: the folder of the text files.
        images: the folder of the images, which have the same names; DOTA's own archives unpack to subfolders
            (``part1/images``), so that an image is found by its bare name, too.
        dataset, split, sensor: as they stand in the images.
        name_of, with_difficult: as in `objects_from`.
        on_broken: told of every image and object that is left out.

    Raises:
        MalformedDataset: a folder does not exist.
    """
    files = files_by_name(labels, ".txt", dataset=dataset, on_broken=on_broken)
    pictures = Pictures(images, dataset, on_broken)
    for name, path in files.items():
        lines: list[str] | None = None
        with setting_aside(dataset, str(path), on_broken):
            picture = pictures.of(name)
            width, height = image_size(picture)
            lines = text_of(path).splitlines()
        if lines is None:
            continue
        yield LabelledImage(
            id=f"{dataset}/{split}/{name}",
            path=picture,
            dataset=dataset,
            sensor=sensor,
            width=width,
            height=height,
            objects=objects_from(
                lines,
                path,
                (width, height),
                dataset=dataset,
                name_of=name_of,
                on_broken=on_broken,
                with_difficult=with_difficult,
            ),
        )
    pictures.log_unused(len(files))
