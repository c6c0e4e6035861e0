"""The nouns of labelled data, and their form on disk.

A `LabelledImage` is what a dataset's own files say; a `Sample` is one dialogue about one image, ready to be
trained on or scored. Samples are written as JSON Lines in the paper's form (``regions`` and
``conversations``); reading what was written gives the same sample back. Pixels are never looked at here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box, Mark, Polygon, mark_from_json, rasterise_polygons

# Names that the paper and its relatives give to the two speakers.
_ROLES: dict[str, Literal["user", "model"]] = {
    "user": "user",
    "human": "user",
    "model": "model",
    "gpt": "model",
    "assistant": "model",
    "bot": "model",
}
_REGION_NUMBER = re.compile(r"<Region (\d+)>")
_PIX = "<pix>"


@dataclass(frozen=True)
class LabelledObject:
    """One object of a dataset: where it is and what it is.

    Attributes:
        box: the object's bounds in image pixels.
        label: its canonical class name, as in `datasets.class_names`.
        polygons: the parts of its outline in image pixels, whose union is the object; empty where the dataset
            has only a box.
    """

    box: Box
    label: str
    polygons: tuple[Polygon, ...] = ()

    @property
    def has_mask(self) -> bool:
        """Whether the dataset outlines the object, not only boxes it."""
        return bool(self.polygons)

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """The object's pixels in the whole image, (height, width); its filled box where it has no outline."""
        return rasterise_polygons(self._rings(), Box(0, 0, width, height), (height, width))

    def mask_in(self, window: Box, size: int) -> NDArray[np.bool_]:
        """The object's pixels in a window of the image that is resampled to a square raster.

        The outline is scaled, not the raster, so that a small object keeps its shape in a magnified window.

        Args:
            window: the part of the image to look at, in image pixels; it may reach past the image.
            size: rows and columns of the raster; the two axes are scaled each by itself.

        Returns:
            Shape (size, size), True on the object; its filled box where the object has no outline.
        """
        return rasterise_polygons(self._rings(), window, (size, size))

    def flipped(self, width: int) -> LabelledObject:
        """The same object after the image is mirrored left to right."""
        polygons = tuple(polygon.flipped(width) for polygon in self.polygons)
        return LabelledObject(box=self.box.flipped(width), label=self.label, polygons=polygons)

    def _rings(self) -> list[tuple[tuple[float, float], ...]]:
        return [polygon.points for polygon in self.polygons] or [self.box.outline()]


@dataclass(frozen=True)
class LabelledImage:
    """One image of a dataset with everything its files say about it.

    Attributes:
        id: dataset, split and name, as in "vhr10/train/001"; unique over all datasets.
        path: the image file.
        dataset: the dataset's name in `datasets.DATASETS`.
        sensor: one of `imagery.SENSORS`.
        width, height: in pixels.
        objects: the labelled objects, in the order of the dataset's file; this order numbers them.
        captions: whole-image captions, as many as the dataset has.
        scene: the canonical name of the scene's class, where the dataset has one.
        orientation: how its pixels are turned after they are read, see `orientation.oriented`; 0 as on file.
    """

    id: str
    path: Path
    dataset: str
    sensor: str
    width: int
    height: int
    objects: tuple[LabelledObject, ...] = ()
    captions: tuple[str, ...] = ()
    scene: str | None = None
    orientation: int = 0


@dataclass(frozen=True)
class Region:
    """What a user draws, and the labelled object under it (None for a mark of the whole image)."""

    mark: Mark
    object: LabelledObject | None = None

    def flipped(self, width: int) -> Region:
        """The same region after the image is mirrored left to right."""
        return Region(mark=self.mark.flipped(width), object=None if self.object is None else self.object.flipped(width))


@dataclass(frozen=True)
class Turn:
    """One speaker's words. Marks are not written into the text here; `processing` adds their header."""

    role: Literal["user", "model"]
    text: str


