"""What a system answered to each question of a benchmark, beside the truth, and the JSON Lines file of it.

The file is the border between asking and scoring: `earthgptx evaluate` writes it, so may any other system, and
scores come from nothing else. docs/evaluation.md describes it for people who write it with their own code. Nothing
here knows a model or a data set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from earthgptx.errors import EarthGPTXError, MalformedPredictions
from earthgptx.evaluation.metrics.masks import Overlap, overlap
from earthgptx.processing.answers import label_of, parse
from earthgptx.rasters import pack_runs
from earthgptx.shapes import Mark, Mask, mark_from_json

Settings = Mapping[str, str | int | float | None]
FINISHED = {"finished": True}
UNKNOWN = "unknown"

Item = TypeVar("Item")


@dataclass(frozen=True)
class RegionPrediction:
    """What was said about one region, beside the truth.

    Attributes:
        index: the object's place among the image's objects, from 0.
        truth: its class name.
        label: the words that were given for it; None where there were none.
        confidence: the system's own probability of those words, in [0, 1]; 0 where it gave none.
        mask: the predicted pixels; None where none were asked for or given.
        overlap: predicted against true pixels, where masks were asked for.
        mark: how the region was marked, in pixels of the image; None where words referred to it.
        true_mask: the true pixels, where masks were asked for.
        references: the true captions, for captions of regions.
    """

    index: int
    truth: str
    label: str | None
    confidence: float
    mask: Mask | None = None
    overlap: Overlap | None = None
    mark: Mark | None = None
    true_mask: Mask | None = None
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class PhraseMask:
    """A phrase of a caption, the pixels it speaks of (None: it has no mask), and how sure the system is of them."""

    phrase: str
    mask: Mask | None
    confidence: float = 1.0


@dataclass(frozen=True)
class Prediction:
    """One question's answer.

    Attributes:
        key: names the question within its benchmark, data set and split included.
        dataset: name of the data set.
        sensor: the image's sensor.
        text: the answer as the system wrote it, without what scores cannot use (the tags of a caption).
        regions: one entry a region asked about, in the order asked; empty where the whole image was.
        references: the true answers, where the question is about the whole image: captions, a class, a short answer.
        question: the words that were asked.
        image: the image file, as a path below the folder of the data sets.
        size: (height, width) of the image in pixels; (0, 0) where unknown.
        marks: how regions were marked: box, point or freeform; empty where nothing was.
        phrases: the phrases of a grounded caption with their masks, in order.
        true_phrases: what the caption should have spoken of.
    """

    key: str
    dataset: str
    sensor: str
    text: str
    regions: tuple[RegionPrediction, ...] = ()
    references: tuple[str, ...] = ()
    question: str = ""
    image: str = ""
    size: tuple[int, int] = (0, 0)
    marks: str = ""
    phrases: tuple[PhraseMask, ...] = ()
    true_phrases: tuple[PhraseMask, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The prediction as one JSON object; `from_json` gives an equal prediction back."""
        about: dict[str, Any] = {"key": self.key, "dataset": self.dataset, "sensor": self.sensor}
        if self.image:
            about |= {"image": self.image, "size": list(self.size)}
        about |= {name: value for name, value in (("question", self.question), ("marks", self.marks)) if value}
        about |= {
            "text": self.text,
            "regions": [_region_to_json(region) for region in self.regions],
            "references": list(self.references),
        }
        for name, phrases in (("phrases", self.phrases), ("true_phrases", self.true_phrases)):
            if phrases:
                about[name] = [_phrase_to_json(one) for one in phrases]
        return about

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The prediction that `to_json` wrote; a `KeyError` or `TypeError` where it is none."""
        height, width = record.get("size", (0, 0))
        return cls(
            key=record["key"],
            dataset=record["dataset"],
            sensor=record["sensor"],
            text=record["text"],
            regions=tuple(_region_from_json(region) for region in record["regions"]),
            references=tuple(record["references"]),
            question=record.get("question", ""),
            image=record.get("image", ""),
            size=(int(height), int(width)),
            marks=record.get("marks", ""),
            phrases=_phrases_from_json(record.get("phrases", ())),
            true_phrases=_phrases_from_json(record.get("true_phrases", ())),
        )


@dataclass(frozen=True)
class PredictionFile:
    """A file of predictions, read.

    Attributes:
        predictions: in the order of the file.
        settings: of the run that wrote it, as its first line has them; empty where it has none.
        num_questions: how many answers a whole run has; None where the file does not say.
        is_finished: whether the run that wrote it came to its end; None where the file does not say.
    """

    predictions: tuple[Prediction, ...]
    settings: Settings = field(default_factory=dict)
    num_questions: int | None = None
    is_finished: bool | None = None


def read_predictions(path: Path) -> PredictionFile:
    """Reads a file of predictions, whoever wrote it.

    Only ``key`` and what is scored must be there. A region without the member ``label`` gets what ``text`` says of
    it in lines like ``<Region 1>: ship``. Overlaps of masks are measured here wherever the true mask is there, so
    that no number is taken on trust. A last line that was cut off is left out.

    Raises:
        MalformedPredictions: there is no such file, or a line is not what docs/evaluation.md says.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MalformedPredictions(f"The predictions {path} cannot be read: {error.strerror}.") from error
    lines = content.splitlines()
    if lines and not content.endswith(b"\n") and not _is_json(lines[-1]):
        lines.pop()
    header: Mapping[str, Any] = {}
    is_finished = None
    found: dict[str, Prediction] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = _object(line, path, number)
        if number == 1 and "settings" in record:
            header, is_finished = record, False
        elif record == FINISHED:
            is_finished = True
        else:
            prediction = _checked(record, path, number)
            if prediction.key in found:
                raise MalformedPredictions(f"Line {number} of {path} answers {prediction.key!r} a second time.")
            found[prediction.key] = prediction
    if not found:
        raise MalformedPredictions(f"{path} holds {len(lines)} lines and 0 predictions.")
    settings, num_questions = header.get("settings", {}), header.get("questions")
    if not isinstance(settings, Mapping) or not isinstance(num_questions, int | None):
        raise MalformedPredictions(f'Line 1 of {path}: "settings" must be an object and "questions" a number.')
    return PredictionFile(tuple(found.values()), settings, num_questions, is_finished)


