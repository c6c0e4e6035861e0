from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.evaluation.metrics.labels import LabelPair
from earthgptx.evaluation.metrics.similarity import mean_semantic_similarity, semantic_similarities

VECTORS = {"ship": (3.0, 0.0), "vessel": (1.0, 1.0), "tree": (0.0, 2.0), "sky": (-1.0, 0.0)}


def embed(texts: list[str]) -> np.ndarray:
    return np.array([VECTORS[text] for text in texts])


def test_values_by_hand():
    pairs = [
        LabelPair("ship", "ship"),
        LabelPair("vessel", "ship"),
        LabelPair("tree", "ship"),
        LabelPair("sky", "ship"),
        LabelPair(None, "ship"),
        LabelPair(" . ", "ship"),
        LabelPair("Ship.", "ship"),
    ]
    expected = [1, math.sqrt(0.5), 0, -1, 0, 0, 1]
    assert semantic_similarities(pairs, embed) == pytest.approx(expected)
    assert mean_semantic_similarity(pairs, embed) == pytest.approx(sum(expected) / 7)


def test_every_string_is_embedded_once_in_one_call():
    calls: list[list[str]] = []

    def counting(texts: list[str]) -> np.ndarray:
        calls.append(texts)
        return embed(texts)

    semantic_similarities([LabelPair("Ship", "ship"), LabelPair("tree", "ship"), LabelPair("", "tree")] * 50, counting)
    assert calls == [["ship", "tree"]]


@given(st.lists(st.tuples(st.sampled_from([*VECTORS, None]), st.sampled_from(list(VECTORS))), min_size=1))
def test_bounds_and_order(drawn: list[tuple[str | None, str]]):
    pairs = [LabelPair(*one) for one in drawn]
    scores = semantic_similarities(pairs, embed)
    assert all(-1 <= score <= 1 for score in scores)
    shuffled = random.Random(1).sample(pairs, len(pairs))
    assert mean_semantic_similarity(shuffled, embed) == pytest.approx(mean_semantic_similarity(pairs, embed))
    perfect = [LabelPair(pair.truth, pair.truth) for pair in pairs]
    assert mean_semantic_similarity(perfect, embed) == pytest.approx(1)


def test_nothing_answered_needs_no_model():
    def refuse(_: list[str]) -> np.ndarray:
        raise AssertionError("nothing to embed")

    assert semantic_similarities([LabelPair(None, "_")], refuse) == [0.0]
    with pytest.raises(ValueError, match="no regions"):
        mean_semantic_similarity([], refuse)


def test_an_embedding_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="2 texts"):
        semantic_similarities([LabelPair("tree", "ship")], lambda texts: np.ones((1, 4)))
