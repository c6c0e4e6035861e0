"""Reads dialogues about images: the JSON of MDVP, GeoPixelD and GranD-f, and the project's own form.

A file of records and the folder of its images come in, samples come out: marks in the order that numbers them, turns
by user and model, and a mask for every ``<pix>``, which stands where the others write ``[SEG]``. A record that does
not fit together is reported and the rest is read. Who made the data is not known here.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from earthgptx.data import phrasing, sample_file
from earthgptx.data.annotation_file import image_size, listed, read_json
from earthgptx.data.formats.json_stream import records
from earthgptx.data.formats.pairing import file_below
from earthgptx.data.formats.placement import numbers, outlined_object, placed_box
from earthgptx.data.mask_outline import mask_from_runs, polygons_around
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledObject, PixelTarget, Region, Sample, Turn, check_sample
from earthgptx.errors import EnclosesNothing, MalformedDataset, MalformedMark, MarkOutsideImage
from earthgptx.shapes import Box, Mark, Point, check_mark

_IMAGE_WORD = re.compile(r"<image>\s*")
_MARK_WORD = re.compile(r"<(?:Mark|region)\s*(\d+)>", re.IGNORECASE)
_GROUNDED = re.compile(r"<p>(.*?)</p>\s*\[SEG\]", re.DOTALL)
_SEG = re.compile(r"\s*\[SEG\]")


@dataclass(frozen=True)
class _Place:
    """Where a record comes from: its image's folder, and what its sample takes over from the call."""

    images: Path
    dataset: str
    split: str
    sensor: str
    name: str


def read(
    path: Path,
    images: Path,
    *,
    dataset: str,
    split: str,
    sensor: str,
    on_broken: OnBroken = refuse,
    name: str | None = None,
) -> Iterator[Sample]:
    """The samples of a file of dialogues, in its order; each record tells by its fields which form it has.

    Args:
        path: a JSON array or JSON Lines, read record by record.
        images: the folder below which image paths are looked up: as written, then without their first folder,
            their first two, and so on, since releases write the paths of their authors' machines.
        dataset, split: the first parts of every sample's id; a name for the file and the record's number follow.
        sensor: of all images; records of the project's own form name their own.
        on_broken: told of every record that cannot be used.
        name: for the file, in ids; None for its own without the ending.

    Raises:
        MalformedDataset: the file does not exist or is no JSON.
    """
    for number, record in enumerate(records(path), start=1):
        place = _Place(images, dataset, split, sensor, f"{dataset}/{split}/{name or path.stem}/{number}")
        sample: Sample | None = None
        with setting_aside(dataset, f"{path} record {number}", on_broken):
            sample = _sample(record, place)
        if sample is not None:
            yield sample


def _sample(record: Any, place: _Place) -> Sample:
    """The sample of one record.

    Raises:
        MalformedDataset: it has no known form, or its parts do not fit together.
    """
    if not isinstance(record, Mapping):
        raise MalformedDataset(f"a record is an object with named fields, not {str(record)[:40]!r}.")
    read_form = next((reader for fields, reader in _FORMS if all(field in record for field in fields)), None)
    if read_form is None:
        raise MalformedDataset(f"the fields {', '.join(map(str, record))} are those of no known form of dialogue.")
    try:
        return check_sample(read_form(record, place))
    except (MalformedMark, MarkOutsideImage, EnclosesNothing) as error:
        raise MalformedDataset(str(error)) from error  # one mark or mask that is lost makes the words wrong


def _own(record: Mapping[str, Any], place: _Place) -> Sample:
    """The project's own form, as `sample_file.render` writes it."""
    image = _image(record["image"], place)
    line = json.dumps({"sensor": place.sensor, **record, "image": str(image)})
    sample = sample_file.parse(line, where="the record")
    for region in sample.regions:
        check_mark(region.mark, sample.width, sample.height)
    name = f"{place.name}/{record['id']}" if "id" in record else place.name
    return replace(sample, id=name, turns=_turns(record["conversations"]))


