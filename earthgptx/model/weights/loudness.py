"""How large a word's embedding is, and tokens of ours made as large: a Llama hears neither whispers nor shouts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_ROWS = 4096  # of a vocabulary, turned to fp32 at once


@torch.no_grad()
def loudness_of(words: Tensor) -> float:
    """Root mean square of embeddings (vocabulary, D)."""
    squares = sum(float(rows.float().square().sum(dtype=torch.float64)) for rows in words.split(_ROWS))
    return float((squares / words.numel()) ** 0.5)


@torch.no_grad()
def draw_new_words(words: Tensor, loudness: float) -> None:
    """Fills our words' rows with the same random numbers each time, as large as the others."""
    words.normal_(std=loudness, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def set_loudness(fusion: nn.Module, loudness: float) -> None:
    """Sets the size of image and region tokens."""
    for name in ("image_projection", "region_projection"):
        getattr(fusion, name).gain.fill_(loudness)
