"""`earthgptx ablate`: what can be said without training, and one sentence for every wrong word."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from earthgptx.cli import app

SHIPPED = str(Path(__file__).parents[3] / "recipes" / "ablations.py")


def ablate(*words: str) -> Result:
    return CliRunner().invoke(app, ["ablate", *words], catch_exceptions=False)


def test_rows_are_listed_and_an_empty_table_says_so(tmp_path: Path):
    listed = ablate(SHIPPED, "--list").stdout.split()
    assert listed[:3] == ["base", "cnn-only", "vit-only"]
    assert ablate(SHIPPED, "--list", "--rows", "staged,base").stdout.split() == ["base", "staged"]
    assert ablate(SHIPPED, "--show", "--out", str(tmp_path)).stdout.strip() == "There are no results yet."
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("absent.py",), "There is no study absent.py."),
        ((SHIPPED, "--rows", "cnn"), "has no row 'cnn'; its rows are base, cnn-only"),
        ((SHIPPED, "--seeds", "0,one"), "--seeds 0,one: seeds are whole numbers"),
        ((SHIPPED, "--set", "stepps=1"), "there is no setting 'stepps'"),
        ((SHIPPED, "--set", "data=/nowhere"), "/nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path):
    result = ablate(*words, "--out", str(tmp_path))
    assert result.exit_code == 2
    assert sentence in result.stderr.splitlines()[-1]
