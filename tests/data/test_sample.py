"""Samples: their form on disk, the masks of their objects, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from earthgptx.data.sample import LabelledObject, PixelTarget, Region, Sample, Turn, check_sample
from earthgptx.data.sample_file import parse, read_samples, render, write_samples
from earthgptx.errors import EarthGPTXError, MalformedDataset
from earthgptx.shapes import Box, Point
from tests.mark_strategies import HEIGHT, WIDTH, marks, star_polygons, whole_boxes

words = st.text(st.characters(codec="utf-8", exclude_characters="<>"), max_size=30)
phrases = st.lists(words, max_size=2).map(tuple)
boxed = st.builds(
    LabelledObject,
    box=whole_boxes(),
    label=words,
    rotated=st.none() | star_polygons(),
    attributes=phrases,
    descriptions=phrases,
)


@st.composite
def outlined(draw):
    polygons = tuple(draw(st.lists(star_polygons(), min_size=1, max_size=2)))
    bounds = [polygon.bounds() for polygon in polygons]
    corners = zip(*((b.x0, b.y0, b.x1, b.y1) for b in bounds), strict=True)
    x0, y0, x1, y1 = (pick(values) for pick, values in zip((min, min, max, max), corners, strict=True))
    return LabelledObject(box=Box(x0, y0, x1, y1), label=draw(words), polygons=polygons)


@st.composite
def samples(draw):
    objects = st.one_of(boxed, outlined())
    regions = draw(st.lists(st.builds(Region, mark=marks, object=st.none() | objects), max_size=3))
    targets = draw(st.lists(st.lists(objects, min_size=1, max_size=3).map(lambda o: PixelTarget(tuple(o))), max_size=3))
    answer = draw(words) + "".join(f"\n<Region {k}>: ok" for k in range(1, len(regions) + 1))
    turns = (Turn("user", draw(words)), Turn("model", answer + " <pix>" * len(targets)))
    return Sample(
        id=draw(words),
        image=Path("images") / "a.png",
        sensor=draw(st.sampled_from(["optical", "sar", "infrared"])),
        width=WIDTH,
        height=HEIGHT,
        regions=tuple(regions),
        turns=turns,
        targets=tuple(targets),
        task="roc",
        window=draw(st.none() | whole_boxes()),
        orientation=draw(st.integers(0, 7)),
    )


@given(samples())
@settings(max_examples=60)
def test_reading_gives_back_what_was_written(sample):
    line = render(sample)
    assert "\n" not in line
    assert parse(line) == sample


@given(st.lists(samples(), max_size=3))
@settings(max_examples=10)
def test_a_file_gives_back_its_samples(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("samples")
    placed = [dataclasses.replace(sample, image=folder / sample.image) for sample in written]
    assert write_samples(folder / "all.jsonl", placed, root=folder) == len(placed)
    assert list(read_samples(folder / "all.jsonl")) == placed
    assert str(folder) not in (folder / "all.jsonl").read_text(encoding="utf-8")


@given(samples())
@settings(max_examples=20)
def test_objects_are_written_once_and_the_form_is_the_papers(sample):
    record = json.loads(render(sample))
    assert {"image", "sensor", "regions", "conversations"} <= set(record)
    assert [turn["from"] for turn in record["conversations"]] == ["user", "model"]
    assert len({json.dumps(item) for item in record["objects"]}) == len(record["objects"])


@given(outlined())
@settings(max_examples=40)
def test_a_mirrored_object_has_the_mirrored_mask(item):
    # Off the grid: a pixel's centre exactly on an edge belongs to the side that a mirror swaps.
    polygons = tuple(polygon.shifted(0.0137, 0.0071) for polygon in item.polygons)
    item = dataclasses.replace(item, polygons=polygons)
    mirrored = item.flipped(WIDTH).mask(HEIGHT, WIDTH)
    assert np.array_equal(mirrored[:, ::-1], item.mask(HEIGHT, WIDTH))
    assert item.flipped(WIDTH).flipped(WIDTH).box.iou(item.box) == pytest.approx(1)


@given(outlined())
@settings(max_examples=40)
def test_a_window_is_the_whole_image_cut_out(item):
    whole = item.mask(HEIGHT, WIDTH)
    assert np.array_equal(item.mask_in(Box(0, 0, 48, 48), 48)[:HEIGHT], whole)
    assert np.array_equal(item.mask_in(Box(8, 4, 40, 36), 32), whole[4:36, 8:40])


def test_a_window_magnifies_the_outline_and_may_reach_past_the_image():
    item = LabelledObject(box=Box(0, 0, 2, 1), label="ship")
    assert item.mask(2, 4).tolist() == [[True, True, False, False], [False] * 4]
    magnified = item.mask_in(Box(-2, -2, 2, 2), 8)
    assert magnified.sum() == 4 * 2
    assert magnified[4:6, 4:8].all()


def test_a_target_is_the_union_of_its_objects():
    left, right = (LabelledObject(box=Box(x, 0, x + 2, 2), label="ship") for x in (0, 1))
    target = PixelTarget((left, right))
    assert target.mask(2, 4).sum() == 6
    assert target.mask_in(Box(0, 0, 4, 4), 4).sum() == 6
    assert target.flipped(4).mask(2, 4)[:, ::-1].tolist() == target.mask(2, 4).tolist()


def test_a_region_is_mirrored_with_its_object():
    region = Region(Point(1, 5), LabelledObject(box=Box(0, 0, 2, 8), label="ship"))
    assert region.flipped(10) == Region(Point(9, 5), LabelledObject(box=Box(8, 0, 10, 8), label="ship"))
    assert Region(Point(1, 5)).flipped(10).object is None


@pytest.mark.parametrize("role", ["model", "gpt", "assistant", "bot", "GPT"])
def test_a_line_from_elsewhere_needs_only_the_papers_fields(tmp_path, role):
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    record = {
        "image": "a.png",
        "sensor": "sar",
        "regions": [{"kind": "box", "coordinates": [1, 2, 3, 4]}],
        "conversations": [{"from": "human", "value": "what?"}, {"from": role, "value": "<Region 1>: ship"}],
    }
    sample = parse(json.dumps(record), root=tmp_path)
    assert (sample.width, sample.height, sample.id, sample.task) == (30, 20, "a", "dialogue")
    assert [turn.role for turn in sample.turns] == ["user", "model"]
    assert sample.regions == (Region(Box(1, 2, 3, 4)),)


GOOD = {
    "image": "a.png",
    "sensor": "sar",
    "width": 30,
    "height": 20,
    "conversations": [{"from": "user", "value": "?"}, {"from": "model", "value": "ship"}],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": None}, "does not hold a sample"),
        ({"conversations": []}, "must alternate"),
        ({"conversations": GOOD["conversations"][:1]}, "must alternate"),
        ({"conversations": [{"from": "system", "value": ""}]}, "turn from 'system'"),
        ({"conversations": [{"value": ""}]}, "no field 'from'"),
        ({"conversations": 3}, "does not hold a sample"),
        ({"masks": [[]]}, "0 <pix> in the text but 1 masks"),
        ({"masks": [[4]]}, "does not hold a sample"),
        ({"objects": [{"label": "ship"}]}, "no field 'box'"),
        ({"objects": [{"label": "ship", "box": [1, 2]}]}, "does not hold a sample"),
        ({"regions": [{"kind": "box"}]}, "coordinates"),
        ({"regions": ["box"]}, "does not hold a sample"),
        ({"width": "wide"}, "does not hold a sample"),
    ],
)
def test_a_line_that_is_no_sample_is_refused(change, message):
    with pytest.raises(EarthGPTXError, match=message):
        parse(json.dumps({**GOOD, **change}))


def test_text_and_marks_and_masks_must_agree():
    sample = parse(json.dumps(GOOD))
    named = dataclasses.replace(sample, turns=(Turn("user", "<Region 2>?"), Turn("model", "ship")))
    with pytest.raises(MalformedDataset, match=r"<Region 2> but there are 0 regions"):
        check_sample(named)
    with pytest.raises(MalformedDataset, match="1 <pix> in the text but 0 masks"):
        check_sample(dataclasses.replace(sample, turns=(Turn("user", "?"), Turn("model", "<pix>"))))
    # A question may speak of <pix>; only answers have masks.
    check_sample(dataclasses.replace(sample, turns=(Turn("user", "<pix>?"), Turn("model", "no"))))


def test_the_line_with_the_mistake_is_named(tmp_path):
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n{\n", encoding="utf-8")
    with pytest.raises(MalformedDataset, match=r"all\.jsonl line 3 is not JSON"):
        list(read_samples(path))
    with pytest.raises(MalformedDataset, match="does not exist"):
        list(read_samples(tmp_path / "none.jsonl"))
    without_size = {key: value for key, value in GOOD.items() if key != "width"}
    with pytest.raises(MalformedDataset, match="states no size"):
        parse(json.dumps(without_size), root=tmp_path)
