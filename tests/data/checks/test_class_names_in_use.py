"""Misspelt names are found, names that differ on purpose are not; balance names the rarest class."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.checks.class_names_in_use import balance, like_names

FREQUENT = "storage tank"


def pairs(counts, known=()):
    return [(pair.name, pair.other_name) for pair in like_names("made", counts, known)]


@given(st.data())
def test_any_one_slip_in_a_rare_name_is_found(data):
    place = data.draw(st.integers(0, len(FREQUENT) - 1))
    letter = data.draw(st.sampled_from([x for x in string.ascii_lowercase if x != "s"]))
    wrong, missing = FREQUENT[:place] + letter + FREQUENT[place + 1 :], FREQUENT[:place] + FREQUENT[place + 1 :]
    swapped = FREQUENT[:place] + FREQUENT[place : place + 2][::-1] + FREQUENT[place + 2 :]
    for slip in {wrong, missing, swapped, FREQUENT[:place] + letter + FREQUENT[place:]} - {FREQUENT}:
        assert pairs({FREQUENT: 100, slip: 2, "harbor": 40}) == [(slip, FREQUENT)], slip


@pytest.mark.parametrize("variant", ["Storage Tank", "storage_tank", "storage-tanks", "storagetank"])
def test_another_way_to_write_a_name_is_found_however_frequent(variant):
    assert pairs({FREQUENT: 100, variant: 90}) == [(variant, FREQUENT)]


def test_what_differs_on_purpose_is_left_alone():
    assert pairs({"t62": 100, "t72": 1, "boeing 737": 100, "boeing 787": 1}) == []  # a digit
    assert pairs({"car": 1000, "cat": 1}) == []  # short words
    assert pairs({"plane": 100, "plate": 90}) == []  # both frequent
    assert pairs({"bridge": 1000, "bridle": 1}, known={"bridge", "bridle"}) == []  # both in the table
    assert pairs({"bridge": 1000, "bridle": 1}, known={"bridge"}) == [("bridle", "bridge")]
    assert pairs({}) == []


def test_balance_names_the_rarest():
    found = balance("made", {"ship": 210, "harbor": 10, "bridge": 50})
    assert (found.most, found.least, found.ratio, found.is_unbalanced) == ("ship", "harbor", 21.0, True)
    assert not balance("made", {"ship": 3}).is_unbalanced
