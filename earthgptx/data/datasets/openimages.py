"""Open Images V7: photographs with boxes, and masks, attributes and relations for a part of them.

The boxes' CSV of the training split has 14.6 million rows, those of an image in a row; it is read image by image and
never held. The CSVs of masks and of relations are in another order, so an index of 20 bytes a row is made of each (see
`row_index`; 118 MB for all of train) rather than a database, which would have to be written and cleared away at every
reading. Boxes are fractions of the image, whose size is read from its header. Three rules of ours:

A box around a group (IsGroupOf: more than five of a kind that touch) is no object: it is passed over, and with it the
relations in which it takes part. Masks and relations name boxes by their corners: each goes to the box of the same
class with the largest IoU, at least 0.8, and is reported where there is none. The set is made to be downloaded in
part: images that are not on disk are reported in one item with their number, not one by one; without the folder of
masks, objects have boxes only.

Size: 1.9 million images with 16 million boxes of 600 classes (1.74 million and 14.6 million in train); 2.8 million
    masks of 350 classes; 3.3 million relations.
Classes: 600 names as in the class descriptions, tidied; open to us.
Layout: openimages/oidv6-train-annotations-bbox.csv, openimages/validation-annotations-bbox.csv,
    openimages/test-annotations-bbox.csv; openimages/oidv7-class-descriptions-boxable.csv (or with oidv6, or
    class-descriptions-boxable.csv); openimages/{train,validation,test}/{ImageID}.jpg. Read where they are there:
    openimages/{train,validation,test}-annotations-object-segmentation.csv with the PNG files in
    openimages/masks/{train,validation,test}/ or below it in folders 0 to f;
    openimages/oidv6-{train,validation,test}-annotations-vrd.csv; openimages/oidv6-attributes-description.csv.
Terms: annotations CC BY 4.0; images CC BY 2.0, as their authors state.
Citation: Kuznetsova, Rom, Alldrin, Uijlings, Krasin, Pont-Tuset, Kamali, Popov, Malloci, Kolesnikov, Duerig, Ferrari,
    "The Open Images Dataset V4", IJCV 128 (2020); masks: Benenson, Popov, Ferrari, "Large-scale interactive object
    segmentation with human annotators", CVPR 2019.
Home: https://storage.googleapis.com/openimages/web/index.html
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path

from earthgptx.data.annotation_file import decoded, image_size
from earthgptx.data.datasets import class_names
from earthgptx.data.formats.placement import numbers, placed_box
from earthgptx.data.formats.row_index import RowIndex
from earthgptx.data.mask_outline import LARGEST_MASK, polygons_around
from earthgptx.data.picture_file import read_mask
from earthgptx.data.quarantine import BrokenItem, OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject, Relation
from earthgptx.errors import ImageTooLarge, MalformedDataset, UnreadableImagery
from earthgptx.shapes import Box, Polygon

_NAME = "openimages"
SPLIT_PATHS = ("openimages/oidv6-{part}-annotations-bbox.csv", "openimages/{part}-annotations-bbox.csv")
MIN_IOU = 0.8  # of a box and the corners by which a mask or a relation means it
_FLAGS = {"IsOccluded": "occluded", "IsTruncated": "truncated", "IsDepiction": "depicted"}
_NEEDED = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")


@dataclass(frozen=True)
class _Files:
    """What is on disk besides the boxes."""

    pictures: Path
    names: Mapping[str, str]
    attributes: Mapping[str, str]
    masks: RowIndex | None
    mask_folder: Path
    relations: RowIndex | None


@dataclass
class _Found:
    """One image's objects while they are put together."""

    width: int
    height: int
    objects: list[LabelledObject] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)  # the class code of each object
    groups: list[tuple[str, Box]] = field(default_factory=list)  # class code and box

    def box(self, row: Mapping[str, str], keys: tuple[str, str, str, str]) -> Box:
        """A box from four fractions: of x, x, y and y."""
        x0, x1, y0, y1 = numbers([row.get(key) for key in keys], 4, f"a box of {', '.join(keys)}")
        return Box(x0 * self.width, y0 * self.height, x1 * self.width, y1 * self.height)

    def nearest(self, code: str, box: Box) -> int | None:
        """The object of a class that a box means; None where it means a group.

        Raises:
            MalformedDataset: there is neither.
        """
        same = [index for index, name in enumerate(self.classes) if name == code]
        best = max(same, key=lambda index: self.objects[index].box.iou(box), default=None)
        if best is not None and self.objects[best].box.iou(box) >= MIN_IOU:
            return best
        if any(name == code and group.iou(box) >= MIN_IOU for name, group in self.groups):
            return None
        raise MalformedDataset(f"none of the image's {len(same)} boxes of {code} is where it says.")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images that are on disk, in the boxes' order; `root` is the folder that holds ``openimages``.

    Raises:
        MalformedDataset: the boxes or the class descriptions are missing or lack a column.
    """
    folder = root / _NAME
    part = "validation" if split == "val" else split
    boxes = _first_of(folder, f"oidv6-{part}-annotations-bbox.csv", f"{part}-annotations-bbox.csv")
    with ExitStack() as opened:
        files = _files(folder, part, opened)
        header = _header(boxes)
        column = header.index("ImageID")
        num_images = num_absent = 0
        seen: set[str] = set()
        for image_id, rows in groupby(_rows(boxes), key=lambda numbered: "".join(numbered[1][column : column + 1])):
            num_images += 1
            picture = files.pictures / f"{image_id}.jpg"
            if not os.path.isfile(picture):
                num_absent += 1
                continue
            size: tuple[int, int] | None = None
            with setting_aside(_NAME, str(picture), on_broken):
                if image_id in seen:
                    raise MalformedDataset(f"{boxes.name} has boxes of this image in two places: these are left out.")
                seen.add(image_id)
                size = image_size(picture)
            if size is not None:
                labelled = {f"{boxes} line {number}": dict(zip(header, row, strict=False)) for number, row in rows}
                yield _image(image_id, split, picture, size, labelled, files, on_broken)
    if num_absent:
        reason = f"{num_absent} of the {num_images} images that it names are not there."
        on_broken(BrokenItem(_NAME, f"{boxes.name} and {files.pictures}", reason, is_empty=True))


def _image(
    image_id: str,
    split: str,
    picture: Path,
    size: tuple[int, int],
    rows: Mapping[str, Mapping[str, str]],
    files: _Files,
    on_broken: OnBroken,
) -> LabelledImage:
    found = _Found(*size)
    for where, row in rows.items():
        with setting_aside(_NAME, where, on_broken):
            _add_box(row, files.names, found)
    if files.masks is not None:
        for row in files.masks.rows(image_id):
            with setting_aside(_NAME, f"mask {row.get('MaskPath')}", on_broken):
                _add_mask(row, files.mask_folder, found)
    relations: dict[Relation, None] = {}
    if files.relations is not None:
        for number, row in enumerate(files.relations.rows(image_id), start=1):
            with setting_aside(_NAME, f"image {image_id}, relation {number}", on_broken):
                relation = _relation(row, files.attributes, found)
                if relation is not None:
                    relations[relation] = None
    return LabelledImage(
        id=f"{_NAME}/{split}/{image_id}",
        path=picture,
        dataset=_NAME,
        sensor="optical",
        width=size[0],
        height=size[1],
        objects=tuple(found.objects),
        relations=tuple(relations),
    )


def _add_box(row: Mapping[str, str], names: Mapping[str, str], found: _Found) -> None:
    code = row.get("LabelName", "")
    if code not in names:
        raise MalformedDataset(f"the class {code} has no description: there are {len(names)}.")
    box = placed_box(found.box(row, ("XMin", "XMax", "YMin", "YMax")), found.width, found.height)
    if row.get("IsGroupOf") == "1":
        found.groups.append((code, box))
        return
    attributes = tuple(word for flag, word in _FLAGS.items() if row.get(flag) == "1")
    found.objects.append(LabelledObject(box=box, label=names[code], attributes=attributes))
    found.classes.append(code)


def _add_mask(row: Mapping[str, str], folder: Path, found: _Found) -> None:
    """Outlines the object of a mask; the mask may be of another resolution than its image."""
    box = found.box(row, ("BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax"))
    position = found.nearest(row.get("LabelName", ""), box)
    if position is None:
        return
    name = row.get("MaskPath", "")
    path = next((path for path in (folder / name, folder / name[:1] / name) if os.path.isfile(path)), None)
    if path is None:
        raise MalformedDataset(f"the mask does not exist: neither {folder} nor {folder / name[:1]} holds it.")
    try:
        with path.open("rb") as stream:
            mask = read_mask(stream, name, max_pixels=LARGEST_MASK)
    except (OSError, UnreadableImagery, ImageTooLarge) as error:
        raise MalformedDataset(f"the mask {path} cannot be read: {error}") from error
    outlines = polygons_around(mask)
    if not outlines:
        raise MalformedDataset(f"the mask of {mask.shape[1]} x {mask.shape[0]} pixels is empty.")
    scale = (found.width / mask.shape[1], found.height / mask.shape[0])
    polygons: tuple[Polygon, ...] = tuple(outline.scaled(*scale) for outline in outlines)
    found.objects[position] = replace(found.objects[position], polygons=polygons)


def _relation(row: Mapping[str, str], attributes: Mapping[str, str], found: _Found) -> Relation | None:
    """The relation of a row; None where a group takes part, or where it gives an object an attribute."""
    predicate = row.get("RelationshipLabel", "").replace("_", " ").strip().lower()
    first = found.nearest(row.get("LabelName1", ""), found.box(row, ("XMin1", "XMax1", "YMin1", "YMax1")))
    code = row.get("LabelName2", "")
    if predicate == "is":
        if first is not None:
            item = found.objects[first]
            word = attributes.get(code)
            if word is None:
                raise MalformedDataset(f"the attribute {code} has no description: there are {len(attributes)}.")
            if word not in item.attributes:
                found.objects[first] = replace(item, attributes=(*item.attributes, word))
        return None
    second = found.nearest(code, found.box(row, ("XMin2", "XMax2", "YMin2", "YMax2")))
    if not predicate or (first is not None and first == second):
        raise MalformedDataset(f"the relation {predicate!r} of {row.get('LabelName1')} and {code} relates nothing.")
    if first is None or second is None:
        return None
    return Relation(subject=first, predicate=predicate, object=second)


def _files(folder: Path, part: str, opened: ExitStack) -> _Files:
    described = ("oidv7-class-descriptions-boxable.csv", "oidv6-class-descriptions-boxable.csv")
    masks = folder / f"{part}-annotations-object-segmentation.csv"
    mask_folder = folder / "masks" / part
    relations = folder / f"oidv6-{part}-annotations-vrd.csv"
    has_masks = masks.is_file() and mask_folder.is_dir()
    attributes = folder / "oidv6-attributes-description.csv"
    return _Files(
        pictures=folder / part,
        names={
            code: class_names.canonical(_NAME, name)
            for code, name in _described(_first_of(folder, *described, "class-descriptions-boxable.csv")).items()
        },
        attributes=_adjectives(attributes) if attributes.is_file() else {},
        masks=opened.enter_context(RowIndex(masks, "ImageID")) if has_masks else None,
        mask_folder=mask_folder,
        relations=opened.enter_context(RowIndex(relations, "ImageID")) if relations.is_file() else None,
    )


def _adjectives(path: Path) -> dict[str, str]:
    """Attributes by code: "(made of)Textile" is "textile"."""
    return {code: name.removeprefix("(made of)").strip().lower() for code, name in _described(path).items()}


def _described(path: Path) -> dict[str, str]:
    """Names by code; the oldest of these files have no header."""
    return {row[0]: row[1] for _, row in _read(path) if len(row) > 1 and row[0].startswith("/")}


def _header(path: Path) -> list[str]:
    header = next((row for _, row in _read(path)), [])
    lacking = [name for name in _NEEDED if name not in header]
    if lacking:
        raise MalformedDataset(f"{path} has no column {', '.join(lacking)}; it has {', '.join(header) or 'none'}.")
    return header


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of the boxes' CSV with their line numbers, one at a time."""
    yield from islice(_read(path), 1, None)


def _read(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The filled rows of a CSV file with the numbers of their lines, its header among them.

    Raises:
        MalformedDataset: it cannot be read, or is no CSV.
    """
    try:
        with path.open("rb") as lines:
            reader = csv.reader(decoded(line, path) for line in lines)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except (OSError, csv.Error) as error:
        raise MalformedDataset(f"The annotation file {path} is not CSV: {error}.") from error


def _first_of(folder: Path, *names: str) -> Path:
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise MalformedDataset(f"The annotation file {folder / names[0]} does not exist, nor any of its other names.")
    return found
