"""CLIP's ResNet in the names of OpenAI and open_clip, or of timm -> the weights of our `ClipResNet`.

Each batch norm is folded into the convolution before it: its gain, bias, mean and variance are tensors of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from earthgptx.model.clip_resnet import WIDENING
from earthgptx.model.weights.batch_norm import folded_bias, folded_weight
from earthgptx.model.weights.foreign.key_map import Layout, Part, Row, Size, part_of
from earthgptx.model.weights.foreign.tensor_files import TensorFiles, files_of
from earthgptx.model.weights.foreign.text_tower import TEXT_TOWER

TITLE = "CLIP ResNet"
PREFIX = "vision.cnn."
_EPSILON = 1e-5  # of torch's batch norm, which CLIP was trained with


@dataclass(frozen=True)
class _Names:
    """One publisher's names: of a convolution and of its batch norm, by ours.

    Attributes:
        stem: (convolution, batch norm) by our name.
        stage: what stands before a block's names, to be filled with its `stage` and `block`.
        first_stage: number of the first stage.
        block: as `stem`, after that.
    """

    stem: Mapping[str, tuple[str, str]]
    stage: str
    first_stage: int
    block: Mapping[str, tuple[str, str]]


# ---- OpenAI's, which are open_clip's too ----
_OPEN_CLIP = _Names(
    stem={
        "stem.0": ("visual.conv1", "visual.bn1"),
        "stem.1": ("visual.conv2", "visual.bn2"),
        "stem.2": ("visual.conv3", "visual.bn3"),
    },
    stage="visual.layer{stage}.{block}.",
    first_stage=1,
    block={
        "narrow": ("conv1", "bn1"),
        "filter": ("conv2", "bn2"),
        "widen": ("conv3", "bn3"),
        "shortcut": ("downsample.0", "downsample.1"),
    },
)
# The pooling attention, counters of the norms, and the text tower.
_OPEN_CLIP_UNUSED = (
    r"visual\.attnpool\..*",
    r"visual\..*\.num_batches_tracked",
    *TEXT_TOWER,
    r"input_resolution|context_length|vocab_size",  # numbers that OpenAI's own file keeps as tensors
)

# ---- timm's (resnet50x16_clip) ----
_TIMM = _Names(
    stem={f"stem.{place}": (f"stem.conv{place + 1}.conv", f"stem.conv{place + 1}.bn") for place in range(3)},
    stage="stages.{stage}.{block}.",
    first_stage=0,
    block={
        "narrow": ("conv1_1x1.conv", "conv1_1x1.bn"),
        "filter": ("conv2_kxk.conv", "conv2_kxk.bn"),
        "widen": ("conv3_1x1.conv", "conv3_1x1.bn"),
        "shortcut": ("shortcut.conv.conv", "shortcut.conv.bn"),
    },
)
_TIMM_UNUSED = (r"head\..*", r".*\.num_batches_tracked")


def size_of(cnn: Mapping[str, Any]) -> Size:
    """The size that a configuration asks for: blocks of all stages, and the last stage's width."""
    depths = list(cnn["depths"])
    return Size(sum(depths), WIDENING * int(cnn["width"]) * 2 ** (len(depths) - 1))


def open_clip_resnet(place: Path, cnn: Mapping[str, Any]) -> Part:
    """Finds the weights in a file or folder.

    Args:
        place: either.
        cnn: keyword arguments of the `ClipResNet` that is wanted.

    Raises:
        BrokenCheckpoint: there are none, or they are cut short or in unknown names.
    """
    return part_of(TITLE, PREFIX, (TensorFiles(files_of(place, TITLE)),), layouts(cnn))


def layouts(cnn: Mapping[str, Any]) -> tuple[Layout, ...]:
    """The layouts that can be read, for a size."""
    depths = list(cnn["depths"])
    return (
        _layout("OpenAI and open_clip", _OPEN_CLIP, depths, _OPEN_CLIP_UNUSED),
        _layout("timm", _TIMM, depths, _TIMM_UNUSED),
    )


def _layout(name: str, names: _Names, depths: Sequence[int], unused: tuple[str, ...]) -> Layout:
    rows: list[Row] = []
    for ours, (convolution, norm) in names.stem.items():
        rows += _folded(ours, convolution, norm)
    for number, depth in enumerate(depths):
        for block in range(depth):
            place = names.stage.format(stage=number + names.first_stage, block=block)
            for ours, (convolution, norm) in names.block.items():
                if ours != "shortcut" or block == 0:
                    rows += _folded(f"stages.{number}.{block}.{ours}", place + convolution, place + norm)
    layer = names.stage.replace(".", r"\.").format(stage=r"\d+", block=r"\d+")
    last = names.stage.format(stage=len(depths) - 1 + names.first_stage, block=0) + names.block["widen"][0]
    telltale = names.stage.format(stage=names.first_stage, block=0) + names.block["widen"][0]
    return Layout(name, f"{telltale}.weight", layer, (f"{last}.weight", 0), tuple(rows), unused)


def _folded(ours: str, convolution: str, norm: str) -> Iterator[Row]:
    yield Row(f"{ours}.weight", f"{convolution}.weight", _weight, more=(f"{norm}.weight", f"{norm}.running_var"))
    yield Row(
        f"{ours}.bias",
        f"{norm}.bias",
        _bias,
        more=(f"{norm}.weight", f"{norm}.running_mean", f"{norm}.running_var"),
    )


def _weight(pieces: Sequence[Tensor]) -> Tensor:
    weight, gain, variance = pieces
    return folded_weight(weight, gain, variance, epsilon=_EPSILON)


def _bias(pieces: Sequence[Tensor]) -> Tensor:
    bias, gain, mean, variance = pieces
    return folded_bias(bias, gain, mean, variance, epsilon=_EPSILON)
