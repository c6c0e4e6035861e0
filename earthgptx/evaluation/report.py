"""What is left of an evaluation: numbers, how they were come by, as JSON and as Markdown tables.

SS, S-IoU and accuracy are given in percent, as the papers print them; everything else is a fraction, but for
CIDEr, which has a scale of its own (0 to 10), and the error of counting, in objects. ``units`` in the JSON file says
so for each number.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earthgptx.evaluation.metrics.bootstrap import Interval
from earthgptx.evaluation.published import ComparedRow

PERCENT = ("ss", "s_iou", "accuracy")
OWN_SCALE = ("cider",)
OBJECTS = ("count_error",)
MAX_MISTAKES_SHOWN = 10

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Scores:
    """The numbers of one benchmark.

    Attributes:
        metrics: over everything together.
        by_sensor, by_dataset: the same names for each part.
        by_marks: the same for each kind of mark; empty where all regions were marked in one way.
        by_class: a few of the names for each true class; empty for image captions.
        confusion: truth -> said -> regions; empty where no labels were asked for.
        variants: the same names as other evaluation scripts count them.
        intervals: for everything together (``all``) and each kind of mark, the 95 % bootstrap interval of each name
            that has one; whole images are drawn.
        counts: images, questions, regions or captions, unanswered ones, answers of a run that was resumed.
        differences: what this system has more than another on the questions that both answered, by the names that have
            intervals, with the 95 % interval of the paired bootstrap; empty where none was named.
        notes: sentences on what was skipped and why.
    """

    metrics: Numbers
    by_sensor: Mapping[str, Numbers]
    by_dataset: Mapping[str, Numbers]
    by_marks: Mapping[str, Numbers] = field(default_factory=dict)
    by_class: Mapping[str, Numbers] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    variants: Mapping[str, Numbers] = field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    differences: Mapping[str, Interval] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table to show: a title (may be empty), its columns' names, its rows as text."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Report:
    """Scores and the settings that led to them.

    Attributes:
        benchmark: its name in `benchmarks.BENCHMARKS`.
        scores: the numbers.
        settings: command, model, checkpoint hash, git commit, split, marks, seed, machine and the like.
        comparison: these rows beside published ones; empty where nothing is published.
    """

    benchmark: str
    scores: Scores
    settings: Mapping[str, str | int | float | None]
    comparison: tuple[ComparedRow, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The report as plain JSON values; see the module's docstring for the units."""
        return {
            "benchmark": self.benchmark,
            "metrics": dict(self.scores.metrics),
            "units": {name: _unit(name) for name in self.scores.metrics},
            "by_sensor": {name: dict(part) for name, part in self.scores.by_sensor.items()},
            "by_dataset": {name: dict(part) for name, part in self.scores.by_dataset.items()},
            "by_marks": {name: dict(part) for name, part in self.scores.by_marks.items()},
            "by_class": {name: dict(part) for name, part in self.scores.by_class.items()},
            "confusion": {truth: dict(said) for truth, said in self.scores.confusion.items()},
            "variants": {name: dict(part) for name, part in self.scores.variants.items()},
            "intervals": {
                part: {name: [one.low, one.high] for name, one in names.items()}
                for part, names in self.scores.intervals.items()
            },
            "differences": {
                name: {"value": one.value, "low": one.low, "high": one.high}
                for name, one in self.scores.differences.items()
            },
            "comparison": [row.to_json() for row in self.comparison],
            "counts": dict(self.scores.counts),
            "notes": list(self.scores.notes),
            "settings": dict(self.settings),
        }

    def write(self, path: Path) -> None:
        """Writes the JSON form; a reader never sees half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_text(json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(unfinished, path)

    def to_markdown(self) -> str:
        """The tables of `tables`, the most frequent mistakes, the counts and the notes."""
        blocks = [_markdown(table) for table in self.tables()]
        if mistakes := self.mistakes():
            blocks.insert(1, "Most frequent mistakes: " + "; ".join(mistakes) + ".")
        if self.scores.counts:
            blocks.append(", ".join(f"{name.replace('_', ' ')}: {n}" for name, n in self.scores.counts.items()))
        return "\n\n".join([*blocks, *self.scores.notes]) + "\n"

    def tables(self) -> list[Table]:
        """The scores by part, with their intervals, by class and by variant, and beside published rows."""
        scores = self.scores
        parts: dict[str, Numbers] = {"**all**": scores.metrics}
        parts |= {f"{name} (mark)": part for name, part in scores.by_marks.items()}
        parts |= {f"{name} (sensor)": part for name, part in scores.by_sensor.items()}
        parts |= {f"{name} (data set)": part for name, part in scores.by_dataset.items()}
        tables = [_table("part", parts)]
        if any(scores.intervals.values()):
            tables.append(_interval_table(scores.intervals))
        if scores.differences:
            tables.append(_difference_table(scores.differences))
        if scores.by_class:
            tables.append(_table("class", scores.by_class))
        if scores.variants:
            tables.append(_table("as counted by", {"this report": scores.metrics, **scores.variants}))
        if self.comparison:
            tables.append(_comparison_table(self.comparison))
        return tables

    def mistakes(self) -> list[str]:
        """The most frequent wrong classes, in words."""
        return _mistakes(self.scores.confusion)


def checkpoint_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of a checkpoint's configuration and tensors, as 64 hex digits."""
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("config.json")]):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _unit(name: str) -> str:
    if name in PERCENT:
        return "percent"
    if name in OBJECTS:
        return "objects"
    return "own scale" if name in OWN_SCALE else "fraction"


