"""Images and label files as people keep them: links, upper-case endings, nested folders, and names from elsewhere."""

from __future__ import annotations

import os

import pytest

from earthgptx.data.formats.folder_layout import files_below
from earthgptx.data.formats.pairing import Pictures, file_below, files_by_name, named_image
from earthgptx.errors import MalformedDataset


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def below(root, *suffixes):
    return [path.relative_to(root).as_posix() for path in files_below(root, *suffixes)]


def test_endings_in_any_letter_case_and_nothing_hidden(tmp_path):
    touch(tmp_path, "b.XML", "a/c.xml", "a.txt", ".d.xml", ".ipynb_checkpoints/e.xml", "a/._c.xml")
    (tmp_path / "folder.xml").mkdir()
    assert below(tmp_path, ".xml") == ["a/c.xml", "b.XML"]


def test_links_to_folders_are_followed_but_not_in_a_circle(tmp_path):
    touch(tmp_path, "disk/1.jpg", "disk/deep/2.jpg", "set/images/0.jpg")
    (tmp_path / "set" / "images" / "train").symlink_to(tmp_path / "disk")
    (tmp_path / "set" / "images" / "again").symlink_to(tmp_path / "set")
    (tmp_path / "disk" / "deep" / "up").symlink_to(tmp_path / "disk")
    assert below(tmp_path / "set", ".jpg") == ["images/0.jpg", "images/train/1.jpg", "images/train/deep/2.jpg"]


def test_files_that_share_a_name_are_reported(tmp_path):
    touch(tmp_path, "a.xml", "a.XML", "b.v2.xml")
    broken = []
    found = files_by_name(tmp_path, ".xml", dataset="x", on_broken=broken.append)
    assert list(found) == ["a", "b.v2"]
    assert [item.reason for item in broken] == ["a.XML in the same folder has the same name."]


def test_a_name_that_is_no_utf8_is_reported(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xb7\xc9.jpg", "wb"):
        touch(tmp_path, "a.jpg")
    broken = []
    assert list(files_by_name(tmp_path, ".jpg", dataset="x", on_broken=broken.append)) == ["a"]
    (item,) = broken
    assert "not in UTF-8" in item.reason
    item.item.encode()


def test_pictures_by_path_and_by_bare_name(tmp_path):
    touch(tmp_path, "1.jpg", "a/2.PNG", "a/3.jpg", "b/3.jpg", "a/1.tif")
    pictures = Pictures(tmp_path, "x", [].append)
    assert pictures.of("1").name == "1.jpg"
    assert pictures.of("train/2").name == "2.PNG"
    assert pictures.of("nowhere", "b/3") == tmp_path / "b" / "3.jpg"
    with pytest.raises(MalformedDataset, match="2 images are called 3"):
        pictures.of("3")
    with pytest.raises(MalformedDataset, match=r"holds no 4\.\* nor five\.\*"):
        pictures.of("4", "five")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("train/1.jpg", "train/1"),
        ("./train/1.jpg", "train/1"),
        ("/home/them/set/train/1.jpg", "train/1"),
        ("C:\\them\\train\\1.jpg", "train/1"),
        ("..\\images\\train\\1.jpg", "train/1"),
        ("elsewhere/1.jpg", "1"),
        ("1.v2.JPG", "1.v2"),
    ],
)
def test_images_are_found_by_paths_of_other_machines(tmp_path, written, name):
    touch(tmp_path, "images/train/1.jpg", "images/1.jpg", "images/1.v2.JPG")
    found = named_image(written, [tmp_path / "images"], tmp_path / "labels.json")
    assert found.name == name
    assert found.path.is_relative_to(tmp_path / "images")


def test_a_path_of_this_machine_is_taken_where_nothing_else_is(tmp_path):
    touch(tmp_path, "set/x.json", "apart/1.jpg", "set/../up/2.jpg")
    path = str(tmp_path / "apart" / "1.jpg")
    assert named_image(path, [tmp_path / "set"], tmp_path / "x.json") == (tmp_path / "apart" / "1.jpg", "1")
    assert file_below(path, [tmp_path / "set"]) is None
    above = named_image("../up/2.jpg", [tmp_path / "set"], tmp_path / "x.json")
    assert above == (tmp_path / "up" / "2.jpg", "2")


@pytest.mark.parametrize("written", ["", ".", "..", "/", "a/..", "\x00", "x" * 5000, "\ud800", "missing.jpg"])
def test_what_is_no_image_is_told(tmp_path, written):
    with pytest.raises(MalformedDataset, match="does not exist"):
        named_image(written, [tmp_path], tmp_path / "labels.json")
