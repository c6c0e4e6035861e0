"""The two transformer layers that several boxes share: attention with a key mask or bias, and a feed-forward."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from earthgptx.model.attention import attend_and_learn


class Attention(nn.Module):
    """Multi-head attention; keys and values come from `context`, or from the queries themselves.

    Attributes:
        learns_on_a_cpu: whether gradients are made by `attend_and_learn`.
    """

    learns_on_a_cpu = False

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, queries: Tensor, context: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Attends.

        Args:
            queries: (B, Q, D).
            context: (B, K, D), or None for self-attention.
            bias: added to the logits, broadcastable to (B, heads, Q, K); -inf hides a key.

        Returns:
            (B, Q, D).
        """
        context = queries if context is None else context
        q = self._heads(self.query(queries))
        k, v = (self._heads(part) for part in self.key_value(context).chunk(2, dim=-1))
        bias = None if bias is None else bias.to(q.dtype)
        attend = attend_and_learn if self.learns_on_a_cpu else scaled_dot_product_attention
        attended = attend(q, k, v, bias)
        return self.output(attended.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, heads, tokens, D / heads)


class FeedForward(nn.Module):
    """Linear - GELU - Linear, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rise = nn.Linear(width, 4 * width)
        self.fall = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        return self.fall(gelu(self.rise(x)))


def hiding_bias(present: Tensor) -> Tensor:
    """Turns (B, K) booleans into a (B, 1, 1, K) attention bias that hides what is absent."""
    bias = torch.zeros(present.shape, dtype=torch.float32, device=present.device)
    return bias.masked_fill(~present, float("-inf"))[:, None, None, :]
