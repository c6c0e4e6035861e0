"""A study as a frozen value: a base recipe, rows that change it, the questions all rows are asked, and tables.

A study file is Python with a function `study() -> Study`. A row is one training of one seed, in one stage or several.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from earthgptx.errors import MalformedRecipe
from earthgptx.training.recipe import TrainingRecipe, changed, made_by

# What may differ between two runs that are the same row: where things lie, how often a state is saved.
PLACES = ("name", "data", "runs", "features", "features_from", "start_from", "checkpoint_minutes", "device")


@dataclass(frozen=True)
class Stage:
    """One training of a row.

    Attributes:
        changes: settings of the base recipe that are other.
        part: of the base recipe's steps.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    part: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One setting.

    Attributes:
        name: of its files and in `--rows`: letters, digits and hyphens.
        stages: the one after starts from the one before.
        freeform: whether it is also asked about regions under free-form marks.
        masks: whether it is also asked for masks.
    """

    name: str
    stages: tuple[Stage, ...] = (Stage(),)
    freeform: bool = False
    masks: bool = False


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """What one row has more than another, seed by seed.

    Attributes:
        words: what the difference shows.
        first, second: names of rows; the second is taken from the first.
        sensor: whose regions are compared; all if empty.
    """

    words: str
    first: str
    second: str
    sensor: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows beside one another.

    Attributes:
        title: of the table.
        rows: the name of each row and what it is called here, in order.
        note: sentences below the table.
        by_sensor: whether accuracies are also shown for each sensor.
        published: the table of the paper that it repeats, a name of `evaluation.published`; empty where there is none.
        counterparts: the system of the published table that each of some rows stands for, by the row's name.
        contrasts: differences of rows, in a table of their own below it.
    """

    title: str
    rows: tuple[tuple[str, str], ...]
    note: str = ""
    by_sensor: bool = False
    published: str = ""
    counterparts: Mapping[str, str] = field(default_factory=dict)
    contrasts: tuple[Contrast, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What every row is asked, the same whatever its seed.

    Attributes:
        split: of the data sets.
        seed: of the choice of regions, and of their free-form marks.
        regions: regions of each data set that are asked about in words, at most.
        nearest_regions: the same for the nearest class, which costs no words.
        mask_regions: the same for masks.
        regions_per_question: most regions in one question.
        batch_size: questions answered together.
        answer_tokens: where an answer is cut; a model that has not learned to stop would write on.
    """

    split: str = "val"
    seed: int = 0
    regions: Mapping[str, int] = field(default_factory=dict)
    nearest_regions: Mapping[str, int] = field(default_factory=dict)
    mask_regions: Mapping[str, int] = field(default_factory=dict)
    regions_per_question: int = 4
    batch_size: int = 16
    answer_tokens: int = 72


@dataclass(frozen=True, kw_only=True)
class Study:
    """All of it.

    Attributes:
        name: of the study.
        base: the recipe that rows change.
        rows: with distinct names.
        tables: in which they are shown.
        questions: asked of each.
        seeds: each row is trained once with each.
    """

    name: str
    base: TrainingRecipe
    rows: tuple[Row, ...]
    tables: tuple[Table, ...]
    questions: Questions
    seeds: tuple[int, ...] = (0, 1)

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        for name in names:
            if names.count(name) > 1:
                raise MalformedRecipe(f"The study {self.name} has {names.count(name)} rows named {name!r}.")
        for table in self.tables:
            shown = [name for name, _ in table.rows]
            shown += [name for contrast in table.contrasts for name in (contrast.first, contrast.second)]
            for name in shown:
                if name not in names:
                    raise MalformedRecipe(f"The table {table.title!r} shows a row {name!r} that is not in the study.")
        known = {f.name for f in fields(TrainingRecipe)}
        for row in self.rows:
            for stage in row.stages:
                if unknown := sorted(set(stage.changes) - known):
                    raise MalformedRecipe(f"The row {row.name!r} changes {unknown[0]!r}, which no recipe has.")

    def recipes(self, row: Row, seed: int, runs: Path) -> tuple[TrainingRecipe, ...]:
        """The recipes of a row's stages; each but the first starts from the model of the one before."""
        made: list[TrainingRecipe] = []
        for place, stage in enumerate(row.stages, start=1):
            name = f"{row.name}-{seed}" + (f"-stage{place}" if len(row.stages) > 1 else "")
            start = str(runs / made[-1].name / "model") if made else self.base.start_from
            steps = {
                "warm_steps": round(stage.part * self.base.warm_steps),
                "steps": max(round(stage.part * self.base.steps), 1),
            }
            places = {"name": name, "runs": str(runs), "seed": seed, "start_from": start}
            made.append(replace(self.base, **(steps | dict(stage.changes) | places)))
        return tuple(made)

    def fingerprint(self, row: Row, seed: int, without: Collection[str] = ()) -> str:
        """What tells a finished row from one that has since been changed: its recipes and its questions.

        Args:
            row, seed: which training.
            without: settings of recipes that are not counted, besides `PLACES`.
        """
        recipes = [asdict(recipe) for recipe in self.recipes(row, seed, Path("runs"))]
        for recipe in recipes:
            for name in (*PLACES, *without):
                recipe.pop(name, None)
        asked = {"questions": asdict(self.questions), "freeform": row.freeform, "masks": row.masks}
        text = json.dumps([recipes, asked], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def is_of(self, result: Mapping[str, Any], row: Row, seed: int) -> bool:
        """Whether a line of results is of this row and seed as they are now.

        A setting that recipes gained after it was written counts as left at its default.
        """
        made = self.recipes(row, seed, Path("runs"))
        known = set(result["recipes"][0]) if result.get("recipes") else {f.name for f in fields(TrainingRecipe)}
        gained = [f for f in fields(TrainingRecipe) if f.name not in known]
        if any(getattr(recipe, f.name) != _default_of(f) for recipe in made for f in gained):
            return False
        return bool(result["fingerprint"] == self.fingerprint(row, seed, [f.name for f in gained]))


def _default_of(setting: Field[Any]) -> Any:
    return setting.default if setting.default_factory is MISSING else setting.default_factory()


def load_study(path: Path, overrides: Sequence[str]) -> Study:
    """Reads a study file and changes its base recipe.

    Raises:
        MalformedRecipe: no such file, no `study()` in it, an unknown setting or a value of another type.
    """
    study = made_by(path, "study", Study)
    return replace(study, base=changed(study.base, overrides))


def chosen_rows(study: Study, names: Sequence[str]) -> tuple[Row, ...]:
    """The rows of these names, all where none is named, in the study's order.

    Raises:
        MalformedRecipe: there is no row of a name.
    """
    known = [row.name for row in study.rows]
    for name in names:
        if name not in known:
            raise MalformedRecipe(f"The study {study.name} has no row {name!r}; its rows are {', '.join(known)}.")
    return tuple(row for row in study.rows if not names or row.name in names)
