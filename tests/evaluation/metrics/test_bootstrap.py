from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.evaluation.metrics.bootstrap import class_mean_of, interval, mean_of, paired_difference, ratio_of
from earthgptx.evaluation.metrics.masks import Overlap, class_mean_iou

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(VALUES, st.integers(0, 5))
def test_a_mean_lies_where_its_values_lie(values: list[float], seed: int):
    found = interval(mean_of(values), len(values), resamples=50, seed=seed)
    assert found.value == pytest.approx(np.mean(values))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert interval(mean_of(values), len(values), resamples=50, seed=seed) == found


@given(st.floats(0, 1), st.integers(1, 30))
def test_equal_values_have_no_width(value: float, num_items: int):
    found = interval(mean_of([value] * num_items), num_items, resamples=20)
    assert (found.value, found.low, found.high) == pytest.approx((value, value, value))


def test_the_order_of_the_items_moves_an_interval_by_chance_alone():
    values = np.random.default_rng(2).random(400)
    shuffled = random.Random(0).sample(values.tolist(), len(values))
    one, other = interval(mean_of(values), 400), interval(mean_of(shuffled), 400)
    assert one.value == pytest.approx(other.value)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.005)


def test_the_width_is_that_of_the_normal_approximation():
    values = np.random.default_rng(1).random(2000)
    found = interval(mean_of(values), 2000, resamples=4000)
    expected = 2 * 1.96 * values.std() / np.sqrt(2000)
    assert found.high - found.low == pytest.approx(expected, rel=0.06)


def test_two_items_by_hand():
    # Half of all draws of two items hold both, a quarter each hold one of them twice.
    found = interval(mean_of([0, 1]), 2, resamples=1000, level=0.4)
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)
    assert interval(mean_of([0, 1]), 2, resamples=1000).low == 0


def test_a_ratio_of_sums_is_no_mean_of_ratios():
    score = ratio_of([1, 90], [2, 100])
    assert score(np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])) == pytest.approx([91 / 102, 0.5, 0.9])
    assert ratio_of([0], [0])(np.ones((1, 1))) == pytest.approx([1])
    assert ratio_of([0], [0], of_nothing=0)(np.ones((1, 1))) == pytest.approx([0])


def test_classes_weigh_the_same_and_only_those_that_are_drawn():
    score = class_mean_of([1, 1, 0], [2, 2, 5], ["ship", "ship", "port"])
    draws = np.array([[1.0, 1.0, 1.0], [3.0, 0.0, 0.0], [0.0, 1.0, 2.0]])
    assert score(draws) == pytest.approx([(2 / 4 + 0) / 2, 1 / 2, (1 / 2 + 0) / 2])
    with pytest.raises(ValueError, match="1 classes do not belong to 2 and 2"):
        class_mean_of([1, 1], [2, 2], ["ship"])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_the_class_mean_is_that_of_masks(items: list[tuple[str, int, int]]):
    overlaps = {name: [Overlap(min(a, b), max(a, b)) for one, a, b in items if one == name] for name, _, _ in items}
    score = class_mean_of(
        [min(a, b) for _, a, b in items], [max(a, b) for _, a, b in items], [name for name, _, _ in items]
    )
    assert score(np.ones((1, len(items)))) == pytest.approx([class_mean_iou(overlaps)])


def test_a_pair_that_always_differs_alike_differs_without_doubt():
    hard = np.random.default_rng(0).random(50)
    found = paired_difference(mean_of(hard + 0.01), mean_of(hard), 50, resamples=200)
    assert (found.low, found.value, found.high) == pytest.approx((0.01, 0.01, 0.01))
    assert found.excludes_zero
    assert not paired_difference(mean_of(hard), mean_of(hard), 50, resamples=200).excludes_zero
    assert paired_difference(mean_of(hard), mean_of(hard + 0.01), 50, resamples=200).excludes_zero


def test_items_of_one_group_are_drawn_together():
    seen: list[np.ndarray] = []

    def look(weights: np.ndarray) -> np.ndarray:
        seen.append(weights)
        return weights.sum(axis=1)

    interval(look, 5, groups=["b", "a", "b", "b", "a"], resamples=30)
    weights = np.concatenate(seen)
    assert (weights[:, [0]] == weights[:, [2, 3]]).all()
    assert (weights[:, 1] == weights[:, 4]).all()
    assert (weights[:, 0] + weights[:, 1] == 2).all()


def test_regions_that_err_together_widen_the_interval():
    values, images = np.repeat(np.random.default_rng(3).random(40), 10), np.repeat(np.arange(40), 10).tolist()
    alone, together = interval(mean_of(values), 400), interval(mean_of(values), 400, groups=images)
    assert together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_items": 0}, "1000 resamples of 0 items"),
        ({"num_items": 3, "resamples": 0}, "0 resamples of 3 items"),
        ({"num_items": 3, "level": 95}, "95 does not"),
        ({"num_items": 3, "groups": ["a"]}, "1 names of groups do not belong to 3 items"),
    ],
)
def test_what_gives_no_interval_is_refused(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        interval(mean_of([1, 2, 3]), **arguments)
