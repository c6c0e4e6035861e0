"""Results of a study as Markdown: means over seeds with their extremes, and how the numbers were come by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from earthgptx.evaluation.ablation.study import Contrast, Study, Table
from earthgptx.evaluation.published import ComparedRow, published

Result = Mapping[str, Any]

Column = tuple[str, str, str, str]
"""Heading, measure, sensor ("" for all), number."""

COLUMNS: tuple[Column, ...] = (
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
COMPARED = (("accuracy", "labels", "accuracy"), ("nearest class", "nearest", "accuracy"))
PAPER = (("the paper's SS", "ss"), ("its S-IoU", "s_iou"))
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
    blocks = [_table(study, table, results) for table in study.tables]
    return "\n\n".join([*blocks, *_footing(study, everything, command)]) + "\n"


def _table(study: Study, table: Table, results: Mapping[str, Sequence[Result]]) -> str:
    shown = _columns(study, table)
    printed = {row.system: row for row in published(table.published)}
    headings = [heading for heading, *_ in shown] + [heading for heading, _ in PAPER if printed] + ["seeds"]
    lines = [f"### {table.title}", "", *_head(headings)]
    for name, words in table.rows:
        cells = [_cell(_values(results[name], column)) for column in shown]
        if printed:
            cells += _printed(printed.get(table.counterparts.get(name, "")))
        seeds = ", ".join(str(entry["seed"]) for entry in results[name]) or "not run"
        lines.append("| " + " | ".join([words, *cells, seeds]) + " |")
    if table.contrasts:
        lines += ["", *_head([*(heading for heading, *_ in COMPARED), "seeds"])]
        lines += [_contrast(one, results) for one in table.contrasts]
    return "\n".join([*lines, "", table.note] if table.note else lines)


def _columns(study: Study, table: Table) -> list[Column]:
    """Those in which rows of the table can be compared: what only one of them is asked says nothing here."""
    shown = {name for name, _ in table.rows}
    rows = [row for row in study.rows if row.name in shown]
    asked = {"freeform": sum(row.freeform for row in rows), "masks": sum(row.masks for row in rows)}
    return [
        column
        for column in COLUMNS
        if (table.by_sensor or not column[2]) and asked.get(column[1], len(rows)) >= min(2, len(rows))
    ]


def _head(headings: Sequence[str]) -> list[str]:
    return ["| | " + " | ".join(headings) + " |", "|---|" + "--:|" * len(headings)]


def _printed(row: ComparedRow | None) -> list[str]:
    """What the paper prints for the setting that a row stands for."""
    return [NOTHING if row is None else f"{row.numbers[name]:.2f}" for _, name in PAPER]


def _contrast(one: Contrast, results: Mapping[str, Sequence[Result]]) -> str:
    """The differences of two rows, of the seeds that both have."""
    first, second = ({entry["seed"]: entry for entry in results[name]} for name in (one.first, one.second))
    seeds = sorted(first.keys() & second.keys())
    cells = []
    for heading, measure, number in COMPARED:
        column = (heading, measure, one.sensor, number)
        ours = _values([first[seed] for seed in seeds], column)
        theirs = _values([second[seed] for seed in seeds], column)
        cells.append(_cell([a - b for a, b in zip(ours, theirs, strict=True)], "+.1f"))
    return "| " + " | ".join([one.words, *cells, ", ".join(map(str, seeds)) or "not run"]) + " |"


def _values(entries: Sequence[Result], column: Column) -> list[float]:
    _, measure, sensor, number = column
    found = []
    for entry in entries:
        measured = entry["measures"].get(measure, {})
        numbers = measured.get("by_sensor", {}).get(sensor, {}) if sensor else measured.get("overall", {})
        if number in numbers:
            found.append(float(numbers[number]))
    return found


def _cell(values: Sequence[float], form: str = ".1f") -> str:
    if not values:
        return NOTHING
    spread = f" ({min(values):{form}} to {max(values):{form}})" if len(values) > 1 else ""
    return f"{mean(values):{form}}{spread}"


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
