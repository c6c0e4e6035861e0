"""Masks and gradients are those of the library's decoder, whose products only stand in another order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import SamMaskDecoderConfig
from transformers.models.sam.modeling_sam import SamMaskDecoder

from earthgptx.model.mask_decoder import draw_masks

WIDTH, SIDE, MASKS = 32, 12, 3


@pytest.fixture(scope="module")
def decoder() -> SamMaskDecoder:
    torch.manual_seed(0)
    config = SamMaskDecoderConfig(
        hidden_size=WIDTH, mlp_dim=48, num_attention_heads=4, iou_head_hidden_dim=16, attn_implementation="eager"
    )
    made = SamMaskDecoder(config).eval()
    with torch.no_grad():  # biases of zero would hide that one is forgotten
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


def drawn(number: int, *size: int) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(number))


def by_the_library(decoder: SamMaskDecoder, cells: Tensor, positions: Tensor, prompts: Tensor) -> Tensor:
    def as_map(x: Tensor) -> Tensor:
        return x.mT.unflatten(2, (SIDE, SIDE)).expand(len(prompts), -1, -1, -1)

    masks, _ = decoder(
        image_embeddings=as_map(cells),
        image_positional_embeddings=as_map(positions[None]),
        sparse_prompt_embeddings=prompts[:, None],
        dense_prompt_embeddings=torch.zeros(()),
        multimask_output=False,
    )
    return masks[:, 0, 0]


@pytest.mark.parametrize("frames", [1, MASKS])
@pytest.mark.parametrize("prompts_a_mask", [1, 2])
def test_masks_are_the_library_s(decoder: SamMaskDecoder, frames: int, prompts_a_mask: int):
    cells, positions = drawn(1, frames, SIDE**2, WIDTH), drawn(2, SIDE**2, WIDTH)
    prompts = drawn(3, MASKS, prompts_a_mask, WIDTH)
    with torch.no_grad():
        theirs = by_the_library(decoder, cells, positions, prompts)
        ours = draw_masks(decoder, cells, positions, prompts)
    assert ours.shape == (MASKS, 4 * SIDE, 4 * SIDE)
    worst = float((ours - theirs).abs().max() / theirs.abs().max())
    assert worst < 1e-5  # the worst that was measured is 9.6e-7


@pytest.mark.parametrize("frames", [1, MASKS])
def test_gradients_are_the_library_s(decoder: SamMaskDecoder, frames: int):
    wanted = drawn(4, MASKS, 4 * SIDE, 4 * SIDE)
    found = []
    for draw in (by_the_library, draw_masks):
        decoder.zero_grad()
        given = [drawn(1, frames, SIDE**2, WIDTH), drawn(2, SIDE**2, WIDTH), drawn(3, MASKS, 1, WIDTH)]
        leaves = [one.requires_grad_() for one in given]
        (draw(decoder, *leaves) * wanted).sum().backward()
        learned = {name: p.grad for name, p in decoder.named_parameters() if p.grad is not None and bool(p.grad.any())}
        found.append({**learned, **{str(place): leaf.grad for place, leaf in enumerate(leaves)}})
    # A key's bias adds the same to all logits of a softmax: its gradient is zero but for rounding.
    theirs, ours = ({name: g for name, g in one.items() if "k_proj.bias" not in name} for one in found)
    assert theirs.keys() == ours.keys()
    for name, gradient in ours.items():
        worst = float((gradient - theirs[name]).abs().max() / theirs[name].abs().max())
        assert worst < 3e-5, name  # the worst that was measured is 4e-6


def test_bf16_rounds_hardly_more_than_in_the_library(decoder: SamMaskDecoder):
    cells, positions, prompts = drawn(1, 1, SIDE**2, WIDTH), drawn(2, SIDE**2, WIDTH), drawn(3, MASKS, 1, WIDTH)
    with torch.no_grad():
        exact = by_the_library(decoder, cells, positions, prompts)
        with torch.autocast("cpu", torch.bfloat16):
            rough = [
                draw(decoder, cells.bfloat16(), positions.bfloat16(), prompts) for draw in (by_the_library, draw_masks)
            ]
    theirs, ours = (float((one.float() - exact).abs().mean() / exact.abs().mean()) for one in rough)
    assert ours < 1.5 * theirs
