"""How far a score would move with other test items: percentile bootstrap intervals, for one system or two.

A score comes in as a function of how often each item was drawn, a ``CorpusScore``; so one procedure serves means
and scores that are no means (cIoU, BLEU, CIDEr), and two systems are compared on the very same draws. What comes
out knows nothing of training: another seed of the training, or another data set, moves a score by other amounts.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; for pairs of systems, Koehn,
Statistical Significance Tests for Machine Translation Evaluation (EMNLP 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CorpusScore = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(draws, items) times that each item was drawn, at least one in every row -> (draws,) scores."""

DRAWS_AT_ONCE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Interval:
    """A score and the range in which the middle ``level`` of its resampled values lies.

    Attributes:
        value: the score of the items as they are, in the score's own unit.
        low, high: the ends of the range; ``value`` may lie outside where a score is biased by drawing.
        level: share of the resampled values inside, such as 0.95.
    """

    value: float
    low: float
    high: float
    level: float

    @property
    def excludes_zero(self) -> bool:
        """For a difference: whether its sign is the same over the whole range."""
        return self.low > 0 or self.high < 0


def mean_of(values: ArrayLike) -> CorpusScore:
    """The mean of one number an item, such as SS, S-IoU, a mask's IoU, or 1 for right and 0 for wrong."""
    numbers = np.asarray(values, dtype=np.float64)
    return lambda weights: (weights @ numbers) / weights.sum(axis=1)


def ratio_of(tops: ArrayLike, bottoms: ArrayLike, *, of_nothing: float = 1.0) -> CorpusScore:
    """Sum of one number over the sum of another, such as cIoU; ``of_nothing`` where the second sum is 0."""
    above, below = np.asarray(tops, dtype=np.float64), np.asarray(bottoms, dtype=np.float64)

    def score(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights @ below
        return np.where(total == 0, of_nothing, (weights @ above) / np.where(total == 0, 1.0, total))

    return score


def class_mean_of(tops: ArrayLike, bottoms: ArrayLike, classes: Sequence[Hashable]) -> CorpusScore:
    """The mean over classes of `ratio_of` each class's items, such as mIoU; a class that is not drawn has no say.

    Raises:
        ValueError: classes and numbers differ in how many they are.
    """
    names = list(dict.fromkeys(classes))
    above, below = np.asarray(tops, dtype=np.float64), np.asarray(bottoms, dtype=np.float64)
    if not len(classes) == len(above) == len(below):
        raise ValueError(f"{len(classes)} classes do not belong to {len(above)} and {len(below)} numbers")
    # (items, classes): 1 where an item is of a class
    membership = np.array([[float(name == one) for name in names] for one in classes])

    def score(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights @ (below[:, None] * membership)
        ratios = np.where(total == 0, 1.0, (weights @ (above[:, None] * membership)) / np.where(total == 0, 1.0, total))
        is_drawn = weights @ membership > 0
        means: NDArray[np.float64] = (ratios * is_drawn).sum(axis=1) / is_drawn.sum(axis=1)
        return means

    return score


def interval(
    score: CorpusScore,
    num_items: int,
    *,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap interval of one system's score.

    Args:
        score: what is estimated.
        num_items: how many items it is over.
        groups: a name an item; items of one name are drawn together. Regions of one image are seen by the
            model together and so err together: give their image. None draws each item by itself.
        resamples: how often the test set is drawn anew.
        level: share of the resampled scores inside the interval, in (0, 1).
        seed: the same seed gives the same draws, and so the same interval.

    Raises:
        ValueError: there are no items or no resamples, the level is no share, or groups and items differ in number.
    """
    _check(num_items, groups, resamples, level)
    drawn = np.concatenate([score(weights) for weights in _draws(num_items, groups, resamples, seed)])
    return _interval(float(score(np.ones((1, num_items)))[0]), drawn, level)


def paired_difference(
    first: CorpusScore,
    second: CorpusScore,
    num_items: int,
    *,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The interval of ``first - second``, two systems' scores on the same items in the same order.

    Both are scored on the same draws, so what makes an item hard for both cancels out. Arguments and errors are
    those of `interval`.
    """

    def difference(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return first(weights) - second(weights)

    return interval(difference, num_items, groups=groups, resamples=resamples, level=level, seed=seed)


def _draws(
    num_items: int, groups: Sequence[Hashable] | None, resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Weights of all resamples, a few rows at a time, so that 100,000 items fit in memory."""
    names = list(dict.fromkeys(groups)) if groups is not None else []
    place = {name: index for index, name in enumerate(names)}
    group_of_item = np.array([place[name] for name in groups]) if groups is not None else np.arange(num_items)
    num_groups = len(names) if groups is not None else num_items
    random = np.random.default_rng(seed)
    rows_at_once = max(1, DRAWS_AT_ONCE_BYTES // (8 * num_items))
    for start in range(0, resamples, rows_at_once):
        num_rows = min(rows_at_once, resamples - start)
        picked = random.integers(num_groups, size=(num_rows, num_groups)) + num_groups * np.arange(num_rows)[:, None]
        times = np.bincount(picked.ravel(), minlength=num_rows * num_groups).reshape(num_rows, num_groups)
        yield times[:, group_of_item].astype(np.float64)


def _interval(value: float, drawn: NDArray[np.float64], level: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value=value, low=float(low), high=float(high), level=level)


def _check(num_items: int, groups: Sequence[Hashable] | None, resamples: int, level: float) -> None:
    if num_items < 1 or resamples < 1:
        raise ValueError(f"{resamples} resamples of {num_items} items give no interval")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, {level} does not")
    if groups is not None and len(groups) != num_items:
        raise ValueError(f"{len(groups)} names of groups do not belong to {num_items} items")
