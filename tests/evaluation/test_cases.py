from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.evaluation.cases import Case, extremes, judge, spread
from earthgptx.evaluation.metrics.masks import Overlap
from earthgptx.evaluation.predictions import PhraseMask, Prediction, RegionPrediction
from earthgptx.shapes import Mask

FULL = Mask.from_array(np.ones((2, 2), dtype=bool))
HALF = Mask.from_array(np.array([[True, True], [False, False]]))


def case(key: str, score: float, sensor: str = "sar") -> Case:
    return Case(Prediction(key, "set", sensor, ""), score, score == 1, "S-IoU")


def regions(*pairs: tuple[str | None, str], **more: object) -> tuple[RegionPrediction, ...]:
    return tuple(RegionPrediction(i, truth, said, 1.0, **more) for i, (said, truth) in enumerate(pairs))


@pytest.mark.parametrize(
    ("kind", "prediction", "score", "is_right"),
    [
        ("classes", Prediction("a", "d", "s", "", regions(("ship", "ship"), (None, "car"))), 0.5, False),
        ("classes", Prediction("a", "d", "s", "", regions(("Ship.", "ship"))), 1, True),
        ("masks", Prediction("a", "d", "s", "", regions((None, "ship"), overlap=Overlap(6, 10))), 0.6, True),
        ("captions", Prediction("a", "d", "s", "a port", references=("nothing alike", "a port with ships")), 4 / 6, 1),
        (
            "region captions",
            Prediction("a", "d", "s", "", regions(("a ship", "ship"), references=("a ship",))),
            1,
            True,
        ),
        ("short answers", Prediction("a", "d", "s", "There are two.", references=("2",)), 1, True),
        ("short answers", Prediction("a", "d", "s", "Yes, it is.", references=("yes",)), 1, True),
        ("scenes", Prediction("a", "d", "s", "", references=("airport",)), 0, False),
        (
            "grounded captions",
            Prediction("a", "d", "s", "", phrases=(PhraseMask("x", HALF),), true_phrases=(PhraseMask("y", FULL),)),
            0.5,
            True,
        ),
    ],
)
def test_scores_by_hand(kind: str, prediction: Prediction, score: float, is_right: bool):
    (found,) = judge(kind, [prediction])
    assert found.score == pytest.approx(score)
    assert found.is_right == is_right


@pytest.mark.parametrize("kind", ["classes", "masks", "captions", "region captions", "scenes", "grounded captions"])
def test_what_has_no_truth_is_no_case(kind: str):
    assert judge(kind, [Prediction("a", "d", "s", "words")]) == []


CASES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from(["sar", "optical"])), min_size=1, max_size=30
).map(lambda rows: [case(str(i), score, sensor) for i, (score, sensor) in enumerate(rows)])


@given(CASES, st.integers(1, 5), st.randoms())
def test_extremes_are_extreme_and_apart(cases: list[Case], number: int, random: object):
    worst, best = extremes(cases, number)
    assert not {one.prediction.key for one in worst} & {one.prediction.key for one in best}
    for sensor in ("sar", "optical"):
        low = [one.score for one in worst if one.prediction.sensor == sensor]
        high = [one.score for one in best if one.prediction.sensor == sensor]
        assert len(low) <= number
        assert len(high) <= number
        assert not low or not high or max(low) <= min(high)
    shuffled = list(cases)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert extremes(shuffled, number) == (worst, best)


@given(CASES, st.integers(1, 6))
def test_the_spread_shows_both_kinds_once(cases: list[Case], number: int):
    for sensor, row in spread(cases, number).items():
        part = [one for one in cases if one.prediction.sensor == sensor]
        assert len(row) == min(number, len(part))
        assert len({one.prediction.key for one in row}) == len(row)
        num_wrong = sum(not one.is_right for one in part)
        shown = sum(not one.is_right for one in row)
        assert shown >= min(num_wrong, number // 2)


def test_equals_are_ordered_by_the_seed_alone():
    cases = [case(str(number), 0.5) for number in range(40)]
    first = [one.prediction.key for one in extremes(cases, 4)[0]]
    assert first == [one.prediction.key for one in extremes(cases[::-1], 4)[0]]
    assert first != [one.prediction.key for one in extremes(cases, 4, seed=1)[0]]
    assert replace(cases[0], score=0.1) in extremes([replace(cases[0], score=0.1), *cases[1:]], 1)[0]
