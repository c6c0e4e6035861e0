"""Losses against values worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from earthgptx.training.losses import (
    ALIGNMENT_TEMPERATURE,
    Losses,
    alignment_loss,
    label_directions,
    mask_losses,
    word_loss,
)

SURE = 60.0  # a logit that bf16 and fp32 alike take for certain


def near(value: Tensor, wanted: float, tolerance: float = 1e-5) -> bool:
    return abs(float(value) - wanted) < tolerance


def test_words_that_are_all_alike_cost_the_logarithm_of_their_number():
    assert near(word_loss(torch.zeros(3, 8), torch.tensor([0, 5, 7])), math.log(8))


def test_a_sure_and_right_word_costs_nothing_and_a_sure_wrong_one_its_logit():
    logits = torch.zeros(2, 4)
    logits[:, 1] = SURE
    assert near(word_loss(logits, torch.tensor([1, 1])), 0)
    assert near(word_loss(logits, torch.tensor([1, 2])), SURE / 2)


def test_no_words_cost_nothing_and_still_have_a_gradient():
    logits = torch.zeros(0, 4, requires_grad=True)
    loss = word_loss(logits, torch.zeros(0, dtype=torch.long))
    assert float(loss.detach()) == 0
    loss.backward()


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_perfect_masks_cost_nothing(side: int, seed: int):
    truth = torch.rand(side, side, generator=torch.Generator().manual_seed(seed)) > 0.5
    bce, dice = mask_losses([torch.where(truth, SURE, -SURE)], [truth])
    assert near(bce, 0)
    assert near(dice, 0, tolerance=1e-3)


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_inverted_masks_cost_nearly_everything(side: int, seed: int):
    truth = torch.rand(side, side, generator=torch.Generator().manual_seed(seed)) > 0.5
    bce, dice = mask_losses([torch.where(truth, -SURE, SURE)], [truth])
    assert near(bce, SURE, tolerance=1e-3)
    assert near(dice, 1 - 1 / (side**2 + 1), tolerance=1e-3)  # nothing shared, every pixel in one of the two


def test_an_undecided_mask_worked_by_hand():
    truth = torch.tensor([[True, False], [False, False]])
    bce, dice = mask_losses([torch.zeros(2, 2)], [truth])
    assert near(bce, math.log(2))
    # Shares of 1/2 on 4 pixels, 1 true: 1 - (2 * 1/2 + 1) / (2 + 1 + 1)
    assert near(dice, 0.5)


def test_masks_of_different_sizes_weigh_the_same():
    small, large = torch.ones(2, 2, dtype=torch.bool), torch.ones(64, 64, dtype=torch.bool)
    wrong = torch.full((2, 2), -SURE)
    bce, dice = mask_losses([wrong, torch.full((64, 64), SURE)], [small, large])
    assert near(bce, SURE / 2, tolerance=1e-3)
    assert near(dice, (1 - 1 / 5) / 2, tolerance=1e-3)


def test_bf16_masks_are_summed_in_fp32():
    truth = torch.ones(128, 128, dtype=torch.bool)
    _, dice = mask_losses([torch.full((128, 128), SURE, dtype=torch.bfloat16)], [truth])
    assert near(dice, 0)


def test_no_masks_cost_nothing():
    bce, dice = mask_losses([], [])
    assert float(bce) == float(dice) == 0


def regions_towards(directions: Tensor, chosen: list[int], num_prompts: int = 4) -> Tensor:
    """(R, P, D) region tokens, each as long as it likes, that point where their class does on average."""
    towards = 3 * directions[chosen]
    offsets = torch.randn(len(chosen), num_prompts, directions.shape[1], generator=torch.Generator().manual_seed(0))
    return towards[:, None] + offsets - offsets.mean(dim=1, keepdim=True)


def test_alignment_picks_the_right_class():
    directions = torch.eye(3, 8)
    right = alignment_loss(regions_towards(directions, [0, 2, 1]), torch.tensor([0, 2, 1]), directions)
    wrong = alignment_loss(regions_towards(directions, [0, 2, 1]), torch.tensor([1, 0, 2]), directions)
    sure = math.exp(1 / ALIGNMENT_TEMPERATURE)
    assert near(right, -math.log(sure / (sure + 2)), tolerance=1e-6)
    assert near(wrong, -math.log(1 / (sure + 2)), tolerance=1e-4)


def test_alignment_pulls_towards_the_right_class():
    directions = torch.eye(3, 8)
    regions = torch.ones(1, 4, 8, requires_grad=True)
    alignment_loss(regions, torch.tensor([1]), directions).backward()
    assert regions.grad is not None
    downhill = -regions.grad.sum(dim=(0, 1))
    assert downhill[1] > 0 > downhill[0]


def test_marks_without_a_class_have_no_say():
    directions = torch.eye(3, 8)
    regions = regions_towards(directions, [0, 1])
    alone = alignment_loss(regions[:1], torch.tensor([0]), directions)
    assert torch.equal(alignment_loss(regions, torch.tensor([0, -1]), directions), alone)


@pytest.mark.parametrize("num_regions", [0, 2])
def test_no_labelled_mark_costs_nothing_and_still_has_a_gradient(num_regions: int):
    regions = torch.ones(num_regions, 4, 8, requires_grad=True)
    loss = alignment_loss(regions, torch.full((num_regions,), -1), torch.zeros(0, 1))
    assert float(loss.detach()) == 0
    loss.backward()


def test_label_directions_are_at_right_angles_however_alike_the_words():
    common = torch.full((8,), 5.0)
    words = [(common + axis).expand(count, -1) for axis, count in zip(torch.eye(3, 8), (1, 2, 3), strict=True)]
    directions = label_directions(words)
    assert torch.allclose(directions @ directions.T, torch.eye(3), atol=1e-5)
    alike = torch.stack([torch.nn.functional.normalize(one.mean(dim=0), dim=-1) for one in words])
    # Each is nearer to its own words than to those of the others.
    assert torch.equal((directions @ alike.T).argmax(dim=1), torch.arange(3))


def test_distinct_labels_keep_their_directions():
    words = [3 * axis[None] for axis in torch.eye(3, 8)]
    assert torch.allclose(label_directions(words), torch.eye(3, 8), atol=1e-6)


def test_one_label_keeps_its_own_direction():
    assert torch.allclose(label_directions([torch.tensor([[3.0, 4.0]])]), torch.tensor([[0.6, 0.8]]))


def test_the_sum_is_the_weighted_sum():
    losses = Losses(*(torch.tensor(value) for value in (1.0, 10.0, 100.0, 1000.0)), counts=torch.ones(3))
    assert float(losses.total(mask_bce_weight=2.0, mask_dice_weight=0.5, alignment_weight=0.3)) == 1 + 20 + 50 + 300


def test_parts_of_a_batch_add_up_to_the_means_over_it():
    # Two parts of 1 and 3 written tokens, 2 and 0 masks, 4 and 4 marks, with a loss of their own each.
    counts = (torch.tensor([1.0, 2.0, 4.0]), torch.tensor([3.0, 0.0, 4.0]))
    parts = [Losses(*(torch.tensor(value) for value in (8.0, 5.0, 7.0, 2.0)), counts=counts[0])]
    parts.append(Losses(*(torch.tensor(value) for value in (4.0, 0.0, 0.0, 6.0)), counts=counts[1]))
    shares = [part.as_part_of(counts[0] + counts[1]) for part in parts]
    assert float(shares[0].words + shares[1].words) == (1 * 8 + 3 * 4) / 4
    assert float(shares[0].mask_bce + shares[1].mask_bce) == 5
    assert float(shares[0].mask_dice + shares[1].mask_dice) == 7
    assert float(shares[0].alignment + shares[1].alignment) == (4 * 2 + 4 * 6) / 8
