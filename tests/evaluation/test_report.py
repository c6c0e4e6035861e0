from __future__ import annotations

import json
from pathlib import Path

from earthgptx.evaluation.report import Report, Scores, checkpoint_hash

SCORES = Scores(
    metrics={"ss": 97.123456, "s_iou": 96.0, "accuracy": 95.0},
    by_sensor={"sar": {"ss": 99.0, "s_iou": 98.0, "accuracy": 97.0}},
    by_dataset={"ssdd": {"ss": 99.0, "s_iou": 98.0, "accuracy": 97.0}},
    by_class={"ship": {"accuracy": 97.0, "regions": 12}},
    confusion={"ship": {"ship": 9, "bridge": 2, "tank": 1}, "tank": {"tank": 1}},
    counts={"regions": 12, "unanswered": 0},
    notes=("Skipped: mstar has no val split here.",),
)
REPORT = Report(benchmark="roc", scores=SCORES, settings={"model": "nano", "seed": 0, "limit": None})


def test_the_file_holds_numbers_under_their_names(tmp_path: Path):
    path = tmp_path / "deep" / "report.json"
    REPORT.write(path)
    written = json.loads(path.read_text())
    assert written == REPORT.to_json()
    assert written["metrics"] == {"ss": 97.123456, "s_iou": 96.0, "accuracy": 95.0}
    assert set(written["by_sensor"]["sar"]) == set(written["metrics"])
    assert written["units"] == {"ss": "percent", "s_iou": "percent", "accuracy": "percent"}
    assert written["confusion"]["ship"]["bridge"] == 2
    assert list(path.parent.iterdir()) == [path]


def test_the_table_shows_all_parts_and_the_mistakes():
    text = REPORT.to_markdown()
    lines = text.splitlines()
    assert lines[0] == "| part | ss | s_iou | accuracy |"
    assert lines[2] == "| **all** | 97.12 | 96.00 | 95.00 |"
    assert "| sar (sensor) | 99.00 | 98.00 | 97.00 |" in lines
    assert "| ship | 97.00 | 12 |" in lines
    assert "Most frequent mistakes: ship called bridge (2); ship called tank (1)." in lines
    assert "Skipped: mstar has no val split here." in lines
    tables = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in tables[:5]} == {5}


def test_odd_names_do_not_break_a_table():
    scores = Scores({"ss": 1.0}, {}, {}, by_class={"a|b\nc": {"accuracy": 1.0}})
    text = Report(benchmark="roc", scores=scores, settings={}).to_markdown()
    assert r"| a\|b c | 1.00 |" in text


def test_fractions_are_shown_with_four_digits():
    scores = Scores(metrics={"ciou": 0.75432}, by_sensor={}, by_dataset={})
    text = Report(benchmark="grounding", scores=scores, settings={}).to_markdown()
    assert "| **all** | 0.7543 |" in text


def test_every_number_says_its_unit():
    scores = Scores(metrics={"bleu_4": 0.3, "cider": 1.2, "ss": 97.0}, by_sensor={}, by_dataset={})
    written = Report(benchmark="captioning", scores=scores, settings={}).to_json()
    assert written["units"] == {"bleu_4": "fraction", "cider": "own scale", "ss": "percent"}


def test_the_hash_follows_names_and_contents(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    (tmp_path / "README.md").write_text("prose")
    first = checkpoint_hash(tmp_path)
    (tmp_path / "README.md").write_text("other prose")
    assert checkpoint_hash(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"abd")
    second = checkpoint_hash(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "other.safetensors")
    assert len({first, second, checkpoint_hash(tmp_path)}) == 3
