"""Folders that `save_pretrained` wrote load as those of `earthgptx train` do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from earthgptx.errors import BrokenCheckpoint
from earthgptx.inference.loading import load
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.processing.vocabulary import byte_tokenizer
from tests.tiny_model import tiny_model


@pytest.fixture(scope="module")
def model() -> EarthGPTX:
    return tiny_model()


@pytest.mark.parametrize("with_tokenizer", [False, True])
def test_a_whole_model_loads_with_its_tokenizer(tmp_path: Path, model: EarthGPTX, with_tokenizer: bool):
    model.save_pretrained(tmp_path)
    if with_tokenizer:
        byte_tokenizer(model.config.base_vocabulary_size).save_pretrained(tmp_path)
    generator = load(tmp_path).generator
    assert generator.processor.vocabulary.size == model.config.base_vocabulary_size + model.config.num_new_tokens
    found, wanted = generator.model.fusion.state_dict(), model.fusion.state_dict()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert generator.model.vision.vit.dtype == torch.bfloat16


def test_damaged_weights_and_a_folder_without_any_are_refused(tmp_path: Path, model: EarthGPTX):
    model.config.save_pretrained(tmp_path)
    with pytest.raises(BrokenCheckpoint, match=r"it needs config\.json and trained\.safetensors"):
        load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BrokenCheckpoint, match="cannot be read"):
        load(tmp_path)


def test_a_larger_size_needs_its_tokenizer(tmp_path: Path, model: EarthGPTX):
    model.config.save_pretrained(tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"size_name": "tiny"', '"size_name": "7b"'))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(BrokenCheckpoint, match=r"no tokenizer\.json"):
        load(tmp_path)
