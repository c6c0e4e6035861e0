"""Recognises in which format a user's own labels are, and reads them with that format's reader.

A file or folder comes in, an `OwnDataset` comes out: what it is, which splits it has, and its items one after the
other. Class names are an open vocabulary: they are tidied, never refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from earthgptx.data.annotation_file import read_json, text_of
from earthgptx.data.datasets.class_names import tidied
from earthgptx.data.formats import coco, dialogues, dota, geojson, labelme, voc, yolo
from earthgptx.data.formats.folder_layout import (
    files_below,
    image_folder,
    image_folders,
    root_around,
    split_of,
    uppermost,
)
from earthgptx.data.formats.json_stream import members, records
from earthgptx.data.formats.pairing import file_below
from earthgptx.data.formats.yolo_splits import image_places, label_folder
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.data.sensors import SENSORS
from earthgptx.errors import MalformedDataset, UnknownSensor

LOOKED_FOR = (
    "COCO (a .json with images, annotations and categories), Pascal VOC (.xml), YOLO (a data.yaml or classes.txt and "
    ".txt labels), DOTA (labelTxt), LabelMe (.json with shapes), GeoJSON beside a GeoTIFF, "
    "and dialogues (.json or .jsonl with conversations)"
)
_RASTERS = (".tif", ".tiff")
_YAMLS = (".yaml", ".yml")
_Shared = Mapping[str, Any]  # the arguments that every reader takes: dataset and sensor
_Formats = Callable[[Path], str | None]  # tells in which format a JSON file is
_SAMPLED = 20  # files of one kind that are opened before another format is tried


@dataclass(frozen=True)
class Part:
    """One annotation file, or one folder of them.

    Attributes:
        split: "train", "val" or "test".
        name: tells the parts of a split apart in the ids of their images.
        read: gives its items, told what to do with broken ones.
    """

    split: str
    name: str
    read: Callable[..., Iterator[LabelledImage | Sample]]


@dataclass(frozen=True)
class OwnDataset:
    """A user's own labelled images or dialogues.

    Attributes:
        name: the first part of every id.
        sensor: one of `imagery.SENSORS`.
        path: the file or folder that was handed in.
        format: in words, as "YOLO".
        parts: what it consists of, in the order of their paths.
        holds_dialogues: whether it gives `Sample`s.
    """

    name: str
    sensor: str
    path: Path
    format: str
    parts: tuple[Part, ...]
    holds_dialogues: bool = False

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it has, in the order train, val, test."""
        return tuple(split for split in ("train", "val", "test") if any(part.split == split for part in self.parts))

    def read(self, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage | Sample]:
        """The items of a split.

        Where a split has several parts, an image's id holds the part's name, so that it stays unique.

        Args:
            split: "train", "val" or "test"; one that it lacks has no items.
            on_broken: told of every image and annotation that is left out.

        Raises:
            MalformedDataset: an annotation file is not what it should be as a whole.
        """
        parts = [part for part in self.parts if part.split == split]
        start = f"{self.name}/{split}/"
        for part in parts:
            for item in part.read(on_broken=on_broken):
                is_alone = len(parts) == 1
                yield item if is_alone else replace(item, id=f"{start}{part.name}/{item.id.removeprefix(start)}")


def own_dataset(path: Path, *, sensor: str, name: str) -> OwnDataset:
    """Recognises a user's own labels.

    Splits are told by the names of folders and files (train, val, valid, test); without any, all is "train".

    Args:
        path: an annotation file, a folder, or YOLO's data.yaml.
        sensor: one of `imagery.SENSORS`; of all its images.
        name: what to call it in ids.

    Raises:
        MalformedDataset: it does not exist, or is in no known format; the sentence names what was looked for.
        UnknownSensor: there is no such sensor.
    """
    if sensor not in SENSORS:
        raise UnknownSensor(f"The sensor {sensor!r} of {path} is not known; choose {', '.join(SENSORS)}.")
    if not path.exists():
        raise MalformedDataset(f"{path} does not exist.")
    root = path if path.is_dir() else root_around(path)
    files = None if path.is_dir() else [path]
    known = {"dataset": name, "sensor": sensor}
    formats = cache(_json_format)  # a file is looked into once, whichever formats it may be in
    for format_name, recognise in _RECOGNISERS:
        parts = recognise(root, files, known, formats)
        if parts:
            return OwnDataset(name, sensor, path, format_name, tuple(parts), holds_dialogues=format_name == "dialogues")
    for number, unread in enumerate(files or files_below(root, ".json", ".geojson")):
        if number < _SAMPLED and unread.suffix.lower() in (".json", ".geojson"):
            read_json(unread)  # a damaged file is the likelier reason, and says so
    raise MalformedDataset(f"{path} holds no labels in a known format; looked for {LOOKED_FOR}.")


