"""Predictions to scores: one scorer for all, asked about every part that a report shows.

The same predictions give the same scores wherever they come from: a run that just ended, or a file of any system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from earthgptx.errors import MalformedPredictions
from earthgptx.evaluation.items import grouped
from earthgptx.evaluation.metrics.bootstrap import Interval, interval
from earthgptx.evaluation.metrics.similarity import Embed
from earthgptx.evaluation.predictions import Prediction
from earthgptx.evaluation.report import Scores
from earthgptx.evaluation.scorers import ClassScorer, MaskScorer, Numbers, Scorer
from earthgptx.evaluation.text_scorers import AnswerScorer, CaptionScorer, GroundedScorer

ALL = "all"


@dataclass(frozen=True)
class Kind:
    """One kind of answer.

    Attributes:
        scorer: made of all predictions and a sentence embedding.
        needs_embedding: whether the scorer asks for embeddings; without, none need be loaded.
        scores_captions: whether the caption scorers of the ``eval`` extra are needed.
        has_item: whether a prediction holds anything of this kind that has a truth.
        item: what `has_item` looks for, for a refusal.
    """

    scorer: Callable[[Sequence[Prediction], Embed], Scorer]
    has_item: Callable[[Prediction], bool]
    item: str
    needs_embedding: bool = False
    scores_captions: bool = False


KINDS: dict[str, Kind] = {
    "classes": Kind(ClassScorer, lambda one: bool(one.regions), "region with a true class", needs_embedding=True),
    "masks": Kind(
        lambda predictions, _: MaskScorer(predictions),
        lambda one: any(region.overlap is not None for region in one.regions),
        "region with a true mask",
    ),
    "referred masks": Kind(
        lambda predictions, _: MaskScorer(predictions, with_boxes=True),
        lambda one: any(region.true_mask is not None for region in one.regions),
        "region with a true mask",
    ),
    "captions": Kind(
        lambda predictions, _: CaptionScorer(predictions),
        lambda one: bool(one.references),
        "true caption",
        scores_captions=True,
    ),
    "region captions": Kind(
        lambda predictions, _: CaptionScorer(predictions, of_regions=True),
        lambda one: any(region.references for region in one.regions),
        "region with a true caption",
        scores_captions=True,
    ),
    "scenes": Kind(
        lambda predictions, _: AnswerScorer(predictions, are_classes=True),
        lambda one: bool(one.references),
        "true class",
    ),
    "short answers": Kind(
        lambda predictions, _: AnswerScorer(predictions, are_classes=False),
        lambda one: bool(one.references),
        "true answer",
    ),
    "grounded captions": Kind(
        GroundedScorer,
        lambda one: any(phrase.mask is not None for phrase in one.true_phrases),
        "true phrase with a mask",
        needs_embedding=True,
    ),
}


def score(
    kind: str,
    predictions: Sequence[Prediction],
    embed: Embed | None = None,
    *,
    counts: Mapping[str, int] | None = None,
    notes: tuple[str, ...] = (),
) -> Scores:
    """Every number of a report.

    Args:
        kind: a name of `KINDS`.
        predictions: all answers of the run.
        embed: sentence embeddings, where the kind needs them.
        counts: what else was counted; comes before the kind's own.
        notes: sentences on what was skipped and why.

    Raises:
        MalformedPredictions: no prediction holds a truth of this kind; there is nothing to be right about.
    """
    known = KINDS[kind]
    scored = _scored(known, predictions)
    if len(scored) < len(predictions):
        notes = (*notes, f"{len(predictions) - len(scored)} predictions hold no {known.item} and are not counted.")
    remembering = remembered(embed) if embed is not None else _no_embedding
    scorer = known.scorer(scored, remembering)
    by_marks = grouped([one for one in scored if one.marks], lambda one: one.marks)
    has_marks = len(by_marks) > 1
    intervals = {ALL: _intervals(scorer)}
    if has_marks:
        intervals |= {name: _intervals(known.scorer(part, remembering)) for name, part in by_marks.items()}

    def parts(name_of: Callable[[Prediction], str]) -> Mapping[str, Numbers]:
        return {name: scorer.numbers(part) for name, part in grouped(scored, name_of).items()}

    return Scores(
        metrics=scorer.numbers(scored),
        by_sensor=parts(lambda one: one.sensor),
        by_dataset=parts(lambda one: one.dataset),
        by_marks={name: scorer.numbers(part) for name, part in by_marks.items()} if has_marks else {},
        by_class=scorer.by_class(),
        confusion=scorer.confusion(),
        variants=scorer.variants(),
        intervals=intervals,
        counts={**(counts or {}), **scorer.counts()},
        notes=(*notes, *scorer.notes()),
    )


def scorer_of(kind: str, predictions: Sequence[Prediction], embed: Embed | None = None) -> Scorer:
    """The scorer of a kind over all predictions that hold a truth of it.

    Raises:
        MalformedPredictions: none does.
    """
    known = KINDS[kind]
    return known.scorer(_scored(known, predictions), remembered(embed) if embed is not None else _no_embedding)


def _scored(known: Kind, predictions: Sequence[Prediction]) -> list[Prediction]:
    scored = [one for one in predictions if known.has_item(one)]
    if not scored:
        raise MalformedPredictions(f"None of the {len(predictions)} predictions holds a {known.item}.")
    return scored


def remembered(embed: Embed) -> Embed:
    """The same embedding, that looks at every text only once: each part of a report asks about the same few names."""
    known: dict[str, np.ndarray] = {}

    def embed_new(texts: list[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, np.asarray(embed(new)), strict=True))
        return np.stack([known[text] for text in texts]) if texts else np.zeros((0, 0))

    return embed_new


def _no_embedding(texts: list[str]) -> np.ndarray:
    raise AssertionError(f"{len(texts)} texts should be embedded, but nobody can")


def _intervals(scorer: Scorer) -> Mapping[str, Interval]:
    images = scorer.images()
    return {
        name: interval(corpus_score, len(images), groups=images)
        for name, corpus_score in scorer.corpus_scores().items()
    }
