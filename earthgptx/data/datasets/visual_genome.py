"""Visual Genome: photographs with every object named, described and related to others.

Names, attributes and predicates are free text of many people: names are tidied, nothing is closed. The five files
list the same images in the same order and are read side by side, a record each, so that memory does not grow; where
the order differs, the nearest records wait for theirs. There is no official split: an image whose id leaves the
remainder 0 by 20 is val, 1 is test, all others are train. A relation's end that ``objects.json`` does not list
(releases merge doubles) is found by the merged ids, else added as an object, since the relation holds its box and
name. A region's phrase is about a place and not about an object: it becomes the description of the object that it
names in its words and overlaps most, with an IoU of at least 0.5; other phrases have no object to describe.

Size: 108,077 images; on average 35 objects, 26 attributes and 21 relations an image. 15 GB of images.
Classes: open; no list.
Layout: visual_genome/image_data.json, visual_genome/objects.json (both needed);
    visual_genome/attributes.json, visual_genome/relationships.json, visual_genome/region_descriptions.json
    (read where they are there); visual_genome/VG_100K/{image_id}.jpg and visual_genome/VG_100K_2/{image_id}.jpg.
Terms: CC BY 4.0.
Citation: Krishna, Zhu, Groth, Johnson, Hata, Kravitz, Chen, Kalantidis, Li, Shamma, Bernstein, Fei-Fei, "Visual Genome:
    Connecting Language and Vision Using Crowdsourced Dense Image Annotations", IJCV 123 (2017).
Home: https://homes.cs.washington.edu/~ranjay/visualgenome/
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from earthgptx.data.annotation_file import extent
from earthgptx.data.datasets import class_names
from earthgptx.data.formats.json_stream import records
from earthgptx.data.formats.placement import numbers, placed_box
from earthgptx.data.quarantine import BrokenItem, OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject, Relation
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box

_NAME = "visual_genome"
SPLIT_PATHS = ("visual_genome/image_data.json",)  # every split is drawn from the same files
NUM_SHARES = 20  # one of them is val, one is test
MAX_APART = 256  # records of one file that may wait for their image
MAX_MISSED = 32  # images in a row that may have no record in one file
MIN_IOU = 0.5  # of a region and the object that its phrase describes
_FOLDERS = ("VG_100K", "VG_100K_2")
_WORD = re.compile(r"[a-z0-9']+")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images, in the files' order; `root` is the folder that holds ``visual_genome``.

    Raises:
        MalformedDataset: a needed file is missing, a file is no JSON, or two files list images in different orders.
    """
    folder = root / _NAME
    listing = folder / "image_data.json"
    labels = _Companion(folder / "objects.json", "objects")
    others = [
        _Companion(folder / f"{name}.json", key) if (folder / f"{name}.json").is_file() else None
        for name, key in (
            ("attributes", "attributes"),
            ("relationships", "relationships"),
            ("region_descriptions", "regions"),
        )
    ]
    seen: set[int] = set()
    for number, row in enumerate(records(listing), start=1):
        image_id = _image_id(row)
        if image_id is None:
            on_broken(BrokenItem(_NAME, f"{listing} record {number}", "it has no image_id."))
            continue
        if image_id in seen:
            if split_of(image_id) == split:
                on_broken(BrokenItem(_NAME, f"{listing} record {number}", f"image {image_id} is listed a second time."))
            continue
        seen.add(image_id)
        written = labels.of(image_id)
        attributes, relations, regions = (other.of(image_id) or () if other else () for other in others)
        if split_of(image_id) != split:
            continue
        image: LabelledImage | None = None
        with setting_aside(_NAME, f"{listing} image {image_id}", on_broken):
            if written is None:
                raise MalformedDataset("it has no entry in objects.json.")
            image = _image(row, image_id, split, folder, listing)
        if image is None or written is None:
            continue
        scene = _Scene(image, on_broken)
        scene.add_objects(written, attributes)
        scene.add_relations(relations)
        scene.add_phrases(regions)
        yield scene.labelled()