def _mdvp(record: Mapping[str, Any], place: _Place) -> Sample:
    """MDVP: boxes as x, y, width, height or points as x, y, and a conversation about ``<Region k>``."""
    image = _image(record["image"], place)
    width, height = image_size(image)
    marks: list[Mark] = []
    if record.get("points"):  # where both are given, the points count, as in its authors' own reader
        for written in _listed(record["points"], "points"):
            marks.append(Point(*numbers(written, 2, "a point of x, y")))
    else:
        for written in _listed(record.get("bbox", ()), "bbox"):
            x, y, across, down = numbers(written, 4, "a box of x, y, width, height")
            marks.append(placed_box(Box(x, y, x + across, y + down), width, height))
    for mark in marks:
        check_mark(mark, width, height)
    turns = _turns(record["conversations"])
    return _built(place, image, (width, height), turns, regions=tuple(map(Region, marks)))


def _geopixeld(record: Mapping[str, Any], place: _Place) -> Sample:
    """GeoPixelD: a conversation whose answers say ``<p> phrase </p> [SEG]``, and the outlines of each ``[SEG]``."""
    image = _image(record["image"], place)
    width, height = image_size(image)
    turns = _turns(record["conversations"])
    answers = "\n".join(turn.text for turn in turns if turn.role == "model")
    named = _segments(answers)
    drawn: list[Callable[[str], LabelledObject]] = []
    outlines = record.get("polygons", record.get("polygon"))
    if outlines is not None:
        drawn = [_from_parts(parts, width, height) for parts in _outlines(outlines, place)]
    else:
        drawn = [_from_runs((runs,), width, height) for runs in _listed(record.get("segmentation"), "segmentation")]
    if len(drawn) != len(named):
        raise MalformedDataset(f"the answers hold {len(named)} [SEG], but there are {len(drawn)} masks.")
    targets = tuple(PixelTarget((draw(label),)) for draw, label in zip(drawn, named, strict=True))
    turns = tuple(replace(turn, text=_with_pix(turn.text)) if turn.role == "model" else turn for turn in turns)
    return _built(place, image, (width, height), turns, targets=targets, task="grounded_caption" if targets else None)


def _grandf(record: Mapping[str, Any], place: _Place) -> Sample:
    """GranD-f: a caption, and for each phrase its place in the caption and its masks."""
    image = _image(record["file_name"], place)
    width, height = image_size(image)
    caption = str(record["caption"]).strip('"').strip()
    spans: list[tuple[int, int, PixelTarget]] = []
    groundings = record["groundings"]
    if not isinstance(groundings, Mapping) or not groundings:
        raise MalformedDataset("groundings names no phrase.")
    for phrase, grounding in groundings.items():
        if not isinstance(grounding, Mapping) or not {"token_positives", "rle_masks"} <= grounding.keys():
            raise MalformedDataset(f"the grounding of {phrase!r} needs token_positives and rle_masks.")
        first, last = numbers(grounding["token_positives"], 2, f"the place of {phrase!r}")
        if not 0 <= first < last <= len(caption):
            raise MalformedDataset(
                f"{phrase!r} stands at {first:g} to {last:g} of a caption of {len(caption)} characters."
            )
        start, end = int(first), int(last)
        draw = _from_runs(_listed(grounding["rle_masks"], "rle_masks"), width, height)
        spans.append((start, end, PixelTarget((draw(_label(str(phrase))),))))
    spans.sort(key=lambda span: span[:2])
    text, reached = "", 0
    for start, end, _ in spans:
        if start < reached:
            raise MalformedDataset(f"the phrases at {start} and before {reached} of the caption overlap.")
        text += f"{caption[reached:start]}<p>{caption[start:end].strip()}</p> <pix>"
        reached = end
    question = phrasing.choose("grounded_caption", random.Random(place.name))
    turns = (Turn("user", question), Turn("model", text + caption[reached:]))
    targets = tuple(target for _, _, target in spans)
    return _built(place, image, (width, height), turns, targets=targets, task="grounded_caption")


# Which fields a form has; the first form whose fields are all there is taken.
_FORMS: tuple[tuple[tuple[str, ...], Callable[[Mapping[str, Any], _Place], Sample]], ...] = (
    (("file_name", "caption", "groundings"), _grandf),
    (("image", "conversations", "polygons"), _geopixeld),
    (("image", "conversations", "polygon"), _geopixeld),
    (("image", "conversations", "segmentation"), _geopixeld),
    (("image", "conversations", "bbox"), _mdvp),
    (("image", "conversations", "points"), _mdvp),
    (("image", "conversations"), _own),
)


