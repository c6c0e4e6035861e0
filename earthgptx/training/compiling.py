"""The language model's layers as compiled code (torch.compile): their many short passes over memory become few.

One piece of code serves all layers, batches and lengths. What stands around them stays as it is: the spatial encoder's
layers are not faster when compiled, and the rest depends on how many marks and masks a batch has.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

_logger = logging.getLogger(__name__)


def compile_layers(llama: LlamaForCausalLM) -> None:
    """Lets its layers be compiled where they are first used; in place, before they are sharded or made to recompute.

    Where this machine lacks what that takes (for a CPU a C++ compiler and Python's headers), they stay as they are, and
    a warning says so: training is slower then and nothing else.
    """
    missing = _missing(llama.device)
    if missing is not None:
        _logger.warning("Layers are not compiled, which makes training slower: %s", missing)
        return
    for layer in llama.model.layers:
        layer.forward = torch.compile(layer.forward, dynamic=True)


def _missing(device: torch.device) -> str | None:
    """What keeps torch from compiling for a device, in its own words; None where nothing does."""
    try:
        torch.compile(_anything)(torch.ones(8, device=device))
    except RuntimeError as error:  # torch has no narrower kind in public
        return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return None


def _anything(x: Tensor) -> Tensor:
    return x.sin() + 1
