from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from earthgptx.evaluation.metrics.masks import (
    PRECISION_THRESHOLDS,
    Overlap,
    class_mean_iou,
    cumulative_iou,
    mean_iou,
    overlap,
    precision_at,
)

MASKS = arrays.arrays(bool, (7, 9))
OVERLAPS = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda one: Overlap(min(one), max(one))),
    min_size=1,
)


def box_mask(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((10, 10), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_three_boxes_by_hand():
    overlaps = [
        overlap(box_mask(0, 0, 4, 4), box_mask(0, 0, 4, 4)),  # 16 / 16
        overlap(box_mask(0, 0, 4, 2), box_mask(2, 0, 6, 2)),  # 4 / 12
        overlap(None, box_mask(5, 5, 10, 9)),  # 0 / 20
    ]
    assert overlaps == [Overlap(16, 16), Overlap(4, 12), Overlap(0, 20)]
    assert cumulative_iou(overlaps) == pytest.approx(20 / 48)
    assert mean_iou(overlaps) == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert class_mean_iou({"ship": overlaps[:2], "tank": overlaps[2:]}) == pytest.approx((20 / 28 + 0) / 2)
    assert [precision_at(overlaps, t) for t in PRECISION_THRESHOLDS] == pytest.approx([1 / 3] * 5)
    assert precision_at(overlaps, 0.3) == pytest.approx(2 / 3)


@given(MASKS, MASKS)
def test_iou_agrees_with_pycocotools(prediction: np.ndarray, truth: np.ndarray):
    encoded = [coco.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in (prediction, truth)]
    reference = coco.iou([encoded[0]], [encoded[1]], [0])[0, 0]
    ours = overlap(prediction, truth)
    assert ours.union == coco.area(coco.merge(encoded))
    assert ours.intersection == coco.area(coco.merge(encoded, intersect=True))
    if ours.union:  # for two empty masks COCO says 0, LISA and we say 1
        assert ours.iou == pytest.approx(reference)


@given(MASKS)
def test_perfect_is_perfect_and_absence_is_an_empty_mask(truth: np.ndarray):
    assert overlap(truth, truth).iou == 1
    assert overlap(None, truth) == overlap(np.zeros_like(truth), truth)


@given(OVERLAPS)
def test_bounds_and_order(overlaps: list[Overlap]):
    shuffled = random.Random(2).sample(overlaps, len(overlaps))
    for score in (cumulative_iou, mean_iou, lambda some: precision_at(some, 0.5)):
        assert 0 <= score(overlaps) <= 1
        assert score(shuffled) == pytest.approx(score(overlaps))
    assert class_mean_iou({"all": overlaps}) == cumulative_iou(overlaps)
    shares = [precision_at(overlaps, threshold) for threshold in PRECISION_THRESHOLDS]
    assert shares == sorted(shares, reverse=True)


@given(OVERLAPS, st.integers(1, 500))
def test_a_missing_mask_lowers_both_scores(overlaps: list[Overlap], area: int):
    longer = [*overlaps, Overlap(0, area)]
    assert cumulative_iou(longer) <= cumulative_iou(overlaps)
    assert mean_iou(longer) == pytest.approx(mean_iou(overlaps) * len(overlaps) / len(longer))


def test_empty_against_empty_counts_as_right():
    empty = np.zeros((3, 3), dtype=bool)
    assert mean_iou([overlap(empty, empty)]) == cumulative_iou([overlap(None, empty)]) == 1


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        overlap(np.ones((2, 3), dtype=bool), np.ones((3, 2), dtype=bool))
    for score in (cumulative_iou, mean_iou, lambda some: precision_at(some, 0.5)):
        with pytest.raises(ValueError, match="no masks"):
            score([])
    with pytest.raises(ValueError, match="no classes"):
        class_mean_iou({})
