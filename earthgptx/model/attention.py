"""Scaled dot-product attention, which learns faster in bf16 on a CPU.

Forward it is torch's, whose backward pass in bf16 takes longer than the same products one by one, with what belongs
together kept in the cache. Elsewhere torch's own is used throughout.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, LlamaForCausalLM
from transformers.masking_utils import sdpa_mask

LEARNS_ON_A_CPU = "learns_on_a_cpu"  # its name among the attentions of transformers
LOGITS_AT_ONCE = 1 << 20  # 2 MB in bf16, which stay in a core's cache


def attend(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attention.

    Args:
        queries: (B, heads, Q, d).
        keys: (B, heads, K, d).
        values: (B, heads, K, d).
        bias: added to the logits, broadcastable to (B, heads, Q, K); -inf hides a key, but never all of them.

    Returns:
        (B, heads, Q, d).
    """
    device = queries.device.type
    if torch.is_autocast_enabled(device):  # as it does with torch's own
        dtype = torch.get_autocast_dtype(device)
        queries, keys, values = queries.to(dtype), keys.to(dtype), values.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    is_learning = any(one is not None and one.requires_grad for one in (queries, keys, values, bias))
    if is_learning and torch.is_grad_enabled() and device == "cpu" and queries.dtype == torch.bfloat16:
        attended: Tensor = _WrittenOut.apply(queries, keys, values, bias)
        return attended
    return scaled_dot_product_attention(queries, keys, values, attn_mask=bias)


class _WrittenOut(torch.autograd.Function):
    """Torch's attention, with its backward pass product by product, a few examples at a time.

    Logits are rounded to bf16 on the way back, as everything that bf16 multiplies.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(queries, keys, values, bias)
        return scaled_dot_product_attention(queries, keys, values, attn_mask=bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        *given, bias = ctx.saved_tensors
        num_examples, num_heads, num_queries, width = given[0].shape
        queries, keys, values, gradient = (one.contiguous().flatten(0, 1) for one in (*given, gradient))
        queries = queries * width**-0.5
        of_queries, of_keys, of_values = (torch.empty_like(one) for one in (queries, keys, values))
        of_bias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        at_once = max(1, LOGITS_AT_ONCE // (num_heads * num_queries * keys.shape[1]))
        for start in range(0, num_examples, at_once):
            part = slice(num_heads * start, num_heads * (start + at_once))
            logits = torch.bmm(queries[part], keys[part].mT)
            if bias is not None:
                its_bias = slice(None) if len(bias) == 1 else slice(start, start + at_once)
                logits.unflatten(0, (-1, num_heads)).add_(bias[its_bias])
            shares = logits.softmax(dim=-1)
            torch.bmm(shares.mT, gradient[part], out=of_values[part])
            of_shares = torch.bmm(gradient[part], values[part].mT)
            of_logits = torch.ops.aten._softmax_backward_data(of_shares, shares, -1, shares.dtype)
            torch.bmm(of_logits, keys[part], out=of_queries[part])
            torch.bmm(of_logits.mT, queries[part], out=of_keys[part])
            if of_bias is not None:
                of_bias[its_bias] += of_logits.unflatten(0, (-1, num_heads)).sum_to_size(of_bias[its_bias].shape)
        of_queries *= width**-0.5
        return *(one.unflatten(0, (num_examples, -1)) for one in (of_queries, of_keys, of_values)), of_bias


def learn_on_a_cpu(llama: LlamaForCausalLM) -> None:
    """Lets a language model that is trained on a CPU attend by `attend`."""
    AttentionInterface.register(LEARNS_ON_A_CPU, _of_transformers)
    AttentionMaskInterface.register(LEARNS_ON_A_CPU, sdpa_mask)
    llama.set_attn_implementation(LEARNS_ON_A_CPU)


def _of_transformers(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **told: Any
) -> tuple[Tensor, None]:
    """`attend` as `transformers` calls its attentions; the mask says which keys are seen, None all before."""
    groups = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(groups, dim=1) for one in (key, value))
    if attention_mask is None:
        seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril(key.shape[2] - query.shape[2])
        attention_mask = seen[None, None]
    # Not -inf: a padded row that sees nothing would be 0 / 0; nobody listens to what it attends to.
    bias = torch.zeros_like(attention_mask, dtype=query.dtype)
    bias = bias.masked_fill(~attention_mask, torch.finfo(torch.bfloat16).min)
    return attend(query, key, value, bias).transpose(1, 2), None
