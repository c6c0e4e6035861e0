"""Recipes: typed overrides, and one clear sentence for everything that is wrong with one."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.errors import MalformedRecipe
from earthgptx.training.command import configuration_of
from earthgptx.training.recipe import TrainingRecipe, load_recipe
from tests.training.small_run import ROOT, TINY


@pytest.mark.parametrize("path", [TINY, ROOT / "recipes" / "nano.py"], ids=lambda path: path.stem)
def test_recipes_that_ship_can_be_loaded(path: Path):
    recipe = load_recipe(path, [])
    assert recipe.name == recipe.size == path.stem
    assert configuration_of(recipe).size_name == path.stem


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ("steps=12", "steps", 12),
        ("learning_rate=0.01", "learning_rate", 0.01),
        ("learning_rate=1", "learning_rate", 1.0),
        ("learning_rate=3e-4", "learning_rate", 3e-4),
        ("name=other=name", "name", "other=name"),
        ("data=12", "data", "12"),
        ("data=", "data", ""),
        ('datasets={"ssdd": null}', "datasets", {"ssdd": None}),
        ('task_weights={"roc": 1}', "task_weights", {"roc": 1}),
        ('overrides={"fusion.kind": "literal"}', "overrides", {"fusion.kind": "literal"}),
        ('features_from=["a", "b"]', "features_from", ("a", "b")),
    ],
)
def test_overrides_have_the_type_of_what_they_replace(change: str, name: str, value: object):
    changed = load_recipe(TINY, [change])
    assert getattr(changed, name) == value
    assert type(getattr(changed, name)) is type(value)
    assert changed == replace(load_recipe(TINY, []), **{name: value})


@given(st.integers(1, 10**6), st.floats(1e-9, 10, allow_nan=False))
def test_numbers_come_back_as_they_were_written(steps: int, rate: float):
    recipe = load_recipe(TINY, [f"steps={steps}", f"learning_rate={rate!r}"])
    assert (recipe.steps, recipe.learning_rate) == (steps, rate)


def test_the_last_override_counts():
    assert load_recipe(TINY, ["steps=3", "seed=4", "steps=5"]).steps == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("stepps=12", "no setting 'stepps'; known are alignment_weight, batch_size"),
        ("steps", "no setting 'steps'"),
        ("=4", "no setting ''"),
        ("steps=many", "'many' is not a JSON value"),
        ("steps=1.5", "must be of type int, not float"),
        ("steps=true", "must be of type int, not bool"),
        ("learning_rate=true", "must be of type float, not bool"),
        ("learning_rate=null", "must be of type float, not NoneType"),
        ("datasets=[1]", "must be of type dict, not list"),
        ("steps=0", "steps is 0; it must be at least 1"),
        ("batch_size=-2", "batch_size is -2"),
        ("warm_batch_size=0", "warm_batch_size is 0"),
        ("warm_steps=-1", "warm_steps is -1"),
        ("joint_every=0", "joint_every is 0; it must be at least 1"),
        ("difference_bits=5", "difference_bits is 5"),
        ("marks=circle", "no family of marks 'circle'; known are box, point, freeform"),
        ("policy=all", "no policy 'all'; known are paper, scratch"),
        ('task_weights={"rco": 1}', "no task 'rco'; known are roc,"),
        ('task_weights={"roc": 0}', "Every task weight is 0"),
        ('warm_task_weights={"roc": 0.0}', "Every task weight is 0"),
    ],
)
def test_bad_overrides_are_refused_in_one_sentence(change: str, words: str):
    with pytest.raises(MalformedRecipe) as raised:
        load_recipe(TINY, [change])
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_a_file_without_a_recipe_are_refused(tmp_path: Path):
    with pytest.raises(MalformedRecipe, match=r"There is no recipe .*absent\.py"):
        load_recipe(tmp_path / "absent.py", [])
    for text in ("", "recipe = 3", "def recipe(): return 'nano'"):
        (tmp_path / "odd.py").write_text(text)
        with pytest.raises(MalformedRecipe, match=r"odd\.py has no function recipe\(\)"):
            load_recipe(tmp_path / "odd.py", [])


def test_a_file_that_is_not_python_is_refused(tmp_path: Path):
    (tmp_path / "notes.py").write_text("a recipe:\n  2 eggs\n")
    with pytest.raises(MalformedRecipe, match=r"notes\.py is not Python: .* in line 1"):
        load_recipe(tmp_path / "notes.py", [])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"fusion.colour": "red"}, "no field 'fusion.colour'"),
        ({"dialogue": "llama2"}, "no field 'dialogue'"),
        ({"colour": 1}, "no field 'colour'"),
        ({"fusion.kind": "mutal"}, "fusion.kind cannot be 'mutal'"),
        ({"fusion.merge_before": 3}, "fusion.merge_before cannot be 3"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(overrides: dict[str, str | int], words: str):
    with pytest.raises(MalformedRecipe, match=words):
        configuration_of(replace(load_recipe(TINY, []), overrides=overrides))


def test_overrides_reach_the_configuration_and_nothing_else():
    recipe = replace(load_recipe(TINY, []), overrides={"fusion.kind": "literal", "vision.zoom": False})
    changed, plain = configuration_of(recipe), configuration_of(load_recipe(TINY, []))
    assert (changed.fusion.kind, changed.vision.zoom) == ("literal", False)
    changed.fusion.kind, changed.vision.zoom = plain.fusion.kind, plain.vision.zoom
    assert changed.to_dict() == plain.to_dict()


def test_an_unknown_size_is_refused():
    with pytest.raises(MalformedRecipe, match="no size 'huge'; known are tiny, nano"):
        configuration_of(replace(load_recipe(TINY, []), size="huge"))


def test_every_setting_is_described():
    described = TrainingRecipe.__doc__ or ""
    undescribed = {f.name for f in fields(TrainingRecipe)} - set(described.replace(",", " ").replace(":", " ").split())
    assert undescribed == set()
