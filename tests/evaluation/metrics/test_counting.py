from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.evaluation.metrics.counting import CountPair, counting_scores, read_count

PAIRS = st.lists(
    st.builds(CountPair, answer=st.one_of(st.none(), st.text(max_size=9), st.integers(0, 99).map(str)),
              truth=st.integers(0, 50)),
    min_size=1,
    max_size=20,
)  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("12", 12),
        ("There are 12 ships.", 12),
        ("007", 7),
        ("1,234 cars", 1234),
        ("3.0", 3),
        ("12-15", 12),
        ("seventeen", 17),
        ("Twenty", 20),
        ("twenty-three planes", 23),
        ("ninety  nine", 99),
        ("a hundred and two", 102),
        ("nine hundred ninety nine", 999),
        ("three hundred", 300),
        ("a dozen", 12),
        ("two dozen ships", 24),
        ("zero", 0),
        ("No ships.", 0),
        ("none", 0),
        ("No, there are 5", 5),
        ("3.5 ships", None),
        ("an A320 on the 2nd stand", None),
        ("a ship", None),
        ("many", None),
        ("someone", None),
        ("", None),
        (None, None),
    ],
)
def test_the_number_in_an_answer(answer: str | None, number: int | None):
    assert read_count(answer) == number


@given(st.integers(0, 10**9))
def test_digits_are_read_with_and_without_commas(number: int):
    assert read_count(f"I see {number} ships.") == number
    assert read_count(f"{number:,}") == number


def test_scores_by_hand():
    scores = counting_scores([CountPair("3", 3), CountPair("five", 3), CountPair("many", 4), CountPair(None, 0)])
    assert scores.exact == pytest.approx(1 / 4)  # silence is wrong even where there is nothing
    assert scores.mean_absolute_error == pytest.approx((0 + 2 + 4 + 0) / 4)
    assert scores.num_without_number == 2


@given(PAIRS)
def test_bounds_and_order(pairs: list[CountPair]):
    scores = counting_scores(pairs)
    assert 0 <= scores.exact <= 1
    assert scores.mean_absolute_error >= 0
    shuffled = counting_scores(random.Random(1).sample(pairs, len(pairs)))
    assert shuffled == scores


@given(st.lists(st.integers(0, 500), min_size=1))
def test_perfect_is_perfect(counts: list[int]):
    scores = counting_scores([CountPair(f"{count} of them", count) for count in counts])
    assert (scores.exact, scores.mean_absolute_error, scores.num_without_number) == (1, 0, 0)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="no counts"):
        counting_scores([])
    with pytest.raises(ValueError, match="1 of 2 true counts are below 0, -1 first"):
        counting_scores([CountPair("1", 1), CountPair("1", -1)])
