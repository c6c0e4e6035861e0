"""The draw of splits by name: always the same, and about as many as it says."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.datasets.split_rule import drawn_split


@given(st.text())
def test_a_name_is_always_drawn_alike(name):
    assert drawn_split(name) == drawn_split(name)
    assert drawn_split(name) in ("train", "val", "test")


def test_the_shares_are_eight_one_one():
    counts = Counter(drawn_split(str(number)) for number in range(5000))
    assert abs(counts["train"] / 5000 - 0.8) < 0.03
    assert abs(counts["val"] / 5000 - 0.1) < 0.03


def test_the_draw_never_changes():
    assert [drawn_split(str(number)) for number in (1, 2, 8, 12)] == ["test", "train", "val", "test"]
