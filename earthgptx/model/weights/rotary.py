"""Two orders of the channels that rotary positions turn: neighbouring pairs, or the two halves of a head.

Meta's code and GGUF files turn the channels (0, 1), (2, 3), ... of a head together; `transformers` turns 0 with D / 2,
1 with D / 2 + 1. The rows of the query and key projections are therefore stored in different orders.
"""

from __future__ import annotations

from torch import Tensor


def halves_of_heads(weight: Tensor, num_heads: int) -> Tensor:
    """Rows in neighbouring pairs -> rows in halves: (heads, D / 2, 2) -> (heads, 2, D / 2).

    Args:
        weight: (num_heads * D, columns) of a query or key projection.
        num_heads: of that projection.
    """
    rows, columns = weight.shape
    pairs = weight.view(num_heads, rows // num_heads // 2, 2, columns)
    return pairs.transpose(1, 2).reshape(rows, columns)
