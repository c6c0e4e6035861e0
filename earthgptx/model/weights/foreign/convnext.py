"""CLIP's ConvNeXt in the names of `timm`, alone or inside an open_clip model -> the weights of `ConvNextModel`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from earthgptx.model.weights.foreign.key_map import Layout, Part, Row, Size, both, part_of, rows_of
from earthgptx.model.weights.foreign.tensor_files import TensorFiles, files_of
from earthgptx.model.weights.foreign.text_tower import TEXT_TOWER

TITLE = "ConvNeXt"
PREFIX = "vision.cnn."

_ENDS = both(
    {
        "embeddings.patch_embeddings": "stem.0",
        "embeddings.layernorm": "stem.1",
        "layernorm": "head.norm",
    }
)
_BETWEEN_STAGES = both({"downsampling_layer.0": "downsample.0", "downsampling_layer.1": "downsample.1"})
_BLOCK = {
    **both({"dwconv": "conv_dw", "layernorm": "norm", "pwconv1": "mlp.fc1", "pwconv2": "mlp.fc2"}),
    "layer_scale_parameter": "gamma",
}
# The projection into CLIP's common space, and the text tower.
_OPEN_CLIP_UNUSED = (
    r"visual\.head\..*",
    *TEXT_TOWER,
)
_TIMM_UNUSED = (r"head\.pre_logits\..*", r"head\.fc\..*")  # the classifier, or CLIP's projection as timm keeps it


def size_of(cnn: Mapping[str, Any]) -> Size:
    """The size that a configuration asks for: blocks of all stages, and the last stage's width."""
    return Size(sum(cnn["depths"]), int(cnn["hidden_sizes"][-1]))


def open_convnext(place: Path, cnn: Mapping[str, Any]) -> Part:
    """Finds the weights in a file or folder.

    Args:
        place: either.
        cnn: keyword arguments of the `ConvNextConfig` that is wanted.

    Raises:
        BrokenCheckpoint: there are none, or they are cut short or in unknown names.
    """
    return part_of(TITLE, PREFIX, (TensorFiles(files_of(place, TITLE)),), layouts(cnn))


def layouts(cnn: Mapping[str, Any]) -> tuple[Layout, ...]:
    """The layouts that can be read, for a size."""
    depths = list(cnn["depths"])
    return (
        _layout("open_clip", "visual.trunk.", depths, _OPEN_CLIP_UNUSED),
        _layout("timm", "", depths, _TIMM_UNUSED),
    )


def _layout(name: str, before: str, depths: list[int], unused: tuple[str, ...]) -> Layout:
    rows: list[Row] = [*rows_of(_ENDS, theirs=before)]
    for stage, depth in enumerate(depths):
        ours, theirs = f"encoder.stages.{stage}.", f"{before}stages.{stage}."
        if stage:
            rows += rows_of(_BETWEEN_STAGES, ours, theirs)
        for block in range(depth):
            rows += rows_of(_BLOCK, f"{ours}layers.{block}.", f"{theirs}blocks.{block}.")
    layer = before.replace(".", r"\.") + r"stages\.\d+\.blocks\.\d+\."
    return Layout(
        name, f"{before}stages.0.blocks.0.conv_dw.weight", layer, (f"{before}head.norm.weight", 0), tuple(rows), unused
    )
