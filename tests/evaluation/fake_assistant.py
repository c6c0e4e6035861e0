"""An assistant that knows the truth, and may spoil it: what benchmarks are tested with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earthgptx.data.datasets import available
from earthgptx.data.freeform import fixed_mark
from earthgptx.data.imagery import Scene
from earthgptx.data.sample import LabelledObject
from earthgptx.evaluation.questions import Conditions
from earthgptx.inference.answer import Answer, AnsweredMask, AnsweredRegion
from earthgptx.inference.assistant import Question

_PLACES: dict[str, int] = {}


def one_hot(texts: list[str]) -> np.ndarray:
    """An embedding in which two labels are either the same or have nothing in common."""
    places = [_PLACES.setdefault(text, len(_PLACES)) for text in texts]
    return np.eye(1024)[places]


@dataclass(frozen=True)
class FakeSession:
    scene: Scene


class FakeAssistant:
    """Answers from the labels, through a function that may spoil the truth."""

    def __init__(self, conditions: Conditions, *, label: Callable[[str], str] = str, shift: int = 0) -> None:
        self.looked: list[Path | None] = []
        self.batches: list[list[int]] = []
        self.token_limits: set[int] = set()
        self.stop_after: int | None = None
        self.features: Path | None = None
        self.looked_at_once: list[bool] = []
        self._label, self._shift = label, shift
        self._images = {}
        self._truth: dict[tuple[Path | None, object], LabelledObject] = {}
        for image in available(conditions.data, conditions.split):
            self._images[image.path] = image
            for index, item in enumerate(image.objects):
                self._truth[image.path, fixed_mark(image, index, conditions.marks, conditions.seed)] = item

    def look(self, scene: Scene, *, now: bool = True) -> FakeSession:
        self.looked_at_once.append(now)
        self.looked.append(scene.path)
        return FakeSession(scene)

    def answer(
        self, asked: Sequence[Question], *, max_new_tokens=256, temperature=0.0, seed=0, num_beams=1
    ) -> list[Answer]:
        if self.stop_after is not None and len(self.batches) >= self.stop_after:
            raise KeyboardInterrupt
        assert temperature == 0
        self.token_limits.add(max_new_tokens)
        self.batches.append([len(question.marks) for question in asked])
        return [self._answer(question) for question in asked]

    def _answer(self, question: Question) -> Answer:
        scene = question.session.scene
        regions, masks = [], []
        for number, mark in enumerate(question.marks, start=1):
            item = self._truth[scene.path, mark]
            array = np.roll(item.mask(scene.height, scene.width), self._shift, axis=1)
            label = self._label(item.label)
            regions.append(AnsweredRegion(number=number, mark=mark, label=label, confidence=0.9, mask=array))
            if label:
                masks.append(AnsweredMask(array=array, region=number, phrase=None, confidence=0.8))
        text = "<p>" + self._images[scene.path].captions[0] + "</p>" if not question.marks else "<Region 1>: ..."
        return Answer(scene=scene, question=question.text, text=text, regions=tuple(regions), masks=tuple(masks))
