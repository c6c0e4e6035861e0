"""COCO instance files: what is read, and that exactly the broken items are set aside."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from earthgptx.data.formats import coco, json_stream
from earthgptx.errors import MalformedDataset
from earthgptx.rasters import pack_runs, runs_from_array
from earthgptx.shapes import Box
from tests.fixtures.make_own import SIZE, SQUARE, coco_content, make_coco, make_faulty_coco

FLAT = [value for point in SQUARE for value in point]
WHOLE = {"image_id": 1, "category_id": 1, "bbox": [20, 30, 40, 40]}


def known(name):
    """A closed list with one class."""
    if name != "ship":
        raise MalformedDataset(f"own has no class named {name!r}.")
    return name


def read(path, images=None, **options):
    options = {"dataset": "own", "split": "train", "sensor": "sar", "name_of": str.lower} | options
    return list(coco.read_instances(path, images or path.parent / "images", **options))


def test_boxes_polygons_and_both(tmp_path):
    loose = {**WHOLE, "bbox": [10, 20, 60, 60], "segmentation": [FLAT]}
    rows = [WHOLE, loose, {"image_id": 1, "category_id": 1, "segmentation": [FLAT]}]
    path = make_coco(tmp_path, coco_content(("Ship",), rows, num_images=2))
    first, second = read(path)
    assert (first.id, second.id) == ("own/train/1", "own/train/2")
    assert (first.width, first.height) == SIZE
    assert second.objects == ()
    assert [item.box for item in first.objects] == [Box(20, 30, 60, 70), Box(10, 20, 70, 80), Box(20, 30, 60, 70)]
    assert [item.has_mask for item in first.objects] == [False, True, True]
    assert {item.label for item in first.objects} == {"ship"}
    first, _ = read(path, boxes_from_polygons=True)
    assert first.objects[1].box == Box(20, 30, 60, 70)


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(bool, (12, 16)), st.booleans())
def test_run_lengths_give_the_mask_back(mask, is_compressed):
    if not mask.any():
        return
    runs = runs_from_array(mask)
    counts = pack_runs(runs) if is_compressed else runs
    row = {"segmentation": {"size": [12, 16], "counts": counts}}
    found = coco.object_from(row, "ship", 16, 12)
    assert (found.mask(12, 16) == mask).all()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [9, 9], "counts": [81]}, "9 x 9 pixels, but its image is 160 x 120"),
        ({"size": [120, 160], "counts": [5]}, "cover"),
        ({"size": [120, 160], "counts": "~~~"}, "cover"),
        ({"size": [120, 160]}, "counts"),
        ([[1, 2, 3]], "x, y pairs"),
        (5, "x, y pairs"),
    ],
)
def test_outlines_that_are_none_are_refused(segmentation, message):
    with pytest.raises(MalformedDataset, match=message):
        coco.object_from({"segmentation": segmentation}, "ship", *SIZE)


def test_exactly_the_broken_items_are_set_aside(tmp_path):
    path = make_faulty_coco(tmp_path)
    broken = []
    images = read(path, name_of=known, on_broken=broken.append)
    assert [(image.id, len(image.objects)) for image in images] == [("own/train/1", 1), ("own/train/2", 1)]
    assert all(item.source == "own" for item in broken)
    reasons = {item.item.removeprefix(f"{path} "): item.reason for item in broken}
    wanted = {
        "annotation 2": "no class named 'shpi'",
        "annotation 3": "unknown category 9",
        "annotation 4": "image 77, which is not listed",
        "annotation 5": "outside the image of 160 x 120",
        "annotation 6": "0 x 40 pixels",
        "annotation 7": "2 points",
        "annotation 8": "finite",
        "image 3": "3.jpg, which does not exist",
    }
    assert reasons.keys() == wanted.keys()
    for item, words in wanted.items():
        assert words in reasons[item]
    assert [item.item[-1] for item in broken if item.is_empty] == ["6", "7"]


def test_an_image_without_a_size_tells_it_itself_and_a_wrong_one_is_found(tmp_path):
    content = coco_content(("ship",), [WHOLE], num_images=2)
    del content["images"][0]["width"]
    content["images"][1]["width"] = 320
    path = make_coco(tmp_path, content)
    assert [(image.width, image.height) for image in read(path)] == [SIZE, (320, 120)]
    broken = []
    (image,) = read(path, checks_size=True, on_broken=broken.append)
    assert image.id == "own/train/1"
    assert "160 x 120 pixels, but its labels are for 320 x 120" in broken[0].reason


def test_images_are_found_as_another_machine_wrote_them(tmp_path):
    content = coco_content(("ship",), [WHOLE], num_images=1)
    path = make_coco(tmp_path, content)
    content["images"][0]["file_name"] = "C:\\data\\images\\1.jpg"
    path.write_text(json.dumps(content), encoding="utf-8")
    (image,) = read(path)
    assert image.id == "own/train/1"
    assert image.path == tmp_path / "images" / "1.jpg"


def test_numbers_written_as_text_are_the_same_numbers(tmp_path):
    content = coco_content(("ship",), [{**WHOLE, "image_id": "1", "category_id": "1"}], num_images=1)
    (image,) = read(make_coco(tmp_path, content))
    assert len(image.objects) == 1


def test_an_image_listed_twice_is_broken_once(tmp_path):
    content = coco_content(("ship",), [WHOLE], num_images=1)
    content["images"].append({**content["images"][0], "id": 2})
    content["images"].append(content["images"][0])
    broken = []
    (image,) = read(make_coco(tmp_path, content), on_broken=broken.append)
    assert len(image.objects) == 1
    assert ["second time" in item.reason or "two images" in item.reason for item in broken] == [True, True]


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_a_file_that_lacks_a_part_is_refused_as_a_whole(tmp_path, key):
    content = coco_content(("ship",), [WHOLE], num_images=1)
    del content[key]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MalformedDataset, match=key):
        read(path, on_broken=lambda _: None)


def test_only_crowds_are_passed_over_and_an_empty_outline_is_none(tmp_path):
    rows = [{**WHOLE, "iscrowd": flag} for flag in ("0", None, "1", True)]
    rows += [{**WHOLE, "segmentation": [[]]}, {**WHOLE, "segmentation": []}]
    (image,) = read(make_coco(tmp_path, coco_content(("ship",), rows, num_images=1)))
    assert [item.has_mask for item in image.objects] == [False] * 4


def test_what_is_no_record_costs_only_itself(tmp_path):
    content = coco_content(("ship",), [WHOLE], num_images=1)
    content["annotations"] += [None, [], {"id": 9}, {**WHOLE, "image_id": 1.0}]
    content["images"] += [None, {"file_name": "1.jpg"}]
    content["categories"] += ["car", {"id": 2}]
    path = tmp_path / "a.json"
    make_coco(tmp_path, coco_content(("ship",), [], num_images=1))
    path.write_text(json.dumps(content), encoding="utf-8")
    broken = []
    (image,) = read(path, tmp_path / "images", on_broken=broken.append)
    assert len(image.objects) == 2
    assert [item.item.removeprefix(f"{path} ") for item in broken] == [
        "images record 2",
        "images record 3",
        "categories record 2",
        "categories record 3",
        "annotations record 2",
        "annotations record 3",
        "annotations record 4",
    ]


def test_annotations_may_stand_before_images_and_far_from_one_another(tmp_path):
    content = coco_content(("ship",), [{**WHOLE, "image_id": 1 + k % 3} for k in range(30)], num_images=3)
    path = make_coco(tmp_path, content)
    images = read(path)
    path.write_text(json.dumps(dict(reversed(content.items())), indent=2), encoding="utf-8")
    assert read(path) == images
    assert [len(image.objects) for image in images] == [10, 10, 10]


def test_memory_stays_flat_however_many_annotations_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK", 4096)
    content = coco_content(("ship",), [WHOLE], num_images=1)
    path = make_coco(tmp_path, content)

    def peak_with(num_annotations):
        others = [{**WHOLE, "category_id": 9, "id": k, "segmentation": [FLAT * 8]} for k in range(num_annotations)]
        path.write_text(json.dumps({**content, "annotations": others}), encoding="utf-8")
        del others
        tracemalloc.start()
        try:
            assert len(read(path, on_broken=lambda _: None)) == 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_with(1)  # what is imported or cached once does not count
    few = peak_with(50)
    assert peak_with(500) < few + 100_000  # held as mappings, the annotations would take 1.3 MB


def test_crowds_and_nameless_categories_are_passed_over(tmp_path):
    rows = [WHOLE, {**WHOLE, "iscrowd": 1}, {**WHOLE, "category_id": 2}]
    (image,) = read(make_coco(tmp_path, coco_content(("ship", "ignore"), rows, num_images=1)), passed_over=("ignore",))
    assert len(image.objects) == 1
    assert np.isfinite(image.objects[0].box.area)
    assert image.gaps == ("ship",)  # nobody knows how many are in the crowd
