"""Attention as torch has it, and as a CPU learns it faster in bf16.

Torch's backward pass takes longer there than the same products made one by one. The forward pass is torch's in either
case.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, LlamaForCausalLM
from transformers.masking_utils import eager_mask

LEARNED_ON_A_CPU = "learned_on_a_cpu"  # its name among the attentions of transformers


def attend_and_learn(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attention on a CPU; in bf16 its gradients are made product by product.

    Args:
        queries: (B, heads, Q, d).
        keys: (B, key heads, K, d), each for so many heads of the queries in a row.
        values: (B, key heads, K, d).
        bias: (1 or B, 1 or heads, 1 or Q, 1 or K), added to the logits; -inf hides a key, but never all of them.

    Returns:
        (B, heads, Q, d).
    """
    if torch.is_autocast_enabled("cpu"):  # as it does with torch's own
        dtype = torch.get_autocast_dtype("cpu")
        queries, keys, values = queries.to(dtype), keys.to(dtype), values.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    if queries.dtype != torch.bfloat16:
        return _by_torch(queries, keys, values, bias)
    attended: Tensor = _ProductByProduct.apply(queries, keys, values, bias)
    return attended


def _by_torch(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    shares_keys = queries.shape[1] != keys.shape[1]
    return scaled_dot_product_attention(queries, keys, values, attn_mask=bias, enable_gqa=shares_keys)


class _ProductByProduct(torch.autograd.Function):
    """Backward, logits and their gradients are rounded to bf16 between the products."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(queries, keys, values, bias)
        return _by_torch(queries, keys, values, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        *given, bias = ctx.saved_tensors
        (num_examples, num_heads, num_queries, width), num_key_heads = given[0].shape, given[1].shape[1]
        scale = width**-0.5
        # The queries of one key head stand as if they were several tokens: nothing is repeated for them.
        queries, keys, values, gradient = (
            one.reshape(num_examples * num_key_heads, one.shape[1] // num_key_heads * one.shape[2], width)
            for one in (*given, gradient)
        )
        queries = queries * scale
        logits = torch.bmm(queries, keys.mT)
        by_head = (num_examples, num_heads, num_queries, keys.shape[1])
        if bias is not None:
            logits.view(by_head).add_(bias)
        shares = logits.softmax(dim=-1)
        of_values = torch.bmm(shares.mT, gradient)
        of_shares = torch.bmm(gradient, values.mT)
        of_logits = torch.ops.aten._softmax_backward_data(of_shares, shares, -1, shares.dtype)
        of_queries = torch.bmm(of_logits, keys) * scale
        of_keys = torch.bmm(of_logits.mT, queries)
        of_bias = of_logits.view(by_head).sum_to_size(bias.shape) if ctx.needs_input_grad[3] else None
        made = zip((of_queries, of_keys, of_values), given, strict=True)
        return *(one.view(like.shape) for one, like in made), of_bias


def let_llama_learn_on_a_cpu(llama: LlamaForCausalLM) -> None:
    """Its attention becomes `attend_and_learn`."""
    AttentionInterface.register(LEARNED_ON_A_CPU, _of_transformers)
    AttentionMaskInterface.register(LEARNED_ON_A_CPU, _mask_in_bf16)
    llama.set_attn_implementation(LEARNED_ON_A_CPU)


def _mask_in_bf16(**told: Any) -> Tensor:
    """What is added to logits, made once for all layers; not -inf, for a padded row may see nothing at all."""
    mask: Tensor = eager_mask(**told | {"dtype": torch.bfloat16})
    return mask


def _of_transformers(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, **told: Any
) -> tuple[Tensor, None]:
    """As `transformers` calls an attention; Llama's scale is torch's own."""
    assert not told.get("dropout"), "this attention has no dropout"
    attended = attend_and_learn(query, key, value, attention_mask.to(query.dtype))
    return attended.transpose(1, 2), None
