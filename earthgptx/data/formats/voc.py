"""Reads Pascal VOC's XML: a file an image, with upright boxes, turned boxes (`robndbox` and its kin) or outlines.

An XML file or a folder of them comes in, objects or labelled images come out. VOC counts pixels from 1 and includes
the last one; files of tools that write half-open boxes are read with `is_inclusive=False`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from earthgptx.data.annotation_file import IMAGE_SUFFIXES, decoded, image_size, text_of
from earthgptx.data.formats.pairing import Pictures, files_by_name
from earthgptx.data.formats.placement import numbers, oriented_object, outlined_object, placed_box, turned_box
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box

# How turned boxes are written: roLabelImg's and HIT-UAV's; SSDD's, whose angle is in degrees.
_TURNED_TAGS = ("robndbox", "rotated_bndbox")
_CENTRES: tuple[tuple[tuple[str, ...], float], ...] = (
    (("cx", "cy", "w", "h", "angle"), 1.0),
    (
        ("rotated_bbox_cx", "rotated_bbox_cy", "rotated_bbox_w", "rotated_bbox_h", "rotated_bbox_theta"),
        math.pi / 180,
    ),
)
_CORNERS: tuple[tuple[str, ...], ...] = (
    ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4"),
    tuple(
        f"{axis}_{corner}"
        for corner in ("left_top", "right_top", "right_bottom", "left_bottom")  # DIOR's
        for axis in "xy"
    ),
)
_OUTLINE_TAGS = ("segm", "polygon")
_ENDINGS = (*IMAGE_SUFFIXES, ".xml")

# What the parser raises: for what is no XML, for encodings of several bytes a letter, and for unknown encodings.
_NOT_XML = (ElementTree.ParseError, ValueError, LookupError)
_DECLARES_CHINESE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]*encoding\s*=\s*[\"']gb", re.IGNORECASE)


@dataclass(frozen=True)
class VocFile:
    """One parsed annotation file.

    Attributes:
        path: the file.
        file_name: the image's name as the file has it; "" where it has none.
        size: width and height as the file has them; None where it lacks them or they are not above 0.
        elements: its `object` elements, in order.
    """

    path: Path
    file_name: str
    size: tuple[int, int] | None
    elements: tuple[ElementTree.Element, ...]


def xml_root(path: Path) -> ElementTree.Element:
    """The outermost element of an XML file, in the encoding that it declares or else as `decoded` finds it.

    Raises:
        MalformedDataset: it does not exist, or is not XML.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise MalformedDataset(f"The annotation file {path} does not exist.") from error
    except OSError as error:
        raise MalformedDataset(f"The annotation file {path} cannot be read: {error}.") from error
    try:
        return ElementTree.fromstring(content)
    except _NOT_XML as error:
        # The parser knows no encoding of two bytes a letter, even where a file declares one, as MSAR's do; and some
        # files are in another encoding than they declare, or declare none.
        for text in _other_texts(content, path):
            with suppress(*_NOT_XML):
                return ElementTree.fromstring(text)
        raise MalformedDataset(f"The annotation file {path} is not XML: {error}.") from error


def read_file(path: Path) -> VocFile:
    """Parses one annotation file.

    Raises:
        MalformedDataset: it does not exist, is not XML, or is no VOC annotation.
    """
    root = xml_root(path)
    if root.tag != "annotation":
        raise MalformedDataset(f"{path} begins with <{root.tag}>, not with <annotation> as VOC has it.")
    return VocFile(
        path=path,
        file_name=(root.findtext("filename") or "").strip(),
        size=_size(root),
        elements=tuple(root.findall("object")),
    )


