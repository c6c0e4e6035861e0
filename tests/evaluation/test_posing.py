"""Every benchmark of the table on the tiny data sets: what it asks, and that the truth scores full marks."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest

from earthgptx.data.datasets import DATASETS
from earthgptx.evaluation import benchmarks, posing, text_scorers
from earthgptx.evaluation.benchmarks import BENCHMARKS
from earthgptx.evaluation.metrics.caption_measures import measure
from earthgptx.evaluation.metrics.masks import Overlap
from earthgptx.evaluation.predictions import Prediction
from earthgptx.evaluation.questions import Conditions
from earthgptx.evaluation.scoring import KINDS, score
from tests.evaluation.fake_assistant import one_hot
from tests.evaluation.test_benchmarks import fabricate, fabricate_coco
from tests.fixtures.make_all import make_all
from tests.fixtures.make_rsvg import make_dior_rsvg, make_opt_rsvg


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_all(fabricate(tmp_path_factory.mktemp("data"), "val"), "val")
    make_dior_rsvg(root)
    make_opt_rsvg(root)
    return root


def truthful(one: Prediction) -> Prediction:
    """The answer that nobody could better."""
    regions = tuple(
        replace(
            region,
            label=region.references[0] if region.references else region.truth,
            mask=region.true_mask,
            overlap=None if region.true_mask is None else Overlap(region.true_mask.area, region.true_mask.area),
        )
        for region in one.regions
    )
    return replace(one, text=one.references[0] if one.references else "", regions=regions, phrases=one.true_phrases)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_table_names_real_things(name: str):
    benchmark = BENCHMARKS[name]
    assert benchmark.name == name
    assert set(benchmark.datasets) <= set(DATASETS)
    assert benchmark.kind in KINDS
    assert benchmarks.find(name) is benchmark
    assert not benchmark.other_name or benchmarks.find(benchmark.other_name) is benchmark
    assert not any(DATASETS[dataset].holds_dialogues for dataset in benchmark.datasets)


@pytest.mark.parametrize("name", ["roc", "grounding", "referring-segmentation", "grounded-captioning", "vqa"])
@pytest.mark.parametrize("marks", ["box", "all"])
def test_questions_are_distinct_and_the_same_every_time(data: Path, name: str, marks: str):
    conditions = Conditions(data=data, marks=marks)
    asked = benchmarks.pose(BENCHMARKS[name], conditions)
    assert asked == benchmarks.pose(BENCHMARKS[name], conditions)
    keys = [question.key for question in asked.questions]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_truth_is_perfect(data: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    benchmark = BENCHMARKS[name]
    if KINDS[benchmark.kind].scores_captions:
        pytest.importorskip("pycocoevalcap", reason="caption scores need the eval extra")
    quick = functools.partial(measure, with_meteor=False, with_spice=False)
    monkeypatch.setattr(text_scorers, "measure", quick)
    conditions = Conditions(data=data, split="test" if "rsvg" in name else "val")
    asked = benchmarks.pose(benchmark, conditions)
    blanks = [benchmarks.blank(benchmark, question, conditions) for question in asked.questions]
    assert all((data / one.image).is_file() for one in blanks)
    scores = score(benchmark.kind, [truthful(one) for one in blanks], one_hot)
    silent = score(benchmark.kind, blanks, one_hot)
    for metric, value in scores.metrics.items():
        if metric == "count_error":
            assert value == 0
        elif metric != "cider":
            assert value == pytest.approx(100 if metric in ("ss", "s_iou", "accuracy") else 1, abs=1e-6), metric
        if metric != "count_error":
            assert silent.metrics[metric] == pytest.approx(0, abs=1e-6), metric
    assert scores.counts["unanswered"] == 0
    for found in scores.intervals["all"].values():
        assert found.low <= found.high


def test_each_kind_of_mark_has_its_row(data: Path):
    benchmark, conditions = BENCHMARKS["roc"], Conditions(data=data, marks="all")
    asked = benchmarks.pose(benchmark, conditions)
    blanks = [benchmarks.blank(benchmark, question, conditions) for question in asked.questions]
    answers = [truthful(one) if one.marks != "point" else one for one in blanks]
    scores = score("classes", answers, one_hot)
    assert {name: part["accuracy"] for name, part in scores.by_marks.items()} == {
        "box": 100,
        "freeform": 100,
        "point": 0,
    }
    assert scores.metrics["accuracy"] == pytest.approx(200 / 3)
    assert set(scores.intervals) == {"all", "box", "freeform", "point"}


def test_masks_and_counts_have_intervals(data: Path):
    for name, metrics in (("grounding", {"ciou", "giou", "miou", "pr_50"}), ("vqa", {"accuracy", "count_error"})):
        benchmark, conditions = BENCHMARKS[name], Conditions(data=data)
        asked = benchmarks.pose(benchmark, conditions)
        blanks = [benchmarks.blank(benchmark, question, conditions) for question in asked.questions]
        scores = score(benchmark.kind, [truthful(one) if n % 2 else one for n, one in enumerate(blanks)], one_hot)
        assert metrics <= set(scores.intervals["all"])
        for metric, found in scores.intervals["all"].items():
            assert found.value == pytest.approx(scores.metrics[metric]), metric
            assert found.low <= found.value <= found.high, metric


def test_short_questions_about_marks_are_asked_with_each_kind(data: Path):
    asked = {
        marks: benchmarks.pose(BENCHMARKS["vqa"], Conditions(data=data, marks=marks)).questions
        for marks in ("box", "all")
    }
    marked = {name: [one for one in some if one.marks] for name, some in asked.items()}
    assert marked["box"]
    assert len(marked["all"]) == 3 * len(marked["box"])
    assert len(asked["all"]) - len(asked["box"]) == 2 * len(marked["box"])
    assert {one.marked_by for one in asked["all"]} == {"", "box", "point", "freeform"}


def test_words_refer_to_one_object(tmp_path: Path):
    fabricate_coco(tmp_path / "ssdd", "val", ["ship"], [["ship"], ["ship", "ship", "ship"]])
    conditions = Conditions(data=tmp_path)
    asked = benchmarks.pose(BENCHMARKS["referring-segmentation"], conditions).questions
    assert asked[0].text == "Please segment the ship."
    assert all(len(question.objects) == 1 and question.marks == () for question in asked)
    assert 1 < len(asked) <= 4


def test_other_data_sets_can_be_asked_about(data: Path):
    conditions = Conditions(data=data, datasets=("ssdd",))
    asked = benchmarks.pose(BENCHMARKS["roc"], conditions)
    assert {question.image.dataset for question in asked.questions} == {"ssdd"}


def test_regions_that_nobody_described_are_not_asked_about(data: Path):
    images, _ = benchmarks.labelled_images(["ssdd"], Conditions(data=data))
    assert posing.region_captions(images, Conditions(data=data)) == []