def _yolo(root: Path, files: list[Path] | None, known: _Shared, formats: _Formats) -> list[Part]:
    """YOLO's folders, where class names stand in a data.yaml or a list."""
    if files and files[0].suffix.lower() not in _YAMLS:
        return []
    folders = _label_folders(root, ".txt", _is_yolo_line)
    if not folders:
        return []
    named_in = _yolo_names(root, files)
    if named_in is None:
        raise MalformedDataset(
            f"{root} holds labels as YOLO writes them, but no class names; looked for a data.yaml with names, "
            f"and for {', '.join(yolo.NAME_LISTS)}."
        )
    kind = yolo.kind_of(path for folder in folders for path in files_below(folder, ".txt"))
    reader = partial(yolo.read_folder, names=yolo.class_names(named_in), kind=kind, **known)
    parts = []
    placed = set()
    for place in image_places(named_in, root) if named_in.suffix.lower() in _YAMLS else ():
        labels = label_folder(place.folder)
        placed.add(labels)
        read = partial(reader, labels, place.folder, listed=place.listed, split=place.split, name_of=tidied)
        parts.append(Part(place.split, _relative(root, labels), read))
    for folder in folders:
        if not placed & {folder, *folder.parents}:  # the file says nothing of it: its name tells its split
            parts.append(_part(root, folder, partial(reader, folder, image_folder(folder, root))))
    return parts


def _yolo_names(root: Path, files: list[Path] | None) -> Path | None:
    """The file of the class names: a YAML with names, else a list."""
    for path in files or files_below(root, *_YAMLS):
        is_meant = files is not None or path.stem.lower() == "data"
        with suppress(*([] if is_meant else [MalformedDataset])):  # others are of something else, in any state
            if path.suffix.lower() in _YAMLS and yolo.yaml_content(path).get("names"):
                return path
    listed = {path.name: path for path in files_below(root, ".txt", ".names", ".labels")}
    return next((listed[name] for name in yolo.NAME_LISTS if name in listed), None)


def _dota(root: Path, files: list[Path] | None, known: _Shared, formats: _Formats) -> list[Part]:
    if files:
        return []
    return [
        _part(root, folder, partial(dota.read_folder, folder, image_folder(folder, root), **known))
        for folder in _label_folders(root, ".txt", _is_dota_line)
    ]


def _voc(root: Path, files: list[Path] | None, known: _Shared, formats: _Formats) -> list[Part]:
    """VOC's folders; lists in ImageSets/Main tell the splits where there are some."""
    if files:
        return []
    parts = []
    for folder in _folders_of(files_below(root, ".xml"), _is_voc):
        images = image_folder(folder, root)
        lists = folder.parent / "ImageSets" / "Main"
        listed = [(split, lists / f"{split}.txt") for split in ("train", "val", "test")]
        listed = [(split, path) for split, path in listed if path.is_file()]
        if {split for split, _ in listed} <= {"test"} and (lists / "trainval.txt").is_file():
            listed.append(("train", lists / "trainval.txt"))
        reader = partial(voc.read_folder, folder, images, **known)
        for split, path in listed:
            name = _relative(root, folder)
            parts.append(Part(split, name, partial(reader, names=voc.split_names(path), split=split, name_of=tidied)))
        if not listed:
            parts.append(_part(root, folder, reader))
    return parts


def _coco(root: Path, files: list[Path] | None, known: _Shared, formats: _Formats) -> list[Part]:
    parts = []
    for path in _json_files(root, files, "COCO", formats):
        split = split_of(path.relative_to(root)) or "train"
        folders = image_folders(path, root, split)
        parts.append(_part(root, path, partial(coco.read_instances, path, folders, checks_size=True, **known)))
    return parts


def _labelme(root: Path, files: list[Path] | None, known: _Shared, formats: _Formats) -> list[Part]:
    if files:
        path = files[0]
        reader = partial(labelme.read_folder, path.parent, names=[path.stem], **known)
        is_one = path.suffix.lower() == ".json" and formats(path) == "LabelMe"
        return [_part(root, path, reader)] if is_one else []
    folders = _folders_of(files_below(root, ".json"), lambda path: formats(path) == "LabelMe")
    return [
        _part(root, folder, partial(labelme.read_folder, folder, images=(image_folder(folder, root), root), **known))
        for folder in folders
    ]


def _geojson(root: Path, files: list[Path] | None, known: _Shared, formats: _Formats) -> list[Part]:
    found = _json_files(root, files, "GeoJSON", formats)
    return [_part(root, path, partial(geojson.read_scene, path, _raster_of(path, root), **known)) for path in found]


def _dialogues(root: Path, files: list[Path] | None, known: _Shared, formats: _Formats) -> list[Part]:
    parts = []
    for path in files or files_below(root, ".json", ".jsonl"):
        record = _first_record(path) if path.suffix.lower() in (".json", ".jsonl") else None
        if isinstance(record, dict) and ("conversations" in record or "groundings" in record):
            images = _dialogue_images(record, path, root)
            split = split_of(path.relative_to(root)) or "train"
            parts.append(
                Part(split, _relative(root, path), partial(dialogues.read, path, images, split=split, **known))
            )
    return parts


