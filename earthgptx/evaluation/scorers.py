"""How answers about regions are scored, their classes and their masks, and what every scorer is.

A scorer is made of all predictions of a run, once, and then gives numbers for any part of them, the same scores as
functions of what was drawn (for intervals), and whatever tables its kind has beside. It knows no file and no model
but the sentence embedding it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from earthgptx.evaluation.items import grouped, image_of, label_pairs, overlaps
from earthgptx.evaluation.metrics import labels, masks
from earthgptx.evaluation.metrics.bootstrap import CorpusScore, class_mean_of, mean_of, ratio_of
from earthgptx.evaluation.metrics.labels import LabelPair, clean_label
from earthgptx.evaluation.metrics.similarity import Embed, mean_semantic_similarity, semantic_similarities
from earthgptx.evaluation.predictions import Prediction, RegionPrediction

Numbers = Mapping[str, float]


class Scorer(Protocol):
    """What every kind of answer has."""

    def numbers(self, part: Sequence[Prediction]) -> Numbers:
        """The scores over a part of the predictions, or over all of them."""
        ...

    def corpus_scores(self) -> Mapping[str, CorpusScore]:
        """Scores as functions of how often each item was drawn; the items are those of `images`."""
        ...

    def images(self) -> list[str]:
        """The image of each item, in order: what is drawn together."""
        ...

    def by_class(self) -> Mapping[str, Numbers]:
        """A few of the numbers for each class; empty where there are none."""
        ...

    def confusion(self) -> Mapping[str, Mapping[str, int]]:
        """Truth -> said -> items; empty where nothing can be confused."""
        ...

    def variants(self) -> Mapping[str, Numbers]:
        """The same scores as other evaluation scripts count them, under those scripts' names."""
        ...

    def counts(self) -> Mapping[str, int]:
        """How many items there are, and how many of them have no answer."""
        ...

    def notes(self) -> tuple[str, ...]:
        """Sentences on what was left out, and why."""
        ...


class Plain:
    """A scorer's tables where its kind has none."""

    def by_class(self) -> Mapping[str, Numbers]:
        """No classes."""
        return {}

    def confusion(self) -> Mapping[str, Mapping[str, int]]:
        """Nothing to confuse."""
        return {}

    def variants(self) -> Mapping[str, Numbers]:
        """No other way of counting."""
        return {}

    def notes(self) -> tuple[str, ...]:
        """Nothing was left out."""
        return ()


class ClassScorer(Plain):
    """The name of every region: SS, S-IoU and accuracy in percent, by the strict rules and by two others'."""

    def __init__(self, predictions: Sequence[Prediction], embed: Embed) -> None:
        self._predictions, self._embed = predictions, embed
        self._pairs = label_pairs(predictions)

    def numbers(self, part: Sequence[Prediction]) -> Numbers:
        """``ss``, ``s_iou``, ``accuracy``; a region without an answer scores 0."""
        pairs = label_pairs(part)
        return {
            "ss": 100 * mean_semantic_similarity(pairs, self._embed),
            "s_iou": 100 * labels.mean_semantic_iou(pairs),
            "accuracy": 100 * labels.accuracy(pairs),
        }

    def corpus_scores(self) -> Mapping[str, CorpusScore]:
        """All three are means over regions."""
        similarities = [one or 0.0 for one in semantic_similarities(self._pairs, self._embed)]
        return {
            "ss": mean_of(100 * np.array(similarities)),
            "s_iou": mean_of([100 * labels.semantic_iou(pair.prediction, pair.truth) for pair in self._pairs]),
            "accuracy": mean_of([100.0 * labels.is_correct(pair) for pair in self._pairs]),
        }

    def images(self) -> list[str]:
        """One item a region."""
        return [image_of(one) for one in self._predictions for _ in one.regions]

    def by_class(self) -> Mapping[str, Numbers]:
        """Accuracy, S-IoU and number of regions."""
        return {
            name: {
                "accuracy": 100 * labels.accuracy(part),
                "s_iou": 100 * labels.mean_semantic_iou(part),
                "regions": len(part),
            }
            for name, part in grouped(self._pairs, lambda pair: clean_label(pair.truth)).items()
        }

    def confusion(self) -> Mapping[str, Mapping[str, int]]:
        """True class -> answered class -> regions."""
        return labels.confusion(self._pairs)

    def variants(self) -> Mapping[str, Numbers]:
        """SS and S-IoU as Osprey's and Draw-and-Understand's scripts count them; see `metrics.labels`."""
        by_line = [
            pair
            for one in self._predictions
            for pair in labels.pairs_by_line(one.text, [region.truth for region in one.regions])
        ]
        rows: dict[str, Numbers] = {}
        variants: tuple[tuple[labels.Variant, list[LabelPair]], ...] = (("osprey", self._pairs), ("draw", by_line))
        for variant, pairs in variants:
            if any(labels.compared_forms(pair, variant) is not None for pair in pairs):
                rows[variant] = {
                    "ss": 100 * mean_semantic_similarity(pairs, self._embed, variant),
                    "s_iou": 100 * labels.mean_semantic_iou(pairs, variant),
                }
        return rows

    def counts(self) -> Mapping[str, int]:
        """Regions, and those without an answer."""
        return {"regions": len(self._pairs), "unanswered": sum(pair.prediction is None for pair in self._pairs)}


