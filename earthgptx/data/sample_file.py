"""Samples on disk: JSON Lines in the paper's form (``regions`` and ``conversations``).

Reading what was written gives the same sample back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from earthgptx.data.sample import LabelledObject, PixelTarget, Region, Sample, Turn, check_sample
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box, Polygon, mark_from_json

# Names that the paper and its relatives give to the two speakers.
ROLES: dict[str, Literal["user", "model"]] = {
    "user": "user",
    "human": "user",
    "model": "model",
    "gpt": "model",
    "assistant": "model",
    "bot": "model",
}


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
    if sample.window is not None:
        record["window"] = _corners(sample.window)
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
            window=_box(record["window"]) if "window" in record else None,
            orientation=int(record.get("orientation", 0)),
        )
    except json.JSONDecodeError as error:
        raise MalformedDataset(f"{where} is not JSON: {error.msg} at character {error.pos}.") from error
    except KeyError as error:
        raise MalformedDataset(f"{where} has no field {error}.") from error
    except (TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
        raise MalformedDataset(f"{where} does not hold a sample: {error}.") from error
    return check_sample(sample)


def _distinct_objects(sample: Sample) -> list[LabelledObject]:
    """Every object of the sample once, in order of first use."""
    under_marks = [region.object for region in sample.regions if region.object is not None]
    under_masks = [item for target in sample.targets for item in target.objects]
    return list(dict.fromkeys([*under_marks, *under_masks]))


def _object_to_json(item: LabelledObject) -> dict[str, Any]:
    written: dict[str, Any] = {"label": item.label, "box": _corners(item.box)}
    if item.polygons:
        written["polygons"] = [[list(point) for point in polygon.points] for polygon in item.polygons]
    if item.rotated is not None:
        written["rotated"] = [list(point) for point in item.rotated.points]
    if item.attributes:
        written["attributes"] = list(item.attributes)
    if item.descriptions:
        written["descriptions"] = list(item.descriptions)
    return written


def _corners(box: Box) -> list[float]:
    return [box.x0, box.y0, box.x1, box.y1]


def _box(written: Any) -> Box:
    """A box from four finite numbers; they stay as they are written, 7 or 7.0."""
    if not all(math.isfinite(value) and not isinstance(value, bool) for value in written):
        raise ValueError(f"{str(written)[:80]} is no box of four finite numbers")
    return Box(*written)


def _polygon(points: Any) -> Polygon:
    polygon = Polygon(tuple((float(x), float(y)) for x, y in points))
    if not all(math.isfinite(value) for point in polygon.points for value in point):
        raise ValueError("an outline has a corner that is no finite number")
    return polygon


def _object_from_json(written: dict[str, Any]) -> LabelledObject:
    return LabelledObject(
        box=_box(written["box"]),
        label=str(written["label"]),
        polygons=tuple(map(_polygon, written.get("polygons", ()))),
        rotated=_polygon(written["rotated"]) if "rotated" in written else None,
        attributes=tuple(map(str, written.get("attributes", ()))),
        descriptions=tuple(map(str, written.get("descriptions", ()))),
    )


def _region_from_json(written: dict[str, Any], objects: Sequence[LabelledObject]) -> Region:
    mark = mark_from_json({key: value for key, value in written.items() if key != "object"})
    position = written.get("object")
    return Region(mark=mark, object=None if position is None else objects[position])


def _turn_from_json(written: dict[str, Any], where: str) -> Turn:
    role = ROLES.get(str(written["from"]).lower())
    if role is None:
        raise MalformedDataset(f"{where} has a turn from {written['from']!r}; known speakers: {', '.join(ROLES)}.")
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
