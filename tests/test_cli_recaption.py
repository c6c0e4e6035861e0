"""`earthgptx data recaption` from the command line: results on stdout, one sentence for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from earthgptx.cli import app
from earthgptx.data.sample_file import write_samples
from tests.fixtures.make_coco import make_ssdd
from tests.fixtures.misbehaving_endpoint import endpoint, error
from tests.fixtures.recaption_scenes import made_samples

KEY = "sk-secret-0123456789"


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    write_samples(tmp_path / "samples.jsonl", made_samples(tmp_path / "pictures", 4), root=tmp_path)
    return str(tmp_path / "samples.jsonl")


def run(samples: str, url: str, *more: str) -> Result:
    out = str(Path(samples).parent / "out")
    arguments = ["data", "recaption", samples, "--endpoint", url, "--model", "made-1", "--out", out, "--side", "224"]
    return CliRunner().invoke(app, [*arguments, *more], catch_exceptions=False)


def test_it_writes_samples_and_says_what_they_cost(samples: str):
    with endpoint() as state:
        result = run(samples, state.url, "--price-in", "1", "--price-out", "10", "--budget", "5")
        assert state.keys == [f"Bearer {KEY}"] * 4
    assert result.exit_code == 0, result.output
    out = Path(samples).parent / "out"
    lines = (out / "samples.jsonl").read_text().splitlines()
    assert f"{len(lines)} samples of 4 images are in {out}." in result.stdout
    assert "4 answers: 4,000 tokens read, 800 written, cost 0.0120" in result.stderr
    for path in [path for path in out.rglob("*") if path.is_file()]:
        assert KEY not in path.read_text()


def test_a_dry_run_needs_no_server_and_no_key(samples: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with endpoint() as state:
        result = run(samples, state.url, "--dry-run", "--price-in", "1", "--price-out", "10", "--budget", "0.001")
        assert not state.requests
    assert result.exit_code == 0
    assert "questions to send" in result.stdout
    assert "would not last" in result.stderr
    assert not (Path(samples).parent / "out").exists()


def test_labels_that_cannot_be_used_are_said(samples: str, tmp_path: Path):
    make_ssdd(tmp_path / "sets", "train")
    result = run(str(tmp_path / "sets"), "http://127.0.0.1:9/v1", "--dry-run")
    assert result.exit_code == 0
    assert "cannot be used; the first: " in result.stderr
    assert "instances_train.json annotation 3" in result.stderr


def test_a_budget_that_ends_is_one_sentence(samples: str):
    with endpoint() as state:
        result = run(samples, state.url, "--price-out", "10", "--budget", "0.001")
        assert not state.requests
    assert result.exit_code == 2
    assert "might pass the budget of 0.001" in result.stderr


def test_a_refused_key_is_one_sentence_without_the_key(samples: str):
    with endpoint([error(401, f"bad key {KEY}")] * 8) as state:
        result = run(samples, state.url)
    assert result.exit_code == 2
    assert "the key was refused" in result.stderr
    assert KEY not in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--budget", "3"], "means nothing without prices"),
        (["--budget", "nan", "--price-in", "1"], "--budget"),
        (["--price-in", "inf"], "--price-in must be a number, not inf"),
        (["--response-format", "xml"], "xml"),
        (["--concurrency", "0"], "concurrency"),
        (["--key", KEY], "No such option"),
        (["--split", "train"], "is no folder"),
    ],
)
def test_bad_options_are_refused_before_anything_is_sent(samples: str, more: list[str], words: str):
    with endpoint() as state:
        result = run(samples, state.url, *more)
        assert not state.requests
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_file_without_labels_is_refused(samples: str):
    Path(samples).write_text("")
    result = run(samples, "http://127.0.0.1:9/v1")
    assert result.exit_code == 2
    assert "holds no image with a labelled object" in result.stderr
