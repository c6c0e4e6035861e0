"""What is left of an evaluation: numbers, how they were come by, as JSON and as a Markdown table.

SS, S-IoU and accuracy are given in percent, as the papers print them; everything else is a fraction, but for
CIDEr, which has a scale of its own (0 to 10). ``units`` in the JSON file says so for each number.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PERCENT = ("ss", "s_iou", "accuracy")
OWN_SCALE = ("cider",)
MAX_MISTAKES_SHOWN = 10

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Scores:
    """The numbers of one benchmark.

    Attributes:
        metrics: over everything together.
        by_sensor, by_dataset: the same names for each part.
        by_class: a few of the names for each true class; empty for image captions.
        confusion: truth -> said -> regions; empty where no labels were asked for.
        counts: images, questions, regions or captions, unanswered ones, answers of a run that was resumed.
        notes: sentences on what was skipped and why.
    """

    metrics: Numbers
    by_sensor: Mapping[str, Numbers]
    by_dataset: Mapping[str, Numbers]
    by_class: Mapping[str, Numbers] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Scores and the settings that led to them.

    Attributes:
        benchmark: roc, grounding or captioning.
        scores: the numbers.
        settings: command, model, checkpoint hash, git commit, split, marks, seed, machine and the like.
    """

    benchmark: str
    scores: Scores
    settings: Mapping[str, str | int | float | None]

    def to_json(self) -> dict[str, object]:
        """The report as plain JSON values; see the module's docstring for the units."""
        return {
            "benchmark": self.benchmark,
            "metrics": dict(self.scores.metrics),
            "units": {name: _unit(name) for name in self.scores.metrics},
            "by_sensor": {name: dict(part) for name, part in self.scores.by_sensor.items()},
            "by_dataset": {name: dict(part) for name, part in self.scores.by_dataset.items()},
            "by_class": {name: dict(part) for name, part in self.scores.by_class.items()},
            "confusion": {truth: dict(said) for truth, said in self.scores.confusion.items()},
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
        """A table of the scores by part and by class, the most frequent mistakes, and the notes."""
        scores = self.scores
        parts = {"**all**": scores.metrics}
        parts |= {f"{name} (sensor)": part for name, part in scores.by_sensor.items()}
        parts |= {f"{name} (data set)": part for name, part in scores.by_dataset.items()}
        blocks = [_table("part", parts)]
        if scores.by_class:
            blocks.append(_table("class", scores.by_class))
        if mistakes := _mistakes(scores.confusion):
            blocks.append("Most frequent mistakes: " + "; ".join(mistakes) + ".")
        if scores.counts:
            blocks.append(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in scores.counts.items()))
        return "\n\n".join([*blocks, *scores.notes]) + "\n"


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
    return "own scale" if name in OWN_SCALE else "fraction"


def _table(first: str, rows: Mapping[str, Numbers]) -> str:
    names = list(dict.fromkeys(name for numbers in rows.values() for name in numbers))
    lines = [
        "| " + " | ".join([first, *names]) + " |",
        "|" + "---|" + "--:|" * len(names),
    ]
    for row, numbers in rows.items():
        cells = [_cell(name, numbers[name]) if name in numbers else "" for name in names]
        lines.append("| " + " | ".join([row, *cells]) + " |")
    return "\n".join(lines)


def _cell(name: str, value: float) -> str:
    if name in PERCENT:
        return f"{value:.2f}"
    return f"{value:d}" if isinstance(value, int) else f"{value:.4f}"


def _mistakes(confusion: Mapping[str, Mapping[str, int]]) -> list[str]:
    wrong = [(count, truth, said) for truth, row in confusion.items() for said, count in row.items() if said != truth]
    wrong.sort(key=lambda mistake: (-mistake[0], mistake[1:]))
    return [f"{truth} called {said} ({count})" for count, truth, said in wrong[:MAX_MISTAKES_SHOWN]]
