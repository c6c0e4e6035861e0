"""Published numbers of the paper and its peers, and ours beside them.

``published.csv`` holds the rows as printed in the paper's Tables II to V (EarthGPT-X, arXiv 2504.12795), with table and
page, counted in the breaks of its text. Every row says what it was measured on, and so does ours: a reader must
see where two rows do not compare. SPICE with another parser has a name of its own.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

METRICS = ("ss", "s_iou", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider", "spice", "spice_spacy")
ALREADY_PERCENT = ("ss", "s_iou")
PAPER = "EarthGPT-X, arXiv 2504.12795"


@dataclass(frozen=True)
class ComparedRow:
    """One system's numbers on one test set.

    Attributes:
        system: its name.
        prompt: how regions were given: coordinates, box, point or freeform; empty where there are none.
        numbers: by the names of reports, all times 100, as papers print them.
        measured_on: data set and split, for our own rows with the number of items.
        source: where the numbers stand, and what speaks against them.
    """

    system: str
    prompt: str
    numbers: Mapping[str, float]
    measured_on: str
    source: str

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "system": self.system,
            "prompt": self.prompt,
            "numbers": dict(self.numbers),
            "measured_on": self.measured_on,
            "source": self.source,
        }


def published(table: str) -> tuple[ComparedRow, ...]:
    """The rows of a table of the paper, in its order; none if it is no table that is kept here."""
    text = (files(__package__) / "published.csv").read_text(encoding="utf-8")
    return tuple(_row(record) for record in csv.DictReader(text.splitlines()) if record["table"] == table)


def own_row(system: str, prompt: str, numbers: Mapping[str, float], measured_on: str) -> ComparedRow:
    """A row of a report as a row beside published ones.

    Args:
        system: the model's name.
        prompt: the kind of mark.
        numbers: by the names and in the units of reports.
        measured_on: data set, split and number of items.
    """
    kept = {name: numbers[name] * (1 if name in ALREADY_PERCENT else 100) for name in METRICS if name in numbers}
    return ComparedRow(system, prompt, kept, measured_on, "this report")


def _row(record: Mapping[str, str]) -> ComparedRow:
    remark = f"; {record['remark']}" if record["remark"] else ""
    return ComparedRow(
        system=f"{record['system']} ({record['year']})" if record["year"] else record["system"],
        prompt=record["prompt"],
        numbers={name: float(record[name]) for name in METRICS if record.get(name)},
        measured_on=record["measured_on"],
        source=f"{PAPER}, Table {record['table']}, p. {record['page']}{remark}",
    )
