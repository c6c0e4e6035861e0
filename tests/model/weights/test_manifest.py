from __future__ import annotations

import json

import pytest

from earthgptx.errors import BrokenCheckpoint, HashMismatch
from earthgptx.model.weights.manifest import MANIFEST, Source, build_once, verify

SOURCES = (Source("A part", "carrier", "1.0", "ab" * 32, "MIT", "the package index, carrier 1.0"),)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "parts-1"


def build(draft):
    (draft / "inner").mkdir()
    (draft / "a.bin").write_bytes(b"a")
    (draft / "inner" / "b.bin").write_bytes(b"bb")
    return SOURCES


def never(draft):
    pytest.fail("it was built a second time")


def test_it_is_built_once_and_says_what_is_in_it(folder):
    first = build_once(folder, build)
    assert first.sources == SOURCES
    assert sorted(first.files) == ["a.bin", "inner/b.bin"]
    assert build_once(folder, never) == first
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_build_that_fails_leaves_nothing(folder):
    def fail(draft):
        build(draft)
        raise BrokenCheckpoint("half way")

    with pytest.raises(BrokenCheckpoint, match="half way"):
        build_once(folder, fail)
    assert list(folder.parent.iterdir()) == []


def test_the_first_of_two_builders_wins(folder):
    def overtaken(draft):
        build_once(folder, build)
        (draft / "late.bin").write_bytes(b"late")
        return SOURCES

    assert sorted(build_once(folder, overtaken).files) == ["a.bin", "inner/b.bin"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_changed_file_is_refused(folder):
    build_once(folder, build)
    (folder / "inner" / "b.bin").write_bytes(b"bc")
    with pytest.raises(HashMismatch, match=r"inner/b\.bin has SHA-256 .* delete the folder"):
        build_once(folder, never)


def test_a_missing_file_is_refused(folder):
    build_once(folder, build)
    (folder / "a.bin").unlink()
    with pytest.raises(BrokenCheckpoint, match=r"a\.bin is missing; delete the folder"):
        verify(folder)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", json.dumps({"sources": [{"odd": 1}], "files": {}})])
def test_a_folder_without_a_readable_manifest_is_refused(folder, content):
    build_once(folder, build)
    if content is None:
        (folder / MANIFEST).unlink()
    else:
        (folder / MANIFEST).write_text(content)
    with pytest.raises(BrokenCheckpoint, match=r"manifest\.json is missing or unreadable"):
        verify(folder)