_Recogniser = Callable[[Path, list[Path] | None, _Shared, _Formats], list[Part]]
_RECOGNISERS: tuple[tuple[str, _Recogniser], ...] = (
    ("COCO", _coco),
    ("Pascal VOC", _voc),
    ("YOLO", _yolo),
    ("DOTA", _dota),
    ("LabelMe", _labelme),
    ("GeoJSON", _geojson),
    ("dialogues", _dialogues),
)


def _part(root: Path, place: Path, reader: Callable[..., Iterator[LabelledImage]]) -> Part:
    """A part whose split its path tells."""
    split = split_of(place.relative_to(root)) or "train"
    return Part(split, _relative(root, place), partial(reader, split=split, name_of=tidied))


def _relative(root: Path, place: Path) -> str:
    """A path below the root as a part of an id."""
    return place.relative_to(root).with_suffix("").as_posix() if place != root else "here"


def _label_folders(root: Path, suffix: str, is_line: Callable[[str], bool]) -> list[Path]:
    """The uppermost folders with label files, by the first line that is none of a header."""
    return _folders_of(
        (path for path in files_below(root, suffix) if path.name not in yolo.NAME_LISTS),
        lambda path: is_line(_first_line(path)),
    )


def _folders_of(files: Iterator[Path], is_label: Callable[[Path], bool]) -> list[Path]:
    """The uppermost folders of the files that are labels; the first few of each folder are opened."""
    by_folder: dict[Path, list[Path]] = {}
    for path in files:
        by_folder.setdefault(path.parent, []).append(path)
    return uppermost(folder for folder, paths in by_folder.items() if any(map(is_label, paths[:_SAMPLED])))


def _json_files(root: Path, files: list[Path] | None, wanted: str, formats: _Formats) -> list[Path]:
    """The JSON files of one format; where the first few are of another one, the rest is not opened."""
    found: list[Path] = []
    for number, path in enumerate(files or files_below(root, ".json", ".geojson")):
        if path.suffix.lower() not in (".json", ".geojson") or (number >= _SAMPLED and not found):
            continue
        if formats(path) == wanted:
            found.append(path)
    return found


def _json_format(path: Path) -> str | None:
    """Which format a JSON file is in by its outermost names; None where it is in none, or no such file."""
    names = set()
    with suppress(MalformedDataset):  # which the format's own reader says better
        for member in members(path):
            names.add(member.name)
            if names >= {"images", "annotations", "categories"}:
                return "COCO"
            if names >= {"shapes", "imagePath"}:
                return "LabelMe"
            if member.name == "type" and member.value == "FeatureCollection":
                return "GeoJSON"
    return None


def _first_line(path: Path) -> str:
    """The first line that says something; "" where there is none or the file is no text."""
    with suppress(MalformedDataset):
        said = (line.strip() for line in text_of(path).splitlines())
        return next((line for line in said if line and not line.lower().startswith(("imagesource:", "gsd:"))), "")
    return ""


def _first_record(path: Path) -> Any:
    """The first record of a JSON list or of JSON Lines."""
    with suppress(MalformedDataset):
        return next(records(path), None)
    return None


def _is_yolo_line(line: str) -> bool:
    words = line.split()
    return len(words) >= 5 and all(map(_is_number, words)) and float(words[0]).is_integer()


def _is_dota_line(line: str) -> bool:
    words = line.split()
    return len(words) in (9, 10) and all(map(_is_number, words[:8])) and not _is_number(words[8])


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_voc(path: Path) -> bool:
    try:
        return bool(voc.read_file(path).path)
    except MalformedDataset:
        return False


def _raster_of(path: Path, root: Path) -> Path:
    """The GeoTIFF of a GeoJSON file: of the same name, else the only one in its folder or in the root."""
    for folder in dict.fromkeys((path.parent, root)):
        rasters = [found for found in sorted(folder.iterdir()) if found.suffix.lower() in _RASTERS]
        same = [found for found in rasters if found.stem == path.stem]
        if same or len(rasters) == 1:
            return (same or rasters)[0]
    raise MalformedDataset(f"{path} needs its GeoTIFF beside it: {path.stem}.tif, or a single .tif in its folder.")


def _dialogue_images(record: Mapping[str, Any], path: Path, root: Path) -> Path:
    """The folder in which the first record's image lies; the file's own where it is nowhere."""
    written = str(record.get("image") or record.get("file_name") or "")
    candidates: Sequence[Path] = (path.parent, path.parent / "images", root / "images", root)
    return next((folder for folder in candidates if file_below(written, [folder]) is not None), candidates[0])
