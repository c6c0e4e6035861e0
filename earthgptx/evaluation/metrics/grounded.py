"""Scores of grounded captions, phrases with masks: AP50, mIoU and recall, by GLaMM's rules or by mended ones.

One image comes in as how well each predicted mask and phrase fits each true one. "glamm" repeats the evaluation
script of GLaMM (Rasheed et al., CVPR 2024) with what it overlooks; "mended", the headline, is the same idea without:

* mIoU. "glamm" averages over the pairs it found, so a true mask that nobody predicted costs nothing, and pairs
  greedily. "mended" averages over the true masks, a missed one is 0, in the pairing with the largest sum.
* recall. "glamm" takes pairs by falling IoU and stops at the first whose phrase does not fit, though later
  ones would. "mended" takes the largest pairing in which every mask and every phrase fits.
* AP50. "glamm" gives every mask the score 1, so the order of the answers decides the curve. "mended" uses the scores
  it is given; masks of equal score come together, whatever their order.

A mask or phrase fits from 0.5 on. Which sentence encoder compares phrases is the caller's choice, and part of the
result: GLaMM's is the mean of bert-base-uncased's states. A mask too many costs in AP50 alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earthgptx.evaluation.metrics.assignment import GrowingMatching, largest_sum, most_pairs
from earthgptx.evaluation.metrics.bootstrap import CorpusScore, mean_of, ratio_of

Rules = Literal["mended", "glamm"]

FITS = 0.5
RECALL_STEPS = np.linspace(0, 1, 101)  # COCO's
MAX_DETECTIONS = 100  # COCO's, masks an image


@dataclass(frozen=True)
class GroundedImage:
    """One image's predicted phrases against its true ones.

    Attributes:
        ious: (predicted, true) intersection over union of the masks, in [0, 1].
        similarities: (predicted, true) cosine of the phrases' sentence embeddings, in [-1, 1].
        confidences: (predicted,) how sure the model is of each mask; only their order counts.
    """

    ious: NDArray[np.float64]
    similarities: NDArray[np.float64]
    confidences: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.ious.ndim != 2 or self.ious.shape != self.similarities.shape:
            raise ValueError(f"IoUs of shape {self.ious.shape} and similarities of {self.similarities.shape} differ")
        if self.confidences.shape != self.ious.shape[:1]:
            raise ValueError(f"{len(self.confidences)} confidences do not belong to {len(self.ious)} masks")

    @property
    def num_true(self) -> int:
        """How many phrases the image truly has."""
        return int(self.ious.shape[1])


def mask_ious(predicted: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> NDArray[np.float64]:
    """(predicted, true) intersection over union of boolean masks of one size; 0 where both are empty."""
    if len(predicted) == 0 or len(true) == 0:
        return np.zeros((len(predicted), len(true)))
    shapes = {mask.shape for mask in (*predicted, *true)}
    if len(shapes) > 1:
        raise ValueError(f"masks of {len(shapes)} different shapes cannot be compared: {sorted(shapes)}")
    truths = np.stack([mask.ravel() for mask in true]).astype(bool)  # (true, pixels)
    rows = [mask.ravel().astype(bool) for mask in predicted]
    shared = np.array([np.count_nonzero(row & truths, axis=1) for row in rows])
    union = np.array([np.count_nonzero(row | truths, axis=1) for row in rows])
    ious: NDArray[np.float64] = shared / np.maximum(union, 1)
    return ious


def grounded_scores(images: Sequence[GroundedImage], rules: Rules = "mended") -> dict[str, float]:
    """``ap50``, ``miou`` and ``recall`` over all images, each in [0, 1].

    Raises:
        ValueError: no image has a true phrase.
    """
    weights = np.ones((1, len(images)))
    return {name: float(score(weights)[0]) for name, score in grounded_corpus_scores(images, rules).items()}


def grounded_corpus_scores(images: Sequence[GroundedImage], rules: Rules = "mended") -> dict[str, CorpusScore]:
    """The same three scores as functions of how often each image is drawn, for ``bootstrap``."""
    num_true = np.array([image.num_true for image in images])
    if not num_true.sum():
        raise ValueError(f"none of the {len(images)} images has a true phrase")
    if rules == "glamm":
        mean = mean_of([_greedy_mean(image.ious) for image in images])
        found = [_found_until_the_first_misfit(image) for image in images]
    elif rules == "mended":
        # An image without true phrases has no mean; it weighs nothing.
        mean = ratio_of(
            [largest_sum(image.ious) / max(image.num_true, 1) for image in images], num_true > 0, of_nothing=0.0
        )
        found = [most_pairs((image.ious >= FITS) & (image.similarities >= FITS)) for image in images]
    else:
        raise ValueError(f"{rules!r} is none of the rules mended, glamm")
    return {
        "ap50": _average_precision_of(images, num_true, rules),
        "miou": mean,
        "recall": ratio_of(found, num_true, of_nothing=0.0),
    }


def _greedy_mean(ious: NDArray[np.float64]) -> float:
    """Mean IoU of the pairs that are taken by falling IoU until none overlaps; 0 where there is no pair."""
    left, taken = ious.copy(), []
    while left.size and left.max() > 0:
        row, column = np.unravel_index(np.argmax(left), left.shape)
        taken.append(float(left[row, column]))
        left = np.delete(np.delete(left, row, axis=0), column, axis=1)
    return sum(taken) / len(taken) if taken else 0.0


def _found_until_the_first_misfit(image: GroundedImage) -> int:
    # Truths come first, as in the script: among equal IoUs the earliest true phrase is taken.
    ious, similarities = image.ious.T.copy(), image.similarities.T.copy()
    found = 0
    while ious.size:
        row, column = np.unravel_index(np.argmax(ious), ious.shape)
        if ious[row, column] < FITS or similarities[row, column] < FITS:
            break
        found += 1
        for left in (ious, similarities):
            left[row, :] = 0
            left[:, column] = 0
    return found


def _average_precision_of(images: Sequence[GroundedImage], num_true: NDArray[np.int_], rules: Rules) -> CorpusScore:
    hits_of = _hits_in_order if rules == "glamm" else _hits_by_confidence
    parts = [hits_of(image) for image in images]
    counts = [len(hits) for hits, _ in parts]
    image_of = np.repeat(np.arange(len(images)), counts)
    hits = np.concatenate([hits for hits, _ in parts])
    confidences = np.concatenate([scores for _, scores in parts])
    order = np.argsort(-confidences, kind="stable")
    image_of, hits, confidences = image_of[order], hits[order], confidences[order]
    if rules == "glamm":
        ends = np.ones(len(hits), dtype=bool)
    else:
        # The curve has a point only where the score changes: masks of equal score come together.
        ends = np.append(confidences[1:] != confidences[:-1], True)[: len(hits)]

    def area(weights: NDArray[np.float64]) -> float:
        times = weights[image_of]
        return _area(np.cumsum(times * hits)[ends], np.cumsum(times)[ends], float(weights @ num_true))

    # A draw at a time: there are many more masks than images.
    return lambda weights: np.array([area(row) for row in weights])


def _area(right: NDArray[np.float64], given: NDArray[np.float64], num_true: float) -> float:
    """COCO's area under precision and recall: the mean over 101 recalls of the best precision at or beyond each."""
    if not len(right) or num_true == 0:
        return 0.0
    precision = right / np.maximum(given, 1)
    best_beyond = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    places = np.searchsorted(right / num_true, RECALL_STEPS, side="left")
    return float(best_beyond[places].mean())


Hits = tuple[NDArray[np.float64], NDArray[np.float64]]


def _hits_in_order(image: GroundedImage) -> Hits:
    """COCO's matching of masks of one score: each in turn takes the free true mask that it fits best."""
    free = np.ones(image.num_true, dtype=bool)
    hits = np.zeros(min(len(image.ious), MAX_DETECTIONS))
    for row in range(len(hits)):
        ious = np.where(free, image.ious[row], -1.0)
        best = int(len(ious) - 1 - np.argmax(ious[::-1])) if len(ious) else -1  # the last of equals
        if best >= 0 and ious[best] >= FITS:
            hits[row], free[best] = 1, False
    return hits, np.ones(len(hits))


def _hits_by_confidence(image: GroundedImage) -> Hits:
    """1 for each mask with which the largest pairing grows, masks taken by falling confidence."""
    order = np.argsort(-image.confidences, kind="stable")
    matching = GrowingMatching()
    hits = [matching.add(np.flatnonzero(image.ious[row] >= FITS).tolist()) for row in order]
    return np.array(hits, dtype=np.float64), image.confidences[order]
