"""Scores of predicted category names: S-IoU, exact accuracy, and the confusion of one class with another.

Strings come in pairs (prediction, truth); a prediction of None is a region the model did not answer. All
scores are strict: a region without an answer counts as 0 and is never dropped from the mean, unlike the
evaluation scripts in circulation, which loop over the predicted lines and so forgive what was left out.

Clean-up, applied to prediction and truth alike before anything is compared: lower case; the characters
``_ . : , ; ! ?``, quotes and brackets become spaces; runs of white space become one space. Hyphens, digits
and plurals are kept, nothing is stemmed and no stop word is removed: "ships" is not "ship", "a ship" half is.

So much for the variant "strict", the headline. S-IoU and SS also come as two scripts in circulation count them,
for a comparison with tables made by those:

* "osprey" (Yuan et al., CVPR 2024): of a prediction with a colon, what stands between the first and the second;
  ``. : ,`` become spaces; ``_`` only in the truth. No answer is an empty one and scores 0.
* "draw" (Draw-and-Understand, ICLR 2025): the prediction is taken as it is ("Ship." is not "ship"), in the truth
  ``_ :`` become spaces. A region without an answer is dropped from the mean.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Variant = Literal["strict", "osprey", "draw"]
VARIANTS: tuple[Variant, ...] = ("strict", "osprey", "draw")

NOT_ANSWERED = "(no answer)"

_OSPREY_SEPARATORS = re.compile(r"[.:,]")
_SEPARATORS = re.compile(r"""[\s_.:,;!?"'`()\[\]{}<>]+""")


@dataclass(frozen=True)
class LabelPair:
    """What was said about one region, and what is true.

    Attributes:
        prediction: the model's label, None where it gave none for this region.
        truth: the data set's label; must hold at least one word.
    """

    prediction: str | None
    truth: str


def clean_label(text: str) -> str:
    """The form in which labels are compared: lower case, separators as single spaces."""
    return _SEPARATORS.sub(" ", text.lower()).strip()


def compared_forms(pair: LabelPair, variant: Variant = "strict") -> tuple[str, str] | None:
    """Prediction and truth as a variant compares them, in lower case; None where the variant drops the region."""
    if variant == "strict":
        return clean_label(pair.prediction or ""), clean_label(pair.truth)
    truth = pair.truth.replace("_", " ").replace(":", " ").lower()
    if variant == "draw":
        return None if pair.prediction is None else (pair.prediction.lower(), truth)
    if variant != "osprey":
        raise ValueError(f"{variant!r} is none of the variants {', '.join(VARIANTS)}")
    said = (pair.prediction or "").strip()
    if ":" in said:
        said = said.split(":")[1]
    return _OSPREY_SEPARATORS.sub(" ", said).lower(), truth


def semantic_iou(prediction: str | None, truth: str, variant: Variant = "strict") -> float:
    """S-IoU of one region: Jaccard index of the two labels' word sets, in [0, 1].

    As in Osprey (Yuan et al., CVPR 2024) and Draw-and-Understand, with the clean-up of the variant and a guard: a
    prediction that is missing, or has no word in it, scores 0. What "draw" drops from a mean also scores 0 here.

    Raises:
        ValueError: the truth has no word; no prediction could be right. Or there is no such variant.
    """
    said, true = compared_forms(LabelPair(prediction, truth), variant) or ("", clean_label(truth))
    expected = set(true.split())
    if not expected:
        raise ValueError(f"the true label {truth!r} holds no word")
    words = set(said.split())
    return len(words & expected) / len(words | expected)


def pairs_by_line(answer: str, truths: Sequence[str]) -> list[LabelPair]:
    """The regions of one answer as Draw-and-Understand's script pairs them, for its variant: by place, not number.

    The n-th line that is not blank belongs to the n-th truth, whatever region number it names; its label is what
    stands between the first and the second ": ", and nothing where there is none. Truths beyond the last line have no
    answer. Where the script would end with an error, at a line beyond the last truth, the line is left out.
    """
    lines = [line for line in answer.splitlines() if line.strip()]
    labels: list[str | None] = [([*line.split(": "), ""])[1] for line in lines[: len(truths)]]
    labels += [None] * (len(truths) - len(labels))
    return [LabelPair(label, truth) for label, truth in zip(labels, truths, strict=True)]


def is_correct(pair: LabelPair) -> bool:
    """True where prediction and truth are the same words in the same order after the clean-up."""
    return pair.prediction is not None and clean_label(pair.prediction) == clean_label(pair.truth)


def mean_semantic_iou(pairs: Sequence[LabelPair], variant: Variant = "strict") -> float:
    """S-IoU over regions, in [0, 1]; the plain mean over regions, so frequent classes weigh more.

    Raises:
        ValueError: there are no pairs, or the variant drops all of them.
    """
    counted = [pair for pair in pairs if compared_forms(pair, variant) is not None]
    return _mean([semantic_iou(pair.prediction, pair.truth, variant) for pair in counted])


def accuracy(pairs: Sequence[LabelPair]) -> float:
    """Share of regions whose label is exactly right, in [0, 1]."""
    return _mean([float(is_correct(pair)) for pair in pairs])


def accuracy_by_class(pairs: Iterable[LabelPair]) -> dict[str, float]:
    """Share of exactly right labels for each true class, classes in alphabetical order."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for pair in pairs:
        name = clean_label(pair.truth)
        total[name] += 1
        right[name] += is_correct(pair)
    return {name: right[name] / total[name] for name in sorted(total)}


def confusion(pairs: Iterable[LabelPair]) -> dict[str, dict[str, int]]:
    """How often each true class was given each name: ``{truth: {prediction: regions}}``.

    Names are cleaned; a region without an answer is counted under ``NOT_ANSWERED``. Rows are alphabetical,
    within a row the most frequent name comes first.
    """
    rows: dict[str, Counter[str]] = {}
    for pair in pairs:
        said = clean_label(pair.prediction or "") or NOT_ANSWERED
        rows.setdefault(clean_label(pair.truth), Counter())[said] += 1
    # Ties are ordered by name, so that the order in which regions were answered leaves no trace in the
    # report.
    return {truth: dict(sorted(rows[truth].items(), key=lambda item: (-item[1], item[0]))) for truth in sorted(rows)}


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise ValueError("a mean over no regions is not defined")
    return sum(values) / len(values)
