"""RSICD, VHR-10 and SAR-ACD as their publishers pack them: one folder for all splits."""

from __future__ import annotations

import json

import pytest

from earthgptx.data.datasets import DATASETS
from earthgptx.errors import MalformedDataset
from tests.fixtures.make_chips import SAR_ACD_TYPES, make_sar_acd, make_sar_acd_release
from tests.fixtures.make_coco import VHR10_OBJECTS, make_vhr10, make_vhr10_release
from tests.fixtures.make_rsicd import make_rsicd, make_rsicd_release

SPLITS = ("train", "val", "test")


def read(root, name, split, on_broken=None):
    assert DATASETS[name].has(root, split)
    return list(DATASETS[name].read(root, split, *([on_broken] if on_broken else [])))


@pytest.mark.parametrize(
    ("name", "make", "num_images"),
    [
        ("rsicd", make_rsicd_release, 9),
        ("vhr10", make_vhr10_release, 6 * len(VHR10_OBJECTS)),
        ("sar_acd", make_sar_acd_release, 12 * len(SAR_ACD_TYPES)),
    ],
)
def test_every_image_is_in_exactly_one_split(tmp_path, name, make, num_images):
    make(tmp_path)
    images = {split: read(tmp_path, name, split) for split in SPLITS}
    assert all(images.values())
    paths = [image.path for found in images.values() for image in found]
    assert len(paths) == len(set(paths)) == num_images
    assert all(image.id.startswith(f"{name}/{split}/") for split, found in images.items() for image in found)


@pytest.mark.parametrize(
    ("name", "make", "make_split"),
    [
        ("rsicd", make_rsicd_release, make_rsicd),
        ("vhr10", make_vhr10_release, make_vhr10),
        ("sar_acd", make_sar_acd_release, make_sar_acd),
    ],
)
def test_both_layouts_say_the_same_and_files_by_split_come_first(tmp_path, name, make, make_split):
    make(tmp_path / "release")
    make_split(tmp_path / "release", "val")
    make_split(tmp_path / "split", "val")
    first, second = (read(tmp_path / root, name, "val") for root in ("release", "split"))
    assert [image.id for image in first] == [image.id for image in second]
    assert [image.objects for image in first] == [image.objects for image in second]


def test_rsicd_of_the_release_has_the_captions_of_the_short_form(tmp_path):
    make_rsicd_release(tmp_path / "release")
    make_rsicd(tmp_path / "short", "val")
    release, short = (read(tmp_path / root, "rsicd", "val") for root in ("release", "short"))
    assert [(image.id, image.captions, image.scene) for image in release] == [
        (image.id, image.captions, image.scene) for image in short
    ]


def test_broken_records_of_rsicd_cost_only_themselves(tmp_path):
    make_rsicd_release(tmp_path)
    path = tmp_path / "rsicd" / "dataset_rsicd.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    whole = next(row for row in content["images"] if row["split"] == "val")
    content["images"] += [
        None,
        {"filename": "a.jpg"},
        {**whole, "filename": "lost.jpg"},
        {**whole, "sentences": [{"raw": 7}]},
        {**whole, "sentences": 7},
        whole,
    ]
    path.write_text(json.dumps(content), encoding="utf-8")
    broken = []
    assert len(read(tmp_path, "rsicd", "val", broken.append)) == 3
    words = ["named fields", "no field 'split'", "does not exist", "not a list of sentences", "no list", "second time"]
    assert [item.item.rsplit(" ", 1)[-1] for item in broken] == ["10", "11", "12", "13", "14", "15"]
    assert all(word in item.reason for word, item in zip(words, broken, strict=True))
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(MalformedDataset, match="no list of records under 'images'"):
        read(tmp_path, "rsicd", "val")


def test_chips_that_differ_by_their_ending_are_reported(tmp_path):
    make_sar_acd(tmp_path, "val")
    chip = tmp_path / "sar_acd" / "val" / "A220" / "000.jpg"
    chip.with_suffix(".PNG").write_bytes(chip.read_bytes())
    (chip.parent / "folder.jpg").mkdir()
    broken = []
    images = read(tmp_path, "sar_acd", "val", broken.append)
    assert len({image.id for image in images}) == len(images) == 2 * len(SAR_ACD_TYPES)
    assert [item.reason for item in broken] == ["000.PNG in the same folder has the same name."]
