"""A mask's logits at the scene's size: bilinear interpolation, of what lies in the scene alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from earthgptx.inference.generation import mask_at_scene_size
from earthgptx.processing.views import whole_window
from earthgptx.shapes import Box

WIDTH, HEIGHT = 90, 60


@pytest.mark.parametrize(
    "frame", [whole_window(WIDTH, HEIGHT), Box(20, 10, 50, 40), Box(-8, 30, 56, 94), Box(3, 4, 9, 10)]
)
def test_it_is_bilinear_interpolation(frame: Box):
    logits = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    mask, score = mask_at_scene_size(logits, frame, WIDTH, HEIGHT)
    side, left, top = round(frame.width), round(frame.x0), round(frame.y0)
    fine = interpolate(logits[None, None], size=(side, side), mode="bilinear", align_corners=False)[0, 0]
    wanted = np.full((HEIGHT, WIDTH), -1.0, np.float32)
    for y in range(max(top, 0), min(top + side, HEIGHT)):
        for x in range(max(left, 0), min(left + side, WIDTH)):
            wanted[y, x] = fine[y - top, x - left]
    sure = np.abs(wanted) > 1e-5
    assert np.array_equal(mask[sure], (wanted > 0)[sure])
    assert score == pytest.approx(float(torch.from_numpy(wanted[wanted > 0]).sigmoid().mean()), abs=1e-4)


def test_an_empty_mask_scores_nothing():
    mask, score = mask_at_scene_size(torch.full((4, 4), -1.0), whole_window(WIDTH, HEIGHT), WIDTH, HEIGHT)
    assert not mask.any()
    assert score == 0.0


def test_a_long_strip_needs_no_square():
    mask, score = mask_at_scene_size(torch.full((64, 64), 2.0), whole_window(300, 60_000), 300, 60_000)
    assert mask.shape == (60_000, 300)
    assert mask.all()
    assert score == pytest.approx(0.8808, abs=1e-4)
