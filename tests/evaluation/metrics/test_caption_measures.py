from __future__ import annotations

import numpy as np
import pytest

from earthgptx.errors import MetricUnavailable
from earthgptx.evaluation.metrics import caption_measures
from earthgptx.evaluation.metrics.bootstrap import interval
from earthgptx.evaluation.metrics.caption_measures import measure
from earthgptx.evaluation.metrics.captions import caption_scores

pytest.importorskip("pycocoevalcap", reason="caption scores need the eval extra")

SAID = {"b": "a white ship.", "a": "Many green trees", "c": ""}
TRUE = {"a": ["many green trees", "some trees"], "b": ["a big ship in the port"], "c": ["a bridge"]}
PERFECT = "3 3 0 0 3 3 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 3 3"
NOTHING = "3 3 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"


def unavailable(*_: object) -> None:
    raise MetricUnavailable("There is none here.")


@pytest.fixture
def with_all(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand-ins for Java and spaCy; the list holds what METEOR was asked."""
    asked: list[list[str]] = []

    def counts(captions: list[str], references: list[list[str]]) -> np.ndarray:
        asked.append(captions)
        return np.array(
            [(PERFECT if said in true else NOTHING).split() for said, true in zip(captions, references, strict=True)],
            dtype=float,
        )

    def parse(sentences: list[str]) -> list[frozenset[tuple[str, ...]]]:
        return [frozenset((word,) for word in text.split()) for text in sentences]

    monkeypatch.setattr(caption_measures, "meteor_counts", counts)
    monkeypatch.setattr(caption_measures, "load_scene_parser", lambda: parse)
    monkeypatch.setattr(caption_measures.Synsets, "read", lambda _: caption_measures.Synsets({}, {}))
    return asked


def test_all_scores_of_all_images(with_all: list[list[str]]):
    measured = measure(SAID, TRUE)
    assert measured.ids == ("a", "b", "c")
    assert measured.notes == ()
    scores = measured.metrics()
    assert {name: scores[name] for name in caption_scores(SAID, TRUE)} == caption_scores(SAID, TRUE)
    assert measured.by_item["meteor"] == pytest.approx({"a": 1, "b": 0, "c": 0})
    # a: 3 of 3 words right, of 4 true ones; b: {a, ship} of 3 against 6; c: nothing said
    assert measured.by_item["spice_spacy"] == pytest.approx({"a": 6 / 7, "b": 4 / 9, "c": 0})
    assert scores["spice_spacy"] == pytest.approx((6 / 7 + 4 / 9) / 3)
    assert with_all == [["many green trees", "a white ship", ""]]


def test_every_part_is_a_corpus_of_its_own_and_nothing_is_measured_twice(with_all: list[list[str]]):
    measured = measure(SAID, TRUE)
    part = measured.metrics(["a", "c"])
    alone = caption_scores({i: SAID[i] for i in "ac"}, {i: TRUE[i] for i in "ac"})
    assert {name: part[name] for name in alone} == alone
    assert part["spice_spacy"] == pytest.approx(3 / 7)
    assert measured.metrics(["a"])["meteor"] == pytest.approx(1)
    assert len(with_all) == 1
    with pytest.raises(ValueError, match="1 of 2 images were not measured, x first"):
        measured.metrics(["a", "x"])


@pytest.mark.usefixtures("with_all")
def test_functions_of_the_corpus_agree_with_the_scores():
    measured = measure(SAID, TRUE)
    assert measured.corpus_scores.keys() == measured.metrics().keys()
    for name, score in measured.corpus_scores.items():
        found = interval(score, 3, resamples=50)
        assert found.value == pytest.approx(measured.metrics()[name], abs=1e-9), name
        assert found.low <= found.high


def test_what_cannot_be_had_is_said_and_not_replaced(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(caption_measures, "meteor_counts", unavailable)
    monkeypatch.setattr(caption_measures, "load_scene_parser", unavailable)
    measured = measure(SAID, TRUE)
    assert measured.notes == (
        "METEOR is left out: There is none here.",
        "SPICE (spaCy parser) is left out: There is none here.",
    )
    assert measured.metrics() == caption_scores(SAID, TRUE)
    assert measured.by_item.keys() == {"rouge_l", "cider"}
    assert measure(SAID, TRUE, with_meteor=False, with_spice=False).notes == ()


def test_what_cannot_be_scored_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(caption_measures, "meteor_counts", lambda *_: pytest.fail("started"))
    with pytest.raises(ValueError, match="do not belong"):
        measure({"a": "x"}, {"b": ["x"]})
