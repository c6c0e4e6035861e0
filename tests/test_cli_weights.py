"""`earthgptx weights assemble`: four places become a model that `earthgptx ask` answers with; what is wrong is told."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image

from earthgptx.model.sizes import SIZES
from earthgptx.model.weights.foreign.assembling import Places
from tests.model.weights.foreign.small import copy_places, cut_short, small_config, write_parts
from tests.test_cli import refused, run


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return write_parts(tmp_path_factory.mktemp("parts"))


def options(places: Places) -> list[str]:
    named = vars(places) | {"convnext": places.cnn}
    return [word for name, path in named.items() if name != "cnn" for word in (f"--{name}", str(path))]


def test_assembled_and_asked(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SIZES, "paper", small_config)
    out = tmp_path / "paper"
    result = run("weights", "assemble", "paper", *options(places), "--out", str(out))
    assert result.exit_code == 0, result.stderr
    assert str(out) in result.stdout
    image = tmp_path / "port.png"
    Image.new("L", (60, 40), 90).save(image)
    asked = run("ask", str(image), "What?", "--model", str(out), "--max-new-tokens", "2", "--json")
    assert asked.exit_code == 0, asked.stderr


def test_parts_of_another_size_are_one_sentence(places: Places, tmp_path: Path):
    result = run("weights", "assemble", "paper", *options(places), "--out", str(tmp_path / "out"))
    refused(result, "num_attention_heads 4", "paper needs 40")


def test_a_truncated_part_is_one_sentence(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SIZES, "7b", small_config)
    mine = copy_places(places, tmp_path)
    cut_short(mine.dinov2)
    refused(run("weights", "assemble", "7b", *options(mine), "--out", str(tmp_path / "out")), "dinov2.pth")


@pytest.mark.parametrize(("size", "words"), [("mega", ["'mega'"]), ("nano", ["'nano'", "paper-rn50x16, 7b"])])
def test_sizes_that_are_not_assembled(places: Places, tmp_path: Path, size: str, words: list[str]):
    refused(run("weights", "assemble", size, *options(places), "--out", str(tmp_path / "out")), *words)


def test_each_size_has_its_own_cnn(places: Places, tmp_path: Path):
    named = options(places)
    refused(run("weights", "assemble", "paper-rn50x16", *named, "--out", str(tmp_path / "out")), "--rn50x16 names")
    both = [*named, "--rn50x16", "RN50x16.pth"]
    refused(run("weights", "assemble", "paper", *both, "--out", str(tmp_path / "out")), "--rn50x16 is another size's")


def test_a_hub_that_cannot_be_reached_is_one_sentence(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch):
    def unreachable(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("Got: ConnectError: Name or service not known\nAn error happened ...")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    named = [*options(places), "--llama", "meta-llama/Llama-2-13b-hf"]
    result = run("weights", "assemble", "paper", *named, "--out", str(tmp_path / "out"))
    refused(result, "no file or folder meta-llama/Llama-2-13b-hf", "the hub cannot be reached")


def test_a_part_that_is_not_named(tmp_path: Path):
    refused(run("weights", "assemble", "paper", "--out", str(tmp_path)), "--llama")
