"""The whole way through the command line: labelled folders, training with kills, evaluation, an answer with files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from earthgptx.cli import app
from earthgptx.evaluation import runs
from earthgptx.model.vision import Vision
from tests.evaluation.fake_assistant import one_hot
from tests.fixtures.make_all import make_all
from tests.training.small_run import TINY, written_losses

ROOT = Path(__file__).parents[2]
KILLED_RUN = Path(__file__).with_name("killed_run.py")
TOTAL_STEPS = 8  # of recipes/tiny.py, warm-up included
SIGKILLED = -9


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data and nothing else, outside of which nothing is kept."""
    folder = tmp_path_factory.mktemp("home")
    make_all(folder / "data", "train")
    make_all(folder / "data", "val")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARTHGPTX_CACHE", str(folder / "cache"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        yield folder


def train(home: Path, name: str, *, through: Sequence[str] = ("-m", "earthgptx")) -> subprocess.CompletedProcess[str]:
    """`earthgptx train recipes/tiny.py` in a process of its own, with a checkpoint after every step."""
    settings = {
        "data": home / "data",
        "runs": home / "runs",
        "features": home / f"features-{name}",
        "name": name,
        "checkpoint_minutes": 0,
    }
    changes = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return subprocess.run(
        [sys.executable, *through, "train", str(TINY), *changes],
        capture_output=True,
        text=True,
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.fixture(scope="module")
def whole_run(home: Path) -> Path:
    """The folder of a run that nothing disturbed."""
    result = train(home, "whole")
    assert result.returncode == 0, result.stderr
    folder = home / "runs" / "whole"
    assert result.stdout.strip() == f"The trained model is in {folder / 'model'}."
    return folder


@pytest.fixture(scope="module")
def model(whole_run: Path) -> str:
    return str(whole_run / "model")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_training_leaves_everything_behind(whole_run: Path):
    assert [line["step"] for line in written_losses(whole_run)] == list(range(1, TOTAL_STEPS + 1))
    assert {path.name for path in (whole_run / "model").iterdir()} == {"config.json", "trained.safetensors"}
    settings = json.loads((whole_run / "run.json").read_text())
    assert settings["recipe"]["name"] == "whole"
    assert settings["seed"] == 0
    [start] = settings["starts"]
    assert start["step"] == 0
    assert {"git_commit", "versions", "machine"} <= set(start)
    assert start["versions"]["torch"]
    assert list((whole_run / "tensorboard").iterdir())


def test_a_run_that_is_killed_again_and_again_ends_the_same(home: Path, whole_run: Path):
    folder = home / "runs" / "killed"
    for moment in ("caching", "saving"):
        killed = train(home, "killed", through=(str(KILLED_RUN), moment))
        assert killed.returncode == SIGKILLED, killed.stderr
    assert len(written_losses(folder)) == 4
    assert sorted(path.name for path in folder.glob("state-*")) == [
        "state-0000002",
        "state-0000003",
        "state-0000004.draft",
    ]
    last = train(home, "killed")
    assert last.returncode == 0, last.stderr
    assert f"goes on at step 3 of {TOTAL_STEPS}" in last.stderr.replace("\n", " ")
    assert written_losses(folder) == written_losses(whole_run)
    # Tensor by tensor: the header's own entries are written in no fixed order.
    trained = Path("model") / "trained.safetensors"
    here, there = load_file(folder / trained), load_file(whole_run / trained)
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)
    assert [start["step"] for start in json.loads((folder / "run.json").read_text())["starts"]] == [0, 3]


