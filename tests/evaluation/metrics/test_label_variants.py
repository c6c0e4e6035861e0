"""S-IoU and SS as the scripts of Osprey and Draw-and-Understand count them, beside the strict headline.

Both scripts take the Jaccard index of the sets of words between white space, in lower case; they differ in what they
clean before. The expected values below follow from that, worked by hand.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.evaluation.metrics.labels import (
    VARIANTS,
    LabelPair,
    mean_semantic_iou,
    pairs_by_line,
    semantic_iou,
)
from earthgptx.evaluation.metrics.similarity import mean_semantic_similarity, semantic_similarities

PLAIN = st.lists(st.sampled_from(["ship", "tank", "storage", "court"]), min_size=1, max_size=3).map(" ".join)


@pytest.mark.parametrize(
    ("prediction", "truth", "strict", "osprey", "draw"),
    [
        ("ship", "ship", 1, 1, 1),
        ("Ship", "ship", 1, 1, 1),
        ("Ship.", "ship", 1, 1, 0),  # draw cleans no prediction: "ship." is another word
        ("a ship", "ship", 1 / 2, 1 / 2, 1 / 2),
        ("ships", "ship", 0, 0, 0),
        ("storage_tank", "storage tank", 1, 0, 0),  # only the truth's "_" becomes a space
        ("storage tank", "storage_tank", 1, 1, 1),
        ("storage tank", "storage:tank", 1, 1, 1),
        ("oil tank", "storage tank", 1 / 3, 1 / 3, 1 / 3),
        ("storage tank, ship", "storage tank", 2 / 3, 2 / 3, 1 / 4),  # draw: {storage, tank,, ship}
        ("category: ship", "ship", 1 / 2, 1, 1 / 2),  # osprey keeps what follows the colon
        ("category: ship: big", "ship", 1 / 3, 1, 0),  # up to the next one
        ("ship:", "ship", 1, 0, 0),  # osprey: nothing follows
        ('"ship"', "ship", 1, 0, 0),
        ("", "ship", 0, 0, 0),
        ("   ", "ship", 0, 0, 0),
        (None, "ship", 0, 0, 0),
    ],
)
def test_odd_strings(prediction: str | None, truth: str, strict: float, osprey: float, draw: float):
    found = [semantic_iou(prediction, truth, variant) for variant in ("strict", "osprey", "draw")]
    assert found == pytest.approx([strict, osprey, draw])


@given(st.lists(st.tuples(PLAIN, PLAIN), min_size=1))
def test_variants_agree_where_nothing_is_odd(drawn: list[tuple[str, str]]):
    pairs = [LabelPair(*one) for one in drawn]
    assert len({mean_semantic_iou(pairs, variant) for variant in VARIANTS}) == 1


@given(st.one_of(st.none(), st.text(max_size=20)), PLAIN)
def test_every_variant_is_bounded(prediction: str | None, truth: str):
    assert all(0 <= semantic_iou(prediction, truth, variant) <= 1 for variant in VARIANTS)


def test_a_missing_region_costs_except_under_draw():
    pairs = [LabelPair("ship", "ship"), LabelPair(None, "ship")]
    assert [mean_semantic_iou(pairs, variant) for variant in ("strict", "osprey", "draw")] == [0.5, 0.5, 1]
    with pytest.raises(ValueError, match="no regions"):
        mean_semantic_iou([LabelPair(None, "ship")], "draw")


def test_draw_pairs_lines_by_place():
    truths = ["ship", "storage_tank", "harbour"]
    answer = "<Region 1>: ship\n\n<Region 3>: harbour"
    pairs = pairs_by_line(answer, truths)
    # The third region's name meets the second truth: that is what pairing by place means.
    assert pairs == [LabelPair("ship", "ship"), LabelPair("harbour", "storage_tank"), LabelPair(None, "harbour")]
    assert mean_semantic_iou(pairs, "draw") == 0.5


def test_lines_too_many_are_left_out_and_lines_without_a_label_score_zero():
    assert pairs_by_line("Region 1: ship\nRegion 2: tank", ["ship"]) == [LabelPair("ship", "ship")]
    assert pairs_by_line("ship", ["ship"]) == [LabelPair("", "ship")]
    assert pairs_by_line("", ["ship"]) == [LabelPair(None, "ship")]


def test_similarity_of_the_variants():
    vectors = {"": (1.0, 1.0), "ship": (1.0, 0.0), "ship.": (0.6, 0.8)}

    def embed(texts: list[str]) -> np.ndarray:
        return np.array([vectors[text.strip()] for text in texts])

    pairs = [LabelPair("Ship.", "ship"), LabelPair("", "ship"), LabelPair(None, "ship")]
    assert semantic_similarities(pairs, embed) == pytest.approx([1, 0, 0])
    assert semantic_similarities(pairs, embed, "osprey") == pytest.approx([1, 0.5**0.5, 0.5**0.5])
    assert semantic_similarities(pairs, embed, "draw")[:2] == pytest.approx([0.6, 0.5**0.5])
    assert semantic_similarities(pairs, embed, "draw")[2] is None
    assert mean_semantic_similarity(pairs, embed, "draw") == pytest.approx((0.6 + 0.5**0.5) / 2)


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="none of the variants strict, osprey, draw"):
        semantic_iou("ship", "ship", "loose")  # type: ignore[arg-type]
