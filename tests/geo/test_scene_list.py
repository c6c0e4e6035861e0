"""Which scenes a name means: all of them, in order, under names that stay and that no two share."""

from __future__ import annotations

from pathlib import Path

import pytest

from earthgptx.errors import EarthGPTXError, MalformedSceneList
from earthgptx.geo.scene_list import list_scenes, names_many
from tests.geo.fake_store import served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.tif", "a.TIFF", "deep/b.png", "deep/note.txt", "b.tif.aux.xml", ".hidden.tif", ".trash/c.tif"):
        path = tmp_path / "scenes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "scenes"


def test_one_scene_and_many_are_told_apart(folder: Path):
    many = (str(folder), f"{folder}/*.tif", "s3://bucket/2026/", "s3://bucket/2026", "s3://b/*.tif", "a.txt", "b.jsonl")
    assert all(names_many(name) for name in many)
    assert names_many(f"file://{folder}")
    assert not any(names_many(name) for name in (f"{folder}/b.tif", "none.tif", "s3://bucket/a.tif", "none"))
    odd = folder / "a[1].tif"
    odd.touch()
    assert not names_many(str(odd))


def test_a_folder_means_the_images_below_it(folder: Path, monkeypatch: pytest.MonkeyPatch):
    for name in (str(folder), f"{folder}/", f"file://{folder}"):
        found = list_scenes(name)
        assert [one.name for one in found] == ["a.TIFF", "b.tif", "deep/b.png"]
        assert [one.path for one in found] == [folder / one.name for one in found]
    monkeypatch.chdir(folder.parent)
    assert list_scenes("scenes") == list_scenes(str(folder))


def test_a_pattern_means_what_fits_and_names_stay(folder: Path):
    assert [one.name for one in list_scenes(f"{folder}/*.tif")] == ["b.tif"]
    assert list_scenes(f"{folder}/**/*.png")[0] in list_scenes(str(folder))


def test_a_folder_may_be_called_like_a_pattern(folder: Path):
    odd = folder.rename(folder.with_name("data[1]"))
    assert names_many(str(odd))
    assert [one.name for one in list_scenes(str(odd))] == ["a.TIFF", "b.tif", "deep/b.png"]


def test_a_prefix_of_an_object_store(folder: Path, monkeypatch: pytest.MonkeyPatch):
    with served(folder.parent.parent, monkeypatch):
        prefix = f"s3://{folder.parent.name}/scenes"
        found = list_scenes(prefix)
        assert [one.address for one in found] == [f"{prefix}/{name}" for name in ("a.TIFF", "b.tif", "deep/b.png")]
        assert [one.name for one in found] == ["a.TIFF", "b.tif", "deep/b.png"]
        assert str(found[1].path) == f"/vsis3/{folder.parent.name}/scenes/b.tif"
        with pytest.raises(MalformedSceneList, match="no such folder"):
            list_scenes("s3://bucket/none/")


def test_a_text_list(folder: Path):
    listed = folder / "list.txt"
    listed.write_text(
        '# scenes\n\nb.tif, r.geojson\n/data/x.tif,\n"deep/b, c.png"\ns3://bucket/k.tif , ../r.gpkg\nb.tif,r.geojson\n'
    )
    found = list_scenes(str(listed))
    assert [(one.name, one.address) for one in found] == [
        ("b.tif", str(folder / "b.tif")),
        ("data/x.tif", "/data/x.tif"),
        ("deep/b, c.png", str(folder / "deep/b, c.png")),
        ("vsis3/bucket/k.tif", "s3://bucket/k.tif"),
    ]
    assert [one.regions for one in found] == [folder / "r.geojson", None, None, folder.parent / "r.gpkg"]


def test_a_list_of_json_lines_says_the_same(folder: Path):
    (folder / "list.txt").write_text("b.tif, r.geojson\ndeep/b.png\n")
    (folder / "list.jsonl").write_text('{"scene": "b.tif", "regions": "r.geojson"}\n\n{"scene": "deep/b.png"}\n')
    assert list_scenes(str(folder / "list.jsonl")) == list_scenes(str(folder / "list.txt"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "", "names 0 scenes"),
        ("a.txt", "b.tif, r.geojson, more\n", "line 1: 3 names"),
        ("a.txt", "b.tif\n, r.geojson\n", "line 2"),
        ("a.txt", "b.tif, r.geojson\nb.tif, s.geojson\n", "join their regions"),
        ("a.txt", "ftp://host/b.tif\n", "No pixels can be read from ftp://"),
        ("a.txt", "b.tif, s3://bucket/r.geojson\n", "from files only"),
        ("a.txt", b"\xff\xfe", "not UTF-8"),
        ("a.jsonl", "b.tif\n", "line 1 is not JSON"),
        ("a.jsonl", '{"scene": "b.tif"}\n{"image": "c.tif"}\n', "line 2 names no scene"),
        ("a.jsonl", '{"scene": "b.tif", "regions": 3}\n', "line 1 names no scene"),
    ],
)
def test_what_is_no_list_is_refused_with_one_sentence(tmp_path: Path, name: str, content: str | bytes, words: str):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(EarthGPTXError, match=words) as caught:
        list_scenes(str(path))
    assert "\n" not in str(caught.value)


def test_nothing_there_is_refused(tmp_path: Path):
    with pytest.raises(MalformedSceneList, match=r"no file there ends in \.tif"):
        list_scenes(str(tmp_path))
    with pytest.raises(MalformedSceneList, match="no list of scenes"):
        list_scenes(str(tmp_path / "none.txt"))
