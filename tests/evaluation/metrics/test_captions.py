from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.evaluation.metrics.captions import caption_scores, tokenise

pytest.importorskip("pycocoevalcap", reason="caption scores need the eval extra")

WORDS = st.lists(
    st.sampled_from(["a", "many", "white", "ship", "ships", "in", "the", "port", "near", "trees"]),
    min_size=1,
    max_size=9,
)
SENTENCES = WORDS.map(" ".join)
CORPORA = st.dictionaries(
    st.integers(0, 99).map(str),
    st.tuples(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=5)),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Many buildings , and some trees .", "many buildings and some trees"),
        ("towering buildings, wide roads .", "towering buildings wide roads"),
        ("it isn't the ship's port", "it is n't the ship 's port"),
        ("it isn\N{RIGHT SINGLE QUOTATION MARK}t", "it is n't"),
        ("they cannot see", "they can not see"),
        ("an l-shaped, T-junction - like -- this", "an l-shaped t-junction like this"),
        ("3.5 km of 1,000 (two) ships!?", "3.5 km of 1,000 two ships"),
        ("a heart_shaped pond", "a heart_shaped pond"),
        ("a 3x3 grid;two rows:and more", "a 3x3 grid two rows and more"),
        ("", ""),
        (" . ,;", ""),
    ],
)
def test_tokeniser(caption: str, words: str):
    assert tokenise(caption) == words.split()


def test_bleu_by_hand():
    scores = caption_scores(
        {"1": "The ship is on the port."},
        {"1": ["the ship lies on the port", "a big ship is here today now"]},
    )
    # 6 candidate words, the nearest reference has 6 too: no brevity penalty.
    unigrams = 6 / 6  # the ship is on the port: "is" is in the second reference
    bigrams = 4 / 5  # the ship, ship is, on the, the port; not "is on"
    trigrams = 1 / 4  # on the port
    assert scores["bleu_1"] == pytest.approx(unigrams, abs=1e-6)
    assert scores["bleu_2"] == pytest.approx(math.sqrt(unigrams * bigrams), abs=1e-6)
    assert scores["bleu_3"] == pytest.approx((unigrams * bigrams * trigrams) ** (1 / 3), abs=1e-6)
    assert scores["bleu_4"] < 1e-3


def test_brevity_penalty_by_hand():
    scores = caption_scores({"1": "many green trees"}, {"1": ["many green trees are here"]})
    assert scores["bleu_1"] == pytest.approx(math.exp(1 - 5 / 3), abs=1e-6)
    assert scores["bleu_3"] == pytest.approx(math.exp(1 - 5 / 3), abs=1e-6)


def test_rouge_l_by_hand():
    # longest common subsequence "ship in port": precision 3/4, recall 3/5; beta is 1.2
    scores = caption_scores({"1": "white ship in port"}, {"1": ["ship lies in the port"]})
    precision, recall, beta = 3 / 4, 3 / 5, 1.2
    expected = (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
    assert scores["rouge_l"] == pytest.approx(expected)


def test_cider_by_hand():
    # Two images with no word in common: every n-gram weighs log 2. Both exact: cosine 1 for n = 1, 2; the
    # two-word captions have no 3- and 4-grams. So each scores 10 * (1 + 1 + 0 + 0) / 4.
    scores = caption_scores({"1": "green trees", "2": "white ships"}, {"1": ["green trees"], "2": ["white ships"]})
    assert scores["cider"] == pytest.approx(5)


@given(CORPORA)
def test_bounds_and_order(corpus: dict[str, tuple[str, list[str]]]):
    said = {image: one for image, (one, _) in corpus.items()}
    truth = {image: references for image, (_, references) in corpus.items()}
    scores = caption_scores(said, truth)
    assert all(0 <= scores[name] <= 1 + 1e-9 for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"))
    assert 0 <= scores["cider"] <= 10 + 1e-9
    order = random.Random(3).sample(sorted(said), len(said))
    assert caption_scores({i: said[i] for i in order}, {i: truth[i] for i in order}) == scores


@given(st.dictionaries(st.integers(0, 99).map(str), SENTENCES, min_size=1, max_size=6))
def test_perfect_is_perfect(captions: dict[str, str]):
    scores = caption_scores(captions, {image: [text.upper() + " ."] for image, text in captions.items()})
    assert scores["rouge_l"] == pytest.approx(1)
    assert scores["bleu_1"] == pytest.approx(1)


def test_an_empty_caption_scores_nothing():
    scores = caption_scores({"1": "", "2": "green trees"}, {"1": ["a ship"], "2": ["green trees"]})
    assert scores["rouge_l"] == pytest.approx(0.5)
    assert caption_scores({"1": " . "}, {"1": ["a ship"]})["bleu_1"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("said", "truth", "message"),
    [
        ({}, {}, "no images"),
        ({"1": "a"}, {"2": ["a"]}, "do not belong"),
        ({"1": "a", "2": "b"}, {"1": ["a"], "2": []}, "1 of 2 images"),
    ],
)
def test_what_cannot_be_scored_is_refused(said, truth, message: str):
    with pytest.raises(ValueError, match=message):
        caption_scores(said, truth)