def split_of(image_id: int) -> str:
    """The split of an image, by its id alone: images that are added or lost move no other."""
    return {0: "val", 1: "test"}.get(image_id % NUM_SHARES, "train")


class _Companion:
    """A file of records about images, read in step with the list of images."""

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key
        self._records = records(path)
        self._waiting: dict[int, Sequence[Any]] = {}
        self._num_missed = 0
        if not path.is_file():
            raise MalformedDataset(f"The annotation file {path} does not exist.")

    def of(self, image_id: int) -> Sequence[Any] | None:
        """What the file lists for an image; None if it has no entry among the next MAX_APART.

        Raises:
            MalformedDataset: MAX_MISSED images in a row have none, so that the orders must differ.
        """
        if image_id in self._waiting:
            self._num_missed = 0
            return self._waiting.pop(image_id)
        while len(self._waiting) < MAX_APART:
            record = next(self._records, None)
            if record is None:
                return None
            found = record.get(self._key) if isinstance(record, Mapping) else None
            items = found if isinstance(found, list) else ()
            if (owner := _image_id(record)) == image_id:
                self._num_missed = 0
                return items
            if owner is not None:
                self._waiting[owner] = items
        self._num_missed += 1
        if self._num_missed > MAX_MISSED:
            raise MalformedDataset(
                f"{self._path} lists its images in another order than image_data.json: image {image_id} and "
                f"{MAX_MISSED} before it are not among the next {MAX_APART}."
            )
        return None


class _Scene:
    """One image's objects while they are put together."""

    def __init__(self, image: LabelledImage, on_broken: OnBroken) -> None:
        self._image = image
        self._on_broken = on_broken
        self._objects: list[LabelledObject] = []
        self._index: dict[Any, int] = {}  # of an object's id, and of those that were merged into it
        self._relations: dict[Relation, None] = {}

    def add_objects(self, rows: Sequence[Any], attributes: Sequence[Any]) -> None:
        """Takes the objects and what ``attributes.json`` says of them."""
        for number, row in enumerate(rows):
            with self._setting_aside(f"objects.json object {_named(row, 'object_id', number)}"):
                self._add(row, self._object(row))
        lost = 0
        for row in attributes:
            words = _texts(row.get("attributes")) if isinstance(row, Mapping) else ()
            position = next((self._index[key] for key in _keys(row) if key in self._index), None)
            lost += bool(words) and position is None
            if words and position is not None:
                item = self._objects[position]
                self._objects[position] = replace(item, attributes=tuple(dict.fromkeys((*item.attributes, *words))))
        if lost:
            reason = f"{lost} of its {len(attributes)} entries describe no object that is read."
            self._on_broken(BrokenItem(_NAME, f"image {self._image.path.stem}, attributes.json", reason))

    def add_relations(self, rows: Sequence[Any]) -> None:
        """Takes the relations, and those of their ends that are not known yet."""
        for number, row in enumerate(rows):
            with self._setting_aside(f"relationships.json relation {_named(row, 'relationship_id', number)}"):
                if not isinstance(row, Mapping):
                    raise MalformedDataset("a relation is an object with named fields.")
                predicate = " ".join(str(row.get("predicate") or "").lower().split())
                if not predicate:
                    raise MalformedDataset("the relation has no predicate.")
                subject, target = self._end(row.get("subject")), self._end(row.get("object"))
                if subject == target:
                    raise MalformedDataset(f'the relation "{predicate}" is of an object with itself.')
                self._relations[Relation(subject=subject, predicate=predicate, object=target)] = None

    def add_phrases(self, regions: Sequence[Any]) -> None:
        """Gives regions' phrases to the objects that they name and overlap."""
        for number, row in enumerate(regions):
            with self._setting_aside(f"region_descriptions.json region {_named(row, 'region_id', number)}"):
                if not isinstance(row, Mapping):
                    raise MalformedDataset("a region is an object with named fields.")
                phrase = " ".join(str(row.get("phrase") or "").split())
                box = self._box(row, ("x", "y", "width", "height"))
                found = self._described(phrase, box)
                if found is not None and phrase not in self._objects[found].descriptions:
                    item = self._objects[found]
                    self._objects[found] = replace(item, descriptions=(*item.descriptions, phrase))

    def labelled(self) -> LabelledImage:
        """The image with all of it."""
        return replace(self._image, objects=tuple(self._objects), relations=tuple(self._relations))

    def _described(self, phrase: str, box: Box) -> int | None:
        """The object that a phrase names and overlaps most; None where none is close enough."""
        words = f" {' '.join(_WORD.findall(phrase.lower()))} "
        named = [index for index, item in enumerate(self._objects) if f" {item.label} " in words]
        best = max(named, key=lambda index: self._objects[index].box.iou(box), default=None)
        return best if best is not None and self._objects[best].box.iou(box) >= MIN_IOU else None

    def _end(self, row: Any) -> int:
        position = next((self._index[key] for key in _keys(row) if key in self._index), None)
        return self._add(row, self._object(row)) if position is None else position

    def _add(self, row: Mapping[str, Any], item: LabelledObject) -> int:
        position = len(self._objects)
        self._objects.append(item)
        for key in _keys(row):
            self._index.setdefault(key, position)
        return position

    def _object(self, row: Any) -> LabelledObject:
        if not isinstance(row, Mapping):
            raise MalformedDataset(f"an object has named fields, but it is {str(row)[:40]!r}.")
        names = _texts(row.get("names")) or _texts([row.get("name")])
        if not names:
            raise MalformedDataset("the object has no name.")
        label = class_names.canonical(_NAME, names[0])
        return LabelledObject(box=self._box(row, ("x", "y", "w", "h")), label=label)

    def _box(self, row: Mapping[str, Any], keys: tuple[str, ...]) -> Box:
        x, y, width, height = numbers([row.get(key) for key in keys], 4, f"a box of {', '.join(keys)}")
        return placed_box(Box(x, y, x + width, y + height), self._image.width, self._image.height)

    def _setting_aside(self, item: str) -> Any:
        return setting_aside(_NAME, f"image {self._image.path.stem}, {item}", self._on_broken)


