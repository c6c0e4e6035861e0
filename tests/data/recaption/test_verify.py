"""What agrees with the labels passes; each way to disagree has its own reason."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.recaption.answers import Reply
from earthgptx.data.recaption.schema import Answer, AnswerRefused, RegionDescription, Relationship, parse_answer
from earthgptx.data.recaption.subject import Subject
from earthgptx.data.recaption.verify import LARGEST_CLOSED_SET, accepted, reasons_against
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box
from tests.fixtures.misbehaving_endpoint import good_answer

CLASSES = ("ship", "harbor", "bridge")


def subject(*labels: str) -> Subject:
    """Objects side by side from left to right, each a little lower than the one before."""
    objects = tuple(
        LabelledObject(box=Box(20 * index, 10 * index, 20 * index + 8, 10 * index + 6), label=label)
        for index, label in enumerate(labels)
    )
    image = LabelledImage("made/train/1", Path("1.png"), "made", "sar", 400, 300, objects)
    return Subject(image, marked=tuple(range(len(objects))), totals=Counter(labels))


def good(item: Subject) -> Answer:
    classes = {number: thing.label for number, thing in enumerate(item.numbered, start=1)}
    return parse_answer(json.dumps(good_answer(classes)))


PORT = subject("ship", "ship", "harbor")
ANSWER = good(PORT)


@given(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=9))
def test_a_true_answer_has_nothing_against_it(labels):
    item = subject(*labels)
    assert reasons_against(good(item), item, CLASSES) == ()


@given(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=9), st.data())
def test_any_region_left_out_added_or_renamed_is_found(labels, data):
    item = subject(*labels)
    answer = good(item)
    place = data.draw(st.integers(0, len(labels) - 1))
    one = answer.regions[place]
    without = answer.regions[:place] + answer.regions[place + 1 :]
    more = (*answer.regions, replace(one, number=len(labels) + 1))
    twice = (*answer.regions, one)
    renamed = (*without, replace(one, label="bridge" if one.label != "bridge" else "ship"))
    for regions, words in ((without, "no description"), (more, "the last one is"), (twice, "more than once")):
        assert any(words in reason for reason in reasons_against(replace(answer, regions=regions), item, CLASSES))
    assert any("its label is" in reason for reason in reasons_against(replace(answer, regions=renamed), item, CLASSES))


@given(st.integers(0, 30), st.integers(1, 9))
def test_a_wrong_count_is_refused_and_the_right_one_is_not(said, truth):
    item = subject(*["ship"] * truth)
    caption = f"The calm water of a wide bay holds {said} ships that lie at anchor in the open."
    assert bool(reasons_against(replace(good(item), caption=caption), item, CLASSES)) == (said != truth)


FILLER = "on calm dark water with a bright shore behind it and nothing else of note around"


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        (f"Two ships lie at a harbor {FILLER}.", ""),
        (f"One ship and another ship lie at a harbor {FILLER}.", ""),
        (f"Ships lie at a harbor {FILLER}.", ""),
        (f"Several ships lie at a harbor {FILLER}; there are no bridges.", ""),
        (f"Three ships lie at a harbor {FILLER}.", "counts 3 of the class 'ship'; 2 are labelled"),
        (f"A single ship lies at a harbor {FILLER}.", "counts 1 of the class 'ship'; 2 are labelled"),
        (f"Two ships lie at several harbors {FILLER}.", "several of the class 'harbor'; 1 is labelled"),
        (f"Two ships lie {FILLER}.", "does not name the class 'harbor'"),
        (f"Two ships lie at a harbor under a bridge {FILLER}.", "names the class 'bridge', of which none"),
        (f"Two ships, regions 1 and 2, lie at a harbor {FILLER}.", "drawn marks"),
        (f"Two ships (numbered) lie at a harbor {FILLER}.", "drawn marks"),
        (f"Two ships lie north of a harbor {FILLER}.", "where north lies"),
        (f"Two ships <pix> lie at a harbor {FILLER}.", "angle bracket"),
        ("Two ships and a harbor.", "has 5 words"),
    ],
)
def test_captions(caption, words):
    reasons = reasons_against(replace(ANSWER, caption=caption), PORT, CLASSES)
    assert (any(words in reason for reason in reasons)) if words else reasons == ()


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("A ship next to the harbor, bow to the left.", ""),
        ("One of two ships, beside the harbor.", ""),
        ("A long hull with a bright bridge deck.", "does not name its class 'ship'"),
        ("A ship among five ships.", "speaks of 5 or more of 'ship'; 2 are labelled"),
        ("A ship below a bridge.", "names the class 'bridge'"),
        ("A ship in the west.", "where north lies"),
        ("A ship like region 2.", "drawn marks"),
    ],
)
def test_descriptions(description, words):
    regions = (RegionDescription(1, "ship", description), *ANSWER.regions[1:])
    reasons = reasons_against(replace(ANSWER, regions=regions), PORT, CLASSES)
    assert (any(words in reason for reason in reasons)) if words else reasons == ()


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (Relationship(1, "moored beside", 3), ""),
        (Relationship(1, "to the left of", 2), ""),
        (Relationship(2, "to the lower right of", 1), ""),
        (Relationship(1, "to the right of", 2), "the boxes lie the other way"),
        (Relationship(2, "above", 1), "the boxes lie the other way"),
        (Relationship(1, "beside", 4), "does not exist; the last one is 3"),
        (Relationship(0, "beside", 2), "does not exist"),
        (Relationship(1, "beside", 1), "to itself"),
        (Relationship(1, "Moored beside.", 2), "no plain phrase"),
        (Relationship(1, "moored at the harbor of", 3), "names a class"),
        (Relationship(1, "a b c d e f g h i j k l m", 3), "has 13 words"),
    ],
)
def test_relationships(stated, words):
    reasons = reasons_against(replace(ANSWER, relationships=(stated,)), PORT, CLASSES)
    assert (any(words in reason for reason in reasons)) if words else reasons == ()


def test_counts_are_those_of_all_objects_though_the_largest_alone_are_numbered():
    item = replace(subject("ship", "ship", "ship"), marked=(0, 2))
    caption = f"Three ships lie {FILLER}."
    answer = replace(good(item), caption=caption)
    assert reasons_against(answer, item, CLASSES) == ()


def test_what_is_not_counted_is_not_to_be_counted():
    item = replace(PORT, totals={"harbor": 1})
    for said, words in (("Two", "how many there are is not known"), ("Some", ""), ("Several", "")):
        answer = replace(ANSWER, caption=f"{said} ships lie at one harbor {FILLER}.")
        reasons = reasons_against(answer, item, CLASSES)
        assert any(words in reason for reason in reasons) if words else reasons == ()


def test_there_may_be_more_than_are_at_hand():
    item = replace(PORT, totals={"harbor": 1, "ship": 7})
    assert reasons_against(replace(ANSWER, caption=f"Seven ships lie at one harbor {FILLER}."), item, CLASSES) == ()
    assert reasons_against(replace(ANSWER, caption=f"Two ships lie at one harbor {FILLER}."), item, CLASSES)


def test_an_open_vocabulary_denies_nothing_that_it_does_not_name():
    caption = f"Two ships lie at a harbor under a bridge {FILLER}."
    many = [*CLASSES, *(f"thing {number}" for number in range(LARGEST_CLOSED_SET))]
    assert reasons_against(replace(ANSWER, caption=caption), PORT, many) == ()


@pytest.mark.parametrize(
    ("finish_reason", "words"),
    [("length", "--max-output-tokens allows more"), ("content_filter", "filter"), ("refusal", "refused"), ("eos", "")],
)
def test_an_answer_that_did_not_come_to_its_end_is_refused(finish_reason, words):
    whole = Reply(json.dumps(good_answer({1: "ship", 2: "ship", 3: "harbor"})), 1, 1, finish_reason)
    if not words:
        assert accepted(whole, PORT, CLASSES) == ANSWER
        return
    with pytest.raises(AnswerRefused, match=words):
        accepted(whole, PORT, CLASSES)


def test_all_reasons_against_an_answer_are_given():
    wrong = Reply(json.dumps(good_answer({1: "ship", 2: "bridge"})), 1, 1, "stop")
    with pytest.raises(AnswerRefused) as refused:
        accepted(wrong, PORT, CLASSES)
    assert refused.value.args == reasons_against(parse_answer(wrong.text), PORT, CLASSES)
    assert len(refused.value.args) > 2
