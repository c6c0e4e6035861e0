"""Class words and numbers in English text: which classes a text names, and how many of each it says there are.

Text and labels come in, mentions go out. What is true is not known here. Number words up to ninety-nine, digits
and the usual vague words are understood; a number must stand before its class with at most three words between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from earthgptx.data.datasets.class_names import plural

_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten",
    "eleven",
    "twelve",
    *(f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine")),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS: dict[str, int] = {
    **{word: value for value, word in enumerate((*_UNITS, *_TEENS), start=1)},
    **{word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)},
    **dict.fromkeys(("no", "zero"), 0),
    **dict.fromkeys(("single", "lone", "solitary", "sole", "another"), 1),
    **dict.fromkeys(("a pair of", "a couple of", "both"), 2),
    "half a dozen": 6,
    "a dozen": 12,
}
_VAGUE = ("several", "many", "multiple", "numerous", "various", "a few", "dozens of", "a group of", "a cluster of")

# Behind these the number speaks of something else, as in "two of the ships" and "two rows of ships".
_ARTICLES = ("the", "a", "an", "its", "their", "this", "these", "those")
_VERBS = ("is", "are", "was", "were", "lie", "lies", "stand", "stands")
_JOINTS = ("of", "and", "or", "with", "without", "as", "than", "which", "that", "for", "to", "from", "by")
_PLACES = ("in", "on", "at", "near", "between", "beside", "behind", "along", "around", "about", "under", "over")
_STOPS = (*_ARTICLES, *_VERBS, *_JOINTS, *_PLACES, "above", "below", "into")

_PHRASES = sorted((*_NUMBERS, *_VAGUE), key=len, reverse=True)
_NUMBER = "|".join(
    (
        rf"(?P<tens>{'|'.join(_TENS)})[\s-](?P<units>{'|'.join(_UNITS)})",
        r"(?P<digits>\d{1,3}(?:,\d{3})+|\d+)",
        rf"(?P<words>{'|'.join(re.escape(phrase) for phrase in _PHRASES)})",
    )
)
_ANY_NUMBER = re.compile(rf"(?<![\w.,-])(?:{_NUMBER})(?![\w-])")
# Between a number and its class: at most three words, none of which turns the number to something else.
_ADJECTIVES = re.compile(rf"(?:,?\s+(?!(?:{'|'.join(_STOPS)})\b)[a-z][a-z-]*){{0,3}}\s*")


@dataclass(frozen=True)
class Mention:
    """One class word of a text.

    Attributes:
        label: the class.
        count: how many the text says there are; None where it says no number.
        at_least: the smallest number that a vague word such as "several" allows; None without one.
    """

    label: str
    count: int | None = None
    at_least: int | None = None


def mentions(text: str, labels: Iterable[str]) -> list[Mention]:
    """Every mention of the labels, singular or plural, in the order of the text.

    Where one label is a part of another ("vehicle" and "other vehicle"), the longer one counts.
    """
    forms = _forms(labels)
    if not forms:
        return []
    lowered = " ".join(text.lower().split())
    alternatives = "|".join(_pattern(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
    found: list[Mention] = []
    end = 0
    for match in re.finditer(rf"(?<![\w-])(?:{alternatives})(?![\w-])", lowered):
        label = forms[re.sub(r"[\s-]+", " ", match.group())]
        found.append(_mention(label, lowered[end : match.start()]))
        end = match.end()
    return found


def _forms(labels: Iterable[str]) -> dict[str, str]:
    """Label of each way to write it, hyphens as spaces."""
    return {
        re.sub(r"[\s-]+", " ", form): label
        for label in sorted(labels, reverse=True)
        for form in (f"{label}s", plural(label), label)
    }


def _pattern(form: str) -> str:
    return r"[\s-]".join(re.escape(word) for word in form.split())


def _mention(label: str, before: str) -> Mention:
    """The mention, with the number that the words in front of it end with."""
    found = list(_ANY_NUMBER.finditer(before))  # each whole: "twenty one" is not "one"
    match = found[-1] if found else None
    if match is None or not _ADJECTIVES.fullmatch(before, match.end()):
        return Mention(label)
    if match["tens"]:
        return Mention(label, count=_NUMBERS[match["tens"]] + _NUMBERS[match["units"]])
    if match["digits"]:
        return Mention(label, count=int(match["digits"].replace(",", "")))
    if match["words"] in _VAGUE:
        return Mention(label, at_least=2)
    return Mention(label, count=_NUMBERS[match["words"]])
