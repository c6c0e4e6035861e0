"""The overlap of two texts is symmetric, bounded, and 1 for equal texts alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.overlap import overlap, runs_of

WORDS = st.lists(st.sampled_from("abc"), max_size=8)


@given(WORDS, WORDS)
def test_it_is_symmetric_and_bounded(one: list[str], other: list[str]):
    value = overlap(runs_of(one), runs_of(other))
    assert value == overlap(runs_of(other), runs_of(one))
    assert 0 <= value <= 1
    assert (value > 0) == bool(set(one) & set(other))
    assert value < 1 or sorted(one) == sorted(other)


@given(WORDS.filter(bool))
def test_a_text_overlaps_wholly_with_itself(words: list[str]):
    assert overlap(runs_of(words), runs_of(words)) == 1


def test_by_hand():
    # Runs of "a b c": a, b, c, ab, bc, abc. Runs of "a b": a, b, ab. Shared: 3 of 6 and 3 of 3.
    assert overlap(runs_of("abc"), runs_of("ab")) == pytest.approx(2 * 3 / 9)
    assert overlap(runs_of(""), runs_of("")) == 0
