"""BLEU-1..4, ROUGE-L and CIDEr of one caption an image against its references, by the COCO caption scorers.

The three scorers come from ``pycocoevalcap`` and are pure Python. Its Penn Treebank tokeniser is a Java
program; captions are split here by a regular expression instead, everywhere and always, so that a machine
without Java reports the same digits. Of 13,500 captions of RSICD the two split all but 3 alike; those
hold a bracket, which the Treebank writes as a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Penn Treebank's habits, as far as captions need them: "isn't" -> is n't, "ship's" -> ship 's, "cannot" ->
# can not, hyphenated words stay whole, punctuation disappears.
_TOKEN = re.compile(
    r"""
      \d+(?:[.,:]\d+)+(?!\w)        # 3.5  1,000  12:30
    | can(?=not\b)
    | \w+(?=n't\b) | n't\b
    | '(?:s|m|d|re|ve|ll)\b
    | \w+(?:-\w+)*
    """,
    re.VERBOSE,
)


def tokenise(caption: str) -> list[str]:
    """Lower-case words of a caption without its punctuation."""
    return _TOKEN.findall(caption.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def caption_scores(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Corpus scores ``bleu_1`` .. ``bleu_4``, ``rouge_l`` (all in [0, 1]) and ``cider`` (0 to 10).

    BLEU is the corpus BLEU with the closest reference length. CIDEr weighs n-grams by their rarity among the
    references of the images given, so the CIDEr of a corpus is not the mean over its parts.

    Args:
        predictions: one caption for each image id; an empty one is allowed and scores 0.
        references: at least one caption for each of the same image ids.

    Raises:
        ValueError: the two sets of ids differ, are empty, or an image has no reference.
    """
    if predictions.keys() != references.keys():
        raise ValueError(f"{len(predictions)} captions do not belong to the {len(references)} referenced images")
    if not predictions:
        raise ValueError("captions of no images have no score")
    without = [image for image, captions in references.items() if not captions]
    if without:
        raise ValueError(f"{len(without)} of {len(references)} images have no reference caption, {without[0]} first")
    # Ids are sorted, so that the order of the answers cannot reach the last digit of a sum.
    said = {image: [" ".join(tokenise(predictions[image]))] for image in sorted(predictions)}
    truth = {image: [" ".join(tokenise(text)) for text in references[image]] for image in sorted(references)}
    return {**_bleu(truth, said), "rouge_l": _rouge_l(truth, said), "cider": _cider(truth, said)}


def scores_of_each(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """``rouge_l`` and ``cider`` of every caption: metric -> image id -> score; their means are the corpus's scores.

    CIDEr weighs n-grams by their rarity in the whole corpus here, too.
    """
    ids = sorted(predictions)
    said = {image: [" ".join(tokenise(predictions[image]))] for image in ids}
    truth = {image: [" ".join(tokenise(text)) for text in references[image]] for image in ids}
    found = {"rouge_l": _rouge_l_scorer().compute_score(truth, said)[1], "cider": _cider_of_each(truth, said)}
    return {name: dict(zip(ids, map(float, scores), strict=True)) for name, scores in found.items()}


def _bleu(truth: dict[str, list[str]], said: dict[str, list[str]]) -> dict[str, float]:
    from pycocoevalcap.bleu.bleu import Bleu  # optional dependency: the `eval` extra

    scores, _ = Bleu(n=4).compute_score(truth, said, verbose=0)
    return {f"bleu_{length}": float(score) for length, score in enumerate(scores, start=1)}


def _rouge_l(truth: dict[str, list[str]], said: dict[str, list[str]]) -> float:
    score, _ = _rouge_l_scorer().compute_score(truth, said)
    return float(score)


def _rouge_l_scorer() -> Any:
    from pycocoevalcap.rouge.rouge import Rouge  # optional dependency: the `eval` extra

    return Rouge()


def _cider(truth: dict[str, list[str]], said: dict[str, list[str]]) -> float:
    return float(np.mean(_cider_of_each(truth, said)))


def _cider_of_each(truth: dict[str, list[str]], said: dict[str, list[str]]) -> NDArray[np.float64]:
    from pycocoevalcap.cider.cider import Cider  # optional dependency: the `eval` extra

    scores: NDArray[np.float64] = Cider().compute_score(truth, said)[1]
    return scores
