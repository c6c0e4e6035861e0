"""Cost curves are measured at the smallest sizes, exponents are slopes, and a curve that is too steep fails."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import cost_curves
from benchmarks.cost_curves import CURVES, draw, exponent, growths, measured, show

SMALLEST = {
    "views": [224, 448],
    "marks_again": [1, 2],
    "answer": [2, 4],
    "read": [20, 40],
    "start": [5, 9],
}


@pytest.mark.parametrize("name", SMALLEST)
def test_a_curve_is_measured_at_the_sizes_asked_for(name: str):
    costs = list(measured(name, "tiny", SMALLEST[name]))
    assert [cost.size for cost in costs] == SMALLEST[name]
    assert all(cost.seconds > 0 for cost in costs)


def test_an_exponent_is_the_slope_of_the_upper_half():
    sizes = [1, 2, 4, 8, 16, 32]
    assert exponent(sizes, [3 * size**2 for size in sizes]) == pytest.approx(2)
    assert exponent(sizes, [7.0] * 6) == 0
    assert exponent(sizes, [9, 9, 9, *sizes[3:]]) == pytest.approx(1)  # the fixed part at the start has no say


def test_what_grows_too_fast_is_named(capsys: pytest.CaptureFixture[str]):
    def known(power: float) -> dict[str, dict[str, list[dict[str, float]]]]:
        rows = [{"size": size, "seconds": size**power, "megabytes": 1.0} for size in (1, 2, 4, 8, 16, 32, 64)]
        return {"marks": {"costs": rows}}

    assert show(known(1.1), ["marks"])
    assert "too fast" not in capsys.readouterr().out
    assert not show(known(1.3), ["marks"])
    *table, last = capsys.readouterr().out.strip().splitlines()
    assert "too fast" in table[1]
    assert json.loads(last)["marks"]["seconds"]["is_no_worse"] is False


def test_little_memory_has_no_exponent():
    rows = [{"size": size, "seconds": 1.0, "megabytes": 0.01 * size**2} for size in (1, 2, 4, 8)]
    assert [growth.measured for growth in growths(CURVES["marks"], rows)] == [0.0, None]


def test_plots_show_every_curve_that_was_measured(tmp_path: Path):
    rows = [asdict(cost_curves.Cost(size, 0.1 * size, 2.0 * size)) for size in (1, 8, 64)]
    draw({"marks": {"costs": rows}, "marks_again": {"costs": rows}}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["marks.svg"]
    text = (tmp_path / "marks.svg").read_text()
    ElementTree.fromstring(text)
    assert "first asked about" in text
    assert "asked about again" in text
