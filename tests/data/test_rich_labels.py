"""Sources that say more than a box and a class: descriptions, looks, relations; and marks of one family."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from earthgptx.data.freeform import fixed_mark
from earthgptx.data.instructions import MARK_FAMILIES, MARKED_TASKS, TASKS, converse, make_sample
from earthgptx.data.referring import unique_expressions
from earthgptx.data.sample import LabelledImage, LabelledObject, Relation, check_sample
from earthgptx.data.sample_file import parse, render
from earthgptx.data.wording import predicate_phrase
from earthgptx.shapes import Box, Polygon

SEEDS = range(40)


def outlined(x0: float, y0: float, x1: float, y1: float, label: str, **more: tuple[str, ...]) -> LabelledObject:
    return LabelledObject(Box(x0, y0, x1, y1), label, (Polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1))),), **more)


STREET = LabelledImage(
    id="visual_genome/train/5",
    path=Path("5.jpg"),
    dataset="visual_genome",
    sensor="optical",
    width=400,
    height=300,
    objects=(
        outlined(10, 200, 90, 260, "car", attributes=("white", "parked", "old")),
        outlined(0, 180, 400, 300, "street", attributes=("covered in snow",)),
        outlined(200, 100, 240, 200, "man", descriptions=("A man <in> a\n red  coat.", "A person.")),
        outlined(300, 100, 330, 180, "woman", descriptions=("A woman with a bag", "a person")),
        outlined(180, 20, 200, 50, "sign"),
    ),
    relations=(
        Relation(0, "parked on", 1),
        Relation(2, "WEARS", 3),
        Relation(2, "ride", 0),
        Relation(3, "next_to", 3),
    ),
)


def samples(task: str, image: LabelledImage = STREET, **more: str):
    found = (make_sample(image, task, random.Random(seed), **more) for seed in SEEDS)
    return [sample for sample in found if sample is not None]


def test_region_captions_are_the_datasets_own_words_then_looks_then_the_rule():
    said = {}
    for sample in samples("region_caption"):
        for region, line in zip(sample.regions, sample.turns[1].text.split("\n"), strict=True):
            said.setdefault(region.object.label, set()).add(line.partition(": ")[2])
    assert said["man"] == {"A man in a red coat.", "A person."}
    assert said["car"] == {"a white parked car at the bottom left, to the left of a street"}
    assert said["street"] == {"a large street at the bottom, covered in snow, below a man"}
    assert all(text.startswith("a medium-sized sign at the top") for text in said["sign"])


def test_stated_relations_name_subject_and_object_by_their_regions():
    orders = set()
    for sample in samples("relation"):
        answer = sample.turns[1].text
        found = re.fullmatch(r"<Region ([12])> (is parked on|wears|rides) <Region ([12])>, (.+)", answer)
        assert found, answer
        subject, other = (sample.regions[int(number) - 1].object for number in (found[1], found[3]))
        expected = {
            "is parked on": ("car", "street", "a car and a street"),
            "wears": ("man", "woman", "a man and a woman"),
            "rides": ("man", "car", "a man and a car"),
        }[found[2]]
        assert (subject.label, other.label, found[4]) == expected
        orders.add(found[1])
    assert orders == {"1", "2"}
    alone = replace(STREET, relations=(Relation(3, "next to", 3),))
    assert all(" is " in sample.turns[1].text for sample in samples("relation", alone))


@pytest.mark.parametrize(
    ("predicate", "phrase"),
    [
        ("on", "is on"),
        ("ON", "is on"),
        ("inside_of", "is inside of"),
        ("riding", "is riding"),
        ("are in front of", "is in front of"),
        ("has", "has"),
        ("have", "has"),
        ("wear", "wears"),
        ("holds", "holds"),
        ("interacts_with", "interacts with"),
        ("sitting on", "is sitting on"),
    ],
)
def test_predicates_in_a_sentence(predicate, phrase):
    assert predicate_phrase(predicate) == phrase


def test_references_are_described_by_their_dataset_or_unique_by_rule():
    questions = set()
    for sample in samples("refer"):
        (target,) = sample.targets
        (item,) = target.objects
        question, answer = sample.turns
        questions.add(item.label)
        assert not sample.regions
        assert answer.text.count("<pix>") == 1
        if item.descriptions:
            own = {"man": "A man in a red coat", "woman": "A woman with a bag"}[item.label]
            assert own in question.text  # "a person" is said of both, so it refers to neither
            assert answer.text == f"The {item.label}: <pix>"
        else:
            index = STREET.objects.index(item)
            expression = answer.text.removesuffix(": <pix>").replace("The", "the", 1)
            assert expression in unique_expressions(STREET, index)
            assert expression in question.text
    assert questions == {"car", "street", "man", "woman", "sign"}
    boxed = replace(STREET, objects=tuple(replace(item, polygons=()) for item in STREET.objects))
    assert samples("refer", boxed) == []


def test_an_open_vocabulary_is_never_asked_about_what_it_may_have_left_out():
    for task in ("vqa", "count"):
        for sample in samples(task):
            assert sample.turns[1].text not in ("no", "yes", "0")


@pytest.mark.parametrize("task", TASKS)
def test_everything_holds_together_and_is_read_back(task):
    for family in (None, *MARK_FAMILIES):
        for sample in samples(task, marks=family) if family else samples(task):
            assert parse(render(check_sample(sample))) == sample


@pytest.mark.parametrize("family", MARK_FAMILIES)
@pytest.mark.parametrize("task", TASKS)
def test_a_family_changes_the_marks_and_nothing_else(task, family):
    for seed in SEEDS:
        mixed = make_sample(STREET, task, random.Random(seed))
        one = make_sample(STREET, task, random.Random(seed), marks=family)
        if mixed is None or one is None:
            assert mixed is one
            continue
        assert (one.turns, one.targets) == (mixed.turns, mixed.targets)
        assert [region.object for region in one.regions] == [region.object for region in mixed.regions]
        marked = [region for region in one.regions if region.object is not None]
        assert bool(marked) or task not in MARKED_TASKS
        assert one.id == (f"{mixed.id}-{family}" if marked else mixed.id)
        for region in marked:
            assert region.mark == fixed_mark(STREET, STREET.objects.index(region.object), family)


def test_unknown_families_and_noises_are_refused():
    with pytest.raises(ValueError, match="no family of marks 'scribble'"):
        make_sample(STREET, "roc", random.Random(0), marks="scribble")
    with pytest.raises(ValueError, match="no noise 'brown'"):
        make_sample(STREET, "roc", random.Random(0), noise="brown")


def test_noise_changes_freeform_marks_only():
    for seed in SEEDS:
        gaussian, uniform = (
            make_sample(STREET, "roc", random.Random(seed), marks="freeform", noise=noise)
            for noise in ("gaussian", "uniform")
        )
        assert gaussian.turns == uniform.turns
        assert all(a.mark != b.mark for a, b in zip(gaussian.regions, uniform.regions, strict=True))
        assert make_sample(STREET, "roc", random.Random(seed), marks="box", noise="uniform") == make_sample(
            STREET, "roc", random.Random(seed), marks="box"
        )
    talk = converse(STREET, ("roc", "count"), random.Random(1), marks="point")
    assert {region.mark.kind for region in talk.regions} == {"point"}


def test_a_window_is_passed_on():
    window = Box(100, 100, 500, 400)
    assert {sample.window for sample in samples("roc", replace(STREET, window=window))} == {window}
