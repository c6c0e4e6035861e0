"""SS, semantic similarity: the cosine between sentence embeddings of the predicted and the true label.

The embedding is passed in as a function from texts to vectors, so that this file knows no model; the paper's
choice, and every peer's, is all-MiniLM-L6-v2 (``earthgptx.evaluation.minilm``). Unrelated class names reach
0.1 to 0.8 with it (airplane and plane 0.85, ship and airplane 0.40), so SS is read beside S-IoU, never alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from earthgptx.evaluation.metrics.labels import LabelPair, clean_label

Embed = Callable[[list[str]], np.ndarray]
"""Texts -> (number of texts, width) float array, one row a text, of any length."""


def semantic_similarities(pairs: Sequence[LabelPair], embed: Embed) -> list[float]:
    """SS of every pair, each in [-1, 1], in the order given.

    Every distinct string is embedded once, all of them in one call: a few dozen class names stand for
    thousands of regions. Both labels go through the clean-up of ``labels``. A region without an answer scores
    0: the empty string has an embedding like any other, which would otherwise earn about 0.2.
    """
    texts = sorted({clean_label(text) for pair in pairs for text in (pair.prediction or "", pair.truth)} - {""})
    if not texts:
        return [0.0 for _ in pairs]
    vectors = np.asarray(embed(texts), dtype=np.float64)
    if vectors.shape[:1] != (len(texts),):
        raise ValueError(f"{len(texts)} texts were embedded into an array of shape {vectors.shape}")
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    row = {text: index for index, text in enumerate(texts)}

    def similarity(pair: LabelPair) -> float:
        said, truth = clean_label(pair.prediction or ""), clean_label(pair.truth)
        if not said or not truth:
            return 0.0
        # The product of a unit vector with itself may land a rounding error above 1.
        return float(np.clip(vectors[row[said]] @ vectors[row[truth]], -1.0, 1.0))

    return [similarity(pair) for pair in pairs]


def mean_semantic_similarity(pairs: Sequence[LabelPair], embed: Embed) -> float:
    """SS over regions, in [-1, 1].

    Raises:
        ValueError: there are no pairs.
    """
    if not pairs:
        raise ValueError("a mean over no regions is not defined")
    return float(np.mean(semantic_similarities(pairs, embed)))
