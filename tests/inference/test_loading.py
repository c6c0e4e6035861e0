"""A folder becomes an assistant that answers as the trained model did; what is no model is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import earthgptx
from earthgptx.data.imagery import Scene
from earthgptx.errors import BrokenCheckpoint, DeviceUnavailable, UnknownModel
from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.inference.loading import checkpoint_folder, load
from earthgptx.model.earthgptx import EarthGPTX, stored_parameters
from earthgptx.model.weights.assembly import assemble
from earthgptx.model.weights.checkpoint import TRAINED, save_trained
from earthgptx.shapes import Box
from tests.tiny_model import LARGE, SMALL, picture, tiny_config, tiny_processor

MARKS = (Box(20, 30, 44, 54), Box(60, 60, 120, 100))


@pytest.fixture(scope="module")
def trained() -> EarthGPTX:
    """A tiny model off its start, in the precision that is stored."""
    model = assemble(tiny_config()).model
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in stored_parameters(model).items():
            if "positional_embedding" not in name:
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
            parameter.copy_(parameter.bfloat16())
    return model


@pytest.fixture(scope="module")
def folder(trained: EarthGPTX, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_trained(trained, tmp_path_factory.mktemp("checkpoint"))


def scene(size: tuple[int, int] = LARGE) -> Scene:
    return Scene.from_array(picture(size), sensor="optical")


def test_what_was_saved_answers_as_before(trained: EarthGPTX, folder: Path):
    loaded = load(folder)
    torch.manual_seed(11)  # nothing of a loaded model may hang on what was drawn before
    before = Assistant(Generator(trained, tiny_processor())).look(scene()).ask("What?", MARKS, max_new_tokens=20)
    after = loaded.look(scene()).ask("What?", MARKS, max_new_tokens=20)
    assert after.text == before.text
    assert [region.confidence for region in after.regions] == [region.confidence for region in before.regions]
    assert all(np.array_equal(a.array, b.array) for a, b in zip(after.masks, before.masks, strict=True))
    mine, theirs = stored_parameters(trained), stored_parameters(loaded.generator.model)
    assert all(torch.equal(theirs[name].float(), mine[name].float()) for name in mine)


def test_a_loaded_model_is_ready_to_answer_and_to_nothing_else(folder: Path):
    model = load(folder).generator.model
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.language.llama.dtype == model.vision.vit.dtype == torch.bfloat16


def test_a_folder_may_be_named_by_its_text(folder: Path):
    answer = load(str(folder)).look(scene(SMALL)).ask("What is it?", max_new_tokens=3)
    assert answer.regions == ()


def test_features_outlive_the_assistant(folder: Path, tmp_path: Path):
    def ask() -> tuple[str, int]:
        assistant = load(folder, features=tmp_path)
        views: list[int] = []
        assistant.generator.model.vision.register_forward_pre_hook(lambda module, args: views.append(len(args[0])))
        text = assistant.look(scene()).ask("What?", MARKS[:1], max_new_tokens=5).text
        assert assistant.generator.store is not None
        assistant.generator.store._lock.close()
        return text, sum(views)

    first, second = ask(), ask()
    assert (first[1], second[1]) == (6, 0)
    assert first[0] == second[0]


@pytest.mark.parametrize("name", ["giant", "no/such/folder"])
def test_an_unknown_name_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModel, match=f"no model '{name}'.*nano"):
        load(name)


def test_a_file_is_no_model(tmp_path: Path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(UnknownModel, match="neither a folder"):
        load(file)


def test_an_installation_without_weights_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(earthgptx, "__file__", str(tmp_path / "earthgptx" / "__init__.py"))
    with pytest.raises(UnknownModel, match="weights of 'nano' are not in this installation"):
        checkpoint_folder("nano")


def test_embedded_weights_are_found_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(earthgptx, "__file__", str(tmp_path / "earthgptx" / "__init__.py"))
    (tmp_path / "checkpoints" / "nano").mkdir(parents=True)
    assert checkpoint_folder("nano") == tmp_path / "checkpoints" / "nano"


def test_an_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(BrokenCheckpoint, match=r"is not a checkpoint: it needs config\.json and trained\.safetensors"):
        load(tmp_path)


def test_a_truncated_checkpoint_is_refused(folder: Path, tmp_path: Path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    data = (tmp_path / TRAINED).read_bytes()
    (tmp_path / TRAINED).write_bytes(data[: len(data) // 2])
    with pytest.raises(BrokenCheckpoint, match=r"trained\.safetensors cannot be read"):
        load(tmp_path)


def test_a_size_that_no_package_holds_is_refused(folder: Path, tmp_path: Path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"size_name": "tiny"', '"size_name": "paper"'))
    with pytest.raises(UnknownModel, match="'paper'"):
        load(tmp_path)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", ""])
def test_an_absent_device_is_refused(folder: Path, device: str):
    with pytest.raises(DeviceUnavailable):
        load(folder, device=device)
