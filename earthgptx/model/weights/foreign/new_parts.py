"""What no published model holds: the boxes of ours that start random, drawn one after the other from one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import fusion_of
from earthgptx.model.pixels import language_to_pixel
from earthgptx.model.spatial import spatial_encoder
from earthgptx.model.weights.loudness import draw_new_words, set_loudness

# What begins the names of all of them, in the order in which they are drawn.
NEW = ("spatial.", "fusion.", "pixels.language_to_pixel.", "language.new_words")


def new_tensors(config: EarthGPTXConfig, *, loudness: float, seed: int) -> Iterator[tuple[str, Tensor]]:
    """Yields the tensors by name, in fp32; never more than one box is in memory.

    Args:
        config: of the whole model.
        loudness: root mean square of the words' embeddings, which new tokens must have too.
        seed: of all random numbers; those of the caller are left alone.
    """
    width = int(config.language["hidden_size"])
    boxes: tuple[tuple[str, Callable[[], nn.Module]], ...] = (
        ("spatial.", lambda: spatial_encoder(config.spatial)),
        ("fusion.", lambda: fusion_of(config)),
        ("pixels.language_to_pixel.", lambda: language_to_pixel(width, config.pixels.width)),
    )
    for prefix, make in boxes:
        box = _drawn(make, seed)
        if prefix == "fusion.":
            set_loudness(box, loudness)
        for name, value in box.state_dict().items():
            yield prefix + name, value
        del box
    words = torch.empty(config.num_new_tokens, width)
    draw_new_words(words, loudness)
    yield "language.new_words", words


def _drawn(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        box = make()
        init_weights = getattr(box, "init_weights", None)
        if init_weights is not None:
            init_weights()
    return box
