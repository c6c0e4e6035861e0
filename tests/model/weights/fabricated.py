"""Tiny files in the true forms of the pretrained packages, made from seeds: nothing here is downloaded."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import gguf
import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from earthgptx.model.efficientnet_lite import Stage
from earthgptx.model.weights.packages import Package
from earthgptx.wheels import PinnedFile

# ---- DINOv2 in ONNX ----------------------------------------------------------------------------------------

WIDTH, NUM_LAYERS, GRID = 64, 2, 3
_BIASED = ("attention.attention.query", "attention.attention.key", "attention.attention.value")
_BIASED += ("attention.output.dense", "mlp.fc1", "mlp.fc2")


def onnx_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """Every stored tensor under its true name; matrices (in, out) under "matrix:<layer>.<module>"."""
    generator = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    tensors = {
        "backbone.embeddings.cls_token": draw(1, 1, WIDTH),
        "backbone.embeddings.patch_embeddings.projection.weight": draw(WIDTH, 3, 14, 14),
        "backbone.embeddings.patch_embeddings.projection.bias": draw(WIDTH),
        "backbone.layernorm.weight": draw(WIDTH),
        "backbone.layernorm.bias": draw(WIDTH),
        "decoder.final_conv.bias": draw(1),
        "class_position": draw(1, 1, WIDTH),
        "patch_positions": draw(1, GRID * GRID, WIDTH),
    }
    for layer in range(NUM_LAYERS):
        prefix = f"backbone.encoder.layer.{layer}."
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            tensors[prefix + name] = draw(WIDTH)
        for name in ("layer_scale1.lambda1", "layer_scale2.lambda1"):
            tensors[prefix + name] = draw(WIDTH)
        for name in _BIASED:
            rows = 4 * WIDTH if name == "mlp.fc2" else WIDTH
            columns = 4 * WIDTH if name == "mlp.fc1" else WIDTH
            tensors[f"{prefix}{name}.bias"] = draw(columns)
            tensors[f"matrix:{layer}.{name}"] = draw(rows, columns)
    return tensors


def write_onnx(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write a graph with the exporter's habits: nameless matrices, a bias on either side of its Add."""
    nodes, stored, serial = [], {}, 1966
    for name, array in tensors.items():
        if not name.startswith("matrix:"):
            stored[{"class_position": "onnx::Concat_1957", "patch_positions": "onnx::Reshape_1962"}.get(name, name)] = (
                array
            )
            continue
        layer, module = name.removeprefix("matrix:").split(".", 1)
        matrix, bias = f"onnx::MatMul_{serial}", f"backbone.encoder.layer.{layer}.{module}.bias"
        serial += 3
        stored[matrix] = array
        product = f"/{layer}/{module}/MatMul_output_0"
        nodes.append(helper.make_node("MatMul", [f"/{layer}/{module}/input", matrix], [product]))
        operands = [bias, product] if serial % 2 else [product, bias]
        nodes.append(helper.make_node("Add", operands, [f"/{layer}/{module}/Add_output_0"]))
    place = "/backbone/embeddings/"
    nodes.append(helper.make_node("Reshape", ["onnx::Reshape_1962", "shape"], ["grid"], name=f"{place}Reshape_1"))
    nodes.append(
        helper.make_node("Concat", ["onnx::Concat_1957", "grid"], ["positions"], name=f"{place}Concat_6", axis=1)
    )
    graph = helper.make_graph(
        nodes,
        "saliency",
        [helper.make_tensor_value_info("input_image", TensorProto.FLOAT, [1, 3, 224, 224])],
        [helper.make_tensor_value_info("positions", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())


# ---- EfficientNet-Lite as published ------------------------------------------------------------------------


def published_efficientnet(stem_width: int, stages: tuple[Stage, ...], seed: int = 0) -> dict[str, Tensor]:
    """A state dict under the published names, batch norms apart, with the classifier."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def convolution(name: str, norm: str, *shape: int) -> None:
        fan_in = shape[1] * shape[2] * shape[3]
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        state[f"{norm}.weight"] = 0.5 + torch.rand(shape[0], generator=generator)
        state[f"{norm}.bias"] = torch.randn(shape[0], generator=generator) * 0.5
        state[f"{norm}.running_mean"] = torch.randn(shape[0], generator=generator) * 0.5
        state[f"{norm}.running_var"] = 0.5 + torch.rand(shape[0], generator=generator)
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    convolution("_conv_stem", "_bn0", stem_width, 3, 3, 3)
    channels, block = stem_width, 0
    for stage in stages:
        for _ in range(stage.repeats):
            name, hidden = f"_blocks.{block}", channels * stage.expansion
            if stage.expansion != 1:
                convolution(f"{name}._expand_conv", f"{name}._bn0", hidden, channels, 1, 1)
            convolution(f"{name}._depthwise_conv", f"{name}._bn1", hidden, 1, stage.kernel_size, stage.kernel_size)
            convolution(f"{name}._project_conv", f"{name}._bn2", stage.width, hidden, 1, 1)
            channels, block = stage.width, block + 1
    convolution("_conv_head", "_bn1", 16, channels, 1, 1)
    state |= {"_fc.weight": torch.zeros(10, 16), "_fc.bias": torch.zeros(10)}
    return state


# ---- a Llama in GGUF ---------------------------------------------------------------------------------------

LLAMA_WIDTH, LLAMA_HEADS, LLAMA_KV_HEADS, LLAMA_MLP, LLAMA_LAYERS = 32, 4, 2, 64, 2
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_tokens() -> list[str]:
    """The 256 bytes as byte-level BPE writes them (printable ones as themselves), after the special words."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return _SPECIAL + [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]


def llama_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """Every tensor under its GGUF name, fp32, (out, in)."""
    generator = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return (generator.standard_normal(shape) / LLAMA_WIDTH**0.5).astype(np.float32)

    head = LLAMA_WIDTH // LLAMA_HEADS
    tensors = {
        "token_embd.weight": draw(len(byte_tokens()) + 1, LLAMA_WIDTH),
        "output_norm.weight": draw(LLAMA_WIDTH),
    }
    for layer in range(LLAMA_LAYERS):
        tensors |= {
            f"blk.{layer}.attn_norm.weight": 1 + draw(LLAMA_WIDTH),
            f"blk.{layer}.attn_q.weight": draw(LLAMA_WIDTH, LLAMA_WIDTH),
            f"blk.{layer}.attn_k.weight": draw(LLAMA_KV_HEADS * head, LLAMA_WIDTH),
            f"blk.{layer}.attn_v.weight": draw(LLAMA_KV_HEADS * head, LLAMA_WIDTH),
            f"blk.{layer}.attn_output.weight": draw(LLAMA_WIDTH, LLAMA_WIDTH),
            f"blk.{layer}.ffn_norm.weight": 1 + draw(LLAMA_WIDTH),
            f"blk.{layer}.ffn_gate.weight": draw(LLAMA_MLP, LLAMA_WIDTH),
            f"blk.{layer}.ffn_up.weight": draw(LLAMA_MLP, LLAMA_WIDTH),
            f"blk.{layer}.ffn_down.weight": draw(LLAMA_WIDTH, LLAMA_MLP),
        }
    return tensors


def write_gguf(
    path: Path, tensors: dict[str, np.ndarray], *, architecture: str = "llama", quantised: bool = True
) -> None:
    """Write a GGUF file with a byte-level tokenizer; matrices as Q4_1, the embedding as Q8_0."""
    writer = gguf.GGUFWriter(path, architecture)
    tokens = [*byte_tokens(), "\u010a\u010a"]  # and one merge: two line ends
    writer.add_vocab_size(len(tokens))
    writer.add_context_length(128)
    writer.add_embedding_length(LLAMA_WIDTH)
    writer.add_block_count(LLAMA_LAYERS)
    writer.add_feed_forward_length(LLAMA_MLP)
    writer.add_head_count(LLAMA_HEADS)
    writer.add_head_count_kv(LLAMA_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges(["\u010a \u010a"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    for name, array in tensors.items():
        kind = None
        if quantised and array.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0 if name == "token_embd.weight" else gguf.GGMLQuantizationType.Q4_1
        data = array if kind is None else gguf.quantize(array, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---- wheels ------------------------------------------------------------------------------------------------


def write_wheel(folder: Path, files: dict[str, bytes], *, name: str = "carrier", hub: str | None = None) -> Package:
    """Write an installable wheel that must never be imported, and return the package that pins it."""
    wheel = f"{name}-1.0-py3-none-any.whl"
    information = f"{name}-1.0.dist-info"
    content = {
        f"{name}/__init__.py": b"raise RuntimeError('a carrier of files was imported')\n",
        **{f"{name}/{path}": data for path, data in files.items()},
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{information}/RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(path, data)
    return Package(
        name=name,
        version="1.0",
        wheel=wheel,
        sha256=hashlib.sha256((folder / wheel).read_bytes()).hexdigest(),
        licence="Apache-2.0",
        files=tuple(PinnedFile(f"{name}/{path}", hashlib.sha256(data).hexdigest()) for path, data in files.items()),
        hub=hub,
    )
