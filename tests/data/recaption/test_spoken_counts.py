"""Numbers in front of class words are understood; numbers of other things are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.datasets.class_names import plural
from earthgptx.data.recaption.spoken_counts import Mention, mentions

LABELS = ("ship", "harbor", "vehicle", "other vehicle", "storage tank", "person", "t72", "boeing 737")
UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(number: int) -> str:
    if number < 20:
        return (["zero", *UNITS, *TEENS])[number]
    unit = number % 10
    return TENS[number // 10 - 2] + (f"-{UNITS[unit - 1]}" if unit else "")


@given(
    st.integers(0, 99), st.sampled_from(LABELS), st.sampled_from(["", "large ", "long, grey ", "more or less white "])
)
def test_every_number_is_read_in_words_and_digits(number, label, adjectives):
    adjectives = "" if "or" in adjectives.split() else adjectives
    for said in (str(number), in_words(number), in_words(number).replace("-", " ")):
        for form in (label, plural(label)):
            text = f"The scene shows {said} {adjectives}{form} and some trees."
            assert mentions(text, LABELS) == [Mention(label, count=number)], text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A ship lies here.", [Mention("ship")]),
        ("Ships and harbors.", [Mention("ship"), Mention("harbor")]),
        ("THREE\nships", [Mention("ship", count=3)]),
        ("a pair of ships", [Mention("ship", count=2)]),
        ("a dozen storage-tanks", [Mention("storage tank", count=12)]),
        ("1,200 people", [Mention("person", count=1200)]),
        ("two persons", [Mention("person", count=2)]),
        (
            "several other vehicles, and two vehicles",
            [Mention("other vehicle", at_least=2), Mention("vehicle", count=2)],
        ),
        ("no ships", [Mention("ship", count=0)]),
        ("a single ship", [Mention("ship", count=1)]),
        ("one ship and another ship", [Mention("ship", count=1)] * 2),
        ("two rows of ships", [Mention("ship")]),
        ("three of the ships", [Mention("ship")]),
        ("two quays with ships", [Mention("ship")]),
        ("a 20-meter ship", [Mention("ship")]),
        ("built in 2019. Ships", [Mention("ship")]),
        ("two ships and harbors", [Mention("ship", count=2), Mention("harbor")]),
        ("3 boeing 737s beside a t72", [Mention("boeing 737", count=3), Mention("t72")]),
        ("shipping, a ship-like shape, township", []),
        ("twenty one ships", [Mention("ship", count=21)]),
        ("two large, white ships", [Mention("ship", count=2)]),
    ],
)
def test_examples(text, expected):
    assert mentions(text, LABELS) == expected


def test_no_labels_no_mentions():
    assert mentions("three ships", ()) == []


@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    assert all(mention.label in LABELS for mention in mentions(text, LABELS))