def _table(first: str, rows: Mapping[str, Numbers]) -> Table:
    names = list(dict.fromkeys(name for numbers in rows.values() for name in numbers))
    cells = [[_cell(name, numbers[name]) if name in numbers else "" for name in names] for numbers in rows.values()]
    return Table("", (first, *names), tuple((row, *line) for row, line in zip(rows, cells, strict=True)))


def _interval_table(intervals: Mapping[str, Mapping[str, Interval]]) -> Table:
    names = list(dict.fromkeys(name for part in intervals.values() for name in part))
    rows = []
    for part, found in intervals.items():
        cells = [
            f"{_cell(name, found[name].low)} to {_cell(name, found[name].high)}" if name in found else ""
            for name in names
        ]
        rows.append((part, *cells))
    title = "95 % intervals (bootstrap over images: how far the numbers would move with other images)"
    return Table(title, ("part", *names), tuple(rows))


def _difference_table(differences: Mapping[str, Interval]) -> Table:
    rows = (
        ("this less the other", *(_cell(name, one.value) for name, one in differences.items())),
        ("95 % interval", *(f"{_cell(name, one.low)} to {_cell(name, one.high)}" for name, one in differences.items())),
        ("told apart", *("yes" if one.excludes_zero else "no" for one in differences.values())),
    )
    title = "Beside another system on the same questions (paired bootstrap over images)"
    return Table(title, ("", *differences), rows)


def _comparison_table(rows: Sequence[ComparedRow]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row.numbers))
    cells = []
    for row in rows:
        numbers = (f"{row.numbers[name]:.2f}" if name in row.numbers else "" for name in names)
        cells.append((row.system, row.prompt, *numbers, row.measured_on, row.source))
    title = "Beside published numbers (all times 100; compare rows of the same data only)"
    return Table(title, ("system", "prompt", *names, "measured on", "source"), tuple(cells))


def _markdown(table: Table) -> str:
    is_number = [all(_is_number(row[place]) for row in table.rows) for place in range(len(table.head))]
    is_number[0] = False
    lines = [
        _line(table.head),
        "|" + "".join("--:|" if right else "---|" for right in is_number),
        *map(_line, table.rows),
    ]
    return "\n".join([*([table.title + ":", ""] if table.title else []), *lines])


def _line(cells: Sequence[str]) -> str:
    """A row of a table, whatever characters other systems' names hold."""
    return "| " + " | ".join(" ".join(cell.replace("|", r"\|").split()) for cell in cells) + " |"


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(" to ", "").replace(".", "").replace("-", "").isdecimal()


def _cell(name: str, value: float) -> str:
    if name in (*PERCENT, *OBJECTS):
        return f"{value:.2f}"
    return f"{value:d}" if isinstance(value, int) else f"{value:.4f}"


def _mistakes(confusion: Mapping[str, Mapping[str, int]]) -> list[str]:
    wrong = [(count, truth, said) for truth, row in confusion.items() for said, count in row.items() if said != truth]
    wrong.sort(key=lambda mistake: (-mistake[0], mistake[1:]))
    return [f"{truth} called {said} ({count})" for count, truth, said in wrong[:MAX_MISTAKES_SHOWN]]
