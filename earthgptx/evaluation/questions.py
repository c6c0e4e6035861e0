"""Labelled images to posed questions, and posed questions to predictions, a few images at a time.

An image is encoded once for all its questions. Questions of one window of images are sorted by their number
of marks before they are cut into batches, so that a batch holds prompts of much the same length; since
each question is a dialogue of its own, the order is free. This module neither knows what is asked nor scores what comes
back.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from earthgptx.data.datasets import available, missing
from earthgptx.data.freeform import FIXED_MARKS
from earthgptx.data.imagery import Scene
from earthgptx.data.sample import LabelledImage, PixelTarget
from earthgptx.errors import MalformedDataset
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.predictions import Prediction
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Question, Session
from earthgptx.shapes import Mark

logger = logging.getLogger(__name__)

ALL_MARKS = "all"
IMAGES_AT_ONCE = 16  # sessions held in memory; their questions are sorted and batched together

Progress = Callable[[int, int], None]
"""Called with (questions answered, questions in all) at the start and after every batch."""


class Answerer(Protocol):
    """What a benchmark needs of an assistant."""

    def look(self, scene: Scene, *, now: bool = ...) -> Session:
        """Encodes an image once; not before its first question if not `now`."""
        ...

    def answer(
        self,
        questions: Sequence[Question],
        *,
        max_new_tokens: int = ...,
        temperature: float = ...,
        seed: int = ...,
        num_beams: int = ...,
    ) -> list[Answer]:
        """Answers a batch of questions, in their order."""
        ...


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Under which conditions a benchmark is run.

    Attributes:
        data: folder that holds the data sets' folders.
        split: train, val or test.
        marks: how regions are marked: box, point or freeform, or all: every question once with each.
        seed: picks the fixed marks, and the images where `limit` is set.
        regions_per_question: most regions marked in one question; 4 is what training mostly shows
            (data.instructions.MAX_REGIONS; one question in five may hold up to 8).
        batch_size: questions answered together; bf16 rounds otherwise in another batch, so a close word can differ.
        limit: ask about this many images of each data set at most; None asks about all.
        datasets: ask about these instead of the benchmark's own; None keeps those.
    """

    data: Path
    split: str = "val"
    marks: str = "box"
    seed: int = 0
    regions_per_question: int = 4
    batch_size: int = 16
    limit: int | None = None
    datasets: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        if self.marks not in (*FIXED_MARKS, ALL_MARKS):
            raise ValueError(f"marks must be one of {', '.join((*FIXED_MARKS, ALL_MARKS))}, not {self.marks!r}")
        if min(self.regions_per_question, self.batch_size) < 1:
            raise ValueError(
                f"regions_per_question and batch_size must be at least 1, not {self.regions_per_question} "
                f"and {self.batch_size}"
            )

    @property
    def kinds_of_marks(self) -> tuple[str, ...]:
        """The kinds of mark that each object is asked about with, one after the other."""
        return FIXED_MARKS if self.marks == ALL_MARKS else (self.marks,)


@dataclass(frozen=True)
class PosedQuestion:
    """A question about one labelled image.

    Attributes:
        key: names the question in the journal; equal conditions give equal keys.
        image: what it is about.
        objects: indices of the image's objects that are asked about, in the order of the marks.
        marks: one mark an object, or whatever else the question needs marked.
        text: the words.
        marked_by: the kind of the marks; empty where there are none.
        answers: the true answers, where the question is about the whole image.
        targets: the true masks of the phrases of the first answer, in order.
    """

    key: str
    image: LabelledImage
    objects: tuple[int, ...]
    marks: tuple[Mark, ...]
    text: str
    marked_by: str = ""
    answers: tuple[str, ...] = ()
    targets: tuple[PixelTarget, ...] = ()


def labelled_images(names: Sequence[str], conditions: Conditions) -> tuple[list[LabelledImage], tuple[str, ...]]:
    """The images of those data sets that are there, and a sentence for each that is not.

    Raises:
        MalformedDataset: none of them is there, or one is but cannot be read.
    """
    images: list[LabelledImage] = []
    notes: list[str] = []
    for name in names:
        if absent := missing(conditions.data, conditions.split, (name,)):
            notes.extend(f"Skipped: {sentence}" for sentence in absent)
            continue
        found = sorted(available(conditions.data, conditions.split, names=(name,)), key=lambda image: image.id)
        if conditions.limit is not None and len(found) > conditions.limit:
            notes.append(f"Asked about {conditions.limit} of the {len(found)} images of {name}.")
            random.Random(f"{conditions.seed}/{name}").shuffle(found)
            found = found[: conditions.limit]
        images.extend(found)
    if not images:
        raise MalformedDataset(f"{conditions.data} holds no {conditions.split} split of any of {', '.join(names)}.")
    for note in notes:
        logger.warning("%s", note)
    return images, tuple(notes)


def ask_all(
    assistant: Answerer,
    questions: Sequence[PosedQuestion],
    journal: Journal,
    record: Callable[[PosedQuestion, Answer], Prediction],
    *,
    batch_size: int,
    max_new_tokens: int,
    num_beams: int,
    progress: Progress,
) -> list[Prediction]:
    """Puts every question that the journal has no answer to; gives all predictions in the questions' order.

    Args:
        assistant: who is asked.
        questions: with distinct keys.
        journal: gets every answer as it comes.
        record: turns an answer into what is kept of it.
        batch_size: questions answered together.
        max_new_tokens: an answer is cut there.
        num_beams: of `Assistant.answer`.
        progress: is told how far the run is.

    Raises:
        MalformedDataset: an image file's size is not what its annotations say.
    """
    pending = [question for question in questions if question.key not in journal.predictions]
    num_done = len(questions) - len(pending)
    progress(num_done, len(questions))
    for window in _windows(pending):
        sessions: dict[str, Session] = {}
        for start in range(0, len(window), batch_size):
            batch = window[start : start + batch_size]
            # A scene's features are held from its first batch to its last, never into the next window.
            still_asked = {question.image.id for question in window[start:]}
            sessions = {image_id: session for image_id, session in sessions.items() if image_id in still_asked}
            for question in batch:
                if question.image.id not in sessions:
                    sessions[question.image.id] = assistant.look(_open(question.image), now=False)
            answers = assistant.answer(
                [Question(session=sessions[one.image.id], text=one.text, marks=one.marks) for one in batch],
                max_new_tokens=max_new_tokens,
                temperature=0.0,
                seed=0,
                num_beams=num_beams,
            )
            for question, answer in zip(batch, answers, strict=True):
                journal.write(record(question, answer))
            num_done += len(batch)
            progress(num_done, len(questions))
    return [journal.predictions[question.key] for question in questions]


def _windows(questions: Sequence[PosedQuestion]) -> Iterator[list[PosedQuestion]]:
    """The questions about each few images, those with most marks first: memory runs out early or never."""
    by_image: dict[str, list[PosedQuestion]] = {}
    for question in questions:
        by_image.setdefault(question.image.id, []).append(question)
    groups = list(by_image.values())
    for start in range(0, len(groups), IMAGES_AT_ONCE):
        window = [question for group in groups[start : start + IMAGES_AT_ONCE] for question in group]
        yield sorted(window, key=lambda question: -len(question.marks))


def _open(image: LabelledImage) -> Scene:
    scene = Scene.open(image.path, sensor=image.sensor)
    if (scene.width, scene.height) != (image.width, image.height):
        raise MalformedDataset(
            f"{image.path} is {scene.width} x {scene.height} but its annotations say {image.width} x {image.height}."
        )
    return scene
