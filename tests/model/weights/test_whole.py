"""A whole folder is opened only if it holds just this model; else one sentence says what it holds instead."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from earthgptx.errors import BrokenCheckpoint
from earthgptx.inference.loading import load
from earthgptx.model.weights.checkpoint import TRAINED, load_trained, save_trained
from earthgptx.model.weights.foreign.shard_writer import INDEX
from tests.model.weights.foreign.small import cut_short
from tests.tiny_model import tiny_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    tiny_model().save_pretrained(folder, max_shard_size="500KB")
    return folder


def first_shard(folder: Path) -> Path:
    return min(folder.glob("model-*.safetensors"))


def changed(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    state = load_file(first_shard(folder))
    change(state)
    save_file(state, first_shard(folder), metadata={"format": "pt"})


def a_shard_cut_short(folder: Path) -> None:
    cut_short(first_shard(folder))


def a_shard_missing(folder: Path) -> None:
    first_shard(folder).unlink()


def an_index_of_nothing(folder: Path) -> None:
    (folder / INDEX).write_text("{}")


def a_tensor_missing(folder: Path) -> None:
    changed(folder, lambda state: state.pop(min(state)))


def a_tensor_left_over(folder: Path) -> None:
    changed(folder, lambda state: state.update(extra=torch.zeros(1)))


def a_tensor_of_another_shape(folder: Path) -> None:
    changed(folder, lambda state: state.update({min(state): torch.zeros(7)}))


def another_size_s_configuration(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    content["language"] |= {"hidden_size": 128}
    (folder / "config.json").write_text(json.dumps(content))


def a_lora_adapter(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    save_file({"base_model.model.lora_A.weight": torch.zeros(1)}, folder / "adapter_model.safetensors")


def pickles(folder: Path) -> None:
    for path in [folder / INDEX, *folder.glob("*.safetensors")]:
        path.unlink()
    torch.save({}, folder / "pytorch_model.bin")


def another_model_s_folder(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llama"}')


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (a_shard_cut_short, ["model-00001", "bytes) cannot be read"]),
        (a_shard_missing, ["lists", "of which 1 are missing", "model-00001"]),
        (an_index_of_nothing, ["weight_map"]),
        (a_tensor_missing, ["1 tensors are missing and 0 left over"]),
        (a_tensor_left_over, ["0 tensors are missing and 1 left over", "first extra"]),
        (a_tensor_of_another_shape, ["of the shape (7,)", "'tiny' has ("]),
        (another_size_s_configuration, ["of the shape", "'tiny' has ("]),
        (a_lora_adapter, ["LoRA adapter", "merge"]),
        (pickles, ["pytorch_model.bin is a pickle", ".safetensors files alone"]),
        (another_model_s_folder, ["its model_type is not 'earthgptx'"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_not_this_model_is_one_sentence(
    saved: Path, tmp_path: Path, damage: Callable[[Path], None], words: list[str]
):
    folder = shutil.copytree(saved, tmp_path / "model")
    damage(folder)
    with pytest.raises(BrokenCheckpoint) as caught:
        load(folder)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_size_is_named(tmp_path: Path):
    model = tiny_model()
    save_trained(model, tmp_path)
    model.config.size_name = "nano"
    with pytest.raises(BrokenCheckpoint, match="is a checkpoint of the size 'tiny', but the model is 'nano'"):
        load_trained(model, tmp_path)


@pytest.mark.parametrize("damage", [a_lora_adapter, pickles])
def test_a_run_does_not_start_from_what_is_no_checkpoint(saved: Path, tmp_path: Path, damage: Callable[[Path], None]):
    folder = shutil.copytree(saved, tmp_path / "model")
    damage(folder)
    with pytest.raises(BrokenCheckpoint, match=r"LoRA adapter|is a pickle"):
        load_trained(tiny_model(), folder)


def test_frequencies_are_kept_exactly(tmp_path: Path):
    """SAM's are numbers that bf16 does not have; nano's, which it has, are the same either way."""
    model = tiny_model()
    drawn = torch.randn_like(model.pixels.positions.positional_embedding)
    with torch.no_grad():
        model.pixels.positions.positional_embedding.copy_(drawn)
    save_trained(model, tmp_path)
    loaded = tiny_model(seed=1)
    load_trained(loaded, tmp_path)
    assert torch.equal(loaded.pixels.positions.positional_embedding, drawn)
    kept = {name: value.dtype for name, value in load_file(tmp_path / TRAINED).items() if value.dtype == torch.float32}
    assert list(kept) == ["pixels.positions.positional_embedding"]
