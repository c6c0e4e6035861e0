"""Our attention is torch's own `MultiheadAttention`, gradients included, and hides what it is told to hide."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from earthgptx.model.layers import Attention, hiding_bias

WIDTH, HEADS = 24, 3
CLOSE = {"atol": 1e-6, "rtol": 1e-5}  # fp32; worst measured 4.8e-7 for gradients up to 5


@pytest.fixture
def pair() -> tuple[Attention, nn.MultiheadAttention]:
    """Our layer and torch's, with the same weights."""
    torch.manual_seed(0)
    ours, theirs = Attention(WIDTH, HEADS), nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)
    return ours, theirs


@pytest.mark.parametrize("num_keys", [None, 1, 7])
def test_outputs_and_gradients_are_torch_s(pair: tuple[Attention, nn.MultiheadAttention], num_keys: int | None):
    ours, theirs = pair
    queries = torch.randn(2, 5, WIDTH)
    context = queries if num_keys is None else torch.randn(2, num_keys, WIDTH)
    first = ours(queries, None if num_keys is None else context)
    second, _ = theirs(queries, context, context, need_weights=False)
    assert_close(first, second, **CLOSE)
    for out in (first, second):
        out.square().sum().backward()
    gradients = torch.cat([ours.query.weight.grad, ours.key_value.weight.grad])
    assert_close(gradients, theirs.in_proj_weight.grad, **CLOSE)


def test_hidden_keys_are_as_if_absent(pair: tuple[Attention, nn.MultiheadAttention]):
    ours, theirs = pair
    queries, context = torch.randn(2, 5, WIDTH), torch.randn(2, 6, WIDTH)
    present = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    hidden = ours(queries, context, bias=hiding_bias(present))
    assert_close(hidden[:1], ours(queries[:1], context[:1, :4]), **CLOSE)
    expected, _ = theirs(queries, context, context, key_padding_mask=~present, need_weights=False)
    assert_close(hidden, expected, **CLOSE)


def test_a_bias_of_its_own_for_every_head(pair: tuple[Attention, nn.MultiheadAttention]):
    ours, theirs = pair
    queries, context, bias = torch.randn(2, 5, WIDTH), torch.randn(2, 6, WIDTH), torch.randn(2, HEADS, 5, 6)
    expected, _ = theirs(queries, context, context, attn_mask=bias.flatten(0, 1), need_weights=False)
    assert_close(ours(queries, context, bias=bias), expected, **CLOSE)
