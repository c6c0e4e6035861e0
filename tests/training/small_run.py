"""Small runs of the tiny size on fabricated data, for the tests of training: seconds, no download."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from earthgptx.training.command import build
from earthgptx.training.loop import Trainer
from earthgptx.training.recipe import TrainingRecipe, load_recipe

ROOT = Path(__file__).parents[2]
TINY = ROOT / "recipes" / "tiny.py"


def small_recipe(data: Path, folder: Path, **changes: Any) -> TrainingRecipe:
    """The recipe that ships as recipes/tiny.py, with everything it writes in `folder`."""
    places = {"data": str(data), "runs": str(folder / "runs"), "features": str(folder / "features")}
    return replace(load_recipe(TINY, []), **(places | changes))


def small_trainer(data: Path, folder: Path, **changes: Any) -> Trainer:
    """A trainer at its first step."""
    return build(small_recipe(data, folder, **changes))


def written_losses(folder: Path) -> list[dict[str, float]]:
    """The lines of a run's losses.jsonl without their times, which are never the same."""
    lines = [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]
    for line in lines:
        assert line.pop("seconds") >= 0
    return lines
