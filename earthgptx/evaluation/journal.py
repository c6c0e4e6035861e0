"""The file that answers are kept in while a benchmark runs, so that a run that was stopped goes on where it was.

It is a file of predictions (`prediction_files`): the settings, then one line a question in the order answered, then a
closing mark. Each line is written and flushed before the next question is asked; not even `kill -9` loses more than
the line it cut. Scores are always computed from what was written here.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from earthgptx.evaluation.prediction_files import FINISHED, Settings, json_line, numbered_objects, write_whole
from earthgptx.evaluation.predictions import Prediction

logger = logging.getLogger(__name__)


class Journal:
    """The predictions of one benchmark run, in memory and on disk.

    Use `Journal.open`, as a context manager. `predictions` maps each question's key to its answer.
    """

    def __init__(self, path: Path, stream: TextIO, predictions: dict[str, Prediction]) -> None:
        self.path = path
        self.predictions = predictions
        self.num_resumed = len(predictions)
        self._stream = stream

    @classmethod
    def open(cls, path: Path, settings: Settings, *, fresh: bool = False, num_questions: int | None = None) -> Journal:
        """Goes on with the unfinished run in `path`, or starts a new one there.

        A file with other settings, or of a run that came to its end, is renamed to ``*.previous.jsonl`` (or
        ``*.previous-2.jsonl`` and so on) and left alone: a finished measurement that is started again is
        measured again.

        Args:
            path: the JSON Lines file; its folder is made if need be.
            settings: everything that changes an answer. Two runs with equal settings may be joined.
            fresh: never go on with what is there.
            num_questions: how many answers make a whole run, for whoever reads the file; None leaves it out. It may
                differ from the earlier run's, which a limit on the images does; the file then says the new number.

        Raises:
            MalformedPredictions: the file is there but a line of it is no JSON object.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {"settings": dict(settings)} | ({} if num_questions is None else {"questions": num_questions})
        if path.exists():
            predictions = None if fresh else _unfinished(path, head)
            if predictions is not None:
                logger.warning("%d answers of an earlier, unfinished run are taken from %s", len(predictions), path)
                return cls(path, path.open("a", encoding="utf-8"), predictions)
            kept = _free_name(path)
            os.replace(path, kept)
            logger.warning("the predictions of an earlier run were moved to %s", kept)
        journal = cls(path, path.open("w", encoding="utf-8"), {})
        journal._write_line(head)
        return journal

    def write(self, prediction: Prediction) -> None:
        """Adds one answer, on disk before this returns."""
        self._write_line(prediction.to_json())
        self.predictions[prediction.key] = prediction

    def finish(self) -> None:
        """Marks the run as complete, so that the next one with this path starts anew."""
        self._write_line(FINISHED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def _write_line(self, record: Mapping[str, Any]) -> None:
        self._stream.write(json_line(record))
        self._stream.flush()


def _free_name(path: Path) -> Path:
    """Where an earlier run's file is kept: the first name that no other run's file has."""
    names = itertools.chain([".previous.jsonl"], (f".previous-{number}.jsonl" for number in itertools.count(2)))
    return next(kept for kept in map(path.with_suffix, names) if not kept.exists())


def _unfinished(path: Path, head: Mapping[str, Any]) -> dict[str, Prediction] | None:
    """The predictions in a file of the same settings that has no end yet, else None.

    A last line without its line break was cut off while it was written; it is removed from the file, and its first line
    becomes `head`. A line that lacks a field counts as never written.
    """
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    records = list(numbered_objects(whole, path, "; use --fresh or another --out"))
    if not records or records[0][1].get("settings") != head["settings"] or records[-1][1] == FINISHED:
        return None
    predictions = []
    for number, record in records[1:]:
        try:
            predictions.append(Prediction.from_json(record))
        except (KeyError, IndexError, TypeError):
            logger.warning("Line %d of %s is not a whole answer; its question is asked again.", number, path)
    if whole != content or records[0][1] != head:
        write_whole(path, [json_line(head), whole.split(b"\n", 1)[1].decode("utf-8")])
    return {prediction.key: prediction for prediction in predictions}
