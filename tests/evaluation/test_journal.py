from __future__ import annotations

import json
from pathlib import Path

import pytest

from earthgptx.errors import MalformedPredictions
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.prediction_files import read_predictions
from earthgptx.evaluation.predictions import Prediction

SETTINGS = {"model": "tiny", "seed": 0}


def prediction(key: str) -> Prediction:
    return Prediction(key=key, dataset="ssdd", sensor="sar", text=f"<Region 1>: ship\n{key}")


def test_an_interrupted_run_goes_on(tmp_path: Path):
    path = tmp_path / "deep" / "answers.jsonl"

    def interrupted() -> None:
        with Journal.open(path, SETTINGS) as journal:
            journal.write(prediction("a"))
            journal.write(prediction("b"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with Journal.open(path, SETTINGS) as journal:
        assert journal.num_resumed == 2
        assert list(journal.predictions.values()) == [prediction("a"), prediction("b")]
        journal.write(prediction("c"))
    with Journal.open(path, SETTINGS) as journal:
        assert list(journal.predictions) == ["a", "b", "c"]


def test_every_answer_is_on_disk_before_the_next(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    with Journal.open(path, SETTINGS) as journal:
        for count in range(1, 4):
            journal.write(prediction(str(count)))
            assert path.read_text().count("\n") == 1 + count


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path: Path, cut: int):
    path = tmp_path / "answers.jsonl"
    with Journal.open(path, SETTINGS) as journal:
        journal.write(prediction("a"))
        journal.write(prediction("ü"))
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal.open(path, SETTINGS) as journal:
        assert list(journal.predictions) == ["a"]
        journal.write(prediction("c"))
    with Journal.open(path, SETTINGS) as journal:
        assert list(journal.predictions) == ["a", "c"]


@pytest.mark.parametrize("change", [{"text": None}, {"regions": [{"index": 0}]}, {"regions": 3}])
def test_a_line_that_lacks_a_field_is_asked_again(tmp_path: Path, change: dict, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "answers.jsonl"
    with Journal.open(path, SETTINGS) as journal:
        journal.write(prediction("a"))
    broken = {name: value for name, value in (prediction("b").to_json() | change).items() if value is not None}
    with path.open("a") as stream:
        stream.write(json.dumps(broken) + "\n")
    for expected in (["a"], ["a", "b"]):
        with Journal.open(path, SETTINGS) as journal:
            assert list(journal.predictions) == expected
            journal.write(prediction("b"))
    assert "Line 3" in caplog.text


@pytest.mark.parametrize("change", [{"seed": 1}, {"model": "nano"}, {"marks": "box"}])
def test_other_settings_start_anew_and_keep_the_old(tmp_path: Path, change: dict):
    path = tmp_path / "answers.jsonl"
    with Journal.open(path, SETTINGS) as journal:
        journal.write(prediction("a"))
    before = path.read_text()
    with Journal.open(path, SETTINGS | change) as journal:
        assert journal.predictions == {}
    assert (tmp_path / "answers.previous.jsonl").read_text() == before


def test_every_earlier_run_is_kept(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    for seed in range(4):
        with Journal.open(path, {"seed": seed}) as journal:
            journal.write(prediction("a"))
    kept = ["answers.previous.jsonl", "answers.previous-2.jsonl", "answers.previous-3.jsonl", "answers.jsonl"]
    firsts = [json.loads((tmp_path / name).read_text().splitlines()[0]) for name in kept]
    assert [first["settings"]["seed"] for first in firsts] == [0, 1, 2, 3]


def test_a_finished_run_is_measured_again(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    with Journal.open(path, SETTINGS) as journal:
        journal.write(prediction("a"))
        journal.finish()
    with Journal.open(path, SETTINGS) as journal:
        assert journal.num_resumed == 0


def test_fresh_ignores_what_is_there(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    with Journal.open(path, SETTINGS) as journal:
        journal.write(prediction("a"))
    with Journal.open(path, SETTINGS, fresh=True) as journal:
        assert journal.predictions == {}


@pytest.mark.parametrize("content", [b"", b"half a li", b"{}\n"])
def test_a_file_without_settings_starts_anew(tmp_path: Path, content: bytes):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(content)
    with Journal.open(path, SETTINGS) as journal:
        assert journal.predictions == {}


@pytest.mark.parametrize("line", ["not json", "[1, 2]"])
def test_a_foreign_file_is_refused(tmp_path: Path, line: str):
    path = tmp_path / "answers.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(MalformedPredictions, match="Line 1"):
        Journal.open(path, SETTINGS)
    assert path.read_text() == line + "\n"


def test_the_journal_is_a_file_of_predictions(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    with Journal.open(path, SETTINGS, num_questions=3) as journal:
        journal.write(prediction("a"))
    unfinished = read_predictions(path)
    assert unfinished.predictions == (prediction("a"),)
    assert (unfinished.settings, unfinished.num_questions, unfinished.is_finished) == (SETTINGS, 3, False)
    with Journal.open(path, SETTINGS, num_questions=3) as journal:
        assert journal.num_resumed == 1
        journal.finish()
    assert read_predictions(path).is_finished


def test_a_run_with_another_limit_says_its_own_number(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    with Journal.open(path, SETTINGS, num_questions=1) as journal:
        journal.write(prediction("a"))
    with path.open("a") as stream:
        stream.write('{"key": "cut o')
    with Journal.open(path, SETTINGS, num_questions=2) as journal:
        journal.write(prediction("b"))
        journal.finish()
    found = read_predictions(path)
    assert (found.num_questions, found.is_finished) == (2, True)
    assert [one.key for one in found.predictions] == ["a", "b"]
