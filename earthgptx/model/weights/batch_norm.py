"""A batch norm of a trained network as a part of the convolution before it.

w' = w g / sqrt(v + e), b' = b - m g / sqrt(v + e), of the norm's gain g, bias b, mean m and variance v. Computed in
fp64: the norms of published networks span a range of sizes that fp16 does not have.
"""

from __future__ import annotations

import torch
from torch import Tensor


def folded_weight(weight: Tensor, gain: Tensor, variance: Tensor, *, epsilon: float) -> Tensor:
    """The convolution's weight (C', C, k, k) with its norm, in fp32.

    Args:
        weight: of a convolution without a bias.
        gain, variance: (C',) of the norm.
        epsilon: that the norm was trained with.
    """
    scale = gain.double() / torch.sqrt(variance.double() + epsilon)
    return (weight.double() * scale.view(-1, 1, 1, 1)).float().contiguous()  # some files store it transposed


def folded_bias(bias: Tensor, gain: Tensor, mean: Tensor, variance: Tensor, *, epsilon: float) -> Tensor:
    """The bias (C',) that the norm leaves, in fp32."""
    scale = gain.double() / torch.sqrt(variance.double() + epsilon)
    return (bias.double() - mean.double() * scale).float()
