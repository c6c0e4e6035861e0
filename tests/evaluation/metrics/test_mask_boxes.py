from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from earthgptx.evaluation.metrics.masks import box_accuracy, box_iou, mask_box
from earthgptx.shapes import Box

MASKS = arrays(np.bool_, (6, 9))


def test_box_of_a_mask_by_hand():
    mask = np.zeros((6, 9), dtype=bool)
    assert mask_box(mask) is None
    assert mask_box(None) is None
    mask[2, 3] = mask[4, 7] = True
    assert mask_box(mask) == Box(3, 2, 8, 5)  # half open: the last pixel is inside


@given(MASKS)
def test_the_box_is_the_smallest_around_all_pixels(mask: np.ndarray):
    box = mask_box(mask)
    if box is None:
        assert not mask.any()
        return
    x0, y0, x1, y1 = (int(value) for value in (box.x0, box.y0, box.x1, box.y1))
    assert mask[y0:y1, x0:x1].sum() == mask.sum()
    assert mask[y0].any()
    assert mask[y1 - 1].any()
    assert mask[:, x0].any()
    assert mask[:, x1 - 1].any()
    assert box_iou(box, box) == 1


def test_box_accuracy_by_hand():
    truth = Box(0, 0, 10, 10)
    ious = [box_iou(Box(0, 0, 5, 10), truth), box_iou(Box(0, 0, 4, 10), truth), box_iou(None, truth)]
    assert ious == [0.5, 0.4, 0]
    assert box_accuracy(ious) == pytest.approx(1 / 3)  # reaching the threshold is enough
    assert box_accuracy(ious, threshold=0.4) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="no boxes"):
        box_accuracy([])