class MaskScorer(Plain):
    """The mask of every region, as fractions; a region that gets none counts as an empty mask: IoU 0."""

    def __init__(self, predictions: Sequence[Prediction], *, with_boxes: bool = False) -> None:
        self._predictions, self._with_boxes = predictions, with_boxes
        self._regions = self._scored(predictions)

    def numbers(self, part: Sequence[Prediction]) -> Numbers:
        """LISA's ``ciou`` and ``giou``, ``miou`` over classes, ``pr_50`` to ``pr_90``, and ``acc_50`` of boxes."""
        regions = self._scored(part)
        measured = overlaps(regions)
        by_class = grouped(regions, _class_of)
        scores = {
            "ciou": masks.cumulative_iou(measured),
            "giou": masks.mean_iou(measured),
            "miou": masks.class_mean_iou({name: overlaps(same) for name, same in by_class.items()}),
        }
        scores |= {f"pr_{t * 100:.0f}": masks.precision_at(measured, t) for t in masks.PRECISION_THRESHOLDS}
        return scores | ({"acc_50": masks.box_accuracy(_box_ious(regions))} if self._with_boxes else {})

    def corpus_scores(self) -> Mapping[str, CorpusScore]:
        """Over regions; in mIoU a class that is not drawn has no say."""
        measured = overlaps(self._regions)
        shared, covered = [one.intersection for one in measured], [one.union for one in measured]
        scores = {
            "ciou": ratio_of(shared, covered),
            "giou": mean_of([one.iou for one in measured]),
            "miou": class_mean_of(shared, covered, [_class_of(region) for region in self._regions]),
        }
        scores |= {
            f"pr_{t * 100:.0f}": mean_of([float(one.iou >= t) for one in measured]) for t in masks.PRECISION_THRESHOLDS
        }
        if self._with_boxes:
            scores["acc_50"] = mean_of([float(iou >= 0.5) for iou in _box_ious(self._regions)])
        return scores

    def images(self) -> list[str]:
        """One item a region."""
        return [image_of(one) for one in self._predictions for _ in self._scored([one])]

    def by_class(self) -> Mapping[str, Numbers]:
        """cIoU, gIoU and number of regions."""
        return {
            name: {
                "ciou": masks.cumulative_iou(overlaps(part)),
                "giou": masks.mean_iou(overlaps(part)),
                "regions": len(part),
            }
            for name, part in grouped(self._regions, _class_of).items()
        }

    def counts(self) -> Mapping[str, int]:
        """Regions, and those without a mask."""
        return {"regions": len(self._regions), "unanswered": sum(region.mask is None for region in self._regions)}

    def notes(self) -> tuple[str, ...]:
        """How many regions have no true mask."""
        left_out = sum(len(one.regions) for one in self._predictions) - len(self._regions)
        return (f"{left_out} regions have no true mask and are not counted.",) if left_out else ()

    def _scored(self, part: Sequence[Prediction]) -> list[RegionPrediction]:
        regions = [region for one in part for region in one.regions if region.overlap is not None]
        return [region for region in regions if region.true_mask] if self._with_boxes else regions


def _class_of(region: RegionPrediction) -> str:
    return clean_label(region.truth)


def _box_ious(regions: Sequence[RegionPrediction]) -> list[float]:
    """Of the boxes around predicted and true mask; where no pixel is true, no pixel is right."""
    ious = []
    for region in regions:
        said = masks.mask_box(region.mask.to_array() if region.mask else None)
        true = masks.mask_box(region.true_mask.to_array() if region.true_mask else None)
        ious.append(float(said is None) if true is None else masks.box_iou(said, true))
    return ious
