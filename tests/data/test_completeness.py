"""Numbers, "all", "no" and "the only one" are only asked where the labels are whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earthgptx.data.completeness import lists_all, may_show_more
from earthgptx.data.corpus.tiling import Tiling, seen_through, tile
from earthgptx.data.datasets.class_names import plural
from earthgptx.data.instructions import make_sample
from earthgptx.data.sample import ANYTHING, LabelledImage, LabelledObject, Sample
from earthgptx.shapes import Box, Polygon

TILING = Tiling(size=100, overlap=30, largest_whole=120)
SIDE = 220
LABELS = ("ship", "harbor", "airplane", "vehicle")
ASKING = ("count", "vqa", "segment_class", "grounded_caption", "refer")


def labelled(x: float, y: float, width: float, height: float, label: str) -> LabelledObject:
    box = Box(x, y, x + width, y + height)
    return LabelledObject(box, label, (Polygon(box.outline()),))


def image_with(*objects: LabelledObject, **changes: object) -> LabelledImage:
    image = LabelledImage("dior/train/1", Path("1.png"), "dior", "optical", SIDE, SIDE, objects)
    return replace(image, **changes)


def asked(image: LabelledImage, task: str, times: int = 8) -> Iterator[Sample]:
    for seed in range(times):
        sample = make_sample(image, task, random.Random(seed))
        if sample is not None:
            yield sample


def label_of(question: str) -> str:
    """The class that a question about numbers or presence names."""
    named = [label for label in LABELS if plural(label) in question or f" {label}" in question]
    return named[0] if len(named) == 1 else ""


objects = st.builds(
    labelled,
    st.integers(0, SIDE - 70),
    st.integers(0, SIDE - 70),
    st.integers(4, 70),
    st.integers(4, 70),
    st.sampled_from(LABELS),
)


@settings(max_examples=12, deadline=None)
@given(st.lists(objects, min_size=1, max_size=9))
def test_no_window_gives_a_false_number_or_a_false_no(found):
    """Judged by who sees the whole scene: whatever a window shows a pixel of, however little, is there."""
    for window in tile(image_with(*found), TILING).images:
        assert window.window is not None
        seen = Counter(item.label for item in found if seen_through(item, window.window, 1e-3) is not None)
        for sample in [*asked(window, "count"), *asked(window, "vqa")]:
            question, answer = (turn.text for turn in sample.turns)
            label = label_of(question)
            if answer.isdigit() and label:
                assert int(answer) == seen[label], (question, window)
            elif answer == "no" and label and not sample.regions:
                assert seen[label] == 0, (question, window)
        for task in ("segment_class", "grounded_caption"):
            for sample in asked(window, task, 4):
                masked = Counter(item.label for target in sample.targets for item in target.objects)
                assert all(masked[label] == seen[label] for label in masked), (sample.turns, window)


def test_a_window_has_the_classes_of_what_it_shows_too_little_of_as_gaps():
    ship, harbor = labelled(90, 10, 20, 10, "ship"), labelled(20, 20, 10, 10, "harbor")
    airplane = labelled(60, 60, 100, 100, "airplane")  # no window of 100 holds half of it but the middle one
    first = tile(image_with(replace(ship, box=Box(95, 10, 125, 20), polygons=()), harbor, airplane), TILING).images[0]
    assert [item.label for item in first.objects] == ["harbor"]
    assert first.gaps == ("ship", "airplane")
    assert tile(image_with(harbor, gaps=(ANYTHING,)), TILING).images[0].gaps == (ANYTHING,)


@pytest.mark.parametrize("task", ASKING)
def test_what_was_left_out_as_broken_silences_these_tasks(task):
    whole = image_with(labelled(10, 10, 20, 20, "ship"), labelled(150, 150, 20, 20, "harbor"))
    assert list(asked(whole, task))
    samples = list(asked(replace(whole, gaps=(ANYTHING,)), task, 40))
    if task != "vqa":
        assert samples == []
    for sample in samples:  # what is asked of a marked region needs nothing else
        assert any(region.object for region in sample.regions), sample.turns


def test_a_gap_of_one_class_leaves_the_others():
    image = image_with(labelled(10, 10, 20, 20, "ship"), labelled(150, 150, 20, 20, "harbor"), gaps=("ship",))
    assert {turn.text for sample in asked(image, "segment_class") for turn in sample.turns[1:]} == {
        "All harbors: <pix>"
    }
    assert (may_show_more(image, "ship"), may_show_more(image, "harbor")) == (True, False)


def test_a_kind_of_the_thing_makes_its_number_unsure():
    image = image_with(labelled(10, 10, 20, 20, "vehicle"), labelled(150, 150, 20, 20, "small vehicle"))
    assert (lists_all(image, "vehicle"), lists_all(image, "small vehicle")) == (False, True)
    gap = image_with(labelled(10, 10, 20, 20, "small vehicle"), gaps=("vehicle",))  # it may be a small one
    assert not lists_all(gap, "small vehicle")


def test_a_set_put_together_of_others_is_not_asked_about_what_is_not_there():
    image = image_with(labelled(10, 10, 20, 20, "ship"), sensor="sar", dataset="sardet_100k")
    answers = {sample.turns[1].text for task in ("count", "vqa") for sample in asked(image, task, 60)}
    assert "0" not in answers
    for sample in asked(image, "vqa", 60):
        assert sample.regions or sample.turns[1].text not in ("yes", "no"), sample.turns
