"""The tables of a study, from results that are written down here: no row is trained."""

from __future__ import annotations

from pathlib import Path

from earthgptx.evaluation.ablation.study import load_study
from earthgptx.evaluation.ablation.table import to_markdown
from earthgptx.evaluation.published import published

STUDY = load_study(Path(__file__).parents[3] / "recipes" / "ablations.py", [])
SENSORS = ("optical", "sar", "infrared")


def result(seed: int, accuracy: float) -> dict[str, object]:
    """All accuracies alike, SS 10 and S-IoU 5 above it."""
    numbers = {"ss": accuracy + 10, "s_iou": accuracy + 5, "accuracy": accuracy}
    measured = {"overall": numbers, "by_sensor": dict.fromkeys(SENSORS, numbers), "regions": dict.fromkeys(SENSORS, 96)}
    return {
        "seed": seed,
        "measures": {"labels": measured, "nearest": measured},
        "seconds": {"steps": 10.0, "evaluation": 5.0},
        "git_commit": "abc",
        "machine": "x86_64",
    }


def table(title: str) -> list[str]:
    results = {row.name: [] for row in STUDY.rows}
    results |= {"base": [result(0, 60.0), result(1, 62.0)], "cnn-only": [result(0, 50.0)]}
    results |= {"single-scale": [result(0, 55.0)], "sar-third": [result(0, 54.0), result(1, 53.0)]}
    blocks = to_markdown(STUDY, results, "earthgptx ablate").split("### ")
    (found,) = [block for block in blocks if block.startswith(title)]
    return found.splitlines()


def test_the_papers_numbers_stand_beside_ours():
    head, _, *rows = table("Visual encoders")[2:7]
    ours = "SS | S-IoU | accuracy | nearest class | cIoU | gIoU"
    assert head == f"| | {ours} | the paper's SS | its S-IoU | seeds |"
    assert rows[0] == "| EfficientNet-Lite2 | 60.0 | 55.0 | 50.0 | 50.0 | - | - | 96.73 | 95.82 | 0 |"
    assert rows[1] == "| DINOv2 ViT-S/14 | - | - | - | - | - | - | 94.51 | 94.01 | not run |"
    assert rows[2].startswith("| both | 71.0 (70.0 to 72.0) |")
    assert rows[2].endswith("| 98.40 | 97.13 | 0, 1 |")
    views = table("Views of the image")
    assert any(row.startswith("| the whole view, one map") and "| 94.93 | 95.05 |" in row for row in views)
    assert any(row.startswith("| and zoom views (ours)") and row.endswith("| - | - | 0, 1 |") for row in views)


def test_each_published_counterpart_is_in_the_published_table():
    for one in STUDY.tables:
        assert set(one.counterparts.values()) <= {row.system for row in published(one.published)}


def test_what_only_one_row_is_asked_is_no_column():
    assert "free-form" not in table("Visual encoders")[2]
    assert "accuracy, free-form" in table("Spatial encoder")[2]
    assert "cIoU" not in table("Spatial encoder")[2]


def test_sensors_are_told_apart_where_the_question_is_about_them():
    rows = table("One stage")
    sensors = "accuracy | optical | SAR | infrared | nearest class | n. optical | n. SAR | n. infrared"
    assert rows[2] == f"| | SS | S-IoU | {sensors} | seeds |"
    assert "optical |" not in table("Visual encoders")[2]


def test_what_a_sensor_gains_from_others_is_a_difference_seed_by_seed():
    rows = table("One stage")
    (gain,) = [row for row in rows if row.startswith("| SAR: mixed less alone, as many samples")]
    assert gain.endswith("| +7.5 (+6.0 to +9.0) | +7.5 (+6.0 to +9.0) | 0, 1 |")
    (absent,) = [row for row in rows if row.startswith("| infrared: mixed less alone, as many steps")]
    assert absent.endswith("| - | - | not run |")
