"""Where pycocotools is there, AP50 by GLaMM's rules is compared with its; the rest is worked by hand."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.evaluation.metrics.bootstrap import interval
from earthgptx.evaluation.metrics.grounded import (
    GroundedImage,
    grounded_corpus_scores,
    grounded_scores,
    mask_ious,
)

STEPS = st.sampled_from([0, 0.2, 0.5, 0.5, 0.7, 1])


@st.composite
def grounded_images(draw: st.DrawFn, least_true: int = 0) -> GroundedImage:
    num_predicted, num_true = draw(st.integers(0, 4)), draw(st.integers(least_true, 4))
    values = st.lists(STEPS, min_size=num_predicted * num_true, max_size=num_predicted * num_true)
    confidences = draw(st.lists(STEPS, min_size=num_predicted, max_size=num_predicted))
    shape = (num_predicted, num_true)
    return GroundedImage(
        np.reshape(draw(values), shape).astype(float), np.reshape(draw(values), shape).astype(float),
        np.array(confidences, dtype=float),
    )  # fmt: skip


LISTS = st.lists(grounded_images(), max_size=4).flatmap(
    lambda images: grounded_images(least_true=1).map(lambda image: [*images, image])
)


def image(ious: list[list[float]], similarities: list[list[float]] | float = 1.0, confidences=None) -> GroundedImage:
    given = np.array(ious, dtype=float)
    return GroundedImage(
        given,
        np.full(given.shape, similarities) if isinstance(similarities, float) else np.array(similarities, dtype=float),
        np.ones(len(given)) if confidences is None else np.array(confidences, dtype=float),
    )


def test_a_missed_truth_costs_in_the_mended_miou_alone():
    images = [image([[0.8, 0, 0]])]
    assert grounded_scores(images, "glamm")["miou"] == pytest.approx(0.8)
    assert grounded_scores(images)["miou"] == pytest.approx(0.8 / 3)


def test_a_misfit_stops_the_recall_of_glamm_alone():
    # The best overlap has the wrong phrase; the second pair fits in both.
    images = [image([[0.9, 0.0], [0.0, 0.8]], [[0.1, 0.0], [0.0, 0.9]])]
    assert grounded_scores(images, "glamm")["recall"] == 0
    assert grounded_scores(images)["recall"] == 0.5


def test_greedy_pairs_lose_overlap():
    images = [image([[0.9, 0.8], [0.8, 0.0]])]
    assert grounded_scores(images, "glamm")["miou"] == pytest.approx(0.9)  # the other pair does not overlap
    assert grounded_scores(images)["miou"] == pytest.approx(0.8)  # (0.8 + 0.8) / 2


def test_average_precision_by_hand():
    # By falling confidence: right, wrong, right; two truths. Precision 1 up to recall 1/2, then 2/3: 51 and 50
    # of COCO's 101 steps.
    images = [image([[1, 0], [0, 0], [0, 1]], confidences=[0.9, 0.8, 0.7])]
    assert grounded_scores(images)["ap50"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    # Of one confidence they come together: precision 2/3 at recall 1.
    assert grounded_scores([replace(images[0], confidences=np.ones(3))])["ap50"] == pytest.approx(2 / 3)


def test_the_order_decides_the_average_precision_of_glamm():
    right_first, wrong_first = image([[1.0], [0.0]]), image([[0.0], [1.0]])
    assert grounded_scores([right_first], "glamm")["ap50"] == pytest.approx(1)
    assert grounded_scores([wrong_first], "glamm")["ap50"] == pytest.approx(0.5)
    assert grounded_scores([right_first]) == grounded_scores([wrong_first])


def test_an_image_without_true_phrases_costs_precision_alone():
    scores = grounded_scores([image([[1.0]]), GroundedImage(np.zeros((1, 0)), np.zeros((1, 0)), np.ones(1))])
    assert scores == pytest.approx({"ap50": 0.5, "miou": 1, "recall": 1})


@given(LISTS)
def test_bounds_and_order(images: list[GroundedImage]):
    scores = grounded_scores(images)
    assert all(0 <= value <= 1 + 1e-12 for value in scores.values())
    assert all(0 <= value <= 1 for value in grounded_scores(images, "glamm").values())
    assert grounded_scores(images, "glamm")["recall"] <= scores["recall"]
    turned = []
    for one in random.Random(1).sample(images, len(images)):
        rows, columns = (np.random.default_rng(2).permutation(size) for size in one.ious.shape)
        turned.append(
            GroundedImage(one.ious[rows][:, columns], one.similarities[rows][:, columns], one.confidences[rows])
        )
    assert grounded_scores(turned) == pytest.approx(scores)


@pytest.mark.parametrize("rules", ["mended", "glamm"])
@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_perfect_is_perfect(rules, counts: list[int]):
    images = [GroundedImage(np.eye(count), np.eye(count), np.ones(count)) for count in counts]
    assert grounded_scores(images, rules) == pytest.approx({"ap50": 1, "miou": 1, "recall": 1})
    nothing = [GroundedImage(np.zeros((0, count)), np.zeros((0, count)), np.ones(0)) for count in counts]
    assert grounded_scores(nothing, rules) == {"ap50": 0, "miou": 0, "recall": 0}


@given(LISTS, st.lists(st.integers(1, 3), min_size=5, max_size=5))
def test_drawing_an_image_twice_is_having_it_twice(images: list[GroundedImage], times: list[int]):
    copies = [one for one, count in zip(images, times, strict=False) for _ in range(count)]
    weights = np.array([times[: len(images)]], dtype=float)
    weighted = {name: float(score(weights)[0]) for name, score in grounded_corpus_scores(images).items()}
    assert weighted == pytest.approx(grounded_scores(copies))


def test_scores_have_intervals():
    images = [image([[iou]], confidences=[iou]) for iou in np.linspace(0, 1, 20)]
    for name, score in grounded_corpus_scores(images).items():
        found = interval(score, len(images), resamples=100)
        assert found.low <= found.value <= found.high, name


def test_masks_are_compared_by_pixels():
    rows = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 0]]], dtype=bool)
    assert mask_ious(rows, [np.array([[0, 1, 1, 1]], dtype=bool), rows[1]]) == pytest.approx(
        np.array([[1 / 4, 0], [0, 0]])
    )
    assert mask_ious([], rows).shape == (0, 2)
    with pytest.raises(ValueError, match="2 different shapes"):
        mask_ious(rows, [np.zeros((2, 4), dtype=bool)])


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_pycocotools(seed: int, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("pycocotools", reason="average precision is compared with pycocotools where it is there")
    from pycocotools import mask as codes
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    draw = np.random.default_rng(seed)
    images, truths, answers = [], [], []
    for number in range(1, 8):
        # Narrow strips, so that many overlap by more than half.
        strips = np.zeros((draw.integers(0, 5) + draw.integers(1, 5), 4, 20), dtype=bool)
        for strip in strips:
            start = draw.integers(0, 15)
            strip[:, start : start + draw.integers(2, 6)] = True
        num_true = int(draw.integers(1, len(strips) + 1))
        true, predicted = strips[:num_true], strips[num_true:]
        ious = mask_ious(list(predicted), list(true))
        images.append(GroundedImage(ious, np.ones_like(ious), np.ones(len(predicted))))
        for mask in true:
            code = codes.encode(np.asfortranarray(mask.astype(np.uint8)))
            truths.append({"id": len(truths) + 1, "image_id": number, "category_id": 1, "iscrowd": 0,
                           "segmentation": code, "area": int(mask.sum())})  # fmt: skip
        for mask in predicted:
            code = codes.encode(np.asfortranarray(mask.astype(np.uint8)))
            answers.append({"image_id": number, "category_id": 1, "segmentation": code, "score": 1.0})
    coco = COCO()
    coco.dataset = {"images": [{"id": number, "height": 4, "width": 20} for number in range(1, 8)],
                    "annotations": truths, "categories": [{"id": 1}]}  # fmt: skip
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(answers), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    capsys.readouterr()
    assert grounded_scores(images, "glamm")["ap50"] == pytest.approx(evaluation.stats[1], abs=1e-12)


@pytest.mark.parametrize(
    ("ious", "similarities", "confidences", "message"),
    [
        (np.ones((1, 2)), np.ones((2, 1)), np.ones(1), "differ"),
        (np.ones((1, 2)), np.ones((1, 2)), np.ones(3), "3 confidences do not belong to 1 masks"),
    ],
)
def test_tables_that_do_not_fit_are_refused(ious, similarities, confidences, message: str):
    with pytest.raises(ValueError, match=message):
        GroundedImage(ious, similarities, confidences)


def test_nothing_true_has_no_score():
    with pytest.raises(ValueError, match="none of the 0 images"):
        grounded_scores([])
    with pytest.raises(ValueError, match="none of the rules"):
        grounded_scores([image([[1.0]])], "other")  # type: ignore[arg-type]
