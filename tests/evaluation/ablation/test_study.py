"""Studies: rows become recipes, a row that was changed is another row, and what is wrong is said in one sentence."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from earthgptx.errors import MalformedRecipe
from earthgptx.evaluation.ablation.study import Contrast, Questions, Row, Stage, Study, Table, chosen_rows, load_study
from earthgptx.training.command import configuration_of
from earthgptx.training.recipe import load_recipe

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "recipes" / "ablations.py"
BASE = load_recipe(ROOT / "recipes" / "tiny.py", ["steps=9", "warm_steps=6"])
STAGED = Row(name="staged", stages=(Stage({"marks": "box"}, part=1 / 3), Stage(part=2 / 3)))


def study(*rows: Row, tables: tuple[Table, ...] = ()) -> Study:
    return Study(name="small", base=BASE, rows=rows, tables=tables, questions=Questions())


def test_each_stage_starts_from_the_one_before_and_has_its_part_of_the_steps(tmp_path: Path):
    first, second = study(STAGED).recipes(STAGED, 4, tmp_path)
    assert (first.name, second.name) == ("staged-4-stage1", "staged-4-stage2")
    assert (first.start_from, second.start_from) == ("", str(tmp_path / "staged-4-stage1" / "model"))
    assert (first.marks, second.marks) == ("box", "")
    assert (first.warm_steps, first.steps, second.warm_steps, second.steps) == (2, 3, 4, 6)
    assert (first.seed, second.seed) == (4, 4)


def test_a_row_is_known_again_wherever_it_runs_and_not_once_it_is_changed():
    row = Row(name="row")
    known = study(row).fingerprint(row, 0)
    moved = replace(study(row), base=replace(BASE, data="elsewhere", features="other", features_from=("more",)))
    assert moved.fingerprint(row, 0) == known
    others = (
        (study(row), row, 1),
        (replace(study(row), base=replace(BASE, steps=10)), row, 0),
        (replace(study(row), questions=Questions(regions={"ssdd": 3})), row, 0),
        (study(row), replace(row, masks=True), 0),
        (study(row), replace(row, stages=(Stage({"marks": "box"}),)), 0),
    )
    assert known not in {some.fingerprint(one, seed) for some, one, seed in others}


def test_a_result_is_known_again_after_recipes_gained_a_setting():
    row = Row(name="row")
    now = study(row)
    recipe = {f.name: getattr(BASE, f.name) for f in fields(BASE) if f.name != "clip"}
    result = {"fingerprint": now.fingerprint(row, 0, ["clip"]), "recipes": [recipe]}
    assert result["fingerprint"] != now.fingerprint(row, 0)
    assert now.is_of(result, row, 0)
    assert not now.is_of(result, row, 1)
    assert not replace(now, base=replace(BASE, clip=9.0)).is_of(result, row, 0)
    assert now.is_of({"fingerprint": now.fingerprint(row, 0)}, row, 0)


@pytest.mark.parametrize(
    ("rows", "tables", "words"),
    [
        ((Row(name="a"), Row(name="a")), (), "has 2 rows named 'a'"),
        ((Row(name="a"),), (Table(title="T", rows=(("b", "B"),)),), "'T' shows a row 'b' that is not in the study"),
        (
            (Row(name="a"),),
            (Table(title="T", rows=(), contrasts=(Contrast(words="less", first="a", second="c"),)),),
            "'T' shows a row 'c'",
        ),
        ((Row(name="a", stages=(Stage({"stepps": 1}),)),), (), "'a' changes 'stepps', which no recipe has"),
    ],
)
def test_a_study_that_contradicts_itself_is_refused(rows: tuple[Row, ...], tables: tuple[Table, ...], words: str):
    with pytest.raises(MalformedRecipe, match=words):
        study(*rows, tables=tables)


def test_rows_are_chosen_by_name():
    some = study(Row(name="a"), Row(name="b"))
    assert chosen_rows(some, ["b"]) == some.rows[1:]
    assert chosen_rows(some, []) == some.rows
    with pytest.raises(MalformedRecipe, match="no row 'c'; its rows are a, b"):
        chosen_rows(some, ["c"])


def test_a_study_file_is_python_with_a_study(tmp_path: Path):
    assert load_study(SHIPPED, ["steps=7"]).base.steps == 7
    with pytest.raises(MalformedRecipe, match=r"has no function study\(\) that returns a Study"):
        load_study(ROOT / "recipes" / "tiny.py", [])
    with pytest.raises(MalformedRecipe, match="There is no recipe"):
        load_study(tmp_path / "absent.py", [])


@pytest.mark.parametrize("size", ["nano", "tiny"])
def test_every_shipped_row_can_be_built_and_differs_from_the_others(size: str):
    shipped = load_study(SHIPPED, [f"size={size}"])
    for row in shipped.rows:
        for recipe in shipped.recipes(row, 0, Path("runs")):
            configuration_of(recipe)
    prints = {shipped.fingerprint(row, 0) for row in shipped.rows}
    assert len(prints) == len(shipped.rows)
    shown = {name for table in shipped.tables for name, _ in table.rows}
    assert shown == {row.name for row in shipped.rows}


def test_the_shipped_rows_share_budget_classes_and_marks():
    """Steps add up to the base's in every row but the thirds, and all rows have the same images and marks."""
    shipped = load_study(SHIPPED, [])
    for row in shipped.rows:
        recipes = shipped.recipes(row, 1, Path("runs"))
        part = 1 / 3 if row.name.endswith("-third") else 1
        assert sum(recipe.steps for recipe in recipes) == round(part * shipped.base.steps)
        assert sum(recipe.warm_steps for recipe in recipes) == round(part * shipped.base.warm_steps)
        for recipe in recipes:
            assert (recipe.datasets, recipe.mark_seed) == (shipped.base.datasets, 0)
            sizes = (recipe.batch_size, recipe.warm_batch_size)
            assert sizes == (shipped.base.batch_size, shipped.base.warm_batch_size)
