"""`earthgptx ask` with real checkpoints of tiny, whole and broken, and with models and devices that are not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from earthgptx.model.weights.checkpoint import TRAINED, save_trained
from tests.test_cli import refused, run
from tests.tiny_model import tiny_model


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "port.png"
    Image.new("L", (60, 40), 90).save(path)
    return str(path)


@pytest.fixture(scope="module")
def whole_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of tiny, as training writes it."""
    return save_trained(tiny_model(), tmp_path_factory.mktemp("models") / "whole")


def test_a_whole_checkpoint_answers(image: str, whole_checkpoint: Path):
    result = run("ask", image, "What?", "--model", str(whole_checkpoint), "--max-new-tokens", "2", "--json")
    assert result.exit_code == 0, result.stderr


def cut_short(folder: Path) -> None:
    (folder / TRAINED).write_bytes((folder / TRAINED).read_bytes()[:-100])


def without_weights(folder: Path) -> None:
    (folder / TRAINED).unlink()


def without_configuration(folder: Path) -> None:
    (folder / "config.json").write_text("{}")


def with_other_weights(folder: Path) -> None:
    save_file({"language.new_words": torch.zeros(1)}, folder / TRAINED)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_short, [TRAINED]),
        (without_weights, [TRAINED]),
        (without_configuration, ["config.json"]),
        (with_other_weights, ["holds 1 weights"]),
    ],
)
def test_a_broken_checkpoint_is_one_sentence(
    image: str, whole_checkpoint: Path, tmp_path: Path, damage: Callable[[Path], None], words: list[str]
):
    folder = shutil.copytree(whole_checkpoint, tmp_path / "broken")
    damage(folder)
    refused(run("ask", image, "What?", "--model", str(folder), "--sensor", "sar", "--json"), *words)


def test_an_unknown_model_is_one_sentence(image: str):
    refused(run("ask", image, "What?", "--model", "mega", "--sensor", "sar", "--json"), "mega", "nano")


@pytest.mark.parametrize("device", ["foo", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_found_before_the_model_is_loaded(image: str, device: str):
    arguments = ("--model", "mega", "--device", device, "--sensor", "sar", "--json")
    refused(run("ask", image, "What?", *arguments), device)


def test_a_plan_is_printed_and_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    tiny = str(Path(__file__).parents[1] / "recipes" / "tiny.py")
    result = run("train", "--plan", tiny, "--gpus", "2", "--memory", "80", "--set", "features=", "--set", "data=none")
    assert result.exit_code == 0, result.stderr
    assert "2 GPUs of 80 GiB" in result.stdout
    assert "It fits" in result.stdout
    assert not list(tmp_path.iterdir())
    refused(run("train", "--plan", tiny, "--gpus", "0"), "0 GPUs")
    refused(run("train", "--plan", tiny, "--memory", "0"), "--memory is 0 GiB")
    refused(run("train", "--plan", "none.py"), "none.py")
    refused(run("train", "--plan", tiny, "--gpus", "1", "--set", "size=mega"), "mega")
