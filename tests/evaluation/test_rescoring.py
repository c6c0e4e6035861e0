"""Questions written down, answered by somebody else, and scored without a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earthgptx.cli import app
from earthgptx.errors import MalformedPredictions, UnknownBenchmark, UnwritableReport
from earthgptx.evaluation import benchmarks, command, runs
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.questions import Conditions
from tests.evaluation.fake_assistant import FakeAssistant, one_hot
from tests.fixtures.make_all import make_all


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_all(tmp_path_factory.mktemp("data"), "val")


@pytest.fixture(autouse=True)
def embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "load_minilm", lambda: one_hot)


def answered(name: str, data: Path, path: Path, **spoiled: object) -> Path:
    """A finished run's predictions; `FakeAssistant` says how they may be spoiled."""
    conditions, benchmark = Conditions(data=data), benchmarks.find(name)
    asked = benchmarks.pose(benchmark, conditions)
    settings = {"benchmark": benchmark.name, "model": "fake", "data": "/somewhere"}
    with Journal.open(path, settings, num_questions=len(asked.questions)) as journal:
        benchmarks.ask(benchmark, FakeAssistant(conditions, **spoiled), asked, journal, conditions)
        journal.finish()
    return path


def test_a_run_is_scored_again_from_its_file_alone(data: Path, tmp_path: Path):
    file = answered("roc", data, tmp_path / "a.predictions.jsonl")
    report = command.evaluate(rescore=file, out=tmp_path / "again.json")
    assert report.scores.metrics == pytest.approx({"ss": 100, "s_iou": 100, "accuracy": 100})
    assert report.scores.intervals["all"]["s_iou"].low == 100
    assert report.scores.notes == ()
    assert report.settings["model"] == "fake"
    assert "data" not in report.settings
    *published, own = report.comparison
    assert own.numbers["s_iou"] == 100
    assert own.measured_on.startswith("hituav, mstar, sar_acd, ssdd, vhr10")
    assert {row.measured_on for row in published} == {"DIOR-RSVG test"}
    assert report.to_markdown().count("DIOR-RSVG test") == len(published)
    assert "<img" not in (tmp_path / "again.html").read_text()
    assert json.loads((tmp_path / "again.json").read_text())["intervals"]["all"]["ss"] == [100, 100]


def test_pictures_are_drawn_where_the_images_are(data: Path, tmp_path: Path):
    file = answered("grounding", data, tmp_path / "a.predictions.jsonl")
    report = command.evaluate(rescore=file, data=data, out=tmp_path / "again.json", plate=tmp_path / "plate.png")
    assert report.scores.metrics["giou"] == 1
    assert "<img" in (tmp_path / "again.html").read_text()
    assert (tmp_path / "plate.png").stat().st_size > 1000
    assert (tmp_path / "again.md").read_text() == report.to_markdown()


def test_a_plate_without_images_is_refused(data: Path, tmp_path: Path):
    file = answered("roc", data, tmp_path / "a.predictions.jsonl")
    with pytest.raises(UnwritableReport, match="--data"):
        command.evaluate(rescore=file, out=tmp_path / "r.json", plate=tmp_path / "p.png")
    with pytest.raises(UnwritableReport, match="none of the predictions' images"):
        command.evaluate(rescore=file, out=tmp_path / "r.json", data=tmp_path, plate=tmp_path / "p.png")
    with pytest.raises(UnwritableReport, match="must end in one of"):
        command.evaluate(rescore=file, out=tmp_path / "r.json", data=data, plate=tmp_path / "p.txt")


def test_another_system_fills_in_the_questions(data: Path, tmp_path: Path):
    form = tmp_path / "questions.jsonl"
    said = command.evaluate("roc", data=data, questions=form)
    assert str(form) in said
    head, *lines = map(json.loads, form.read_text().splitlines())
    assert head["questions"] == len(lines)
    assert all((data / line["image"]).is_file() for line in lines)
    for line in lines:
        marks = [region["mark"]["kind"] for region in line["regions"]]
        assert marks == ["box"] * len(marks)
        line["text"] = "\n".join(f"<Region {n}>: {r['truth']}" for n, r in enumerate(line["regions"], start=1))
    lines[0]["text"] = ""
    form.write_text("".join(json.dumps(line) + "\n" for line in [head, *lines]))
    report = command.evaluate(rescore=form, out=tmp_path / "r.json")
    counts = report.scores.counts
    assert counts["unanswered"] == len(lines[0]["regions"])
    assert report.scores.metrics["accuracy"] == pytest.approx(100 * (1 - counts["unanswered"] / counts["regions"]))


