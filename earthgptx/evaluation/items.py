"""Predictions taken apart: regions beside their truths, images, groups, and which short answers are right.

Scores, pictures of cases and tables all look at predictions through these few functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from earthgptx.evaluation.metrics import counting
from earthgptx.evaluation.metrics.labels import LabelPair, clean_label
from earthgptx.evaluation.metrics.masks import Overlap
from earthgptx.evaluation.predictions import Prediction, RegionPrediction

Part = TypeVar("Part")


def label_pairs(predictions: Sequence[Prediction]) -> list[LabelPair]:
    """What was said about every region beside what is true."""
    return [LabelPair(region.label, region.truth) for one in predictions for region in one.regions]


def overlaps(regions: Sequence[RegionPrediction]) -> list[Overlap]:
    """The measured overlap of every region that has one."""
    return [region.overlap for region in regions if region.overlap is not None]


def grouped(parts: Sequence[Part], name_of: Callable[[Part], str]) -> dict[str, list[Part]]:
    """The parts under their names, names in alphabetical order."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(name_of(part), []).append(part)
    return dict(sorted(groups.items()))


def image_of(prediction: Prediction) -> str:
    """The image's name: what makes answers err together."""
    return prediction.image or prediction.key.split(":")[0]


def truth_of(prediction: Prediction) -> str:
    """The one true answer; empty where there is none."""
    return prediction.references[0] if prediction.references else ""


def count_of(prediction: Prediction) -> int | None:
    """The true number, where the one true answer is one."""
    truth = clean_label(truth_of(prediction))
    return int(truth) if truth.isdecimal() else None


def is_right(prediction: Prediction) -> bool:
    """Whether a short answer is right: its number, its first word where that is yes or no, else all its words."""
    truth, said, number = clean_label(truth_of(prediction)), clean_label(prediction.text), count_of(prediction)
    if number is not None:
        return counting.is_exact(counting.CountPair(prediction.text, number))
    if truth in ("yes", "no"):
        return said.split()[:1] == [truth]
    return bool(said) and said == truth
