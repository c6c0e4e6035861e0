"""The loader's benchmark ends with one JSON line that holds what its table says."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "loader.py"


@pytest.mark.parametrize("embed", [[], ["--embed"]])
def test_a_made_corpus_is_timed(monkeypatch, capsys, embed):
    options = ["--rows", "90", "--seconds", "0.02", "--training-samples-per-second", "2"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *options, *embed])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    *table, last = capsys.readouterr().out.strip().splitlines()
    result = json.loads(last)
    assert result["num_rows"] == 90
    rates = [value for name, value in result.items() if name.endswith("_items_per_second")]
    assert len(rates) == 3
    assert all(rate > 0 for rate in rates)
    assert result["times_training"] == pytest.approx(min(rates) / 2, abs=0.06)
    assert any("x training" in line for line in table)
