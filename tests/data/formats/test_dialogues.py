"""Dialogues of other projects become samples whose words, marks and masks agree."""

from __future__ import annotations

import json
from types import GeneratorType

import pytest

from earthgptx.data.formats import dialogues
from earthgptx.data.formats.json_stream import records
from earthgptx.data.sample import check_sample
from earthgptx.data.sample_file import parse, render
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box, Point
from tests.fixtures.make_dialogues import SIZE, make_dialogue_images, make_geopixeld, make_grandf, make_mdvp


def read(path, images, on_broken=None):
    broken = []
    found = list(
        dialogues.read(path, images, dataset="x", split="train", sensor="optical", on_broken=on_broken or broken.append)
    )
    return found, broken


@pytest.mark.parametrize(("make", "images"), [(make_mdvp, "images"), (make_geopixeld, "."), (make_grandf, "train")])
def test_what_is_read_can_be_written_and_read_again(tmp_path, make, images):
    samples, _ = read(make(tmp_path), tmp_path / images)
    assert len(samples) == len({sample.id for sample in samples}) == 2
    for sample in samples:
        assert (sample.width, sample.height) == SIZE
        assert sample.image.is_file()
        assert check_sample(sample) is sample
        assert parse(render(sample)) == sample


def test_mdvp_boxes_points_and_speakers(tmp_path):
    (boxes, points), broken = read(make_mdvp(tmp_path), tmp_path / "images")
    assert [region.mark for region in boxes.regions] == [Box(20, 30, 60, 50), Box(150, 100, 160, 128)]
    assert boxes.turns[0].text == "Please identify the labels of each marked region in the image."
    assert [region.mark for region in points.regions] == [Point(12.5, 99)]
    assert [turn.text for turn in points.turns] == ["What is at <Region 1>?", "<Region 1>: a buoy"]
    assert [turn.role for turn in points.turns] == ["user", "model"]
    reasons = [item.reason for item in broken]
    assert len(reasons) == 10
    for reason, words in zip(
        reasons,
        [
            "holds no train/c.png",
            "it has 3 numbers, not 4",
            "lies outside the image of 160 x 128",
            "encloses nothing",
            "names <Region 2> but there are 1 regions",
            "lies outside the 160 x 128 image",
            "from 'oracle'",
            "bbox is a list, not '7'",
            "the fields picture",
            "a record is an object",
        ],
        strict=True,
    ):
        assert words in reason
    assert broken[0].item.endswith("stage_2_bbox.json record 3")
    assert not any(item.is_empty for item in broken)


def test_geopixeld_masks_follow_the_phrases(tmp_path):
    (outlined, packed), broken = read(make_geopixeld(tmp_path), tmp_path)
    assert outlined.task == "grounded_caption"
    assert outlined.turns[1].text == "The <p>tennis court-1</p> <pix> and <p>two ships</p> <pix>."
    court, ships = (target.objects[0] for target in outlined.targets)
    assert (court.label, court.box) == ("tennis court", Box(10, 10, 40, 30))
    assert (ships.label, len(ships.polygons), ships.box) == ("two ships", 2, Box(60, 60, 120, 110))
    assert packed.targets[0].mask(SIZE[1], SIZE[0]).sum() == 16 * 12
    assert packed.targets[0].objects[0].box == Box(8, 4, 24, 16)
    words = ["hold 1 [SEG], but there are 2", "4 x 4 pixels", "cover 16 pixels", "2 points encloses", "holds no data"]
    for item, expected in zip(broken, words, strict=True):
        assert expected in item.reason


def test_grandf_phrases_are_wrapped_where_they_stand(tmp_path):
    (first, second), broken = read(make_grandf(tmp_path), tmp_path / "train")
    assert first.turns[1].text == "<p>A white ship</p> <pix> lies beside <p>a long pier</p> <pix>."
    assert first.targets[0].mask(SIZE[1], SIZE[0]).sum() == 16 * 12 + 10 * 5
    assert second.turns[1].text == "<p>Two cars</p> <pix> near <p>a house</p> <pix>"
    assert [target.objects[0].label for target in second.targets] == ["two cars", "a house"]
    words = ["names no phrase", "needs token_positives", "0 to 99 of a caption of 37", "encloses nothing", "overlap"]
    for item, expected in zip(broken, words, strict=True):
        assert expected in item.reason


def test_the_projects_own_form_is_read_with_all_speakers(tmp_path):
    make_dialogue_images(tmp_path)
    talk = [
        {"from": "user", "value": "<image>\nWhat is in <Region 1>?"},
        {"from": "bot", "value": "<Region 1>: a ship <pix>"},
        {"from": "HUMAN", "value": "And there?"},
        {"from": "model", "value": "Water."},
    ]
    record = {
        "id": "one",
        "image": "a.png",
        "sensor": "sar",
        "regions": [{"kind": "box", "coordinates": [1, 2, 30, 40], "object": 0}],
        "conversations": talk,
        "objects": [{"label": "ship", "box": [1, 2, 30, 40]}],
        "masks": [[0]],
    }
    plain = {"image": "b.png", "conversations": talk[2:]}
    outside = {**record, "regions": [{"kind": "box", "coordinates": [500, 2, 510, 40]}]}
    path = tmp_path / "mine.jsonl"
    lines = [record, plain, outside, {**record, "masks": []}]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    (full, short), broken = read(path, tmp_path / "train")
    assert (full.id, full.sensor, full.turns[0].text) == ("x/train/mine/1/one", "sar", "What is in <Region 1>?")
    assert full.regions[0].object == full.targets[0].objects[0]
    assert (short.id, short.sensor, short.regions) == ("x/train/mine/2", "optical", ())
    assert [item.item[-8:] for item in broken] == ["record 3", "record 4"]
    assert "1 <pix> in the text but 0 masks" in broken[1].reason


def test_a_broken_record_is_an_error_where_all_must_be_whole(tmp_path):
    path = make_mdvp(tmp_path)
    with pytest.raises(MalformedDataset, match=r"record 3: .*holds no train/c\.png"):
        list(dialogues.read(path, tmp_path / "images", dataset="x", split="train", sensor="optical"))


def test_records_come_one_by_one(tmp_path):
    path = tmp_path / "cut.json"
    path.write_text("[" + ",".join(['{"a": 1.5}'] * 20_000) + ", {", encoding="utf-8")
    found = records(path)
    assert isinstance(found, GeneratorType)
    assert next(found) == {"a": 1.5}  # long before the fault at the end
    with pytest.raises(MalformedDataset, match="is not JSON after record 20000"):
        list(found)


@pytest.mark.parametrize(("content", "message"), [("", "begins with neither"), ("3", "begins with neither")])
def test_what_is_no_json_is_refused(tmp_path, content, message):
    path = tmp_path / "x.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MalformedDataset, match=message):
        list(records(path))
    with pytest.raises(MalformedDataset, match="does not exist"):
        list(records(tmp_path / "y.json"))


def test_a_byte_order_mark_does_not_matter(tmp_path):
    for name, text in (("x.json", '[{"a": 1}]'), ("x.jsonl", '{"a": 1}\n\n{"a": 2}\n')):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert next(records(tmp_path / name)) == {"a": 1}
