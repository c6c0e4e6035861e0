"""BLEU of weighted captions is compared with pycocoevalcap's on lists that hold copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earthgptx.evaluation.metrics.bleu import bleu_of
from earthgptx.evaluation.metrics.bootstrap import interval, paired_difference
from earthgptx.evaluation.metrics.captions import caption_scores

WORDS = st.lists(st.sampled_from(["a", "many", "white", "ship", "ships", "in", "port", "near"]), max_size=8)
SAID = st.lists(st.tuples(WORDS, st.lists(WORDS.filter(bool), min_size=1, max_size=4)), min_size=1, max_size=6)


def scores(said: list[list[str]], true: list[list[list[str]]], weights: np.ndarray) -> dict[str, float]:
    found = enumerate(bleu_of(said, true), start=1)
    return {f"bleu_{length}": float(score(weights[None])[0]) for length, score in found}


@settings(deadline=None)
@given(SAID, st.lists(st.integers(1, 3), min_size=6, max_size=6))
def test_weights_are_copies(corpus: list[tuple[list[str], list[list[str]]]], times: list[int]):
    pytest.importorskip("pycocoevalcap", reason="caption scores need the eval extra")
    said, true = [one for one, _ in corpus], [some for _, some in corpus]
    copies = [(f"{place}-{copy}", place) for place in range(len(corpus)) for copy in range(times[place])]
    theirs = caption_scores(
        {name: " ".join(said[place]) for name, place in copies},
        {name: [" ".join(words) for words in true[place]] for name, place in copies},
    )
    ours = scores(said, true, np.array(times[: len(corpus)], dtype=float))
    assert ours == pytest.approx({name: theirs[name] for name in ours}, abs=1e-9)


@settings(deadline=None)
@given(SAID)
def test_a_caption_of_no_weight_is_not_there(corpus: list[tuple[list[str], list[list[str]]]]):
    said, true = [one for one, _ in corpus], [some for _, some in corpus]
    alone = scores(said, true, np.ones(len(corpus)))
    weights = np.append(np.ones(len(corpus)), 0)
    assert scores([*said, ["ship"]], [*true, [["ship", "port"]]], weights) == pytest.approx(alone)


def test_bleu_has_intervals():
    random = np.random.default_rng(0)
    words = np.array("a the white ship port tree near in many".split())  # noqa: SIM905
    said = [random.choice(words, 7).tolist() for _ in range(30)]
    true = [[[*one[:4], *random.choice(words, 3).tolist()]] for one in said]
    worse = [one[::-1] for one in said]
    for ours, theirs in zip(bleu_of(said, true), bleu_of(worse, true), strict=True):
        found = interval(ours, 30, resamples=100)
        assert found.low < found.value < found.high
        assert interval(ours, 30, resamples=100) == found
        difference = paired_difference(ours, theirs, 30, resamples=100)
        assert difference.value == pytest.approx(found.value - interval(theirs, 30, resamples=1).value)
