"""A scene in an object store is the scene that it is on disk, and what is not there is told in one sentence."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from earthgptx.data import remote_file
from earthgptx.data.imagery import Scene
from earthgptx.data.remote_file import exists, filesystem_of, is_url, open_binary, path_of, size_of, state_of, url_of
from earthgptx.errors import MissingExtra, UnreadableImagery
from tests.geo.blob_scene import blobs, write_scene
from tests.geo.fake_store import served

SIZE = (120, 90)


def test_urls_and_paths_name_the_same():
    assert path_of("s3://bucket/a b/c.tif") == Path("/vsis3/bucket/a b/c.tif")
    assert url_of(Path("/vsis3/bucket/a b/c.tif")) == "s3://bucket/a b/c.tif"
    assert url_of(path_of("az://box/c.tif")) == "az://box/c.tif"
    assert path_of("file:///data/a%20b.tif") == Path("/data/a b.tif")
    assert url_of(Path("/data/c.tif")) is None
    assert is_url("gs://x/y.tif")
    assert not is_url("C:/x/y.tif")
    with pytest.raises(UnreadableImagery, match=r"memory://.*s3://"):
        path_of("memory://x.tif")


def test_a_store_that_cannot_be_reached_is_told():
    with pytest.raises(UnreadableImagery, match="nowhere"):
        filesystem_of("nowhere://x/y.tif")


def test_a_store_whose_package_is_missing_is_told():
    pytest.importorskip("fsspec")
    try:
        import gcsfs  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingExtra, match="gcsfs"):
            filesystem_of("gs://x/y.tif")
    else:
        pytest.skip("gcsfs is installed")


def test_local_files_are_opened_as_ever(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert exists(path)
    assert size_of(path) == 5
    assert state_of(path) == str(path.stat().st_mtime_ns)
    with open_binary(path) as stream:
        assert stream.read() == b"12345"


@pytest.mark.parametrize("tag", ["ETag", "etag"])
def test_a_listing_and_a_question_about_a_file_tell_the_same_state(monkeypatch: pytest.MonkeyPatch, tag: str):
    listed = {"name": "bucket/a.tif", "size": 5, tag: '"f00d"', "StorageClass": "STANDARD"}
    asked = {"name": "bucket/a.tif", "size": 5, tag: '"f00d"', "ContentType": "image/tiff"}
    written_anew = asked | {tag: '"cafe"'}
    store = Mock(**{"info.side_effect": [listed, asked, written_anew]})
    monkeypatch.setattr(remote_file, "filesystem_of", lambda url: store)
    states = [state_of(path_of("s3://bucket/a.tif")) for _ in range(3)]
    assert states == ['"f00d"', '"f00d"', '"cafe"']


def test_a_store_without_tags_is_asked_for_its_own_key(monkeypatch: pytest.MonkeyPatch):
    store = Mock(**{"info.return_value": {"size": 5}, "ukey.return_value": "key"})
    monkeypatch.setattr(remote_file, "filesystem_of", lambda url: store)
    assert state_of(path_of("s3://bucket/a.tif")) == "key"


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_scene_in_a_store_is_the_scene_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    local = tmp_path / "bucket" / "some" / name
    local.parent.mkdir(parents=True)
    if name.endswith(".tif"):
        write_scene(local, blobs(2, *SIZE), *SIZE)
    else:
        Image.fromarray(np.arange(90 * 120, dtype=np.uint16).astype(np.uint8).reshape(90, 120)).save(local)
    with served(tmp_path, monkeypatch):
        path = path_of(f"s3://bucket/some/{name}")
        scene, same = Scene.open(path, sensor="optical"), Scene.open(local, sensor="optical")
        assert state_of(path) == state_of(path)
        with pytest.raises(UnreadableImagery, match=r"There is no file s3://bucket/some/none\.tif"):
            Scene.open(path.with_name("none.tif"))
    np.testing.assert_array_equal(scene.pixels, same.pixels)
    assert scene.georeference == same.georeference