def _image(row: Mapping[str, Any], image_id: int, split: str, folder: Path, listing: Path) -> LabelledImage:
    url = str(row.get("url", ""))
    folders = sorted(_FOLDERS, key=lambda name: f"/{name}/" not in url)  # that of the address first
    paths = [folder / name / f"{image_id}.jpg" for name in folders]
    path = next((path for path in paths if os.path.isfile(path)), None)
    if path is None:
        raise MalformedDataset(f"its image does not exist: neither {paths[0]} nor {paths[1]} is there.")
    return LabelledImage(
        id=f"{_NAME}/{split}/{image_id}",
        path=path,
        dataset=_NAME,
        sensor="optical",
        width=extent(row, "width", listing),
        height=extent(row, "height", listing),
    )


def _image_id(record: Any) -> int | None:
    """The id of the image that a record is about; the first releases call it ``id``."""
    found = record.get("image_id", record.get("id")) if isinstance(record, Mapping) else None
    return found if isinstance(found, int) else None


def _named(row: Any, key: str, default: int) -> str:
    """A record's own number, for reports; its place where it has none. The first releases call it ``id``."""
    return str(row.get(key, row.get("id", default)) if isinstance(row, Mapping) else default)[:40]


def _keys(row: Any) -> list[int]:
    """The numbers under which an object is known: its own, and those of objects that were merged into it."""
    if not isinstance(row, Mapping):
        return []
    merged = row.get("merged_object_ids")
    keys = [row.get("object_id", row.get("id")), *(merged if isinstance(merged, list) else ())]
    return [key for key in keys if isinstance(key, int)]


def _texts(written: Any) -> tuple[str, ...]:
    """Texts in lower case, each once, without empty ones; nothing where there is no list."""
    texts = [text for text in written if isinstance(text, str)] if isinstance(written, list) else []
    found = [" ".join(text.lower().split()) for text in texts]
    return tuple(dict.fromkeys(text for text in found if text))
