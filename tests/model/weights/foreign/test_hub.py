"""A name is a path where there is one, else a hub's repository; what a hub does not give is one sentence."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import GatedRepoError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from earthgptx.errors import WeightsUnavailable
from earthgptx.model.weights.foreign.hub import place_of

HELD = {
    "meta-llama/Llama-2-13b-hf": ["config.json", "model-00001-of-00003.safetensors", "pytorch_model-00001.bin"],
    "meta-llama/Llama-2-13b": ["consolidated.00.pth", "params.json", "tokenizer.model", "USE_POLICY.md"],
}


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub with two repositories; what it is asked for."""
    asked: list[str] = []

    def snapshot_download(repository: str, *, allow_patterns: list[str]) -> str:
        asked.append(repository)
        folder = tmp_path / "cache" / repository
        folder.mkdir(parents=True, exist_ok=True)
        for name in HELD[repository]:
            if any(fnmatch(name, pattern) for pattern in allow_patterns):
                (folder / name).touch()
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


@pytest.mark.parametrize(
    ("repository", "names", "times"),
    [
        ("meta-llama/Llama-2-13b-hf", ["config.json", "model-00001-of-00003.safetensors"], 1),
        ("meta-llama/Llama-2-13b", ["consolidated.00.pth", "params.json", "tokenizer.model"], 2),
    ],
)
def test_safetensors_are_fetched_and_pickles_where_there_are_none(
    fetched: list[str], repository: str, names: list[str], times: int
):
    assert sorted(path.name for path in place_of(repository).iterdir()) == sorted(names)
    assert fetched == [repository] * times


def test_a_path_is_never_looked_for_on_a_hub(fetched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts/llama").mkdir(parents=True)
    names = ("parts/llama", "parts/sam.pth", "/parts/llama", "./parts/sam", "../llama", "llama", "parts/deep/llama")
    assert [place_of(name) for name in names] == [Path(name) for name in names]
    assert fetched == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GatedRepoError.__new__(GatedRepoError), "terms must be accepted"),  # made of a response, which differs
        (RepositoryNotFoundError.__new__(RepositoryNotFoundError), "no such repository"),
        (LocalEntryNotFoundError("Got: ConnectError\nAn error happened"), "cannot be reached"),
        (HFValidationError("Repo id must be in the form\n'namespace/repo_name'."), "must be in the form 'namespace"),
        (TimeoutError(), "TimeoutError"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_what_a_hub_does_not_give_is_one_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str):
    def snapshot_download(repository: str, *, allow_patterns: list[str]) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(WeightsUnavailable, match=words) as caught:
        place_of("owner/model")
    assert str(caught.value).startswith("There is no file or folder owner/model, and it cannot be fetched")
    assert "\n" not in str(caught.value)
