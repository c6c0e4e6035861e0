from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.evaluation.metrics import labels
from earthgptx.evaluation.metrics.labels import NOT_ANSWERED, LabelPair, clean_label, semantic_iou

NAMES = st.sampled_from(["ship", "storage tank", "Ground_Track_Field", "a320/a321", "zsu 23 4", "other vehicle"])
ANSWERS = st.one_of(st.none(), st.text(max_size=30), NAMES)
PAIRS = st.lists(st.builds(LabelPair, prediction=ANSWERS, truth=NAMES), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [
        ("ship", "ship", 1),
        ("Ship", "ship", 1),
        ("ship.", "ship", 1),
        ("  ship\n", "ship", 1),
        ('"ship"', "ship", 1),
        ("a ship", "ship", 1 / 2),
        ("ships", "ship", 0),
        ("ship ship ship", "ship", 1),
        ("storage_tank", "storage tank", 1),
        ("storage tank", "storage_tank", 1),
        ("tank storage", "storage tank", 1),
        ("oil tank", "storage tank", 1 / 3),
        ("tank", "storage tank", 1 / 2),
        ("tank, storage", "storage tank", 1),
        ("basketball court", "tennis court", 1 / 3),
        ("ground: track: field", "ground track field", 1),
        ("storage-tank", "storage tank", 0),  # a hyphen makes one word of two
        ("BTR_60", "btr 60", 1),
        ("btr60", "btr 60", 0),
        ("zsu 23", "zsu 23 4", 2 / 3),
        ("a320/a321", "a320/a321", 1),
        ("a320", "a320/a321", 0),
        ("Schiff", "ship", 0),
        ("船", "ship", 0),
        ("船", "船", 1),
        ("", "ship", 0),
        ("...", "ship", 0),
        ("<pix>", "ship", 0),
        (None, "ship", 0),
    ],
)
def test_semantic_iou_of_odd_strings(prediction: str | None, truth: str, expected: float):
    assert semantic_iou(prediction, truth) == pytest.approx(expected)


@pytest.mark.parametrize("truth", ["", "  ", "._:"])
def test_a_truth_without_words_is_refused(truth: str):
    with pytest.raises(ValueError, match="no word"):
        semantic_iou("ship", truth)


@given(PAIRS)
def test_scores_are_bounded_and_do_not_depend_on_order(pairs: list[LabelPair]):
    shuffled = random.Random(0).sample(pairs, len(pairs))
    for score in (labels.mean_semantic_iou, labels.accuracy):
        assert 0 <= score(pairs) <= 1
        assert score(shuffled) == pytest.approx(score(pairs))
    assert labels.accuracy(pairs) <= labels.mean_semantic_iou(pairs) + 1e-12
    assert labels.accuracy_by_class(pairs) == labels.accuracy_by_class(shuffled)
    assert list(labels.confusion(pairs).items()) == list(labels.confusion(shuffled).items())


@given(st.lists(NAMES, min_size=1))
def test_perfect_is_perfect(names: list[str]):
    pairs = [LabelPair(name, name) for name in names]
    assert labels.mean_semantic_iou(pairs) == labels.accuracy(pairs) == 1
    assert set(labels.accuracy_by_class(pairs).values()) == {1.0}
    assert all(set(row) == {truth} for truth, row in labels.confusion(pairs).items())


@given(PAIRS)
def test_a_region_left_out_scores_zero_and_stays_in_the_mean(pairs: list[LabelPair]):
    longer = [*pairs, LabelPair(None, "ship")]
    expected = labels.mean_semantic_iou(pairs) * len(pairs) / len(longer)
    assert labels.mean_semantic_iou(longer) == pytest.approx(expected)


@given(st.text(max_size=40))
def test_cleaning_twice_changes_nothing(text: str):
    assert clean_label(clean_label(text)) == clean_label(text)


@given(ANSWERS, NAMES)
def test_semantic_iou_of_cleaned_strings_is_the_same(prediction: str | None, truth: str):
    if prediction is not None:
        assert semantic_iou(clean_label(prediction), clean_label(truth)) == semantic_iou(prediction, truth)


def test_by_class_and_confusion_by_hand():
    pairs = [
        LabelPair("ship", "ship"),
        LabelPair("Ship.", "ship"),
        LabelPair("bridge", "ship"),
        LabelPair(None, "ship"),
        LabelPair("storage tank", "storage_tank"),
        LabelPair("tank storage", "storage tank"),
    ]
    assert labels.accuracy_by_class(pairs) == {"ship": 0.5, "storage tank": 0.5}
    assert labels.confusion(pairs) == {
        "ship": {"ship": 2, NOT_ANSWERED: 1, "bridge": 1},
        "storage tank": {"storage tank": 1, "tank storage": 1},
    }
    assert labels.mean_semantic_iou(pairs) == pytest.approx(4 / 6)
    assert labels.accuracy(pairs) == pytest.approx(3 / 6)


@pytest.mark.parametrize("score", [labels.mean_semantic_iou, labels.accuracy])
def test_no_regions_have_no_mean(score):
    with pytest.raises(ValueError, match="no regions"):
        score([])
