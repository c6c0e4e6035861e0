"""`run.json` tells of every start, its recipe too, since a run may go on with another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from earthgptx.training.command import _write_settings
from earthgptx.training.recipe import load_recipe
from tests.training.small_run import TINY


def test_each_start_keeps_its_recipe(tmp_path: Path):
    recipe = load_recipe(TINY, [])
    _write_settings(tmp_path, recipe, 0)
    _write_settings(tmp_path, replace(recipe, learning_rate=0.5), 7)
    written = json.loads((tmp_path / "run.json").read_text())
    assert [(start["step"], start["recipe"]["learning_rate"]) for start in written["starts"]] == [
        (0, recipe.learning_rate),
        (7, 0.5),
    ]
    assert written["recipe"]["learning_rate"] == 0.5
