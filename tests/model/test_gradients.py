"""What learns: one backward pass of all tasks together reaches every parameter that a policy trains, and no other."""

from __future__ import annotations

import pytest
import torch

from earthgptx.model.earthgptx import EarthGPTX, trainable_parameters
from earthgptx.processing.batch import Batch
from tests.tiny_model import prepare, samples_of_all_tasks, tiny_config, tiny_model

# SAM's mask decoder is taken whole, so that its published weights fit; we ask for one mask and no quality estimate.
NEVER_ASKED = ("pixels.decoder.iou_prediction_head.",)
SPARE_MASKS = tuple(f"pixels.decoder.output_hypernetworks_mlps.{k}." for k in (1, 2, 3))
# What a key's bias adds is the same for all cells: no softmax sees it, and `draw_masks` leaves it out.
KEYS_BIASES = tuple(
    f"pixels.decoder.transformer.{name}.k_proj.bias"
    for name in (*(f"layers.{k}.cross_attn_token_to_image" for k in (0, 1)), "final_attn_token_to_image")
)
# Eq. 7 as printed has image queries alone: no mark looks at the image, and no token of a mark reaches the sum.
UNUSED_BY_LITERAL = (
    "fusion.marks_from_image.",
    "fusion.mark_bias.",
    "fusion.occupancy_gain",
    "fusion.region_feed_forward.",
    "fusion.region_norm.",
    "fusion.near_in.",
    "fusion.near_positions",
)


def backward(model: EarthGPTX, batch: Batch, policy: str) -> dict[str, torch.nn.Parameter]:
    trained = trainable_parameters(model, policy)
    output = model(batch)
    words = torch.nn.functional.cross_entropy(output.answer_logits, output.answer_ids)
    masks = [
        torch.nn.functional.binary_cross_entropy_with_logits(mask, target.float())
        for mask, target in zip(output.masks, batch.targets, strict=True)
    ]
    (words + torch.stack(masks).mean()).backward()
    return trained


def without_gradient(trained: dict[str, torch.nn.Parameter]) -> set[str]:
    return {name for name, p in trained.items() if p.grad is None or not bool(p.grad.any())}


@pytest.mark.parametrize("policy", ["scratch", "paper"])
@pytest.mark.parametrize("kind", ["mutual", "literal"])
def test_every_trained_parameter_learns_and_no_frozen_one(kind: str, policy: str):
    config = tiny_config(kind=kind)
    model = tiny_model(config).train()
    trained = backward(model, prepare(samples_of_all_tasks(), config).batch(), policy)
    expected_idle = NEVER_ASKED + SPARE_MASKS + KEYS_BIASES + (UNUSED_BY_LITERAL if kind == "literal" else ())
    assert without_gradient(trained) == {name for name in trained if name.startswith(expected_idle)}
    frozen = {name: p for name, p in model.named_parameters() if name not in trained}
    assert frozen
    assert all(p.grad is None for p in frozen.values())


def test_all_gradients_are_finite():
    model = tiny_model().train()
    trained = backward(model, prepare(samples_of_all_tasks(seed=1)).batch(), "scratch")
    assert all(bool(torch.isfinite(p.grad).all()) for p in trained.values() if p.grad is not None)


def test_unfreezing_is_undone_by_the_next_policy():
    model = tiny_model()
    published = set(trainable_parameters(model, "paper"))
    trainable_parameters(model, "scratch")
    assert set(trainable_parameters(model, "paper")) == published
    assert {name for name, p in model.named_parameters() if p.requires_grad} == published