@dataclass(frozen=True)
class PixelTarget:
    """The truth of one ``<pix>``: the union of these objects."""

    objects: tuple[LabelledObject, ...]

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """The union in the whole image, shape (height, width)."""
        union = np.zeros((height, width), dtype=bool)
        for item in self.objects:
            union |= item.mask(height, width)
        return union

    def mask_in(self, window: Box, size: int) -> NDArray[np.bool_]:
        """The union in a window of the image, shape (size, size); see `LabelledObject.mask_in`."""
        union = np.zeros((size, size), dtype=bool)
        for item in self.objects:
            union |= item.mask_in(window, size)
        return union

    def flipped(self, width: int) -> PixelTarget:
        """The same truth after the image is mirrored left to right."""
        return PixelTarget(tuple(item.flipped(width) for item in self.objects))


@dataclass(frozen=True)
class Sample:
    """One dialogue about one image.

    Attributes:
        id: unique among samples of one corpus.
        image: the image file.
        sensor: one of `imagery.SENSORS`.
        width, height: of the image, in pixels.
        regions: the marks in the order that numbers them: the first is ``<Region 1>``.
        turns: user and model in turn, the user first.
        targets: the truth of the k-th ``<pix>`` of the model's turns, in order of appearance.
        task: one of `instructions.TASKS`, or "dialogue" for data from elsewhere.
        orientation: how the pixels are turned after they are read, as in `LabelledImage`.
    """

    id: str
    image: Path
    sensor: str
    width: int
    height: int
    regions: tuple[Region, ...]
    turns: tuple[Turn, ...]
    targets: tuple[PixelTarget, ...]
    task: str
    orientation: int = 0


