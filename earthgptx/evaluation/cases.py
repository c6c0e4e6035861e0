"""Which answers are looked at one by one, chosen by rule and never by hand.

Every answered question gets a score in [0, 1] by its kind; the worst and the best of each sensor, and cases spread
evenly over the wrong and over the right ones, follow from scores and seed alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earthgptx.evaluation.items import grouped, is_right, overlaps
from earthgptx.evaluation.metrics import grounded
from earthgptx.evaluation.metrics.captions import tokenise
from earthgptx.evaluation.metrics.labels import semantic_iou
from earthgptx.evaluation.predictions import Prediction

RIGHT_MASK = 0.5  # IoU from which a mask counts as right, as in Pr@0.5


@dataclass(frozen=True)
class Case:
    """One answered question and how good the answer is.

    Attributes:
        prediction: question, answer and truth.
        score: in [0, 1].
        is_right: whether all of the answer is right.
        measure: what the score is, in a word or two.
    """

    prediction: Prediction
    score: float
    is_right: bool
    measure: str


def judge(kind: str, predictions: Sequence[Prediction]) -> list[Case]:
    """Every prediction with its score; what has nothing to be scored is left out.

    Args:
        kind: a name of `scoring.KINDS`.
        predictions: in any order.
    """
    measure, score, right_from = _MEASURES[kind]
    cases = []
    for one in predictions:
        scores = score(one)
        if scores:
            mean = sum(scores) / len(scores)
            cases.append(Case(one, mean, min(scores) >= right_from, measure))
    return cases


def extremes(cases: Sequence[Case], number: int, seed: int = 0) -> tuple[list[Case], list[Case]]:
    """The worst and the best of each sensor, `number` of each, worst first and best first; no case is in both."""
    worst: list[Case] = []
    best: list[Case] = []
    for part in grouped(cases, lambda case: case.prediction.sensor).values():
        ordered = _by_score(part, seed)
        num = min(number, (len(ordered) + 1) // 2)
        worst += ordered[:num]
        best += ordered[::-1][: min(num, len(ordered) - num)]
    return worst, best


def spread(cases: Sequence[Case], number: int, seed: int = 0) -> dict[str, list[Case]]:
    """For each sensor `number` cases, half of them wrong: those at evenly spaced quantiles of the score.

    Wrong and right ones are taken apart first, because most answers of a good model are right. Where there are too
    few of one, the other fills up.
    """
    rows = {}
    for sensor, part in grouped(cases, lambda case: case.prediction.sensor).items():
        wrong = _by_score([case for case in part if not case.is_right], seed)
        right = _by_score([case for case in part if case.is_right], seed)
        num_wrong = min(len(wrong), max(number // 2, number - len(right)))
        rows[sensor] = _quantiles(wrong, num_wrong) + _quantiles(right, min(len(right), number - num_wrong))
    return rows


def _quantiles(ordered: Sequence[Case], number: int) -> list[Case]:
    """The cases at quantiles 1/2n, 3/2n, ... of the order, so that neither end is taken for typical."""
    return [ordered[int((place + 0.5) * len(ordered) / number)] for place in range(number)]


def _by_score(cases: Sequence[Case], seed: int) -> list[Case]:
    """By rising score; equals in an order that only the seed decides."""

    def lot(case: Case) -> str:
        return hashlib.sha256(f"{seed}/{case.prediction.key}".encode()).hexdigest()

    return sorted(cases, key=lambda case: (case.score, lot(case)))


def _classes(one: Prediction) -> list[float]:
    return [semantic_iou(region.label, region.truth) for region in one.regions]


def _masks(one: Prediction) -> list[float]:
    return [overlap.iou for overlap in overlaps(one.regions)]


def _caption(one: Prediction) -> list[float]:
    return [_shared_words(one.text, one.references)] if one.references else []


def _region_captions(one: Prediction) -> list[float]:
    return [_shared_words(region.label or "", region.references) for region in one.regions if region.references]


def _answer(one: Prediction) -> list[float]:
    return [float(is_right(one))] if one.references else []


def _phrases(one: Prediction) -> list[float]:
    said = [phrase.mask.to_array() for phrase in one.phrases if phrase.mask]
    true = [phrase.mask.to_array() for phrase in one.true_phrases if phrase.mask]
    if not true:
        return []
    return [float(best) for best in grounded.mask_ious(said, true).max(axis=0)] if said else [0.0] * len(true)


def _shared_words(said: str, references: Sequence[str]) -> float:
    """F1 of the words shared with the closest reference: for an order to look at, not for a report."""
    words = set(tokenise(said))
    scores = []
    for reference in references:
        true = set(tokenise(reference))
        scores.append(2 * len(words & true) / max(len(words) + len(true), 1))
    return max(scores)


# Per kind: what the score is called, the scores of an answer's parts, and from where on a part is right.
_MEASURES: dict[str, tuple[str, Callable[[Prediction], list[float]], float]] = {
    "classes": ("S-IoU", _classes, 1.0),
    "masks": ("IoU", _masks, RIGHT_MASK),
    "referred masks": ("IoU", _masks, RIGHT_MASK),
    "captions": ("shared words", _caption, 0.5),
    "region captions": ("shared words", _region_captions, 0.5),
    "scenes": ("right", _answer, 1.0),
    "short answers": ("right", _answer, 1.0),
    "grounded captions": ("IoU", _phrases, RIGHT_MASK),
}
