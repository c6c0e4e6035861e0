"""How much two texts share: F1 over their runs of one to four words, or tokens.

Sequences come in, numbers between 0 and 1 go out; whoever asks splits a text as it sees fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

LONGEST_RUN = 4  # as BLEU-4 counts them

Runs = Counter[tuple[Hashable, ...]]


def runs_of(words: Sequence[Hashable]) -> Runs:
    """All runs of one to four neighbours in a text, and how often each comes."""
    lengths = range(1, LONGEST_RUN + 1)
    return Counter(tuple(words[start : start + n]) for n in lengths for start in range(len(words) - n + 1))


def overlap(one: Runs, other: Runs) -> float:
    """F1 of two texts' runs: 1 for equal texts, 0 for texts without a common word, or without any."""
    return 2 * (one & other).total() / max(one.total() + other.total(), 1)