def write_predictions(
    path: Path, predictions: Sequence[Prediction], settings: Settings, *, num_questions: int | None = None
) -> None:
    """Writes a whole file at once; a reader never sees half of it.

    Args:
        path: its folder must exist.
        predictions: in the order of the lines.
        settings: whatever says how the answers came about; ``benchmark`` says what they answer.
        num_questions: how many answers a whole run has; the number of predictions if None.
    """
    total = len(predictions) if num_questions is None else num_questions
    head = json_line({"settings": dict(settings), "questions": total})
    write_whole(path, [head, *(json_line(one.to_json()) for one in predictions), json_line(FINISHED)])


def write_form(path: Path, predictions: Iterable[Prediction], settings: Settings) -> int:
    """Writes questions as predictions that nobody has made yet: the form that another system fills in.

    A line is as in `write_predictions`, without ``text`` and, in each region, without ``label``, ``confidence``
    and ``mask``. Gives the number of questions.
    """
    lines = []
    for one in predictions:
        record = one.to_json()
        del record["text"]
        for region in record["regions"]:
            for name in ("label", "confidence", "overlap"):
                region.pop(name, None)
        lines.append(json_line(record))
    head = json_line({"settings": dict(settings), "questions": len(lines)})
    write_whole(path, [head, *lines])
    return len(lines)


def write_whole(path: Path, lines: Iterable[str]) -> None:
    """Writes a text file under another name and renames it when it is whole."""
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8") as stream:
        stream.writelines(lines)
    os.replace(unfinished, path)


