"""The loop: resumed equals uninterrupted to the digit, nothing frozen moves, and everything can be learned by heart."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from earthgptx.data.instructions import TASKS
from earthgptx.errors import BrokenCheckpoint, TrainingDiverged
from earthgptx.training.checkpoint import newest_state, read_parameters
from earthgptx.training.corpus import TrainingBatch, TrainingItem
from earthgptx.training.loop import Trainer
from tests.training.small_run import small_trainer, written_losses

WARM_STEPS, STEPS = 2, 4


class Killed(BaseException):
    """Stands for `kill -9`: nothing of the run's own gets to do anything."""


def at_step(trainer: Trainer, step: int, happens: Callable[[], object]) -> None:
    """Lets something happen in the middle of a step, before its numbers are written."""
    whole_step = trainer.train_step

    def interrupted(batch: TrainingBatch) -> dict[str, float]:
        numbers = whole_step(batch)
        if trainer.step == step:
            happens()
        return numbers

    trainer.train_step = interrupted  # type: ignore[method-assign]


def be_killed() -> None:
    raise Killed


@pytest.fixture(scope="module")
def uninterrupted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    trainer = small_trainer(data, tmp_path_factory.mktemp("whole"), warm_steps=WARM_STEPS, steps=STEPS)
    trainer.run()
    return trainer


def assert_went_on_exactly(resumed: Trainer, uninterrupted: Trainer) -> None:
    assert written_losses(resumed.folder) == written_losses(uninterrupted.folder)
    for name, parameter in uninterrupted.parameters.items():
        assert torch.equal(resumed.parameters[name], parameter), name


def test_who_makes_batches_has_no_helpers_and_all_others_keep_theirs(data: Path, tmp_path: Path):
    trainer = small_trainer(data, tmp_path, warm_steps=1, joint_every=1, steps=1)
    before, seen = torch.get_num_threads(), []
    whole_batch = trainer._batch

    def watched(step: int) -> TrainingBatch:
        seen.append(torch.get_num_threads())
        return whole_batch(step)

    trainer._batch = watched  # type: ignore[method-assign]
    torch.set_num_threads(2)
    try:
        list(trainer._batches())
        with ThreadPoolExecutor(max_workers=1) as later:
            assert (torch.get_num_threads(), later.submit(torch.get_num_threads).result()) == (2, 2)
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1]


@pytest.mark.parametrize(("warm_steps", "joint_every"), [(0, 1), (2, 3), (5, 2)])
def test_each_kind_of_step_reads_its_stream_without_a_gap(
    data: Path, tmp_path: Path, warm_steps: int, joint_every: int
):
    trainer = small_trainer(data, tmp_path, warm_steps=warm_steps, joint_every=joint_every, steps=7)
    places: dict[bool, list[int]] = {True: [], False: []}
    for step in range(trainer.total_steps):
        places[trainer.is_marks_only(step)].append(trainer._place_in_stream(step))
    assert len(places[True]) + len(places[False]) == warm_steps + 7
    assert all(found == list(range(len(found))) for found in places.values())


def test_a_whole_run_writes_a_line_a_step_and_its_state(uninterrupted: Trainer):
    losses = written_losses(uninterrupted.folder)
    assert [line["step"] for line in losses] == [1, 2, 3, 4, 5, 6]
    assert all(math.isfinite(value) for line in losses for value in line.values())
    # Marks and masks alone: the warm-up, and every other step after it.
    assert [line["words"] > 0 for line in losses] == [False, False, True, False, True, False]
    state = newest_state(uninterrupted.folder)
    assert state is not None
    assert state.name == f"state-{WARM_STEPS + STEPS:07d}"
    assert list((uninterrupted.folder / "tensorboard").iterdir())


def be_asked_to_end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("step", "by_ctrl_c"), [(1, True), (3, True), (3, False)])
def test_ctrl_c_or_sigterm_saves_and_the_run_goes_on_exactly(
    data: Path, tmp_path: Path, uninterrupted: Trainer, press_ctrl_c: Callable[[], None], step: int, by_ctrl_c: bool
):
    first = small_trainer(data, tmp_path, warm_steps=WARM_STEPS, steps=STEPS)
    assert not first.resume()
    at_step(first, step, press_ctrl_c if by_ctrl_c else be_asked_to_end)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    state = newest_state(first.folder)
    assert state is not None
    assert state.name == f"state-{step:07d}"
    assert len(written_losses(first.folder)) == step
    resumed = small_trainer(data, tmp_path, warm_steps=WARM_STEPS, steps=STEPS, features=str(tmp_path / "again"))
    assert resumed.resume()
    assert resumed.step == step
    resumed.run()
    assert_went_on_exactly(resumed, uninterrupted)


def test_a_killed_run_goes_on_exactly_from_its_last_checkpoint(data: Path, tmp_path: Path, uninterrupted: Trainer):
    first = small_trainer(data, tmp_path, warm_steps=WARM_STEPS, steps=STEPS)
    at_step(first, 3, first.save)
    at_step(first, 5, be_killed)
    with pytest.raises(Killed):
        first.run()
    assert len(written_losses(first.folder)) == 4  # one line more than the checkpoint knows of
    resumed = small_trainer(data, tmp_path, warm_steps=WARM_STEPS, steps=STEPS, features=str(tmp_path / "again"))
    assert resumed.resume()
    assert resumed.step == 3
    resumed.run()
    assert_went_on_exactly(resumed, uninterrupted)


