from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from earthgptx.evaluation.metrics.assignment import GrowingMatching, largest_sum, most_pairs

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5)
GAINS = arrays(np.float64, SHAPES, elements=st.sampled_from([0, 0.1, 0.25, 0.5, 0.5, 0.9, 1]))
ALLOWED = arrays(np.bool_, SHAPES)


def best_of_all(gains: np.ndarray) -> float:
    wide = gains if gains.shape[0] <= gains.shape[1] else gains.T
    return max(
        sum(wide[row, column] for row, column in enumerate(columns))
        for columns in permutations(range(wide.shape[1]), wide.shape[0])
    )


@given(GAINS)
def test_no_pairing_has_a_larger_sum(gains: np.ndarray):
    assert largest_sum(gains) == pytest.approx(best_of_all(gains))


@given(ALLOWED)
def test_no_pairing_has_more_pairs(allowed: np.ndarray):
    assert most_pairs(allowed) == best_of_all(allowed.astype(float))


def test_greed_would_lose():
    assert largest_sum(np.array([[0.9, 0.8], [0.8, 0.0]])) == pytest.approx(1.6)


def test_a_pairing_grows_by_moving_who_is_paired():
    matching = GrowingMatching()
    assert [matching.add(columns) for columns in ([0, 1], [0], [1], [])] == [True, True, False, False]
