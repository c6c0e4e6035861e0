"""Wheels as carriers of files: what comes out is what was pinned, and a file is never there half."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile

import pytest

from earthgptx import wheels
from earthgptx.errors import HashMismatch, WheelUnavailable
from earthgptx.wheels import PinnedFile, Wheel, cache_folder, download, sha256_of, take

WHEEL = Wheel("carrier", "1.0", "carrier-1.0-py3-none-any.whl", "0" * 64)


def test_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("EARTHGPTX_CACHE", str(tmp_path / "stated"))
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder() == tmp_path / "stated"
    monkeypatch.delenv("EARTHGPTX_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "earthgptx"


def test_a_file_that_was_there_outlives_one_that_is_not_the_pinned_one(tmp_path):
    wheel = tmp_path / "carrier.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("deep/good.bin", b"good")
        archive.writestr("deep/forged.bin", b"forged")
    out = tmp_path / "out"
    out.mkdir()
    (out / "forged.bin").write_bytes(b"of yesterday")
    good, other = (hashlib.sha256(content).hexdigest() for content in (b"good", b"other"))
    files = (PinnedFile("deep/good.bin", good), PinnedFile("deep/forged.bin", other))
    with pytest.raises(HashMismatch, match=r"forged\.bin in carrier\.whl has SHA-256 .* is pinned"):
        take(wheel, files, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "good.bin": b"good",
        "forged.bin": b"of yesterday",
    }
    assert sha256_of(out / "good.bin") == good


def test_a_pip_of_its_own_is_fetched_first_and_not_kept(tmp_path, monkeypatch):
    commands = []
    own = Wheel("pip", "24.0", "pip-24.0-py3-none-any.whl", "1" * 64)

    def run(command, **_):
        commands.append(command)
        wanted = own if "-m" in command else WHEEL
        folder = tmp_path / "kept" / command[command.index("--dest") + 1]
        (folder / wanted.file).write_bytes(b"wheel")
        assert (folder / "requirements.txt").read_text() == (
            f"{wanted.name}=={wanted.version} --hash=sha256:{wanted.sha256}\n"
        )
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    assert download(WHEEL, tmp_path / "kept", seconds=5, pip=own).read_bytes() == b"wheel"
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [WHEEL.file]
    assert commands[0][1:3] == ["-m", "pip"]
    assert commands[1][1].endswith(f"{own.file}/pip")


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("WARNING: retrying\nERROR: No match\nHint: none\n", "ERROR: No match"),
        ("no pip", "no pip"),
        ("", "ended with 1"),
    ],
)
def test_what_pip_said_is_told_in_one_sentence(stderr, reason, tmp_path, monkeypatch):
    monkeypatch.setattr(
        wheels.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, stdout="", stderr=stderr)
    )
    with pytest.raises(WheelUnavailable, match=f"^carrier 1.0 cannot be downloaded .*{reason}.* by hand\\.$"):
        download(WHEEL, tmp_path, seconds=5)
    assert list(tmp_path.iterdir()) == []
