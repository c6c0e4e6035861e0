"""DINOv2 in `transformers`' names or those of the original release -> the weights of `Dinov2Model`.

The original keeps query, key and value in one matrix; ours are three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from earthgptx.model.weights.foreign.key_map import Layout, Part, Row, Size, both, part_of, rows_of, same
from earthgptx.model.weights.foreign.tensor_files import TensorFiles, files_of

TITLE = "DINOv2"
PREFIX = "vision.vit."

# ---- the original release (dinov2_vitl14_pretrain.pth): ours -> theirs ----
_ORIGINAL_ENDS = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    **both({"embeddings.patch_embeddings.projection": "patch_embed.proj", "layernorm": "norm"}),
}
_ORIGINAL_LAYER = {
    **both({**same("norm1", "norm2", "mlp.fc1", "mlp.fc2"), "attention.o_proj": "attn.proj"}),
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}
_ORIGINAL_THIRDS = ("attention.q_proj", "attention.k_proj", "attention.v_proj")  # of attn.qkv, in this order
_ORIGINAL_UNUSED = ("mask_token",)  # of DINOv2's own training

# ---- transformers, before 5 (facebook/dinov2-large on the hub) and from 5 on ----
_HF_ENDS = {
    **same("embeddings.cls_token", "embeddings.position_embeddings"),
    **both(same("embeddings.patch_embeddings.projection", "layernorm")),
}
_HF_LAYER = {
    **both(same("norm1", "norm2", "mlp.fc1", "mlp.fc2")),
    **same("layer_scale1.lambda1", "layer_scale2.lambda1"),
}
_HF_ATTENTION = both(
    {
        "attention.q_proj": "attention.attention.query",
        "attention.k_proj": "attention.attention.key",
        "attention.v_proj": "attention.attention.value",
        "attention.o_proj": "attention.output.dense",
    }
)
_HF5_ATTENTION = both(same("attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj"))
_HF_UNUSED = (r"embeddings\.mask_token",)


def size_of(vit: Mapping[str, Any]) -> Size:
    """The size that a configuration asks for."""
    return Size(int(vit["num_hidden_layers"]), int(vit["hidden_size"]))


def open_dinov2(place: Path, vit: Mapping[str, Any]) -> Part:
    """Finds the weights in a file or folder.

    Args:
        place: either.
        vit: keyword arguments of the `Dinov2Config` that is wanted.

    Raises:
        BrokenCheckpoint: there are none, or they are cut short or in unknown names.
    """
    return part_of(TITLE, PREFIX, (TensorFiles(files_of(place, TITLE)),), layouts(vit))


def layouts(vit: Mapping[str, Any]) -> tuple[Layout, ...]:
    """The layouts that can be read, for a size."""
    layers = range(int(vit["num_hidden_layers"]))
    return (
        _original(layers),
        _hf("transformers", _HF_ATTENTION, layers),
        _hf("transformers 5", _HF5_ATTENTION, layers),
    )


def _original(layers: range) -> Layout:
    rows: list[Row] = [*rows_of(_ORIGINAL_ENDS)]
    for layer in layers:
        ours, theirs = f"encoder.layer.{layer}.", f"blocks.{layer}."
        rows += rows_of(_ORIGINAL_LAYER, ours, theirs)
        for third, name in enumerate(_ORIGINAL_THIRDS):
            rows += rows_of(both({name: "attn.qkv"}), ours, theirs, partial(_third, third=third))
    return Layout(
        "the original release",
        "blocks.0.ls1.gamma",
        r"blocks\.\d+\.",
        ("norm.weight", 0),
        tuple(rows),
        _ORIGINAL_UNUSED,
    )


def _hf(name: str, attention: Mapping[str, str], layers: range) -> Layout:
    rows: list[Row] = [*rows_of(_HF_ENDS)]
    for layer in layers:
        place = f"encoder.layer.{layer}."
        rows += [*rows_of(_HF_LAYER, place, place), *rows_of(attention, place, place)]
    telltale = f"encoder.layer.0.{attention['attention.q_proj.weight']}"
    return Layout(name, telltale, r"encoder\.layer\.\d+\.", ("layernorm.weight", 0), tuple(rows), _HF_UNUSED)


def _third(shards: Sequence[Tensor], *, third: int) -> Tensor:
    """Query, key or value out of one matrix (3 D, D), or of its bias."""
    return shards[0].chunk(3)[third]