def object_from(
    element: ElementTree.Element,
    *,
    name_of: Callable[[str], str],
    width: int,
    height: int,
    is_inclusive: bool = True,
) -> LabelledObject:
    """The object of one `object` element: its outline, turned box or upright box, whatever it has.

    Args:
        element: the XML element.
        name_of: from the name in the file to the canonical one.
        width, height: of the image, in pixels.
        is_inclusive: boxes count pixels from 1 and include the last one, as VOC has it; False for half-open boxes
            from 0. Turned boxes and outlines are positions and are taken as they are.

    Raises:
        EnclosesNothing: its box or outline has no area.
        MalformedDataset: a part is missing, is no number, or lies outside the image.
    """
    label = name_of(_text(element, "name"))
    rotated = None
    outline = _outline(element)
    turned = next((found for tag in _TURNED_TAGS if (found := element.find(tag)) is not None), None)
    if turned is not None:
        rotated = oriented_object(_corners(turned), label, width, height)
    upright = element.find("bndbox")
    box = None if upright is None else _box(upright, width, height, is_inclusive=is_inclusive)
    if outline is not None:
        outlined = outlined_object([outline], label, width, height)
        return replace(outlined, box=box or outlined.box, rotated=rotated.rotated if rotated else None)
    if rotated is not None:
        return rotated if box is None else replace(rotated, box=box)
    if box is None:
        raise MalformedDataset("the object has neither <bndbox> nor <robndbox> nor an outline.")
    return LabelledObject(box=box, label=label)


def objects_of(
    file: VocFile,
    size: tuple[int, int],
    *,
    dataset: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    is_inclusive: bool = True,
    with_difficult: bool = True,
    passed_over: Iterable[str] = (),
) -> tuple[LabelledObject, ...]:
    """The objects of one file, in its order.

    Args:
        file: as `read_file` gives it.
        size: width and height of the image, in pixels.
        dataset: the dataset's name, for reports.
        name_of, is_inclusive: as in `object_from`.
        on_broken: told of every object that is left out.
        with_difficult: takes objects that are flagged as difficult, too.
        passed_over: class names in the file that label nothing.
    """
    objects = []
    ignored = set(passed_over)
    for number, element in enumerate(file.elements, start=1):
        if (element.findtext("name") or "").strip() in ignored:
            continue
        if not with_difficult and (element.findtext("difficult") or "0").strip() not in ("0", ""):
            continue
        with setting_aside(dataset, f"{file.path} object {number}", on_broken):
            objects.append(
                object_from(element, name_of=name_of, width=size[0], height=size[1], is_inclusive=is_inclusive)
            )
    return tuple(objects)


def read_folder(
    annotations: Path,
    images: Path,
    *,
    dataset: str,
    split: str,
    sensor: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    names: Iterable[str] | None = None,
    wanted: Callable[[str], bool] | None = None,
    is_inclusive: bool = True,
    with_difficult: bool = True,
    passed_over: Iterable[str] = (),
) -> Iterator[LabelledImage]:
    """The images of a folder of annotation files, which may have subfolders.

    Args:
        annotations: the folder of the XML files.
        images: the folder of the images. An image is found by its annotation file's name, else by the name that
            stands in the file.
        dataset, split, sensor: as they stand in the images.
        name_of, is_inclusive, with_difficult, passed_over: as in `objects_of`.
        on_broken: told of every image and object that is left out.
        names: the annotation files to read, without their ending, as in ``ImageSets/Main/train.txt``; None for all.
        wanted: says of a name whether it is read, where several splits share a folder; None reads all.

    Raises:
        MalformedDataset: a folder does not exist.
    """
    files = files_by_name(annotations, ".xml", dataset=dataset, on_broken=on_broken)
    pictures = Pictures(images, dataset, on_broken)
    seen: set[str] = set()
    for name in files if names is None else names:
        if wanted is not None and not wanted(name):
            continue
        found: tuple[VocFile, Path, tuple[int, int]] | None = None
        with setting_aside(dataset, str(files.get(name, annotations / f"{name}.xml")), on_broken):
            if name not in files:
                raise MalformedDataset("the annotation file does not exist.")
            if name in seen:
                raise MalformedDataset("the annotation file is listed a second time.")
            seen.add(name)
            file = read_file(files[name])
            image = pictures.of(name, *_names_of(file))
            found = file, image, file.size or image_size(image)
        if found is None:
            continue
        file, image, size = found
        yield LabelledImage(
            id=f"{dataset}/{split}/{name}",
            path=image,
            dataset=dataset,
            sensor=sensor,
            width=size[0],
            height=size[1],
            objects=objects_of(
                file,
                size,
                dataset=dataset,
                name_of=name_of,
                on_broken=on_broken,
                is_inclusive=is_inclusive,
                with_difficult=with_difficult,
                passed_over=passed_over,
            ),
        )
    if names is None:
        pictures.log_unused(len(files))


