"""Visual Genome's five files, joined in step."""

from __future__ import annotations

import json
from types import GeneratorType

import pytest

from earthgptx.data.datasets import visual_genome
from earthgptx.data.sample import Relation
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_visual_genome import IMAGE_IDS, SIZE, make_visual_genome


def read(root, split, on_broken=None):
    broken = []
    return list(visual_genome.read(root, split, on_broken or broken.append)), broken


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vg")
    make_visual_genome(folder)
    return folder


def rewrite(root, name, change):
    path = root / "visual_genome" / f"{name}.json"
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")


def test_every_image_is_in_one_split(root):
    for split, image_ids in IMAGE_IDS.items():
        images, _ = read(root, split)
        present = [image_id for image_id in sorted(image_ids) if image_id != 61513]
        assert [image.id for image in images] == [f"visual_genome/{split}/{image_id}" for image_id in present]
        assert all(image.path.is_file() and (image.width, image.height) == SIZE for image in images)
    assert {visual_genome.split_of(number) for number in range(2, 20)} == {"train"}


def test_objects_attributes_relations_and_phrases_meet(root):
    (image,), broken = read(root, "val")
    man, lamp, dog, shoe = image.objects
    assert (man.label, man.box) == ("man", Box(20, 30, 60, 90))
    assert (man.attributes, lamp.attributes, dog.attributes) == (("tall", "smiling"), ("black",), ())
    assert dog.box == Box(140, 90, 160, 120)
    assert (shoe.label, shoe.box) == ("shoe", Box(22, 80, 32, 90))
    assert image.relations == (Relation(0, "next to", 1), Relation(3, "on", 0), Relation(2, "looks at", 0))
    assert man.descriptions == ("the man wears a hat",)
    assert lamp.descriptions == ("Street lamp, not lit.",)
    reasons = [(item.item, item.reason) for item in broken]
    for (item, reason), (where, words) in zip(
        reasons,
        [
            ("image 20, objects.json object 20003", "lies outside the image of 160 x 128"),
            ("image 20, relationships.json relation 20003", "has no predicate"),
            ("image 20, relationships.json relation 20004", "with itself"),
            ("image 20, region_descriptions.json region 20004", "encloses nothing"),
        ],
        strict=True,
    ):
        assert item == where
        assert words in reason


def test_a_missing_image_is_reported_and_the_rest_goes_on(root):
    images, broken = read(root, "train")
    assert len(images) == 1
    lost = [item for item in broken if "image 61513" in item.item]
    assert len(lost) == 1
    assert "61513.jpg nor" in lost[0].reason
    with pytest.raises(MalformedDataset, match="lies outside"):
        list(visual_genome.read(root, "train"))


def test_files_in_another_order_are_joined_as_long_as_they_are_close(tmp_path, monkeypatch):
    make_visual_genome(tmp_path)
    whole = read(tmp_path, "test")
    for name in ("relationships", "objects"):
        rewrite(tmp_path, name, lambda rows: rows[::-1])
    assert read(tmp_path, "test") == whole
    monkeypatch.setattr(visual_genome, "MAX_APART", 2)
    monkeypatch.setattr(visual_genome, "MAX_MISSED", 0)
    with pytest.raises(MalformedDataset, match=r"objects\.json lists its images in another order"):
        read(tmp_path, "test")


def test_what_is_not_needed_may_be_left_out(tmp_path):
    make_visual_genome(tmp_path)
    for name in ("attributes", "relationships", "region_descriptions"):
        (tmp_path / "visual_genome" / f"{name}.json").unlink()
    (image,), _ = read(tmp_path, "val")
    assert [item.label for item in image.objects] == ["man", "street lamp", "dog"]
    (tmp_path / "visual_genome" / "objects.json").unlink()
    with pytest.raises(MalformedDataset, match=r"objects\.json does not exist"):
        read(tmp_path, "val")


def test_an_image_without_an_entry_is_reported(tmp_path):
    make_visual_genome(tmp_path)
    rewrite(tmp_path, "objects", lambda rows: [row for row in rows if row["image_id"] != 20])
    rewrite(tmp_path, "image_data", lambda rows: [*rows, {"url": ""}, 5])
    images, broken = read(tmp_path, "val")
    assert images == []
    assert [item.reason for item in broken] == ["it has no entry in objects.json.", *["it has no image_id."] * 2]


def test_one_missing_entry_does_not_lose_the_images_behind_it(tmp_path, monkeypatch):
    make_visual_genome(tmp_path)
    monkeypatch.setattr(visual_genome, "MAX_APART", 2)
    rewrite(tmp_path, "objects", lambda rows: [row for row in rows if row["image_id"] != 1])
    images, broken = read(tmp_path, "test")
    assert [image.id for image in images] == ["visual_genome/test/2315361"]
    assert "it has no entry in objects.json." in [item.reason for item in broken]


def test_an_image_listed_twice_is_read_once(tmp_path):
    make_visual_genome(tmp_path)
    rewrite(tmp_path, "image_data", lambda rows: [*rows, rows[0]])
    images, broken = read(tmp_path, "test")
    assert len(images) == 2
    assert "image 1 is listed a second time." in [item.reason for item in broken]


def test_attributes_find_merged_objects_and_the_lost_ones_are_counted(tmp_path):
    make_visual_genome(tmp_path)
    words = [
        {"object_id": 20090, "attributes": ["Old", "tall"]},  # merged into the man
        {"object_id": 77, "attributes": ["red"]},
        {"attributes": ["blue"]},
        {"object_id": [1], "attributes": "green"},
        7,
    ]
    rewrite(tmp_path, "attributes", lambda rows: [{**row, "attributes": words} for row in rows])
    (image,), broken = read(tmp_path, "val")
    assert [item.attributes for item in image.objects] == [("old", "tall"), (), (), ()]
    assert ("image 20, attributes.json", "2 of its 5 entries describe no object that is read.") in [
        (item.item, item.reason) for item in broken
    ]


@pytest.mark.parametrize("name", ["objects", "attributes", "relationships", "region_descriptions"])
@pytest.mark.parametrize("rows", [[None], [[]], ["x"], [{}], [{"object_id": {}}], [{"names": 3, "x": "a"}], 3, None])
def test_what_is_no_record_is_reported_or_passed_over(tmp_path, name, rows):
    make_visual_genome(tmp_path)
    key = "regions" if name == "region_descriptions" else name
    rewrite(tmp_path, name, lambda entries: [{**entry, key: rows} for entry in entries])
    images, _ = read(tmp_path, "val")
    assert len(images) == 1


def test_the_first_image_comes_before_the_files_are_read_to_the_end(tmp_path):
    make_visual_genome(tmp_path)
    path = tmp_path / "visual_genome" / "objects.json"
    text = path.read_text(encoding="utf-8")
    filler = ",".join(json.dumps({"image_id": 10_000_000 + number, "objects": []}) for number in range(9000))
    path.write_text(text[:-1] + "," + filler + ', {"image_id": ', encoding="utf-8")
    images = visual_genome.read(tmp_path, "test", lambda item: None)
    assert isinstance(images, GeneratorType)
    assert next(images).id == "visual_genome/test/1"  # long before the fault at the end of the file
