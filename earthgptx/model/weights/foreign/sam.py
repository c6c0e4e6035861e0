"""SAM in `transformers`' names or those of segment-anything -> the image encoder and mask decoder of our pixel box.

SAM's own point, box and mask prompts have no place here: our one prompt is the language model's. Its frequencies of
positions and its no-mask embedding are taken over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import SamMaskDecoderConfig, SamVisionConfig

from earthgptx.model.weights.foreign.key_map import Layout, Part, Row, Size, both, part_of, rows_of, same
from earthgptx.model.weights.foreign.tensor_files import TensorFiles, files_of

TITLE = "SAM"
PREFIX = "pixels."

_ATTENTIONS = ("self_attn", "cross_attn_token_to_image", "cross_attn_image_to_token")
_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
_OF_FINAL_ATTENTION = tuple(f"transformer.final_attn_token_to_image.{name}" for name in _PROJECTIONS)
_OF_ATTENTIONS = tuple(f"{attention}.{name}" for attention in _ATTENTIONS for name in _PROJECTIONS)

# ---- transformers (facebook/sam-vit-huge on the hub): the same ends behind other beginnings ----
_HF_ENCODER_ENDS = {
    **same("pos_embed", "neck.conv1.weight", "neck.conv2.weight"),
    **both(same("patch_embed.projection", "neck.layer_norm1", "neck.layer_norm2")),
}
_HF_ENCODER_LAYER = {
    **both(same("layer_norm1", "attn.qkv", "attn.proj", "layer_norm2", "mlp.lin1", "mlp.lin2")),
    **same("attn.rel_pos_h", "attn.rel_pos_w"),
}
_HF_DECODER_ENDS = {
    **same("iou_token.weight", "mask_tokens.weight"),
    **both(same(*_OF_FINAL_ATTENTION, "transformer.layer_norm_final_attn")),
    **both(same("upscale_conv1", "upscale_layer_norm", "upscale_conv2")),
}
_HF_DECODER_LAYER = both(
    same(*_OF_ATTENTIONS, "layer_norm1", "layer_norm2", "layer_norm3", "layer_norm4", "mlp.lin1", "mlp.lin2")
)
_HF_PROMPTS = {"positions.positional_embedding": "shared_image_embedding.positional_embedding"}
_HF_NO_MASK = {"no_mark": "prompt_encoder.no_mask_embed.weight"}
_HF_UNUSED = (
    r"prompt_encoder\.shared_embedding\.positional_embedding",  # the image's frequencies again
    r"prompt_encoder\.(?:point_embed\.\d+|not_a_point_embed)\.weight",
    r"prompt_encoder\.mask_embed\..*",
)

# ---- segment-anything (sam_vit_h_4b8939.pth): ours -> theirs ----
_ENCODER_ENDS = {
    **same("pos_embed"),
    **both({"patch_embed.projection": "patch_embed.proj"}),
    "neck.conv1.weight": "neck.0.weight",
    **both({"neck.layer_norm1": "neck.1"}),
    "neck.conv2.weight": "neck.2.weight",
    **both({"neck.layer_norm2": "neck.3"}),
}
_ENCODER_LAYER = {
    **both({"layer_norm1": "norm1", "attn.qkv": "attn.qkv", "attn.proj": "attn.proj", "layer_norm2": "norm2"}),
    **both(same("mlp.lin1", "mlp.lin2")),
    **same("attn.rel_pos_h", "attn.rel_pos_w"),
}
_DECODER_ENDS = {
    **same("iou_token.weight", "mask_tokens.weight"),
    **both(same(*_OF_FINAL_ATTENTION)),
    **both({"transformer.layer_norm_final_attn": "transformer.norm_final_attn"}),
    **both({"upscale_conv1": "output_upscaling.0", "upscale_layer_norm": "output_upscaling.1"}),
    **both({"upscale_conv2": "output_upscaling.3"}),
}
_DECODER_LAYER = {
    **both(same(*_OF_ATTENTIONS, "mlp.lin1", "mlp.lin2")),
    **both({"layer_norm1": "norm1", "layer_norm2": "norm2", "layer_norm3": "norm3", "layer_norm4": "norm4"}),
}
_PROMPTS = {"positions.positional_embedding": "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"}
_NO_MASK = {"no_mark": "prompt_encoder.no_mask_embed.weight"}
_UNUSED = (
    r"prompt_encoder\.(?:point_embeddings\.\d+|not_a_point_embed)\.weight",
    r"prompt_encoder\.mask_downscaling\..*",
)


def size_of(vision: Mapping[str, Any]) -> Size:
    """The size that a configuration asks for."""
    return Size(int(vision["num_hidden_layers"]), int(vision["hidden_size"]))


def open_sam(place: Path, vision: Mapping[str, Any], decoder: Mapping[str, Any]) -> Part:
    """Finds the weights in a file or folder.

    Args:
        place: either.
        vision: keyword arguments of the `SamVisionConfig` that is wanted.
        decoder: keyword arguments of the `SamMaskDecoderConfig` that is wanted.

    Raises:
        BrokenCheckpoint: there are none, or they are cut short or in unknown names.
    """
    return part_of(TITLE, PREFIX, (TensorFiles(files_of(place, TITLE)),), layouts(vision, decoder))


def layouts(vision: Mapping[str, Any], decoder: Mapping[str, Any]) -> tuple[Layout, ...]:
    """The layouts that can be read, for a size."""
    encoder_layers = range(SamVisionConfig(**vision).num_hidden_layers)
    decoder_config = SamMaskDecoderConfig(**decoder)
    return (_original(encoder_layers, decoder_config), _hf(encoder_layers, decoder_config))


def _original(encoder_layers: range, decoder: SamMaskDecoderConfig) -> Layout:
    rows: list[Row] = [*rows_of(_PROMPTS), *rows_of(_NO_MASK, make=_only_row)]
    rows += rows_of(_ENCODER_ENDS, "sam_encoder.", "image_encoder.")
    for layer in encoder_layers:
        rows += rows_of(_ENCODER_LAYER, f"sam_encoder.layers.{layer}.", f"image_encoder.blocks.{layer}.")
    rows += rows_of(_DECODER_ENDS, "decoder.", "mask_decoder.")
    for layer in range(decoder.num_hidden_layers):
        place = f"transformer.layers.{layer}."
        rows += rows_of(_DECODER_LAYER, f"decoder.{place}", f"mask_decoder.{place}")
    for ours, depth in _perceptrons(decoder):
        rows += rows_of(both(_original_perceptron(depth)), f"decoder.{ours}.", f"mask_decoder.{ours}.")
    return Layout(
        name="segment-anything",
        telltale="image_encoder.pos_embed",
        layer=r"image_encoder\.blocks\.\d+\.",
        width=("image_encoder.pos_embed", 3),
        rows=tuple(rows),
        unused=_UNUSED,
    )


def _hf(encoder_layers: range, decoder: SamMaskDecoderConfig) -> Layout:
    rows: list[Row] = [*rows_of(_HF_PROMPTS), *rows_of(_HF_NO_MASK, make=_only_row)]
    rows += rows_of(_HF_ENCODER_ENDS, "sam_encoder.", "vision_encoder.")
    for layer in encoder_layers:
        rows += rows_of(_HF_ENCODER_LAYER, f"sam_encoder.layers.{layer}.", f"vision_encoder.layers.{layer}.")
    rows += rows_of(_HF_DECODER_ENDS, "decoder.", "mask_decoder.")
    for layer in range(decoder.num_hidden_layers):
        place = f"transformer.layers.{layer}."
        rows += rows_of(_HF_DECODER_LAYER, f"decoder.{place}", f"mask_decoder.{place}")
    for ours, depth in _perceptrons(decoder):
        rows += rows_of(both(same(*_original_perceptron(depth))), f"decoder.{ours}.", f"mask_decoder.{ours}.")
    return Layout(
        name="transformers",
        telltale="vision_encoder.pos_embed",
        layer=r"vision_encoder\.layers\.\d+\.",
        width=("vision_encoder.pos_embed", 3),
        rows=tuple(rows),
        unused=_HF_UNUSED,
    )


def _perceptrons(decoder: SamMaskDecoderConfig) -> list[tuple[str, int]]:
    """Names and depths of the decoder's perceptrons: one a mask token, and the one that guesses each mask's IoU."""
    masks = range(decoder.num_multimask_outputs + 1)
    named = [(f"output_hypernetworks_mlps.{mask}", 3) for mask in masks]  # SAM's own depth
    return [*named, ("iou_prediction_head", decoder.iou_head_depth)]


def _original_perceptron(depth: int) -> dict[str, str]:
    """The layers of one perceptron, ours -> theirs."""
    between = {f"layers.{layer}": f"layers.{layer + 1}" for layer in range(depth - 2)}
    return {"proj_in": "layers.0", **between, "proj_out": f"layers.{depth - 1}"}


def _only_row(shards: Sequence[Tensor]) -> Tensor:
    """(1, D) -> (D,)."""
    return shards[0][0]