def json_line(record: Mapping[str, Any]) -> str:
    """One line of a file of predictions, its line break included."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise MalformedPredictions(f"Line {number} of {path} is not JSON: {error}.") from error
    if not isinstance(record, dict):
        raise MalformedPredictions(f"Line {number} of {path} is a {type(record).__name__}, not an object.")
    return record


def _checked(record: Mapping[str, Any], path: Path, number: int) -> Prediction:
    """A line from anywhere as a prediction, with the defaults of `read_predictions`."""
    try:
        whole = Prediction.from_json(_filled_in(record))
        regions = tuple(map(_measured, whole.regions))
        _check_types(whole)
    except KeyError as error:
        raise MalformedPredictions(f"Line {number} of {path} lacks the member {error}.") from error
    except (TypeError, ValueError, AttributeError, EarthGPTXError) as error:
        raise MalformedPredictions(f"Line {number} of {path} is no prediction: {error}") from error
    return Prediction(**{**whole.__dict__, "regions": regions})


def _check_types(prediction: Prediction) -> None:
    texts = [prediction.key, prediction.dataset, prediction.sensor, prediction.text, *prediction.references]
    for region in prediction.regions:
        texts += [region.truth, *region.references]
        numbers: tuple[Any, Any] = (region.index, region.confidence)
        if not isinstance(numbers[0], int) or not isinstance(numbers[1], int | float):
            raise TypeError(f"index and confidence are numbers, not {numbers[0]!r} and {numbers[1]!r}.")
        if not region.truth.strip():
            raise ValueError(f"the region of index {region.index} has no true class.")
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is no text.")
    for phrase in (*prediction.phrases, *prediction.true_phrases):
        if phrase.mask is not None:
            phrase.mask.check_counts()


def _filled_in(record: Mapping[str, Any]) -> dict[str, Any]:
    said = record.get("text") or ""
    written = {region.number: label_of(region.text) for region in parse(said).regions}
    regions = []
    for place, region in enumerate(record.get("regions", ()), start=1):
        label = region["label"] if "label" in region else written.get(place)
        if label is not None and not isinstance(label, str):
            raise TypeError(f"the label {label!r} of region {place} is no text")
        given = 1.0 if label else 0.0
        defaults = {"index": place - 1, "truth": UNKNOWN, "confidence": given}
        regions.append({**defaults, **region, "label": (label or "").strip() or None})
    defaults = {"dataset": UNKNOWN, "sensor": UNKNOWN, "references": ()}
    return {**defaults, **record, "text": said, "regions": regions}


def _measured(region: RegionPrediction) -> RegionPrediction:
    mask, truth = region.mask, region.true_mask
    if mask is not None:
        mask.check_counts()
    if truth is None:
        return region
    if mask is not None and (mask.height, mask.width) != (truth.height, truth.width):
        raise ValueError(f"a mask of {mask.width} x {mask.height} where the image is {truth.width} x {truth.height}.")
    measured = overlap(None if mask is None else mask.to_array(), truth.to_array())
    return RegionPrediction(**{**region.__dict__, "overlap": measured})


def _region_to_json(region: RegionPrediction) -> dict[str, Any]:
    record: dict[str, Any] = {
        "index": region.index,
        "truth": region.truth,
        "label": region.label,
        "confidence": region.confidence,
    }
    if region.mask is not None:
        record["mask"] = _mask_to_json(region.mask)
    if region.overlap is not None:
        record["overlap"] = [region.overlap.intersection, region.overlap.union]
    if region.mark is not None:
        record["mark"] = region.mark.to_json()
    if region.true_mask is not None:
        record["true_mask"] = _mask_to_json(region.true_mask)
    if region.references:
        record["references"] = list(region.references)
    return record


def _region_from_json(record: Mapping[str, Any]) -> RegionPrediction:
    measured = record.get("overlap")
    return RegionPrediction(
        index=record["index"],
        truth=record["truth"],
        label=record["label"],
        confidence=record["confidence"],
        mask=_mask_from_json(record.get("mask")),
        overlap=Overlap(intersection=measured[0], union=measured[1]) if measured else None,
        mark=_given(record.get("mark"), mark_from_json),
        true_mask=_mask_from_json(record.get("true_mask")),
        references=tuple(record.get("references", ())),
    )


def _given(value: Any, read: Callable[[Any], Item]) -> Item | None:
    return None if value is None else read(value)


def _phrases_from_json(records: Sequence[Mapping[str, Any]]) -> tuple[PhraseMask, ...]:
    return tuple(
        PhraseMask(one["phrase"], _mask_from_json(one.get("mask")), one.get("confidence", 1.0)) for one in records
    )


def _phrase_to_json(one: PhraseMask) -> dict[str, Any]:
    return {"phrase": one.phrase, "mask": _mask_to_json(one.mask), "confidence": one.confidence}


def _mask_to_json(mask: Mask | None) -> dict[str, Any] | None:
    return None if mask is None else {"size": [mask.height, mask.width], "counts": mask.counts}


def _mask_from_json(record: Mapping[str, Any] | None) -> Mask | None:
    """COCO's run lengths, compressed or as a list of numbers."""
    if not record:
        return None
    (height, width), counts = record["size"], record["counts"]
    return Mask(height=height, width=width, counts=counts if isinstance(counts, str) else pack_runs(counts))
