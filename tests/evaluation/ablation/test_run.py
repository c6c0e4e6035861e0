"""Rows are trained, asked and written down once, whatever happens in between; a table is made of what is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from earthgptx.errors import TrainingDiverged
from earthgptx.evaluation.ablation import measures, run
from earthgptx.evaluation.ablation.run import read_results, results_of, run_study
from earthgptx.evaluation.ablation.study import Questions, Row, Stage, Study, Table
from earthgptx.evaluation.ablation.table import to_markdown
from earthgptx.training.loop import Trainer
from earthgptx.training.recipe import load_recipe
from tests.evaluation.fake_assistant import one_hot
from tests.fixtures.make_all import make_all

ROOT = Path(__file__).parents[3]
SETS = ("vhr10", "ssdd", "hituav", "sar_acd", "mstar")
ROWS = (
    Row(name="base", freeform=True, masks=True),
    Row(name="none", stages=(Stage({"overrides": {"fusion.kind": "none"}}),)),
    Row(name="staged", stages=(Stage({"marks": "box"}, part=0.5), Stage(part=0.5))),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_all(folder, "train")
    return make_all(folder, "val")


def small_study(data: Path, folder: Path, *rows: Row) -> Study:
    changes = [f"data={data}", f"features={folder / 'features'}", "warm_steps=2", "steps=2", "joint_every=1"]
    base = load_recipe(ROOT / "recipes" / "tiny.py", changes)
    tasks = {"roc": 0.5, "segment_region": 0.5}
    return Study(
        name="small",
        base=replace(base, datasets=dict.fromkeys(SETS), task_weights=tasks, batch_size=2, warm_batch_size=2),
        rows=rows or ROWS,
        tables=(Table(title="All of it", rows=tuple((row.name, f"the {row.name} row") for row in rows or ROWS)),),
        questions=Questions(
            regions=dict.fromkeys(SETS, 2),
            nearest_regions=dict.fromkeys(SETS, 3),
            mask_regions={"vhr10": 2, "ssdd": 2},
            answer_tokens=8,
        ),
    )


def run_all(study: Study, out: Path, seeds: Sequence[int] = (0,)) -> list[str]:
    """Runs what is left; the rows that it was told of."""
    told: list[str] = []
    run_study(
        study,
        out,
        rows=study.rows,
        seeds=seeds,
        load_embed=lambda: one_hot,
        on_row=lambda row, seed, done, total: told.append(f"{row}-{seed} {done}/{total}"),
    )
    return told


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """A study that was stopped in its second row and then went on."""
    folder = tmp_path_factory.mktemp("study")
    study, out = small_study(data, folder), folder / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "nearest_classes", stopped_at(2, measures.nearest_classes))
        with pytest.raises(KeyboardInterrupt):
            run_all(study, out)
    assert [entry["row"] for entry in read_results(out)] == ["base"]
    with (out / run.RESULTS).open("a") as file:
        file.write('{"row": "none", "seed')  # as a kill would leave it
    with pytest.MonkeyPatch.context() as patch:
        steps: list[int] = []
        train_step = Trainer.train_step
        patch.setattr(Trainer, "train_step", lambda self, batch: steps.append(1) or train_step(self, batch))
        assert run_all(study, out) == ["none-0 1/3", "staged-0 2/3", "-0 3/3"]
        assert len(steps) == 4  # the second row's were done and saved before it was stopped
    return study, out


def stopped_at(call: int, function: Callable[..., object]) -> Callable[..., object]:
    """The function, but for one call that Ctrl-C ends."""
    calls: list[int] = []

    def stop(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return function(*arguments)

    return stop


def test_each_row_is_written_once_with_all_that_it_was_asked(finished: tuple[Study, Path]):
    _, out = finished
    entries = read_results(out)
    assert [entry["row"] for entry in entries] == ["base", "none", "staged"]
    assert [sorted(entry["measures"]) for entry in entries] == [
        ["freeform", "labels", "masks", "nearest"],
        ["labels", "nearest"],
        ["labels", "nearest"],
    ]
    for entry in entries:
        labels, nearest = entry["measures"]["labels"], entry["measures"]["nearest"]
        assert set(labels["by_sensor"]) == set(nearest["by_sensor"]) == {"optical", "sar", "infrared"}
        assert labels["regions"] == entries[0]["measures"]["labels"]["regions"]
        assert all(0 <= value <= 100 for value in [*labels["overall"].values(), *nearest["overall"].values()])
    assert [entry["steps"] for entry in entries] == [[4], [4], [2, 2]]
    assert entries[1]["recipes"][0]["overrides"] == {"fusion.kind": "none"}


def test_all_rows_are_asked_the_same_in_the_same_order(finished: tuple[Study, Path]):
    _, out = finished
    asked = []
    for row in ("base", "none", "staged"):
        lines = (out / "answers" / f"{row}-0-labels.jsonl").read_text().splitlines()
        asked.append([(one["key"], one["question"]) for one in map(json.loads, lines) if "key" in one])
    assert len(asked[0]) >= len(SETS)
    assert asked[0] == asked[1] == asked[2]


def test_a_finished_row_leaves_no_weights_behind(finished: tuple[Study, Path]):
    _, out = finished
    assert not list((out / "runs").rglob("state-*"))
    assert not list((out / "runs").rglob("*.safetensors"))
    assert len(list((out / "runs").rglob("losses.jsonl"))) == 4


def test_what_is_done_is_not_done_again_but_a_changed_row_is(
    finished: tuple[Study, Path], monkeypatch: pytest.MonkeyPatch
):
    study, out = finished
    assert run_all(study, out) == ["-0 3/3"]
    changed = replace(study, rows=(*ROWS[:2], Row(name="staged", stages=(Stage({"weight_decay": 0.5}),))))
    assert len(results_of(changed, out)["staged"]) == 0
    ran: list[str] = []
    monkeypatch.setattr(run, "_run_row", lambda study, row, *rest: ran.append(row.name) or {"measures": {}})
    monkeypatch.setattr(run, "_append", lambda path, entry: None)
    assert run_all(changed, out) == ["staged-0 2/3", "-0 3/3"]
    assert ran == ["staged"]


def test_a_row_that_diverges_is_noted_and_the_others_go_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def diverge(study: Study, row: Row, *rest: object) -> dict[str, object]:
        if row.name == "base":
            raise TrainingDiverged("The loss of step 3 is nan.")
        return {"measures": {}}

    monkeypatch.setattr(run, "_run_row", diverge)
    study = small_study(data, tmp_path)
    run_all(study, tmp_path)
    assert [entry.get("problem") for entry in read_results(tmp_path)] == ["The loss of step 3 is nan.", None, None]
    assert run_all(study, tmp_path)[0] == "base-0 2/3"


def test_the_table_gives_the_mean_and_the_extremes_of_the_seeds(finished: tuple[Study, Path]):
    study, out = finished
    results = results_of(study, out)
    [base] = results["base"]
    other = json.loads(json.dumps(base | {"seed": 1}))
    other["measures"]["labels"]["overall"]["ss"] += 3
    table = to_markdown(study, results | {"base": [base, other], "none": []}, "earthgptx ablate study.py")
    ss = base["measures"]["labels"]["overall"]["ss"]
    rows = [line for line in table.splitlines() if line.startswith("| the ")]
    assert f"| {ss + 1.5:.1f} ({ss:.1f} to {ss + 3:.1f}) |" in rows[0]
    assert rows[0].endswith("| 0, 1 |")
    assert rows[1].endswith("| not run |")
    assert "cIoU" not in table  # only one row was asked for masks
    for fact in ("`earthgptx ablate study.py`", base["machine"], "Commit: ", "val split, seed 0", "2 joint steps of 2"):
        assert fact in table
    assert to_markdown(study, {row.name: [] for row in study.rows}, "") == "There are no results yet.\n"
