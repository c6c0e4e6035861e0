"""MSAR-1.0: Chinese class names in two encodings, and the draw of splits."""

from __future__ import annotations

from collections import Counter

from earthgptx.data.datasets import msar
from earthgptx.shapes import Box
from tests.fixtures.make_msar import NUM_IMAGES, make_msar


def images_of(root, on_broken=None):
    arguments = (on_broken,) if on_broken else ()
    return [image for split in ("train", "val", "test") for image in msar.read(root, split, *arguments)]


def test_names_are_read_in_utf8_and_gbk(tmp_path):
    make_msar(tmp_path)
    images = images_of(tmp_path)
    labels = Counter(item.label for image in images for item in image.objects)
    assert labels == {"ship": 3, "storage tank": 3, "bridge": 3, "airplane": 3}
    assert {item.box for image in images for item in image.objects} == {Box(10, 20, 30, 40)}


def test_every_image_is_in_exactly_one_split(tmp_path):
    make_msar(tmp_path)
    names = [image.path.stem for image in images_of(tmp_path)]
    assert sorted(names) == [f"{number:02d}" for number in range(1, NUM_IMAGES + 1)]


def test_a_list_decides_where_there_is_one(tmp_path):
    make_msar(tmp_path)
    lists = tmp_path / "MSAR-1.0 dataset" / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("03\n")
    assert [image.id for image in msar.read(tmp_path, "train")] == ["msar/train/03"]


def test_an_unknown_class_is_said(tmp_path):
    make_msar(tmp_path)
    path = tmp_path / "MSAR-1.0 dataset" / "Annotations" / "02.xml"
    path.write_bytes(path.read_bytes().replace("桥梁".encode("gbk"), "城市".encode("gbk")))
    broken = []
    assert len(images_of(tmp_path, broken.append)) == NUM_IMAGES
    assert len(broken) == 1
    assert "no class named '城市'" in broken[0].reason