def _built(
    place: _Place,
    image: Path,
    size: tuple[int, int],
    turns: tuple[Turn, ...],
    *,
    regions: tuple[Region, ...] = (),
    targets: tuple[PixelTarget, ...] = (),
    task: str | None = None,
) -> Sample:
    return Sample(
        id=place.name,
        image=image,
        sensor=place.sensor,
        width=size[0],
        height=size[1],
        regions=regions,
        turns=turns,
        targets=targets,
        task=task or "dialogue",
    )


def _image(written: Any, place: _Place) -> Path:
    return _file(written, place, "its image")


def _file(written: Any, place: _Place, what: str = "its file of outlines") -> Path:
    """The file below the images' folder, with as many of the written folders as lead to it."""
    found = file_below(str(written), [place.images])
    if found is None:
        raise MalformedDataset(f"{what} does not exist: {place.images} holds no {str(written)[:200]}.")
    return found.path


def _turns(written: Any) -> tuple[Turn, ...]:
    """The turns of a conversation, the words for an image taken out and all names of marks made ``<Region k>``."""
    turns = []
    for turn in _listed(written, "conversations"):
        if not isinstance(turn, Mapping) or not {"from", "value"} <= turn.keys():
            raise MalformedDataset("a turn of the conversation needs from and value.")
        role = sample_file.ROLES.get(str(turn["from"]).lower())
        if role is None:
            known = ", ".join(sample_file.ROLES)
            raise MalformedDataset(f"a turn is from {turn['from']!r}; known speakers: {known}.")
        text = _MARK_WORD.sub(r"<Region \1>", _IMAGE_WORD.sub("", str(turn["value"])))
        turns.append(Turn(role=role, text=text.strip()))
    return tuple(turns)


def _segments(answers: str) -> list[str]:
    """The label of every ``[SEG]``, in order: the words of the phrase before it, "object" where there is none."""
    labels = []
    for piece in answers.split("[SEG]")[:-1]:
        found = _GROUNDED.search(f"{piece[piece.rfind('<p>') :]}[SEG]") if "<p>" in piece else None
        labels.append(_label(found.group(1)) if found else "object")
    return labels


def _with_pix(text: str) -> str:
    """An answer with ``<pix>`` for ``[SEG]``, and phrases closely wrapped, as the project writes them."""
    text = re.sub(r"<p>\s*(.*?)\s*</p>", r"<p>\1</p>", text, flags=re.DOTALL)
    return _SEG.sub(" <pix>", text).strip()


def _label(phrase: str) -> str:
    """A phrase as a label: lower case, without the number by which some tell objects apart ("tennis court-1")."""
    return re.sub(r"-\d+$", "", " ".join(phrase.split()).lower()) or "object"


def _outlines(written: Any, place: _Place) -> Sequence[Any]:
    """The outlines of every ``[SEG]``: as they stand, or in the file of that name."""
    if not isinstance(written, str):
        return _listed(written, "polygons")
    path = _file(written, place)
    return listed(read_json(path), "polygons", path)


def _from_parts(parts: Any, width: int, height: int) -> Callable[[str], LabelledObject]:
    rings = []
    for ring in _listed(parts, "the parts of an outline"):
        rings.append([numbers(point, 2, "a corner of x, y") for point in _listed(ring, "an outline")])
    pairs = [[(point[0], point[1]) for point in ring] for ring in rings]
    return lambda label: outlined_object(pairs, label, width, height)


def _from_runs(runs: Sequence[Any], width: int, height: int) -> Callable[[str], LabelledObject]:
    rings = []
    for written in runs:
        mask = mask_from_runs(written, height=height, width=width)
        rings += [polygon.points for polygon in polygons_around(mask)]
    return lambda label: outlined_object(rings, label, width, height)


def _listed(written: Any, what: str) -> Sequence[Any]:
    if not isinstance(written, Sequence) or isinstance(written, str):
        raise MalformedDataset(f"{what} is a list, not {str(written)[:40]!r}.")
    return written
