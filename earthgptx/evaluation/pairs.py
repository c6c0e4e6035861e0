"""Two systems' answers to the same questions: by how much one is better, and whether this test set can tell.

Both are scored on the same draws of images (Koehn, EMNLP 2004), so that what makes an image hard for both cancels out.
Nothing here reads a file or knows a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from earthgptx.errors import MalformedPredictions
from earthgptx.evaluation.metrics.bootstrap import Interval, paired_difference
from earthgptx.evaluation.metrics.similarity import Embed
from earthgptx.evaluation.predictions import Prediction
from earthgptx.evaluation.scoring import scorer_of


def differences(
    kind: str, predictions: Sequence[Prediction], others: Sequence[Prediction], embed: Embed | None
) -> tuple[Mapping[str, Interval], str]:
    """What the first system has more than the other, by score, and a sentence on how many questions that is over.

    Args:
        kind: a name of `scoring.KINDS`.
        predictions, others: of the two systems, matched by key; a question that only one answered is left out.
        embed: sentence embeddings, where the kind needs them.

    Raises:
        MalformedPredictions: no question is answered by both, or the same key has other truths.
    """
    by_key = {one.key: one for one in others}
    pairs = [(one, by_key[one.key]) for one in predictions if one.key in by_key]
    if not pairs:
        raise MalformedPredictions(
            f"None of the {len(predictions)} questions is among the {len(others)} of the other file."
        )
    for one, other in pairs:
        if _truth_of(one) != _truth_of(other):
            raise MalformedPredictions(f"The two files say other truths of the question {one.key!r}.")
    first, second = (scorer_of(kind, side, embed) for side in zip(*pairs, strict=True))
    images, theirs = first.images(), second.corpus_scores()
    if second.images() != images:
        raise MalformedPredictions(
            f"{len(images)} items of the one file and {len(second.images())} of the other differ."
        )
    found = {
        name: paired_difference(score, theirs[name], len(images), groups=images)
        for name, score in first.corpus_scores().items()
        if name in theirs
    }
    left_out = len(predictions) + len(others) - 2 * len(pairs)
    return found, f"Compared on {len(pairs)} questions that both answered; {left_out} that one alone has are left out."


def _truth_of(one: Prediction) -> object:
    return (
        one.references,
        [(region.truth, region.true_mask, region.references) for region in one.regions],
        (one.true_phrases),
    )
