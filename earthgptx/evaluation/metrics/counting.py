"""Scores of answers to "how many": the share that is exactly right, and the mean absolute error in objects.

An answer is a sentence; the count is the first number in it, in digits or in English words. An answer without a
number is never dropped: it is wrong, and its error is that of having said 0. Otherwise a model that is silent where
counting is hard would have the smallest error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = (
    {"zero": 0, "a": 1}
    | {word: value for value, word in enumerate([*_UNITS, *_TEENS], start=1)}
    | {word: 10 * tens for tens, word in enumerate(_TENS, start=2)}
)
_ANY_UNIT, _ANY_TEN = "|".join(_UNITS), "|".join(_TENS)
_ANY_SMALL = "|".join(["zero", *_TEENS, *_UNITS])
_BELOW_HUNDRED = rf"(?:(?:{_ANY_TEN})(?:[ -](?:{_ANY_UNIT}))?|{_ANY_SMALL})"
# 1,234 is one number and 3.0 a whole one; 3.5, 2nd and A320 are no counts.
_NUMBER = re.compile(
    rf"""
      (?<![\w.])(?<!\d,) (?P<digits>\d{{1,3}}(?:,\d{{3}})+|\d+) (?:\.0+)? (?!\.?\w|,\d)
    | \b(?P<hundreds>a|{_ANY_UNIT})[ ]hundred(?:[ ](?:and[ ])?(?P<rest>{_BELOW_HUNDRED}))?\b
    | \b(?P<dozens>a|{_ANY_UNIT})[ ]dozen\b
    | \b(?P<words>{_BELOW_HUNDRED})\b
    """,
    re.VERBOSE,
)
_NONE = re.compile(r"\b(?:no|none|nothing)\b")


@dataclass(frozen=True)
class CountPair:
    """What was answered to one question of how many, and the true number.

    Attributes:
        answer: the model's words; None or no number in it where it gave no count.
        truth: number of objects, not negative.
    """

    answer: str | None
    truth: int


@dataclass(frozen=True)
class CountingScores:
    """Scores over all questions.

    Attributes:
        exact: share of answers with the true number, in [0, 1].
        mean_absolute_error: mean of |said - true|, in objects; said is 0 where the answer holds no number.
        num_without_number: how many answers held none.
    """

    exact: float
    mean_absolute_error: float
    num_without_number: int


def read_count(text: str | None) -> int | None:
    """The first whole number of an answer, None where it holds none.

    Digits ("12", "1,234", "3.0") and English words below a thousand ("twenty-three", "a hundred and two", "two
    dozen") are read. "No", "none" and "nothing" are 0 where no other number is said: "No, there are 5" is 5.
    """
    said = " ".join((text or "").lower().split())
    found = _NUMBER.search(said)
    if found is None:
        return 0 if _NONE.search(said) else None
    if found["digits"]:
        return int(found["digits"].replace(",", ""))
    if found["hundreds"]:
        return 100 * _VALUES[found["hundreds"]] + _value(found["rest"] or "zero")
    if found["dozens"]:
        return 12 * _VALUES[found["dozens"]]
    return _value(found["words"])


def _value(words: str) -> int:
    return sum(_VALUES[word] for word in words.replace("-", " ").split())


def is_exact(pair: CountPair) -> bool:
    """True where the answer's number is the true one."""
    return read_count(pair.answer) == pair.truth


def count_errors(pairs: Sequence[CountPair]) -> list[int]:
    """|said - true| of every pair, in objects; an answer without a number said 0."""
    return [abs((read_count(pair.answer) or 0) - pair.truth) for pair in pairs]


def counting_scores(pairs: Sequence[CountPair]) -> CountingScores:
    """Both scores over all pairs.

    Raises:
        ValueError: there are no pairs, or a true number is negative.
    """
    if not pairs:
        raise ValueError("a mean over no counts is not defined")
    negative = [pair.truth for pair in pairs if pair.truth < 0]
    if negative:
        raise ValueError(f"{len(negative)} of {len(pairs)} true counts are below 0, {negative[0]} first")
    return CountingScores(
        exact=sum(map(is_exact, pairs)) / len(pairs),
        mean_absolute_error=sum(count_errors(pairs)) / len(pairs),
        num_without_number=sum(read_count(pair.answer) is None for pair in pairs),
    )
