from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from earthgptx.evaluation.metrics.labels import clean_label


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "scoring.py"
    spec = importlib.util.spec_from_file_location("scoring", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scoring"] = module
    spec.loader.exec_module(module)
    return module


def embed(texts: list[str]) -> np.ndarray:
    return np.array([[len(text), 1 + text.count("a")] for text in texts], dtype=float)


def test_answers_are_right_wrong_and_missing(script: ModuleType):
    pairs = script.made_answers(2000)
    assert pairs == script.made_answers(2000)
    scores = script.score(pairs, embed)
    assert 0.2 < scores["accuracy"] < scores["s_iou"] < 0.9
    assert 0 < sum(pair.prediction is None for pair in pairs) < 100
    assert 100 < len({clean_label(pair.prediction or "") for pair in pairs}) < 2000


def test_the_last_line_is_for_machines(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(script, "load_minilm", lambda cache: embed)
    monkeypatch.setattr(sys, "argv", ["scoring.py", "--answers", "50", "--one-by-one", "5"])
    script.main()
    *table, last = capsys.readouterr().out.splitlines()
    assert table[0].startswith("50 answers")
    assert json.loads(last)["num_answers"] == 50
