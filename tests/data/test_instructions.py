"""Every task on fabricated sets: answers that the labels confirm, marks and masks that are counted right."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from earthgptx.data.datasets import DATASETS, available
from earthgptx.data.datasets.class_names import plural
from earthgptx.data.freeform import FIXED_MARKS, fixed_mark
from earthgptx.data.instructions import TASKS, converse, make_sample
from earthgptx.data.instructions.images import agreement
from earthgptx.data.sample import LabelledImage, LabelledObject, check_sample
from earthgptx.data.sample_file import parse, render
from earthgptx.data.wording import FIELDS, position_word
from earthgptx.shapes import Box
from tests.fixtures.make_all import make_all

ROUNDS = 12
REGION_LINE = re.compile(r"<Region (\d+)>: (.+)")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return available(make_all(tmp_path_factory.mktemp("sets")), "train")


def samples_of(images, task):
    """(image, sample) for every image that serves the task, with several generators."""
    for image in images:
        for seed in range(ROUNDS):
            sample = make_sample(image, task, random.Random(f"{seed}{image.id}"))
            if sample is not None:
                yield image, sample


@pytest.mark.parametrize("task", TASKS)
def test_samples_hold_together(images, task):
    seen = list(samples_of(images, task))
    assert seen
    for image, sample in seen:
        check_sample(sample)
        assert parse(render(sample)) == sample
        assert (sample.task, sample.image, sample.sensor) == (task, image.path, image.sensor)
        question, answer = sample.turns
        assert (question.role, answer.role) == ("user", "model")
        assert not re.search(r"[{}]|  ", question.text + answer.text)
        assert answer.text == answer.text.strip() != ""
        assert len(sample.regions) <= 4
        assert answer.text.count("<pix>") == len(sample.targets)


@pytest.mark.parametrize("task", TASKS)
def test_the_same_generator_gives_the_same_sample(images, task):
    for image in images:
        first, second = (make_sample(image, task, random.Random(7), seed=3) for _ in range(2))
        assert first == second


def test_the_table_of_datasets_promises_no_task_that_no_image_serves(images):
    served = {(image.dataset, task) for task in TASKS for image, _ in samples_of(images, task)}
    for name in {image.dataset for image in images}:
        source = DATASETS[name]
        assert set(source.tasks) <= {task for dataset, task in served if dataset == name}


@pytest.mark.parametrize("task", ["roc", "region_caption", "relation", "segment_region"])
def test_regions_are_different_objects_under_their_fixed_marks(images, task):
    for image, sample in samples_of(images, task):
        objects = [region.object for region in sample.regions]
        assert len(set(map(id, objects))) == len(objects) >= 1
        for region in sample.regions:
            index = next(k for k, item in enumerate(image.objects) if item is region.object)
            assert region.mark in [fixed_mark(image, index, kind, seed=0) for kind in FIXED_MARKS]


def test_roc_answers_are_the_labels_in_mark_order(images):
    for _, sample in samples_of(images, "roc"):
        lines = REGION_LINE.findall(sample.turns[1].text)
        truth = [(str(k), region.object.label) for k, region in enumerate(sample.regions, start=1)]
        assert lines == truth


def test_segment_region_masks_are_those_of_the_regions_named(images):
    sizes = set()
    for _, sample in samples_of(images, "segment_region"):
        numbers = [int(number) for number, text in REGION_LINE.findall(sample.turns[1].text)]
        assert numbers == sorted(set(numbers))
        for number, target in zip(numbers, sample.targets, strict=True):
            assert target.objects == (sample.regions[number - 1].object,)
            assert target.objects[0].has_mask
        sizes.add((len(sample.regions), len(numbers)))
        named = re.findall(r"<Region (\d+)>", sample.turns[0].text)
        assert not named or [int(number) for number in named] == numbers
    assert any(marked > asked for marked, asked in sizes)
    assert any(marked == asked > 1 for marked, asked in sizes)


def test_segment_class_is_the_union_of_all_of_the_class(images):
    for image, sample in samples_of(images, "segment_class"):
        label = sample.targets[0].objects[0].label
        assert sample.targets[0].objects == tuple(item for item in image.objects if item.label == label)
        assert sample.turns[1].text == f"All {plural(label)}: <pix>"
        assert label in sample.turns[0].text or plural(label) in sample.turns[0].text


def test_grounded_captions_name_every_object_once(images):
    for image, sample in samples_of(images, "grounded_caption"):
        answer = sample.turns[1].text
        assert len(re.findall(r"<p>[^<]+</p> <pix>", answer)) == len(sample.targets)
        grounded = [item for target in sample.targets for item in target.objects]
        assert Counter(grounded) == Counter(image.objects)
        assert all(len({item.label for item in target.objects}) == 1 for target in sample.targets)
    two_ships = make_sample(images[0], "grounded_caption", random.Random(0))
    assert two_ships.turns[1].text == (
        "The optical image shows <p>a harbor</p> <pix> in the center and <p>two ships</p> <pix>."
    )


def test_counts_are_right_and_zero_is_asked_for(images):
    answers = set()
    for image, sample in samples_of(images, "count"):
        question = sample.turns[0].text
        counts = Counter(item.label for item in image.objects)
        matches = [str(count) for label, count in counts.items() if label in question or plural(label) in question]
        assert sample.turns[1].text in (matches or ["0"])
        answers.add(sample.turns[1].text)
    assert {"0", "1", "2"} <= answers


def test_crowds_are_not_counted():
    item = LabelledObject(box=Box(0, 0, 5, 5), label="ship")
    image = LabelledImage("made/1", None, "ssdd", "sar", 50, 50, objects=(item,) * 21)
    answers = [make_sample(image, "count", random.Random(seed)) for seed in range(40)]
    assert {None if sample is None else sample.turns[1].text for sample in answers} == {None, "0"}


def test_captions_and_scenes_are_the_datasets_own(images):
    marked = Counter()
    for task in ("image_caption", "scene"):
        for image, sample in samples_of(images, task):
            assert sample.turns[1].text in ((image.scene,) if task == "scene" else image.captions)
            whole = Box(0, 0, image.width, image.height)
            assert [region.mark for region in sample.regions] in ([], [whole])
            marked[len(sample.regions)] += 1
    assert marked[0] > 5 < marked[1]


def test_a_caption_is_drawn_the_more_often_the_more_the_others_agree_with_it():
    captions = ["a ship lies in a harbor", "a ship lies in the harbor", "many green trees"]
    weights = agreement(captions)
    assert weights[0] == weights[1] > weights[2] > 0
    assert agreement(captions[::-1]) == weights[::-1]
    assert agreement(["a ship", "a ship"]) == [1.0, 1.0]
    assert len(agreement(["alone"])) == 1
    assert agreement(["", ""])[0] > 0


def test_vqa_answers_are_short_true_and_balanced(images):
    answers = Counter()
    fields = {word for row in FIELDS for word in row}
    for image, sample in samples_of(images, "vqa"):
        question, answer = sample.turns[0].text, sample.turns[1].text
        answers[answer] += 1
        named = re.search(r"<Region (\d+)>", question)
        assert answer in fields | {"yes", "no"} or answer.isdigit()
        if named and answer in fields:
            box = sample.regions[int(named.group(1)) - 1].object.box
            assert answer == position_word(box, image.width, image.height)
        if answer in ("yes", "no") and not image.scene:
            asked = (
                {sample.regions[int(named.group(1)) - 1].object.label} if named else {o.label for o in image.objects}
            )
            says = any(re.search(rf"\b({re.escape(label)}|{re.escape(plural(label))})\b", question) for label in asked)
            assert (answer == "yes") == says, (question, answer)
    assert 0.35 < answers["yes"] / (answers["yes"] + answers["no"]) < 0.65
    assert len(answers.keys() & fields) >= 3


def test_rare_classes_are_drawn_more_often_than_their_share():
    common = [LabelledObject(box=Box(k, 0, k + 5, 5), label="person") for k in range(36)]
    rare = LabelledObject(box=Box(0, 50, 5, 55), label="bicycle")
    image = LabelledImage("made/2", None, "hituav", "infrared", 100, 100, objects=(*common, rare))
    drawn = Counter()
    for seed in range(400):
        drawn.update(region.object.label for region in make_sample(image, "roc", random.Random(seed)).regions)
    share = drawn["bicycle"] / drawn.total()
    assert 0.08 < share < 0.3  # 1 of 37 is 0.03; in proportion to square roots it is 1 of 7 in the first draw


def test_images_that_cannot_serve_a_task_give_none():
    empty = LabelledImage("made/3", None, "hituav", "infrared", 100, 100)
    assert all(make_sample(empty, task, random.Random(0)) is None for task in TASKS if task != "count")
    twins = (LabelledObject(box=Box(0, 0, 5, 5), label="car"),) * 2
    same_place = LabelledImage("made/4", None, "hituav", "infrared", 100, 100, objects=twins)
    assert make_sample(same_place, "relation", random.Random(0)) is None
    with pytest.raises(ValueError, match="no task 'dance'"):
        make_sample(empty, "dance", random.Random(0))


def test_a_conversation_keeps_the_first_tasks_marks_and_all_masks(images):
    harbor = images[0]
    tasks = ("roc", "segment_class", "region_caption", "grounded_caption", "scene")
    sample = check_sample(converse(harbor, tasks, random.Random(2)))
    assert [turn.role for turn in sample.turns] == ["user", "model"] * 3
    assert len(sample.targets) == 3
    assert sample.turns[1].text.count("<Region") == len(sample.regions)
    assert converse(harbor, ("scene", "roc"), random.Random(2)) is None


def test_mirroring_objects_marks_and_masks_together_keeps_them_aligned(images):
    for image, sample in samples_of(images, "segment_region"):
        width, height = image.width, image.height
        for region, mirrored in ((r, r.flipped(width)) for r in sample.regions):
            assert mirrored.mark.bounds().iou(mirrored.object.box) == pytest.approx(
                region.mark.bounds().iou(region.object.box)
            )
        for target in sample.targets:
            mirrored = target.flipped(width).mask(height, width)
            overlap = (mirrored[:, ::-1] & target.mask(height, width)).sum()
            assert overlap > 0.9 * mirrored.sum() > 0