def test_answers_that_are_missing_are_told(data: Path, tmp_path: Path):
    file = answered("roc", data, tmp_path / "a.predictions.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-2]))
    report = command.evaluate(rescore=file, out=tmp_path / "r.json")
    assert f"The file holds {len(lines) - 3} of {len(lines) - 2} answers" in report.scores.notes[0]
    extra = lines[-2].replace('"key":"', '"key":"extra ', 1)
    file.write_text("".join([*lines[:-1], extra]) + lines[-1][:5])
    report = command.evaluate(rescore=file, out=tmp_path / "r.json")
    assert "last line was cut off" in report.scores.notes[0]
    assert f"holds {len(lines) - 1} answers where {len(lines) - 2} questions" in report.scores.notes[1]
    file.write_text("".join(lines[:-1]))
    report = command.evaluate(rescore=file, out=tmp_path / "r.json")
    assert "did not come to its end" in report.scores.notes[0]


@pytest.mark.parametrize(
    ("name", "spoiled", "metric"),
    [("roc", {"label": lambda truth: "car"}, "accuracy"), ("grounding", {"shift": 3}, "miou")],
)
def test_two_systems_are_compared_on_the_same_draws(
    data: Path, tmp_path: Path, name: str, spoiled: dict[str, object], metric: str
):
    good = answered(name, data, tmp_path / "good.jsonl")
    bad = answered(name, data, tmp_path / "bad.jsonl", **spoiled)
    report = command.evaluate(rescore=good, against=bad, out=tmp_path / "r.json")
    found = report.scores.differences[metric]
    other = command.evaluate(rescore=bad, out=tmp_path / "b.json")
    assert found.value == pytest.approx(report.scores.metrics[metric] - other.scores.metrics[metric])
    assert 0 < found.low <= found.high
    assert set(report.scores.differences) == set(report.scores.intervals["all"])
    assert "The other system: fake. Compared on" in report.to_markdown()
    assert "Beside another system" in (tmp_path / "r.html").read_text()
    assert json.loads((tmp_path / "r.json").read_text())["differences"][metric]["value"] == pytest.approx(found.value)
    same = command.evaluate(rescore=good, against=good, out=tmp_path / "r.json").scores.differences[metric]
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_what_cannot_be_compared_is_refused(data: Path, tmp_path: Path):
    roc, masks = (answered(name, data, tmp_path / f"{name}.jsonl") for name in ("roc", "grounding"))
    with pytest.raises(MalformedPredictions, match="answers grounding, not roc"):
        command.evaluate(rescore=roc, against=masks, out=tmp_path / "r.json")
    other = tmp_path / "other.jsonl"
    for old, new, sentence in (
        ('"key":"', '"key":"x', "None of the"),
        ('"truth":"ship"', '"truth":"port"', "other truths of the question"),
    ):
        other.write_text(roc.read_text().replace(old, new))
        with pytest.raises(MalformedPredictions, match=sentence):
            command.evaluate(rescore=roc, against=other, out=tmp_path / "r.json")


def test_what_the_file_answers_must_be_known(data: Path, tmp_path: Path):
    file = answered("roc", data, tmp_path / "a.predictions.jsonl")
    with pytest.raises(MalformedPredictions, match="answers roc, not grounding"):
        command.evaluate("grounding", rescore=file, out=tmp_path / "r.json")
    assert command.evaluate("multisource-roc", rescore=file, out=tmp_path / "r.json").benchmark == "roc"
    bare = tmp_path / "bare.jsonl"
    bare.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UnknownBenchmark, match="does not say which benchmark"):
        command.evaluate(rescore=bare, out=tmp_path / "r.json")
    with pytest.raises(MalformedPredictions, match=r"None of the \d+ predictions holds a true class"):
        command.evaluate("scene-classification", rescore=bare, out=tmp_path / "r.json")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--rescore", "none.jsonl"], "none.jsonl"),
        (["roc"], "--data"),
        ([], "--list"),
        (["chess", "--data", "."], "chess"),
        (["roc", "--data", ".", "--out", "report.md"], "report.md"),
        (["dior-rsvg-roc", "--data", "."], "dior_rsvg"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["evaluate", *words])
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_the_list_names_every_benchmark():
    result = CliRunner().invoke(app, ["evaluate", "--list"])
    assert result.exit_code == 0
    for one in benchmarks.BENCHMARKS.values():
        assert one.name in result.output
        assert one.other_name in result.output
        assert all(name in result.output for name in one.datasets)
