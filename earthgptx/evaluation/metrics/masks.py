"""Scores of predicted pixel masks: cIoU, gIoU, class-wise mIoU, the share of masks above an IoU threshold, boxes.

Two masks are compared once, into an ``Overlap`` of two pixel counts, and every score is a sum over overlaps.
So a long evaluation keeps two integers a mask instead of the masks, and any part of it can be
scored again later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from earthgptx.shapes import Box

PRECISION_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Overlap:
    """Pixels that prediction and truth share, and pixels that either covers."""

    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """Intersection over union in [0, 1]; 1 where both masks are empty, as LISA counts it."""
        return self.intersection / self.union if self.union else 1.0


def overlap(prediction: np.ndarray | None, truth: np.ndarray) -> Overlap:
    """Compares two masks of one size.

    Args:
        prediction: (H, W) bool; None where the model gave no mask, which counts as an empty one.
        truth: (H, W) bool.

    Raises:
        ValueError: the sizes differ.
    """
    if prediction is None:
        return Overlap(intersection=0, union=int(np.count_nonzero(truth)))
    if prediction.shape != truth.shape:
        raise ValueError(f"a predicted mask of shape {prediction.shape} cannot meet a true one of {truth.shape}")
    return Overlap(
        intersection=int(np.count_nonzero(prediction & truth)),
        union=int(np.count_nonzero(prediction | truth)),
    )


def cumulative_iou(overlaps: Sequence[Overlap]) -> float:
    """cIoU: sum of intersections over sum of unions, so large objects weigh more (LISA, CVPR 2024)."""
    _refuse_empty(overlaps)
    union = sum(one.union for one in overlaps)
    return sum(one.intersection for one in overlaps) / union if union else 1.0


def mean_iou(overlaps: Sequence[Overlap]) -> float:
    """gIoU: the mean over masks of each mask's IoU, so every object weighs the same (LISA, CVPR 2024)."""
    _refuse_empty(overlaps)
    return sum(one.iou for one in overlaps) / len(overlaps)


def class_mean_iou(overlaps_by_class: Mapping[str, Sequence[Overlap]]) -> float:
    """mIoU: mean over classes of each class's cIoU, as in semantic segmentation; classes weigh the same."""
    if not overlaps_by_class:
        raise ValueError("a mean over no classes is not defined")
    return sum(cumulative_iou(overlaps) for overlaps in overlaps_by_class.values()) / len(overlaps_by_class)


def precision_at(overlaps: Sequence[Overlap], threshold: float) -> float:
    """Pr@threshold: the share of masks whose IoU reaches the threshold."""
    _refuse_empty(overlaps)
    return sum(one.iou >= threshold for one in overlaps) / len(overlaps)


def mask_box(mask: np.ndarray | None) -> Box | None:
    """The smallest upright box around all pixels of a mask, in pixels, half open; None where there are none.

    Args:
        mask: (H, W) bool; None where the model gave no mask.
    """
    if mask is None or not mask.any():
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def box_iou(prediction: Box | None, truth: Box) -> float:
    """Intersection over union of a predicted and a true upright box, in [0, 1]; 0 where none was predicted."""
    return 0.0 if prediction is None else prediction.iou(truth)


def box_accuracy(ious: Sequence[float], threshold: float = 0.5) -> float:
    """Acc@threshold of visual grounding: the share of boxes whose IoU reaches the threshold; a missing box is 0."""
    if not ious:
        raise ValueError("a mean over no boxes is not defined")
    return sum(iou >= threshold for iou in ious) / len(ious)


def _refuse_empty(overlaps: Sequence[Overlap]) -> None:
    if not overlaps:
        raise ValueError("a mean over no masks is not defined")
