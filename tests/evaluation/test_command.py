from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earthgptx.cli import app
from earthgptx.errors import MalformedDataset, MissingExtra, UnknownBenchmark, UnwritableReport
from earthgptx.evaluation import command, runs, text_scorers
from earthgptx.evaluation.metrics.caption_measures import measure
from earthgptx.evaluation.questions import Conditions
from earthgptx.evaluation.report import Report, checkpoint_hash
from tests.evaluation.fake_assistant import FakeAssistant, one_hot
from tests.fixtures.make_all import make_all


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_all(tmp_path_factory.mktemp("data"), "val")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def assistants(monkeypatch: pytest.MonkeyPatch, data: Path, checkpoint: Path) -> list[FakeAssistant]:
    """The assistants that were loaded; each answers from the labels under box marks."""
    loaded: list[FakeAssistant] = []

    def load(name: str = "nano", *, device: str = "cpu", features: Path | None = None) -> FakeAssistant:
        loaded.append(FakeAssistant(Conditions(data=data)))
        loaded[-1].features = features
        return loaded[-1]

    monkeypatch.setenv("EARTHGPTX_CACHE", str(checkpoint.parent / "cache"))
    monkeypatch.setattr("earthgptx.inference.loading.load", load)
    monkeypatch.setattr("earthgptx.inference.loading.checkpoint_folder", lambda name: checkpoint)
    monkeypatch.setattr(runs, "load_minilm", lambda: one_hot)
    # Java and the parser take a while to start, and have tests of their own.
    quick = functools.partial(measure, with_meteor=False, with_spice=False)
    monkeypatch.setattr(text_scorers, "measure", quick)
    return loaded


@pytest.mark.usefixtures("assistants")
@pytest.mark.parametrize(
    ("benchmark", "names"),
    [
        ("roc", {"ss", "s_iou", "accuracy"}),
        ("grounding", {"ciou", "giou"}),
        ("captioning", {"bleu_4", "rouge_l", "cider"}),
    ],
)
def test_the_command_writes_the_report_and_shows_the_table(
    data: Path, tmp_path: Path, checkpoint: Path, benchmark: str, names: set[str]
):
    if benchmark == "captioning":
        pytest.importorskip("pycocoevalcap", reason="caption scores need the eval extra")
    out = tmp_path / "reports" / "report.json"
    result = CliRunner().invoke(
        app,
        ["evaluate", benchmark, "--data", str(data), "--split", "val", "--marks", "box", "--out", str(out)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert names <= set(report["metrics"])
    assert all(names <= set(part) for part in report["by_sensor"].values())
    assert "| **all** |" in result.output
    settings = report["settings"]
    assert settings["checkpoint_sha256"] == checkpoint_hash(checkpoint)
    marks = "" if benchmark == "captioning" else "box"
    assert (settings["split"], settings["marks"], settings["seed"]) == ("val", marks, 0)
    assert {"command", "git_commit", "machine", "model", "seconds"} <= set(settings)
    lines = (tmp_path / "reports" / "report.predictions.jsonl").read_text().splitlines()
    assert len(lines) == report["counts"]["questions"] + 2


def test_a_stopped_command_goes_on(
    data: Path,
    tmp_path: Path,
    assistants: list[FakeAssistant],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    out = tmp_path / "report.json"
    answer: Callable[..., object] = FakeAssistant.answer

    def interrupted(self: FakeAssistant, *arguments: object, **options: object) -> object:
        self.stop_after = 2
        return answer(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(FakeAssistant, "answer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            command.evaluate("roc", data=data, out=out, batch_size=2)
    assert "4 answers are kept" in caplog.text
    assert not out.exists()
    resumed = command.evaluate("roc", data=data, out=out, batch_size=3)
    assert resumed.scores.counts["resumed"] == 4
    assert sum(map(len, assistants[-1].batches)) == resumed.scores.counts["questions"] - 4
    again = command.evaluate("roc", data=data, out=out)
    assert again.scores.counts["resumed"] == 0
    assert again.scores.metrics == resumed.scores.metrics
    assert again.scores.metrics["s_iou"] == 100


@pytest.mark.usefixtures("assistants")
def test_answers_of_other_code_or_another_device_are_not_joined(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written = []
    monkeypatch.setattr(runs.Journal, "finish", lambda self: written.append(self.num_resumed))
    for commit, device in (("a", "cpu"), ("a", "cpu"), ("b", "cpu"), ("b", "cuda")):
        monkeypatch.setattr(runs, "git_commit", lambda folder, commit=commit: commit)
        command.evaluate("grounding", data=data, out=tmp_path / "report.json", device=device)
    assert [bool(num_resumed) for num_resumed in written] == [False, True, False, False]


def test_more_regions_than_a_question_carries_are_refused(data: Path, tmp_path: Path, assistants: list[FakeAssistant]):
    out = str(tmp_path / "report.json")
    result = CliRunner().invoke(app, ["evaluate", "roc", "--data", str(data), "--regions", "65", "--out", out])
    assert result.exit_code != 0
    assert assistants == []


def test_an_unknown_benchmark_is_refused_before_the_model_is_loaded(
    data: Path, tmp_path: Path, assistants: list[FakeAssistant]
):
    with pytest.raises(UnknownBenchmark, match="roc, grounding, captioning"):
        command.evaluate("chess", data=data, out=tmp_path / "report.json")
    assert assistants == []


@pytest.mark.parametrize(("out", "sentence"), [("taken", "is a folder"), ("file/report.json", "cannot be made")])
def test_a_report_without_a_place_is_refused_before_the_model_is_loaded(
    data: Path, tmp_path: Path, assistants: list[FakeAssistant], out: str, sentence: str
):
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableReport, match=sentence):
        command.evaluate("grounding", data=data, out=tmp_path / out)
    assert assistants == []


def test_a_report_that_could_not_be_written_is_made_of_the_kept_answers(
    data: Path, tmp_path: Path, assistants: list[FakeAssistant], monkeypatch: pytest.MonkeyPatch
):
    def full(self: Report, path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Report, "write", full)
        with pytest.raises(OSError, match="No space"):
            command.evaluate("grounding", data=data, out=tmp_path / "report.json")
    report = command.evaluate("grounding", data=data, out=tmp_path / "report.json")
    assert assistants[-1].batches == []
    assert report.scores.counts["resumed"] == report.scores.counts["questions"]


def test_an_empty_folder_is_refused_before_anything_is_loaded_or_moved(tmp_path: Path, assistants: list[FakeAssistant]):
    answers = tmp_path / "report.predictions.jsonl"
    answers.write_text("an earlier run's")
    with pytest.raises(MalformedDataset, match="no test split of any of"):
        command.evaluate("roc", data=tmp_path, split="test", out=tmp_path / "report.json")
    assert assistants == []
    assert answers.read_text() == "an earlier run's"


def test_captions_cannot_be_scored_without_the_extra(
    data: Path, tmp_path: Path, assistants: list[FakeAssistant], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runs, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"earthgptx\[eval\]"):
        command.evaluate("captioning", data=data, out=tmp_path / "report.json")
    assert assistants == []


def test_features_are_kept_only_where_asked_for(data: Path, tmp_path: Path, assistants: list[FakeAssistant]):
    out = tmp_path / "report.json"
    command.evaluate("grounding", data=data, out=out, limit=1)
    command.evaluate("grounding", data=data, out=out, limit=1, features=tmp_path / "mine")
    assert [one.features for one in assistants] == [None, tmp_path / "mine"]
    assert not (tmp_path / "cache").exists()
