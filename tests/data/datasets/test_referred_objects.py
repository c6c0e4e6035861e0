"""DIOR-RSVG and OPT-RSVG: which objects a split numbers, and how the descriptions of one object come together."""

from __future__ import annotations

import pytest

from earthgptx.data.datasets import DATASETS, dior_rsvg, opt_rsvg
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_rsvg import DIOR_SPLITS, make_dior_rsvg, make_opt_rsvg


def test_numbers_run_over_all_files_and_one_object_has_all_its_descriptions(tmp_path):
    make_dior_rsvg(tmp_path)
    first, second = dior_rsvg.read(tmp_path, "train")
    assert first.id == "dior_rsvg/train/00002"
    (ship,) = first.objects
    assert (ship.label, ship.box) == ("ship", Box(10, 20, 40, 30))
    assert ship.descriptions == ("A ship on the left", "The long gray ship")
    (airplane,) = second.objects  # number 4: the second airplane of the second file
    assert (airplane.box, airplane.descriptions) == (Box(90, 70, 120, 100), ("An airplane at the bottom",))
    (windmill,) = next(iter(dior_rsvg.read(tmp_path, "val"))).objects
    assert windmill.label == "windmill"


def test_splits_share_images_but_no_object(tmp_path):
    make_dior_rsvg(tmp_path)
    texts = {
        split: [
            text for image in dior_rsvg.read(tmp_path, split) for item in image.objects for text in item.descriptions
        ]
        for split in DIOR_SPLITS
    }
    assert {split: len(found) for split, found in texts.items()} == {"train": 3, "val": 1, "test": 2}
    assert len({text for found in texts.values() for text in found}) == 6


def test_opt_boxes_are_positions(tmp_path):
    make_opt_rsvg(tmp_path)
    first, second = opt_rsvg.read(tmp_path, "train")
    assert (first.objects[0].label, first.objects[0].box) == ("t junction", Box(10.5, 20.25, 60.5, 70.75))
    assert second.objects[0].label == "vehicle"
    assert list(opt_rsvg.read(tmp_path, "val")) == []
    assert [image.id for image in opt_rsvg.read(tmp_path, "test")] == ["opt_rsvg/test/00003"]


def test_opt_is_read_in_the_other_layout_too(tmp_path):
    make_opt_rsvg(tmp_path)
    folder = tmp_path / "OPT-RSVG"
    (folder / "Image").rename(folder / "JPEGImages")
    for path in (folder / "split").iterdir():
        path.rename(folder / path.name)
    (folder / "split").rmdir()
    assert DATASETS["opt_rsvg"].has(tmp_path, "train")
    assert len(list(opt_rsvg.read(tmp_path, "train"))) == 2


def test_a_broken_object_keeps_its_number(tmp_path):
    make_dior_rsvg(tmp_path)
    path = tmp_path / "DIOR_RSVG" / "Annotations" / "00002.xml"
    path.write_text(path.read_text().replace("<xmin>11</xmin>", "<xmin>611</xmin>").replace("<xmax>40<", "<xmax>640<"))
    broken = []
    (image,) = dior_rsvg.read(tmp_path, "train", broken.append)
    assert image.objects[0].descriptions == ("An airplane at the bottom",)
    assert [item.item.split()[-2:] for item in broken] == [["object", "1"], ["object", "2"]]
    assert "lies outside the image" in broken[0].reason


def test_a_missing_image_is_said(tmp_path):
    make_dior_rsvg(tmp_path)
    (tmp_path / "DIOR_RSVG" / "JPEGImages" / "00002.jpg").unlink()
    broken = []
    assert [image.id for image in dior_rsvg.read(tmp_path, "train", broken.append)] == ["dior_rsvg/train/00003"]
    assert len(broken) == 1


@pytest.mark.parametrize(("text", "words"), [("0\n6\n", "numbers object 6, but"), ("00002\nx\n", "the line 'x'")])
def test_a_list_that_does_not_fit_is_refused(tmp_path, text, words):
    make_dior_rsvg(tmp_path)
    (tmp_path / "DIOR_RSVG" / "train.txt").write_text(text)
    with pytest.raises(MalformedDataset, match=words):
        list(dior_rsvg.read(tmp_path, "train"))


def test_a_file_that_is_no_xml_ends_the_numbering(tmp_path):
    make_dior_rsvg(tmp_path)
    (tmp_path / "DIOR_RSVG" / "Annotations" / "00003.xml").write_text("<annotation>")
    with pytest.raises(MalformedDataset, match="is not XML"):
        list(dior_rsvg.read(tmp_path, "train", [].append))
