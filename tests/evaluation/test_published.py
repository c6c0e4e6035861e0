from __future__ import annotations

import pytest

from earthgptx.evaluation.benchmarks import BENCHMARKS
from earthgptx.evaluation.published import own_row, published


@pytest.mark.parametrize(
    ("table", "num_rows", "system", "prompt", "numbers"),
    [
        ("II", 11, "EarthGPT-X", "box", {"ss": 98.60, "s_iou": 97.83}),
        ("II", 11, "GeoChat (2024)", "coordinates", {"ss": 79.59, "s_iou": 68.80}),
        ("III", 11, "Sphinx-V (2024)", "box", {"bleu_1": 23.35, "cider": 81.79, "spice": 22.46}),
        ("III", 11, "EarthGPT-X", "point", {"bleu_4": 42.88, "meteor": 35.01, "rouge_l": 64.31}),
        ("IV", 5, "CLIP-ConvNeXt-L", "", {"ss": 96.73, "s_iou": 95.82}),
        ("IV", 5, "CLIP RN50x16 and DINOv2 ViT-L/14", "", {"ss": 97.68, "s_iou": 96.67}),
        ("V", 3, "Multi-scale", "", {"ss": 96.18, "s_iou": 95.29}),
    ],
)
def test_rows_as_printed(table: str, num_rows: int, system: str, prompt: str, numbers: dict[str, float]):
    rows = published(table)
    assert len(rows) == num_rows
    (row,) = [row for row in rows if (row.system, row.prompt) == (system, prompt)]
    assert numbers.items() <= row.numbers.items()


def test_every_row_says_where_it_stands_and_what_it_was_measured_on():
    for table, data, size in (
        ("II", "DIOR-RSVG test", 2),
        ("III", "OPT-RSVG test", 8),
        ("IV", "not stated", 2),
        ("V", "not stated", 2),
    ):
        for row in published(table):
            assert row.measured_on.startswith(data)
            assert f"Table {table}, p. " in row.source
            assert len(row.numbers) == size


def test_a_contradiction_of_the_paper_is_told():
    (row,) = [row for row in published("II") if row.numbers["ss"] == 98.60]
    assert "98.40 and 97.13" in row.source


def test_our_numbers_take_the_scale_of_papers():
    row = own_row("nano", "box", {"ss": 97.5, "bleu_1": 0.5, "cider": 2.5, "pr_50": 1.0}, "ssdd val, 9 regions")
    assert row.numbers == {"ss": 97.5, "bleu_1": 50, "cider": 250}


def test_only_tables_that_are_kept_are_named():
    assert all(published(benchmark.table) for benchmark in BENCHMARKS.values() if benchmark.table)
    assert published("VI") == ()
