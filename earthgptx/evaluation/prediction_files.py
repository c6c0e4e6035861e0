"""Files of predictions, JSON Lines: read with care, because any system may have written them, and written whole.

docs/evaluation.md describes the form. A line that cannot be scored is refused with its number, so that nothing after
this module meets a surprise.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from earthgptx.errors import EarthGPTXError, MalformedPredictions
from earthgptx.evaluation.metrics.labels import clean_label
from earthgptx.evaluation.metrics.masks import overlap
from earthgptx.evaluation.predictions import Prediction, RegionPrediction
from earthgptx.processing.answers import label_of, parse

Settings = Mapping[str, str | int | float | None]
FINISHED = {"finished": True}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class PredictionFile:
    """A file of predictions, read.

    Attributes:
        predictions: in the order of the file.
        settings: of the run that wrote it, as its first line has them; empty where it has none.
        num_questions: how many answers a whole run has; None where the file does not say.
        is_finished: whether the run that wrote it came to its end; None where the file does not say.
        was_cut: whether the last line is half a line, and was left out.
    """

    predictions: tuple[Prediction, ...]
    settings: Settings = field(default_factory=dict)
    num_questions: int | None = None
    is_finished: bool | None = None
    was_cut: bool = False


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
    last = content[content.rfind(b"\n") + 1 :]
    was_cut = bool(last.strip()) and not _is_json(last)
    header: Mapping[str, Any] = {}
    is_finished = None
    found: dict[str, Prediction] = {}
    num_lines = 0
    for number, record in numbered_objects(content[: len(content) - len(last)] if was_cut else content, path):
        num_lines += 1
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
        raise MalformedPredictions(f"{path} holds {num_lines} whole lines and 0 predictions.")
    settings, num_questions = header.get("settings", {}), header.get("questions")
    if not isinstance(settings, Mapping) or not isinstance(num_questions, int | None):
        raise MalformedPredictions(f'Line 1 of {path}: "settings" must be an object and "questions" a number.')
    return PredictionFile(tuple(found.values()), settings, num_questions, is_finished, was_cut)


def numbered_objects(content: bytes, path: Path, advice: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of JSON Lines with their lines' numbers from 1; blank lines are skipped.

    Args:
        content: of the file.
        path: of the file, for refusals.
        advice: what to do, as the end of a refusal's sentence.

    Raises:
        MalformedPredictions: a line is no JSON object.
    """
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise MalformedPredictions(f"Line {number} of {path} is not JSON: {error}{advice}.") from error
        if not isinstance(record, dict):
            raise MalformedPredictions(f"Line {number} of {path} is a {type(record).__name__}, not an object{advice}.")
        yield number, record


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


def _checked(record: Mapping[str, Any], path: Path, number: int) -> Prediction:
    """A line from anywhere as a prediction, with the defaults of `read_predictions`."""
    try:
        whole = Prediction.from_json(_filled_in(record))
        _check_texts(whole)
        _check_phrases(whole)
        regions = tuple(map(_measured, whole.regions))
    except KeyError as error:
        raise MalformedPredictions(f"Line {number} of {path} lacks the member {error}.") from error
    except (TypeError, ValueError, IndexError, OverflowError, AttributeError, EarthGPTXError) as error:
        raise MalformedPredictions(f"Line {number} of {path} is no prediction: {error}") from error
    return replace(whole, regions=regions)


def _filled_in(record: Mapping[str, Any]) -> dict[str, Any]:
    _check_lists(record, "regions", "references", "phrases", "true_phrases")
    said = record.get("text") or ""
    written = {region.number: label_of(region.text) for region in parse(said).regions}
    regions = []
    for place, region in enumerate(record.get("regions", ()), start=1):
        _check_lists(region, "references")
        label = region["label"] if "label" in region else written.get(place)
        if label is not None and not isinstance(label, str):
            raise TypeError(f"the label {label!r} of region {place} is no text")
        given = 1.0 if label else 0.0
        defaults = {"index": place - 1, "truth": UNKNOWN, "confidence": given}
        regions.append({**defaults, **region, "label": (label or "").strip() or None})
    defaults = {"dataset": UNKNOWN, "sensor": UNKNOWN, "references": ()}
    return {**defaults, **record, "text": said, "regions": regions}


def _check_lists(record: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if name in record and not isinstance(record[name], list):
            raise TypeError(f'"{name}" is a {type(record[name]).__name__}, not a list.')


def _check_texts(prediction: Prediction) -> None:
    texts = [prediction.key, prediction.dataset, prediction.sensor, prediction.text, *prediction.references]
    texts += [prediction.question, prediction.image, prediction.marks]
    texts += [phrase.phrase for phrase in (*prediction.phrases, *prediction.true_phrases)]
    texts += [text for region in prediction.regions for text in (region.truth, region.label or "", *region.references)]
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is no text.")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError(f"{text!r} holds half a character, which no file can.")
    for region in prediction.regions:
        if not clean_label(region.truth):
            raise ValueError(f"the region of index {region.index} has no true class, but {region.truth!r}.")


def _check_phrases(prediction: Prediction) -> None:
    phrases = (*prediction.phrases, *prediction.true_phrases)
    for phrase in phrases:
        _check_numbers("confidence", phrase.confidence)
        if phrase.mask is not None:
            phrase.mask.check_counts()
    sizes = {(phrase.mask.width, phrase.mask.height) for phrase in phrases if phrase.mask is not None}
    if len(sizes) > 1:
        raise ValueError("masks of " + " and ".join(f"{w} x {h}" for w, h in sorted(sizes)) + " of one image.")


def _check_numbers(name: str, *values: object) -> None:
    for value in values:
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise TypeError(f"{name} is a number, not {value!r}.")


def _measured(region: RegionPrediction) -> RegionPrediction:
    """The region with its overlap, measured here if the true mask is there and else at least possible."""
    _check_numbers("index", region.index)
    _check_numbers("confidence", region.confidence)
    mask, truth, told = region.mask, region.true_mask, region.overlap
    if mask is not None:
        mask.check_counts()
    if truth is None:
        if told is not None:
            _check_numbers("overlap", told.intersection, told.union)
            if not 0 <= told.intersection <= told.union:
                raise ValueError(f"an overlap of {told.intersection} pixels where {told.union} are covered.")
        return region
    truth.check_counts()
    if mask is not None and (mask.height, mask.width) != (truth.height, truth.width):
        raise ValueError(f"a mask of {mask.width} x {mask.height} where the image is {truth.width} x {truth.height}.")
    measured = overlap(None if mask is None else mask.to_array(), truth.to_array())
    return replace(region, overlap=measured)
