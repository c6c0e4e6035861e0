"""Several processes train as one does: the same losses, checkpoints for any number of them, one sentence for a mistake.

The processes are real and talk over gloo; each trains on its share of the same batches of the tiny size.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from earthgptx.errors import MalformedRecipe
from earthgptx.training.checkpoint import newest_state, read_parameters
from earthgptx.training.command import build
from earthgptx.training.recipe import TrainingRecipe
from earthgptx.training.world import World
from tests.training import together
from tests.training.small_run import small_recipe, written_losses
from tests.training.together import Ended, run_together

# At twice this rate, the recipe's own, rounding alone decides which of two courses a run takes, 5 % apart by the end:
# to Adam's first steps a gradient that is zero but for rounding is as good as any other.
STEPS = {"warm_steps": 10, "steps": 40, "learning_rate": 1e-3}
# Largest difference of a step's loss from that of one process, as a share of it. Measured over 50 steps: 0.0020 with
# two processes, 0.0027 with four, 0.0022 with two that became four (x86_64, torch 2.13.0+cpu). All of it is bf16, which
# rounds a sample otherwise when it is padded to another length: in fp32 2.9e-6 is left after ten steps.
TOLERANCE = 0.01
EXACT_TOLERANCE = 1e-5


def recipe_of(data: Path, folder: Path, **changes: object) -> TrainingRecipe:
    return small_recipe(data, folder, name="run", **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("together")


def losses_of(data: Path, folder: Path, size: int, before: together.Happening | None = None) -> list[dict[str, float]]:
    """The losses of a whole run in so many processes."""
    mine = folder / str(size)
    ended = run_together(recipe_of(data, mine, **STEPS), size, mine / "told", before=before)
    assert ended == [Ended(0, "")] * size
    return written_losses(mine / "runs" / "run")


@pytest.fixture(scope="module")
def one(data: Path, folder: Path) -> list[dict[str, float]]:
    return losses_of(data, folder, 1)


@pytest.fixture(scope="module")
def two(data: Path, folder: Path) -> list[dict[str, float]]:
    return losses_of(data, folder, 2, together.keep_a_copy)


def assert_same(found: list[dict[str, float]], wanted: list[dict[str, float]], tolerance: float = TOLERANCE) -> None:
    assert [line["step"] for line in found] == [line["step"] for line in wanted] == list(range(1, len(wanted) + 1))
    worst = max(abs(line["loss"] / other["loss"] - 1) for line, other in zip(found, wanted, strict=True))
    assert worst < tolerance, worst
    assert [line["rate"] for line in found] == [line["rate"] for line in wanted]


def test_two_processes_have_the_losses_of_one(one: list[dict[str, float]], two: list[dict[str, float]]):
    assert len(one) == 50
    assert_same(two, one)


def test_four_processes_have_the_losses_of_one(data: Path, folder: Path, one: list[dict[str, float]]):
    assert_same(losses_of(data, folder, 4), one)


def test_four_go_on_from_what_two_have_saved(
    data: Path, folder: Path, one: list[dict[str, float]], two: list[dict[str, float]]
):
    """From step 30; each process of four also finds the features that two have cached."""
    copied = folder / "2" / "runs" / "copied"
    assert len(written_losses(copied)) == 29  # step 30's line was not written yet
    recipe = small_recipe(data, folder / "2", name="copied", **STEPS)
    assert run_together(recipe, 4, folder / "told") == [Ended(0, "")] * 4
    losses = written_losses(copied)
    assert losses[:29] == two[:29]
    assert_same([*two[:30], *losses[29:]], one)


def test_in_fp32_nothing_is_left_of_the_difference(data: Path, folder: Path, tmp_path: Path):
    """Rounding aside, the shares of a batch add up to the batch: token by token, mask by mask, mark by mark."""
    runs = []
    for size in (1, 4):
        changes = STEPS | {"warm_steps": 4, "steps": 6}
        recipe = recipe_of(data, tmp_path / str(size), recompute=size > 1, **changes)
        ended = run_together(recipe, size, tmp_path / "told", before=None, prepare=together.in_fp32)
        assert ended == [Ended(0, "")] * size
        runs.append(written_losses(tmp_path / str(size) / "runs" / "run"))
    assert_same(runs[1], runs[0], EXACT_TOLERANCE)


def test_what_two_export_is_one_folder_with_what_they_learned(folder: Path, two: list[dict[str, float]]):
    run = folder / "2" / "runs" / "run"
    assert {path.name for path in (run / "model").iterdir()} == {"config.json", "trained.safetensors"}
    state = newest_state(run)
    assert state is not None
    kept = read_parameters(state)
    written = load_file(run / "model" / "trained.safetensors")
    plain = [name for name in kept if name in written]
    assert len(plain) > 50
    assert all(torch.equal(written[name], kept[name].bfloat16()) for name in plain)
    assert any(name.endswith(".codes") for name in written)  # the sharded layers


def test_ctrl_c_in_one_process_saves_in_all(data: Path, tmp_path: Path):
    ended = run_together(recipe_of(data, tmp_path), 2, tmp_path / "told", before=together.interrupt_the_last)
    assert ended == [Ended(130, "")] * 2
    state = newest_state(tmp_path / "runs" / "run")
    assert state is not None
    assert state.name == "state-0000002"
    assert len(written_losses(tmp_path / "runs" / "run")) == 2


def test_a_loss_that_is_none_in_one_process_stops_all(data: Path, tmp_path: Path):
    ended = run_together(recipe_of(data, tmp_path), 2, tmp_path / "told", before=together.lose_the_loss)
    assert [one.code for one in ended] == [2, 2]
    sentence = ended[0].error
    assert sentence == ended[1].error
    assert sentence.startswith("TrainingDiverged: The loss of step 2 is nan; its samples are ")
    assert sentence.count("#") == 4  # the samples of both shares
    state = newest_state(tmp_path / "runs" / "run")
    assert state is not None
    assert state.name == "state-0000002"
    assert all(bool(torch.isfinite(value).all()) for value in read_parameters(state).values())


def test_a_disk_that_is_full_for_one_process_leaves_the_last_state(data: Path, tmp_path: Path):
    recipe = recipe_of(data, tmp_path, warm_steps=2, steps=1)
    ended = run_together(recipe, 2, tmp_path / "told", before=together.fill_the_disk)
    assert [one.code for one in ended] == [2, 2]
    assert all(one.error.startswith("DiskFull: The disk is full: state-0000003 was not saved") for one in ended)
    assert [path.name for path in (tmp_path / "runs" / "run").glob("state-*")] == ["state-0000002"]


def test_three_processes_where_four_were_asked_for(data: Path, tmp_path: Path):
    """Those that came wait for the fourth, and then say so; where the recipe asks for four, three say so at once."""
    ended = run_together(recipe_of(data, tmp_path), 4, tmp_path / "told", started=3, seconds=3)
    assert [one.code for one in ended] == [2, 2, 2]
    assert ended[0].error == "WrongProcessCount: 3 processes came within 3 seconds where 4 were asked for."
    ended = run_together(recipe_of(data, tmp_path, processes=4), 3, tmp_path / "told again")
    assert ended == [Ended(2, "WrongProcessCount: The run has 3 processes where 4 were asked for.")] * 3


def test_a_batch_must_have_a_sample_for_each_process(data: Path, tmp_path: Path):
    with pytest.raises(MalformedRecipe, match=r"A batch of 4 samples is too small for 5 processes\."):
        build(recipe_of(data, tmp_path), World(rank=4, size=5))
