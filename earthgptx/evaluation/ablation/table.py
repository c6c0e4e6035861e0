"""Results of a study as Markdown: means over seeds with their extremes, and how the numbers were come by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from earthgptx.evaluation.ablation.study import Study, Table

Result = Mapping[str, Any]

# Heading, measure, sensor ("" for all), number.
COLUMNS = (
    ("SS", "labels", "", "ss"),
    ("S-IoU", "labels", "", "s_iou"),
    ("accuracy", "labels", "", "accuracy"),
    ("optical", "labels", "optical", "accuracy"),
    ("SAR", "labels", "sar", "accuracy"),
    ("infrared", "labels", "infrared", "accuracy"),
    ("nearest class", "nearest", "", "accuracy"),
    ("n. optical", "nearest", "optical", "accuracy"),
    ("n. SAR", "nearest", "sar", "accuracy"),
    ("n. infrared", "nearest", "infrared", "accuracy"),
    ("SS, free-form", "freeform", "", "ss"),
    ("accuracy, free-form", "freeform", "", "accuracy"),
    ("cIoU", "masks", "", "ciou"),
    ("gIoU", "masks", "", "giou"),
)
NOTHING = "-"


def to_markdown(study: Study, results: Mapping[str, Sequence[Result]], command: str) -> str:
    """All tables of a study, and below them what was run, on what, and what the columns mean.

    Args:
        study: the rows and tables.
        results: of each row, one a seed.
        command: that made them.
    """
    everything = [entry for entries in results.values() for entry in entries]
    if not everything:
        return "There are no results yet.\n"
    blocks = [_table(table, results) for table in study.tables]
    return "\n\n".join([*blocks, *_footing(study, everything, command)]) + "\n"


def _table(table: Table, results: Mapping[str, Sequence[Result]]) -> str:
    shown = [column for column in COLUMNS if any(_values(results[name], column) for name, _ in table.rows)]
    lines = [
        f"### {table.title}",
        "",
        "| | " + " | ".join([*(heading for heading, *_ in shown), "seeds"]) + " |",
        "|---|" + "--:|" * (len(shown) + 1),
    ]
    for name, words in table.rows:
        cells = [_cell(_values(results[name], column)) for column in shown]
        seeds = ", ".join(str(entry["seed"]) for entry in results[name]) or "not run"
        lines.append("| " + " | ".join([words, *cells, seeds]) + " |")
    return "\n".join([*lines, "", table.note] if table.note else lines)


def _values(entries: Sequence[Result], column: tuple[str, str, str, str]) -> list[float]:
    _, measure, sensor, number = column
    found = []
    for entry in entries:
        measured = entry["measures"].get(measure, {})
        numbers = measured.get("by_sensor", {}).get(sensor, {}) if sensor else measured.get("overall", {})
        if number in numbers:
            found.append(float(numbers[number]))
    return found


def _cell(values: Sequence[float]) -> str:
    if not values:
        return NOTHING
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread}"


def _footing(study: Study, entries: Sequence[Result], command: str) -> list[str]:
    base, questions = study.base, study.questions
    first = entries[0]["measures"]
    asked = {name: measured["regions"] for entry in entries for name, measured in entry["measures"].items()}
    counts = "; ".join(
        f"{name}: " + ", ".join(f"{number} {sensor}" for sensor, number in by_sensor.items())
        for name, by_sensor in asked.items()
    )
    training = mean(entry["seconds"]["steps"] for entry in entries)
    evaluation = mean(entry["seconds"]["evaluation"] for entry in entries)
    commits = sorted({entry["git_commit"] or "outside of git" for entry in entries})
    machines = sorted({entry["machine"] for entry in entries})
    error = 50 / max(sum(first["labels"]["regions"].values()), 1) ** 0.5 if "labels" in first else 0.0
    return [
        "All numbers are percent: the mean over the seeds, and the lowest and the highest seed. Regions are marked by "
        "their box, but for the columns of free-form marks. *nearest class* asks no language model: the class whose "
        "direction is nearest to a region's tokens.",
        f"Regions asked about, the same for all rows ({questions.split} split, seed {questions.seed}): {counts}. "
        f"An accuracy over so many regions has a standard error of up to {error:.1f} points by the choice of regions "
        "alone; rows share the regions, so that differences are somewhat surer.",
        f"Size {base.size}; {base.warm_steps} steps on marks alone of {base.warm_batch_size} samples, then "
        f"{base.steps} joint steps of {base.batch_size}; on average {training:.0f} s of steps and {evaluation:.0f} s "
        "of questions.",
        f"Command: `{command}`",
        f"Commit: {', '.join(commits)}. Machine: {'; '.join(machines)}.",
    ]
