"""SS, semantic similarity: the cosine between sentence embeddings of the predicted and the true label.

The embedding is passed in as a function from texts to vectors, so that this file knows no model; the paper's
choice, and every peer's, is all-MiniLM-L6-v2 (``earthgptx.evaluation.minilm``). Unrelated class names reach
0.1 to 0.8 with it (airplane and plane 0.85, ship and airplane 0.40), so SS is read beside S-IoU, never alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from earthgptx.evaluation.metrics.labels import LabelPair, Variant, compared_forms

Embed = Callable[[list[str]], np.ndarray]
"""Texts -> (number of texts, width) float array, one row a text, of any length."""


def semantic_similarities(pairs: Sequence[LabelPair], embed: Embed, variant: Variant = "strict") -> list[float | None]:
    """SS of every pair, each in [-1, 1], in the order given; None for a pair that the variant drops.

    Every distinct string is embedded once, all of them in one call: a few dozen class names stand for
    thousands of regions. Both labels go through the clean-up of ``labels``. A region without an answer scores
    0: the empty string has an embedding like any other, which would otherwise earn about 0.2. The variants
    "osprey" and "draw" embed it, as their scripts do.
    """
    forms = [compared_forms(pair, variant) for pair in pairs]
    texts = sorted({text for form in forms if form for text in form} - ({""} if variant == "strict" else set()))
    row = {text: index for index, text in enumerate(texts)}
    vectors = _unit_rows(texts, embed)

    def similarity(form: tuple[str, str] | None) -> float | None:
        if form is None:
            return None
        if not all(text in row for text in form):
            return 0.0
        # The product of a unit vector with itself may land a rounding error above 1.
        return float(np.clip(vectors[row[form[0]]] @ vectors[row[form[1]]], -1.0, 1.0))

    # A form met before is not multiplied out again: 10,000 regions hold a few hundred different ones.
    known = {form: similarity(form) for form in set(forms)}
    return [known[form] for form in forms]


def mean_semantic_similarity(pairs: Sequence[LabelPair], embed: Embed, variant: Variant = "strict") -> float:
    """SS over regions, in [-1, 1].

    Raises:
        ValueError: there are no pairs, or the variant drops all of them.
    """
    counted = [one for one in semantic_similarities(pairs, embed, variant) if one is not None]
    if not counted:
        raise ValueError("a mean over no regions is not defined")
    return float(np.mean(counted))


def _unit_rows(texts: list[str], embed: Embed) -> NDArray[np.float64]:
    """(number of texts, width), rows of length 1."""
    if not texts:
        return np.zeros((0, 0))
    vectors = np.asarray(embed(texts), dtype=np.float64)
    if vectors.shape[:1] != (len(texts),):
        raise ValueError(f"{len(texts)} texts were embedded into an array of shape {vectors.shape}")
    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)
