"""From the published EfficientNet-Lite2 checkpoint to our `EfficientNetLite`.

A `.pth` file comes in and a state dict goes out, with every batch norm folded into the convolution before it.
Each tensor of the file is named by the map below; one that is missing or left over is an error.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.efficientnet_lite import LITE2_STAGES, Stage
from earthgptx.model.weights.batch_norm import folded_bias, folded_weight

_BATCH_NORM_EPSILON = 1e-3  # the TensorFlow default that the weights were trained with
# The classifier, which we do not build: named here so that nothing is dropped unseen.
_HEAD = ("_conv_head.weight", "_bn1.", "_fc.weight", "_fc.bias")


def convert_efficientnet_lite(path: Path, *, stages: tuple[Stage, ...] = LITE2_STAGES) -> dict[str, Tensor]:
    """Read a published EfficientNet-Lite checkpoint as a state dict of `EfficientNetLite`.

    Args:
        path: the `.pth` file; only tensors are read from it, never code (`weights_only`).
        stages: the architecture table that the file belongs to.

    Returns:
        fp32 weights and biases, batch norms folded in.

    Raises:
        BrokenCheckpoint: if the file cannot be read, lacks a tensor or holds one that the map does not name.
    """
    try:
        source: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise BrokenCheckpoint(f"{path.name} is not a readable checkpoint of tensors: {error}") from error
    left = {
        name
        for name in source
        if not name.startswith(_HEAD) and not name.endswith("num_batches_tracked")  # a counter, not a weight
    }
    state: dict[str, Tensor] = {}
    for ours, convolution, norm in _layers(stages):
        names = (
            f"{convolution}.weight",
            *(f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
        )
        missing = [name for name in names if name not in source]
        if missing:
            raise BrokenCheckpoint(f"{path.name} lacks {len(missing)} tensors of {ours}, first {missing[0]!r}")
        weight, gain, bias, mean, variance = (source[name] for name in names)
        state[f"{ours}.weight"] = folded_weight(weight, gain, variance, epsilon=_BATCH_NORM_EPSILON)
        state[f"{ours}.bias"] = folded_bias(bias, gain, mean, variance, epsilon=_BATCH_NORM_EPSILON)
        left.difference_update(names)
    if left:
        raise BrokenCheckpoint(f"{path.name} holds {len(left)} tensors that no layer takes, first {min(left)!r}")
    return state


def _layers(stages: tuple[Stage, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield (our layer, the file's convolution, its batch norm); blocks are numbered through the stages."""
    yield "stem", "_conv_stem", "_bn0"
    block = 0
    for index, stage in enumerate(stages):
        for repeat in range(stage.repeats):
            theirs, ours = f"_blocks.{block}", f"stages.{index}.{repeat}"
            if stage.expansion != 1:
                yield f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0"
            yield f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"
            yield f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2"
            block += 1