def test_checkpoints_come_with_the_clock(data: Path, tmp_path: Path):
    trainer = small_trainer(data, tmp_path, warm_steps=0, steps=2, checkpoint_minutes=0.0)
    saved: list[int] = []
    whole_save = trainer.save
    trainer.save = lambda: saved.append(trainer.step) or whole_save()  # type: ignore[method-assign,func-returns-value]
    trainer.run()
    assert saved == [1, 2, 2]


def nan_loss(trainer: Trainer) -> None:
    whole_losses = trainer.losses
    trainer.losses = lambda item: replace(whole_losses(item), words=torch.tensor(math.nan))  # type: ignore[method-assign]


def nan_gradient(trainer: Trainer) -> None:
    trainer.parameters["fusion.cell_in.weight"].register_hook(lambda gradient: gradient * math.nan)


@pytest.mark.parametrize(("spoil", "what"), [(nan_loss, "loss"), (nan_gradient, "gradient")])
def test_numbers_that_are_none_stop_the_run_and_keep_the_checkpoint(
    data: Path, tmp_path: Path, spoil: Callable[[Trainer], None], what: str
):
    trainer = small_trainer(data, tmp_path, warm_steps=1, steps=3, checkpoint_minutes=0.0)
    at_step(trainer, 2, lambda: spoil(trainer))
    with pytest.raises(TrainingDiverged, match=f"The {what} of step 2 is nan; its samples are ") as raised:
        trainer.run()
    names = trainer._batch(2).batch.sample_ids
    assert all(name in str(raised.value) for name in names)
    state = newest_state(trainer.folder)
    assert state is not None
    assert state.name == "state-0000002"
    assert len(written_losses(trainer.folder)) == 2
    kept = read_parameters(state)
    assert all(bool(torch.isfinite(value).all()) for value in kept.values())
    assert all(torch.equal(value, trainer.parameters[name]) for name, value in kept.items())


def test_the_state_of_another_policy_is_refused(data: Path, tmp_path: Path):
    small_trainer(data, tmp_path, policy="paper").save()
    other = small_trainer(data, tmp_path, policy="scratch", features=str(tmp_path / "again"))
    with pytest.raises(BrokenCheckpoint, match="give it another name"):
        other.resume()


@pytest.mark.parametrize("policy", ["paper", "scratch"])
def test_nothing_frozen_moves(data: Path, tmp_path: Path, policy: str):
    trainer = small_trainer(data, tmp_path, warm_steps=1, steps=3, policy=policy)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.run()
    moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved <= set(trainer.parameters)
    attention = {name for name in trainer.parameters if ".self_attn." in name}
    assert attention <= moved
    boxes = {name.split(".")[0] for name in moved}
    assert boxes == ({"language", "fusion"} if policy == "paper" else {"language", "fusion", "spatial", "pixels"})
    trained = {id(member) for group in trainer.optimizer.param_groups for member in group["params"]}
    assert trained == {id(parameter) for parameter in trainer.parameters.values()}
    assert all(parameter.dtype == torch.float32 for parameter in trainer.parameters.values())


def test_the_rates_rise_and_fall_in_both_phases(data: Path, tmp_path: Path):
    trainer = small_trainer(data, tmp_path, warm_steps=10, steps=100, warm_up_share=0.1)
    rates = [trainer._schedule(step) for step in range(trainer.total_steps)]
    assert rates[:10] == [1.0] * 10  # one step of ten rises: the first is already there
    joint = rates[10:]
    assert joint[:10] == pytest.approx([(step + 1) / 10 for step in range(9)] + [joint[9]])
    assert max(joint) == pytest.approx(0.98, abs=0.01)
    assert all(later <= earlier for earlier, later in pairwise(joint[9:]))
    assert joint[-1] == pytest.approx(0.1, abs=0.01)


def one_of_each_task(trainer: Trainer) -> TrainingBatch:
    """Of the first sixty items, the one of each task with the shortest dialogue."""
    shortest: dict[str, TrainingItem] = {}
    for item in map(trainer.corpus.item, range(60)):
        task = item.encoded.sample_id.rpartition("#")[2].split("-")[0]
        shortest[task] = min(item, shortest.get(task, item), key=lambda one: len(one.encoded.dialogue.token_ids))
    assert set(shortest) == set(TASKS)
    return trainer.corpus.join(list(shortest.values()))


def test_eleven_samples_of_all_tasks_are_learned_by_heart(data: Path, tmp_path: Path):
    """Words and masks, with everything frozen that is frozen in earnest; random towers are informative enough."""
    steps = 60
    rates = {"learning_rate": 5e-3, "language_learning_rate": 1e-2, "warm_up_share": 0.05}
    trainer = small_trainer(data, tmp_path, warm_steps=0, joint_every=1, steps=steps, **rates)
    batch = one_of_each_task(trainer)
    losses = [trainer.train_step(batch) for _ in range(steps)]
    assert losses[0]["words"] > 5
    assert losses[-1]["words"] < 0.1
    assert losses[-1]["alignment"] < 0.1
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = trainer.model(batch.batch, batch.features)
    overlaps = [
        float(((mask > 0) & target).sum() / ((mask > 0) | target).sum())
        for mask, target in zip(output.masks, batch.batch.targets, strict=True)
    ]
    assert len(overlaps) >= 3  # a marked region's, a class's, a phrase's
    assert min(overlaps) > 0.8
    right = output.answer_logits.argmax(dim=1) == output.answer_ids
    assert float(right.float().mean()) > 0.97
