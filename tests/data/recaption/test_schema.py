"""Answers are read back as they were written; whatever else comes is refused with the place that is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.recaption.schema import (
    SCHEMA,
    Answer,
    AnswerRefused,
    RegionDescription,
    Relationship,
    parse_answer,
)

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
NUMBERS = st.integers(-3, 300)


def written(answer: Answer) -> str:
    return json.dumps(
        {
            "caption": answer.caption,
            "regions": [
                {"number": region.number, "class": region.label, "description": region.description}
                for region in answer.regions
            ],
            "relationships": [
                {"subject": stated.subject, "predicate": stated.predicate, "object": stated.object}
                for stated in answer.relationships
            ],
        }
    )


ANSWERS = st.builds(
    Answer,
    caption=WORDS,
    regions=st.lists(st.builds(RegionDescription, NUMBERS, WORDS, WORDS), max_size=4).map(tuple),
    relationships=st.lists(st.builds(Relationship, NUMBERS, WORDS, NUMBERS), max_size=4, unique=True).map(tuple),
)


@given(ANSWERS)
def test_reading_gives_what_was_written(answer):
    assert parse_answer(written(answer)) == answer
    assert parse_answer(f"```json\n{written(answer)}\n```\n") == answer


@given(st.text(max_size=40) | st.recursive(st.none() | st.booleans() | st.integers() | WORDS, st.lists).map(json.dumps))
def test_anything_else_is_refused_and_breaks_nothing(text):
    with pytest.raises(AnswerRefused):
        parse_answer(text)


GOOD = {
    "caption": "c",
    "regions": [{"number": 1, "class": "ship", "description": "d"}],
    "relationships": [{"subject": 1, "predicate": "by", "object": 2}],
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"caption": ""}, "caption of the answer is empty"),
        ({"caption": "a\x00b"}, "caption of the answer holds a sign that cannot be printed"),
        ({"caption": "a\ud800"}, "cannot be printed"),
        ({"caption": 3}, "caption of the answer is a number"),
        ({"regions": {}}, "regions is a JSON object, not an array"),
        ({"regions": ["ship"]}, "regions[0] is a JSON string, not an object"),
        ({"regions": [{"number": 1, "description": "d"}]}, "regions[0] lacks ['class']"),
        ({"regions": [{"number": "1", "class": "s", "description": "d"}]}, "number of regions[0] is a JSON string"),
        ({"regions": [{"number": True, "class": "s", "description": "d"}]}, "number of regions[0] is a JSON boolean"),
        ({"regions": [{"number": 1.5, "class": "s", "description": "d"}]}, "number of regions[0] is a JSON number"),
        ({"relationships": None}, "relationships is a JSON null"),
        ({"extra": 1}, "['extra'] beyond the schema"),
    ],
)
def test_the_reason_names_the_place(changes, words):
    with pytest.raises(AnswerRefused) as refused:
        parse_answer(json.dumps({**GOOD, **changes}))
    assert words in str(refused.value)


def test_a_cut_answer_says_where_it_ends():
    with pytest.raises(AnswerRefused, match=r"not JSON: .* of 20"):
        parse_answer(json.dumps(GOOD)[:20])


def test_deep_nesting_is_refused():
    with pytest.raises(AnswerRefused):
        parse_answer("[" * 100_000)


def test_equal_relationships_are_one():
    stated = {"subject": 1, "predicate": "beside", "object": 2}
    assert len(parse_answer(json.dumps({**GOOD, "relationships": [stated, stated]})).relationships) == 1


def test_the_schema_is_strict_everywhere():
    def objects(node):
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield node
            for child in node.values():
                yield from objects(child)

    found = list(objects(SCHEMA))
    assert len(found) == 3
    for node in found:
        assert node["additionalProperties"] is False
        assert set(node["required"]) == set(node["properties"])