def check_sample(sample: Sample) -> Sample:
    """Gives the sample back if its text, regions and masks agree.

    Raises:
        MalformedDataset: the turns do not alternate from user to model, a ``<Region k>`` has no mark, or the
            model's turns hold more or fewer ``<pix>`` than there are masks.
    """
    roles = [turn.role for turn in sample.turns]
    if not roles or roles != ["user", "model"] * (len(roles) // 2):
        raise MalformedDataset(f"sample {sample.id}: turns must alternate user, model; found {roles}.")
    num_pix = sum(turn.text.count(_PIX) for turn in sample.turns if turn.role == "model")
    if num_pix != len(sample.targets):
        raise MalformedDataset(f"sample {sample.id}: {num_pix} <pix> in the text but {len(sample.targets)} masks.")
    for turn in sample.turns:
        for number in map(int, _REGION_NUMBER.findall(turn.text)):
            if not 1 <= number <= len(sample.regions):
                raise MalformedDataset(
                    f"sample {sample.id}: the text names <Region {number}> but there are {len(sample.regions)} regions."
                )
    return sample


def write_samples(path: Path, samples: Iterable[Sample], *, root: Path | None = None) -> int:
    """Writes samples as JSON Lines, one a line, and returns how many.

    Args:
        path: the file to write; its folder must exist.
        samples: what to write.
        root: where given, image paths are written relative to it, so that the file travels with the images.
    """
    count = 0
    with path.open("w", encoding="utf-8") as lines:
        for sample in samples:
            lines.write(render(sample, root=root) + "\n")
            count += 1
    return count


def read_samples(path: Path, *, root: Path | None = None) -> Iterator[Sample]:
    """Yields the samples of a JSON Lines file.

    Args:
        path: a file written by `write_samples`, or by hand in the same form.
        root: what relative image paths are relative to; the file's own folder if not given.

    Raises:
        MalformedDataset: the file is missing, or a line is not a sample; the message holds the line's number.
    """
    if not path.is_file():
        raise MalformedDataset(f"{path} does not exist.")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield parse(line, root=root or path.parent, where=f"{path.name} line {number}")


def render(sample: Sample, *, root: Path | None = None) -> str:
    """One line of JSON: the paper's ``image``, ``sensor``, ``regions`` and ``conversations``, and the truth.

    Objects are written once under ``objects``; regions and masks name them by index.
    """
    objects = _distinct_objects(sample)
    index = {item: position for position, item in enumerate(objects)}
    image = sample.image if root is None else sample.image.relative_to(root)
    regions = []
    for region in sample.regions:
        written = dict(region.mark.to_json())
        if region.object is not None:
            written["object"] = index[region.object]
        regions.append(written)
    record = {
        "id": sample.id,
        "image": image.as_posix(),
        "sensor": sample.sensor,
        "width": sample.width,
        "height": sample.height,
        "task": sample.task,
        "regions": regions,
        "conversations": [{"from": turn.role, "value": turn.text} for turn in sample.turns],
        "masks": [[index[item] for item in target.objects] for target in sample.targets],
        "objects": [_object_to_json(item) for item in objects],
    }
    if sample.orientation:
        record["orientation"] = sample.orientation
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def parse(line: str, *, root: Path | None = None, where: str = "the line") -> Sample:
    """The sample that `render` wrote.

    Only ``image``, ``sensor`` and ``conversations`` are required; the size is read from the image's header
    where it is not written.

    Args:
        line: one JSON object.
        root: what a relative image path is relative to; left as it is if not given.
        where: names the line in error messages.

    Raises:
        MalformedDataset: not JSON, a field is missing or of the wrong kind, or `check_sample` objects.
        MalformedMark: a region is not a mark.
    """
    try:
        record = json.loads(line)
        image = Path(record["image"]) if root is None else root / record["image"]
        objects = [_object_from_json(item) for item in record.get("objects", ())]
        size = _written_or_real_size(record, image, where)
        sample = Sample(
            id=str(record.get("id", image.stem)),
            image=image,
            sensor=str(record["sensor"]),
            width=size[0],
            height=size[1],
            regions=tuple(_region_from_json(item, objects) for item in record.get("regions", ())),
            turns=tuple(_turn_from_json(item, where) for item in record["conversations"]),
            targets=tuple(
                PixelTarget(tuple(objects[position] for position in positions)) for positions in record.get("masks", ())
            ),
            task=str(record.get("task", "dialogue")),
            orientation=int(record.get("orientation", 0)),
        )
    except json.JSONDecodeError as error:
        raise MalformedDataset(f"{where} is not JSON: {error.msg} at character {error.pos}.") from error
    except KeyError as error:
        raise MalformedDataset(f"{where} has no field {error}.") from error
    except (TypeError, AttributeError, IndexError, ValueError) as error:
        raise MalformedDataset(f"{where} does not hold a sample: {error}.") from error
    return check_sample(sample)


def _distinct_objects(sample: Sample) -> list[LabelledObject]:
    """Every object of the sample once, in order of first use."""
    under_marks = [region.object for region in sample.regions if region.object is not None]
    under_masks = [item for target in sample.targets for item in target.objects]
    return list(dict.fromkeys([*under_marks, *under_masks]))


def _object_to_json(item: LabelledObject) -> dict[str, Any]:
    written: dict[str, Any] = {
        "label": item.label,
        "box": [item.box.x0, item.box.y0, item.box.x1, item.box.y1],
    }
    if item.polygons:
        written["polygons"] = [[list(point) for point in polygon.points] for polygon in item.polygons]
    return written


def _object_from_json(written: dict[str, Any]) -> LabelledObject:
    polygons = tuple(Polygon(tuple((float(x), float(y)) for x, y in points)) for points in written.get("polygons", ()))
    return LabelledObject(box=Box(*written["box"]), label=str(written["label"]), polygons=polygons)


def _region_from_json(written: dict[str, Any], objects: Sequence[LabelledObject]) -> Region:
    mark = mark_from_json({key: value for key, value in written.items() if key != "object"})
    position = written.get("object")
    return Region(mark=mark, object=None if position is None else objects[position])


def _turn_from_json(written: dict[str, Any], where: str) -> Turn:
    role = _ROLES.get(str(written["from"]).lower())
    if role is None:
        raise MalformedDataset(f"{where} has a turn from {written['from']!r}; known speakers: {', '.join(_ROLES)}.")
    return Turn(role=role, text=str(written["value"]))


def _written_or_real_size(record: dict[str, Any], image: Path, where: str) -> tuple[int, int]:
    """(width, height) as written, else from the image file's header."""
    if "width" in record and "height" in record:
        return int(record["width"]), int(record["height"])
    try:
        with Image.open(image) as opened:
            return opened.size
    except OSError as error:
        raise MalformedDataset(f"{where} states no size, and {image} cannot be opened: {error}.") from error
