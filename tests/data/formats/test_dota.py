"""DOTA's label text in its versions, and what is wrong with a line."""

from __future__ import annotations

import pytest

from earthgptx.data.formats import dota
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_own import picture

PLANE = "40.0 20.0 60.0 40.0 40.0 60.0 20.0 40.0 plane 0"
SHIP = "100 50 150 50 150 62 100 62 ship 1"


def read(root, **options):
    options = {"dataset": "own", "split": "train", "sensor": "optical", "name_of": str.upper} | options
    return list(dota.read_folder(root / "labelTxt", root / "images", **options))


def make(root, name, *lines):
    picture(root / "images" / f"{name}.png")
    path = root / "labelTxt" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize(
    "header", [(), ("imagesource:GoogleEarth", "gsd:0.146343590398"), ("imagesource:", "gsd:null")]
)
def test_corners_class_and_flag_with_and_without_a_header(tmp_path, header):
    make(tmp_path, "P0001", *header, PLANE, "", SHIP)
    (image,) = read(tmp_path)
    assert image.id == "own/train/P0001"
    assert [item.label for item in image.objects] == ["PLANE", "SHIP"]
    assert [item.box for item in image.objects] == [Box(20, 20, 60, 60), Box(100, 50, 150, 62)]
    assert image.objects[0].rotated.points == ((40, 20), (60, 40), (40, 60), (20, 40))
    assert not image.objects[0].has_mask
    assert [item.label for item in read(tmp_path, with_difficult=False)[0].objects] == ["PLANE"]


def test_exactly_the_broken_items_are_set_aside(tmp_path):
    outside = "400 20 420 20 420 40 400 40 plane 0"
    make(tmp_path, "a", PLANE, "1 2 3", outside, PLANE.replace("40.0", "x"), "1 1 2 2 3 3 4 4 plane 0")
    make(tmp_path, "b", PLANE)
    (tmp_path / "images" / "b.png").unlink()
    make(tmp_path, "c")
    (tmp_path / "labelTxt" / "c.txt").write_bytes(b"\xff\xfe\x00\xd8")
    broken = []
    (image,) = read(tmp_path, on_broken=broken.append)
    assert len(image.objects) == 1
    assert [item.item.rsplit("/", 1)[-1] for item in broken] == [
        "a.txt line 2",
        "a.txt line 3",
        "a.txt line 4",
        "a.txt line 5",
        "b.txt",
        "c.txt",
    ]
    words = ["this one has 3 words", "outside", "not four corners", "no area", "does not exist", "is no text"]
    assert all(word in item.reason for word, item in zip(words, broken, strict=True))
    with pytest.raises(MalformedDataset, match=r"a\.txt line 2"):
        read(tmp_path)