def split_names(path: Path) -> list[str]:
    """The names in a list such as ``ImageSets/Main/train.txt``: the first word of each line, without an ending.

    Raises:
        MalformedDataset: the file does not exist, or is no text.
    """
    words = [line.split()[0] for line in text_of(path).splitlines() if line.strip()]
    return [os.path.splitext(word)[0] if word.lower().endswith(_ENDINGS) else word for word in words]


def _names_of(file: VocFile) -> list[str]:
    """The names that an image may have by what stands in its file: with an ending, or without as some write it."""
    written = file.file_name.replace("\\", "/")
    return [name for name in (os.path.splitext(written)[0], written) if name]


def _other_texts(content: bytes, path: Path) -> Iterator[str]:
    """The text in GB 18030, which holds GBK, where the file declares one of these; and as `decoded` takes it."""
    if _DECLARES_CHINESE.match(content):
        yield content.decode("gb18030", errors="replace")
    with suppress(MalformedDataset):
        yield decoded(content, path)


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = int(float(root.findtext("size/width", "0"))), int(float(root.findtext("size/height", "0")))
    except (ValueError, OverflowError):
        return None  # the image's own header tells it
    return (width, height) if width > 0 and height > 0 else None


def _text(element: ElementTree.Element, tag: str) -> str:
    text = (element.findtext(tag) or "").strip()
    if not text:
        raise MalformedDataset(f"<{element.tag}> has no <{tag}>.")
    return text


def _box(element: ElementTree.Element, width: int, height: int, *, is_inclusive: bool) -> Box:
    written = [_text(element, tag) for tag in ("xmin", "ymin", "xmax", "ymax")]
    x0, y0, x1, y1 = numbers(written, 4, "a box of xmin, ymin, xmax, ymax")
    first = 1 if is_inclusive else 0  # pixel 1 covers [0, 1)
    return placed_box(Box(x0 - first, y0 - first, x1, y1), width, height)


def _corners(element: ElementTree.Element) -> tuple[tuple[float, float], ...]:
    for tags in _CORNERS:
        if element.find(tags[0]) is not None:
            flat = numbers([_text(element, tag) for tag in tags], 8, "four corners")
            return tuple(zip(flat[0::2], flat[1::2], strict=True))
    for tags, radians in _CENTRES:
        if element.find(tags[0]) is not None:
            x, y, width, height, angle = numbers([_text(element, tag) for tag in tags], 5, "a turned box")
            return turned_box(x, y, width=width, height=height, radians=angle * radians)
    raise MalformedDataset(f"<{element.tag}> has neither four corners nor a centre, a size and an angle.")


def _outline(element: ElementTree.Element) -> list[tuple[float, float]] | None:
    """The points of an outline: ``<point>x,y</point>`` as in SSDD, or ``<x1>``, ``<y1>``, ... as VOC tools write."""
    found = next((part for tag in _OUTLINE_TAGS if (part := element.find(tag)) is not None), None)
    if found is None:
        return None
    points = [part.text or "" for part in found.findall("point")]
    if points:
        pairs = [numbers(text.split(","), 2, "a point of x, y") for text in points]
        return [(x, y) for x, y in pairs]
    flat = numbers([part.text or "" for part in found], len(found), "the numbers of an outline")
    if len(flat) % 2:
        raise MalformedDataset(f"an outline has {len(flat)} numbers, which are not x, y pairs.")
    return list(zip(flat[0::2], flat[1::2], strict=True))
