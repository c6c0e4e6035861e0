"""The tables of paraphrases: enough ways to ask, no sentence twice, every sentence well formed by rule."""

from __future__ import annotations

import random
import re
from collections import Counter
from string import Formatter

import pytest

from earthgptx.data import phrasing
from earthgptx.data.instructions import TASKS

# A sentence that starts so asks, and asks with a question mark; one that starts otherwise tells.
ASKING = re.compile(
    r"^(?:(?:in|at|of) (?:which|what|total)|in total|what|which|who|where|whereabouts|how|is|are|am|does|do|can|could|"
    r"would|should)\b",
    re.IGNORECASE,
)
FILLED = {
    "regions": "<Region 1> and <Region 2>",
    "label": "airplane",
    "labels": "airplanes",
    "a_label": "an airplane",
    "expression": "the leftmost ship",
}


@pytest.mark.parametrize("kind", phrasing.PHRASES)
def test_there_are_twelve_ways_to_ask_and_braces_that_are_filled(kind):
    sentences = phrasing.PHRASES[kind]
    assert len({" ".join(re.findall(r"\w+|[{}]", text.lower())) for text in sentences}) == len(sentences) >= 12
    fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in sentences]
    assert set().union(*fields) <= set(FILLED)
    assert all(fields) or not any(fields)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_table(task):
    assert any(kind == task or kind.startswith(f"{task}_") for kind in phrasing.PHRASES)


@pytest.mark.parametrize("kind", phrasing.PHRASES)
def test_sentences_are_well_formed(kind):
    for template in phrasing.PHRASES[kind]:
        sentence = template.format(**FILLED)
        assert re.fullmatch(r"[A-Z][^{}]*[^\s.?!,;:][.?]", sentence), sentence
        for part in re.split(r"(?<=[.?]) ", sentence):
            assert part.endswith("?") == bool(ASKING.match(part)), part
        assert not re.search(r"\s\s|\s[.,?;:]|\b(\w+) \1\b", sentence, re.IGNORECASE), sentence
        assert not re.search(r"\ba airplane|\ban? an?\b|\bthe the\b", sentence), sentence


def test_no_sentence_asks_for_two_things():
    """Two tables may share a sentence only if they ask for the same: the relation of two regions."""
    tables = Counter(text for sentences in phrasing.PHRASES.values() for text in set(sentences))
    shared = {text for text, count in tables.items() if count > 1}
    assert shared <= set(phrasing.PHRASES["relation"]) & set(phrasing.PHRASES["relation_stated"])


def test_the_papers_sentences_come_first_and_are_asked_most():
    assert phrasing.usual("roc") == "Please identify the object category of each marked region in the image."
    assert phrasing.usual("roc_single").startswith("Please identify the object category of the marked region")
    assert phrasing.usual("region_caption") == "Please provide a brief caption of each marked region in the image."
    rng = random.Random(0)
    asked = Counter(phrasing.choose("roc", rng) for _ in range(1000))
    assert asked.most_common(1)[0][0] == phrasing.usual("roc")
    assert set(asked) == set(phrasing.PHRASES["roc"])
