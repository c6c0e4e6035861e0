"""A plan is what a real step takes: counted without numbers, and measured by torch's own record of allocations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from torch.profiler import ProfilerActivity, profile

from earthgptx.errors import MalformedRecipe
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.sizes import SIZES, tiny
from earthgptx.training import command
from earthgptx.training.command import configuration_of
from earthgptx.training.plan import Plan, box_memory, gathered_bytes, plan, step_memory, trainer_without_numbers
from earthgptx.training.plan_table import GIB, SPARE, fits, page, verdict
from earthgptx.training.recipe import load_recipe
from tests.training.small_run import TINY, small_trainer

TOLERANCE = 0.1  # the worst of these cases was 0.006 (x86_64, torch 2.13.0+cpu)
FEW = {
    "datasets": {"vhr10": 2},
    "task_weights": {"roc": 1.0, "segment_region": 1.0},
    "warm_steps": 0,
    "joint_every": 1,
    "steps": 2,
}


def small() -> EarthGPTXConfig:
    """Ten times tiny: most of a step lies in eight layers of the language model."""
    config = tiny()
    config.language |= {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 8, "vocab_size": 512}
    return config


def allocated_at_most(work: Callable[[], object]) -> int:
    """Bytes that some work has allocated and not freed, at their most, as torch's CPU allocator reports them."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


@pytest.mark.parametrize(("size", "recompute"), [("tiny", False), ("small", False), ("small", True)])
def test_a_plan_is_within_a_tenth_of_what_a_step_takes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, recompute: bool
):
    monkeypatch.setitem(SIZES, "small", small)
    # A plan is of GPUs, where gradients of attention are torch's own; beside a tiny model the others' 2 MB are much.
    monkeypatch.setattr(command, "learn_on_a_cpu", lambda model: None)
    real = small_trainer(data, tmp_path, size=size, recompute=recompute, **FEW)
    batches = [real._batch(step) for step in range(2)]
    real.train_step(batches[0])  # the optimizer's state is there from now on
    real.optimizer.zero_grad(set_to_none=True)
    measured = allocated_at_most(lambda: real.train_step(batches[1]))

    planned = trainer_without_numbers(real.recipe, configuration_of(real.recipe), 1)
    step = step_memory(planned, batches[1], False, 1)
    found = step.activations + step.gradients
    assert abs(found - measured) < TOLERANCE * measured


def test_what_lies_there_all_the_time_is_counted_to_the_byte(data: Path, tmp_path: Path):
    real = small_trainer(data, tmp_path, **FEW)
    real.train_step(real._batch(0))
    boxes = [box_memory(name, box, real.model, 1) for name, box in real.model.named_children()]
    assert sum(box.parameters for box in boxes) == sum(p.nbytes for p in set(real.model.parameters()))
    assert sum(box.gradients for box in boxes) == sum(p.nbytes for p in real.parameters.values())
    states = real.optimizer.state_dict()["state"].values()
    moments = sum(state["exp_avg"].nbytes + state["exp_avg_sq"].nbytes for state in states)
    never_used = sum(2 * p.nbytes for p in real.parameters.values() if p not in real.optimizer.state)
    assert sum(box.optimizer for box in boxes) == moments + never_used
    assert sum(box.num_trained for box in boxes) == sum(p.numel() for p in real.parameters.values())


@pytest.fixture(scope="module")
def two() -> Plan:
    """tiny on two GPUs."""
    return plan(replace(load_recipe(TINY, []), features="", warm_steps=0, joint_every=1), 2)


def test_layers_are_shared_out_and_all_else_is_not(two: Plan):
    alone = trainer_without_numbers(two.recipe, configuration_of(two.recipe), 1).model
    layers = alone.language.llama.model.layers
    trained = sum(p.numel() for p in layers.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in layers.parameters() if not p.requires_grad)
    whole = {name: box_memory(name, box, alone, 1) for name, box in alone.named_children()}
    for box in two.boxes:
        if box.box != "language":
            assert box == whole[box.box]
    shared = next(box for box in two.boxes if box.box == "language")
    assert shared.parameters == whole["language"].parameters - (2 * frozen + 4 * trained) // 2
    assert shared.optimizer == whole["language"].optimizer - 8 * trained // 2
    assert gathered_bytes(alone, 1) == 0 < two.gathered
    assert two.averaged == 4 * (sum(p.numel() for p in alone.parameters() if p.requires_grad) - trained)


def test_the_page_says_whether_it_fits_and_what_to_change(two: Plan):
    peak = two.peak(recompute=False) / GIB
    enough, too_little, tiny_card = 1.01 * peak / (1 - SPARE), 0.8 * peak / (1 - SPARE), 1e-6
    assert verdict(two, enough)[0].startswith("It fits")
    assert fits(two, enough, recompute=False)
    no, change = verdict(two, too_little)
    assert no.startswith("It does not fit")
    assert "--set batch_size=2 " in change
    assert "more GPUs" in verdict(two, tiny_card)[-1]
    again = replace(two, recomputed=tuple(replace(step, activations=0) for step in two.recomputed))
    assert "--set recompute=true" in verdict(again, too_little)[-1]
    assert all(box.box in page(two, enough) for box in two.boxes)


@pytest.mark.parametrize(("gpus", "words"), [(0, "0 GPUs"), (5, "4 samples is too small for 5 GPUs")])
def test_what_cannot_be_planned_is_said(gpus: int, words: str):
    with pytest.raises(MalformedRecipe, match=words):
        plan(load_recipe(TINY, []), gpus)
