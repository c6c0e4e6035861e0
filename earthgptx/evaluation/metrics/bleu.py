"""Corpus BLEU of any weighting of a corpus's captions, with the digits of the COCO caption scorers.

Those scorers read a list of captions and have to read it anew for every resample of a bootstrap. Here the n-grams
are counted once; how often each caption is drawn then gives the corpus's score by a few array operations.

Source: Papineni et al., BLEU (ACL 2002); where the paper leaves room, as ``pycocoevalcap`` 1.2 does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from earthgptx.evaluation.metrics.bootstrap import CorpusScore

MAX_LENGTH = 4  # words of the longest n-grams

# pycocoevalcap's, against division by nothing
_SMALL, _TINY = 1e-9, 1e-15

Words = Sequence[str]


def bleu_of(captions: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[CorpusScore]:
    """Corpus BLEU-1 to BLEU-4, each in [0, 1], with the reference length that is closest to each caption's.

    Args:
        captions: words of each caption.
        references: words of each reference, at least one a caption.
    """
    counts = np.array(
        [_bleu_counts(said, true) for said, true in zip(captions, references, strict=True)], dtype=np.float64
    )

    def up_to(length: int) -> CorpusScore:
        def score(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            sums = weights @ counts
            right, given = sums[:, 2 : 2 + length], sums[:, 2 + MAX_LENGTH : 2 + MAX_LENGTH + length]
            mean = np.prod((right + _TINY) / (given + _SMALL), axis=1) ** (1 / length)
            ratio = (sums[:, 0] + _TINY) / (sums[:, 1] + _SMALL)
            # exp underflows to 0 for a corpus without words, as it should
            penalty = np.exp(1 - 1 / np.minimum(ratio, 1.0))
            scored: NDArray[np.float64] = mean * penalty
            return scored

        return score

    return [up_to(length) for length in range(1, MAX_LENGTH + 1)]


def _bleu_counts(said: Words, references: Sequence[Words]) -> list[int]:
    """Words, closest reference's words, n-grams of each length that are right, n-grams of each length."""
    most: Counter[tuple[str, ...]] = Counter()
    for true in references:
        most |= _ngrams(true)
    right, given = [0] * MAX_LENGTH, [0] * MAX_LENGTH
    for ngram, times in _ngrams(said).items():
        given[len(ngram) - 1] += times
        right[len(ngram) - 1] += min(times, most[ngram])
    closest = min((abs(len(true) - len(said)), len(true)) for true in references)[1]
    return [len(said), closest, *right, *given]


def _ngrams(words: Words) -> Counter[tuple[str, ...]]:
    return Counter(_each_ngram(words))


def _each_ngram(words: Words) -> Iterable[tuple[str, ...]]:
    for length in range(1, MAX_LENGTH + 1):
        for start in range(len(words) - length + 1):
            yield tuple(words[start : start + length])