def test_bad_input_to_training_is_one_sentence(home: Path):
    for arguments, words in (
        (("--set", "stepps=3"), "no setting 'stepps'"),
        (("--set", f"data={home / 'nowhere'}", "--set", f"features={home / 'f'}"), "holds no train split"),
    ):
        result = run("train", str(TINY), *arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert words in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("benchmark", "marks", "names", "sensors"),
    [
        ("roc", "freeform", {"ss", "s_iou", "accuracy"}, {"optical", "sar", "infrared"}),
        ("grounding", "box", {"ciou", "giou"}, {"optical", "sar"}),
        ("captioning", "box", {"bleu_4", "rouge_l", "cider"}, {"optical"}),
    ],
)
def test_the_trained_model_is_measured(
    home: Path,
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    benchmark: str,
    marks: str,
    names: set[str],
    sensors: set[str],
):
    if benchmark == "captioning":
        pytest.importorskip("pycocoevalcap", reason="caption scores need the eval extra")
    monkeypatch.setattr(runs, "load_minilm", lambda: one_hot)  # the real one is a download
    out = tmp_path / "report.json"
    arguments = ["--data", str(home / "data"), "--split", "val", "--marks", marks, "--model", model, "--limit", "1"]
    result = run("evaluate", benchmark, *arguments, "--out", str(out), "--features", str(home / "features"))
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert names <= set(report["metrics"])
    assert set(report["by_sensor"]) == sensors
    assert all(0 <= value <= 100 for value in report["metrics"].values())
    assert report["counts"]["questions"] > 0
    assert report["settings"]["model"] == model


def test_the_towers_run_once_for_all_runs(home: Path, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch):
    arguments = ["grounding", "--data", str(home / "data"), "--model", model, "--limit", "1"]
    arguments += ["--features", str(tmp_path / "features")]
    reports = []
    for name in ("first", "second"):
        out = tmp_path / f"{name}.json"
        assert run("evaluate", *arguments, "--out", str(out)).exit_code == 0
        lines = (tmp_path / f"{name}.predictions.jsonl").read_text().splitlines()
        reports.append((json.loads(out.read_text())["metrics"], lines[1:-1]))
        whole_forward = Vision.forward

        def only_the_probe(self: Vision, views: object, forward: object = whole_forward) -> object:
            assert len(views) == 1, "views were encoded again"  # type: ignore[arg-type]
            return forward(self, views)  # type: ignore[operator]

        monkeypatch.setattr(Vision, "forward", only_the_probe)
    assert reports[0] == reports[1]
    [folder] = (tmp_path / "features").iterdir()
    assert folder.name.startswith("tiny-")


def test_the_trained_model_answers_about_marks_of_all_kinds(home: Path, tmp_path: Path, model: str):
    image = str(home / "data" / "vhr10" / "images" / "val_000.jpg")
    marks = ["--box", "18,13,42,37", "--point", "120,100", "--circle", "80,60,20"]
    marks += ["--polygon", "60,40,100,40,100,80,60,80", "--scribble", "110,95,120,100,130,105"]
    picture, outlines = tmp_path / "answer.png", tmp_path / "answer.geojson"
    question = "Please identify the object category of each marked region in the image."
    result = run(
        "ask",
        image,
        *marks,
        "--sensor",
        "optical",
        question,
        "--model",
        model,
        "--max-new-tokens",
        "24",
        "--json",
        "--save",
        str(picture),
        "--geojson",
        str(outlines),
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["question"] == question
    kinds = [region["mark"]["kind"] for region in answer["regions"]]
    assert kinds == ["box", "point", "ellipse", "polygon", "scribble"]
    assert [region["number"] for region in answer["regions"]] == [1, 2, 3, 4, 5]
    assert Image.open(picture).size[0] >= 160
    features = json.loads(outlines.read_text())["features"]
    assert [feature["properties"]["role"] for feature in features[:5]] == ["mark"] * 5
    assert (
        run(
            "ask", image, *marks, "--sensor", "optical", question, "--model", model, "--max-new-tokens", "24", "--json"
        ).stdout
        == result.stdout
    )


def test_a_damaged_model_is_said_in_one_sentence(home: Path, tmp_path: Path, model: str):
    image = str(home / "data" / "vhr10" / "images" / "val_000.jpg")
    for path in Path(model).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    trained = tmp_path / "trained.safetensors"
    trained.write_bytes(trained.read_bytes()[:1000])
    result = run("ask", image, "--sensor", "optical", "What is here?", "--model", str(tmp_path))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "trained.safetensors cannot be read" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
