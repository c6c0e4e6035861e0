"""The state of a run on disk: whole or not at all, and never an older one in place of a newer."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint import CheckpointException, HuggingFaceStorageWriter

from earthgptx.errors import BrokenCheckpoint, DiskFull
from earthgptx.training import checkpoint
from earthgptx.training.checkpoint import KEPT, load_state, newest_state, read_parameters, save_state

Usage = namedtuple("Usage", "total used free")


def trained(value: float) -> tuple[dict[str, torch.nn.Parameter], torch.optim.AdamW]:
    """Two parameters, of which one has had a gradient."""
    parameters = {"weight": torch.nn.Parameter(torch.full((3,), value)), "gain": torch.nn.Parameter(torch.ones(()))}
    optimizer = torch.optim.AdamW([{"params": list(parameters.values()), "lr": 0.1, "peak": 0.1}])
    parameters["weight"].sum().backward()
    optimizer.step()
    return parameters, optimizer


def save(folder: Path, step: int) -> Path:
    return save_state(folder, step, *trained(float(step)))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_comes_back_exactly(tmp_path: Path):
    saved, saved_optimizer = trained(7.0)
    state = save_state(tmp_path / "run", 7, saved, saved_optimizer)
    loaded, optimizer = trained(1.0)
    assert newest_state(tmp_path / "run") == state
    assert load_state(state, loaded, optimizer) == 7
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)
    moments, wanted = optimizer.state[loaded["weight"]], saved_optimizer.state[saved["weight"]]
    assert set(moments) == {"exp_avg", "exp_avg_sq", "step"}
    assert all(torch.equal(moments[name], wanted[name]) for name in wanted)
    assert loaded["gain"] not in optimizer.state  # as if it had never had a gradient
    assert {name: torch.equal(value, saved[name]) for name, value in read_parameters(state).items()} == {
        "weight": True,
        "gain": True,
    }


def test_rates_are_the_recipe_s_not_the_state_s(tmp_path: Path):
    state = save(tmp_path, 7)
    parameters, optimizer = trained(1.0)
    optimizer.param_groups[0]["peak"] = 0.5
    load_state(state, parameters, optimizer)
    assert optimizer.param_groups[0]["peak"] == 0.5


def test_a_run_without_a_state_begins_at_the_beginning(tmp_path: Path):
    assert newest_state(tmp_path) is None
    assert newest_state(tmp_path / "absent") is None


def test_two_are_kept_and_the_newest_counts(tmp_path: Path):
    for step in (8, 9, 10, 100, 100):
        save(tmp_path, step)
    assert KEPT == 2
    assert names(tmp_path) == ["state-0000010", "state-0000100"]
    newest = newest_state(tmp_path)
    assert newest is not None
    assert newest.name == "state-0000100"


def test_a_kill_in_the_middle_leaves_the_last_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save(tmp_path, 3)

    def killed(self: HuggingFaceStorageWriter, *arguments: object) -> NoReturn:
        (Path(self.path) / "shard").write_bytes(b"half a")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(HuggingFaceStorageWriter, "write_data", killed)
        with pytest.raises(CheckpointException):
            save(tmp_path, 4)
    assert names(tmp_path) == ["state-0000003", "state-0000004.draft"]
    newest = newest_state(tmp_path)
    assert newest is not None
    assert newest.name == "state-0000003"
    save(tmp_path, 5)
    assert names(tmp_path) == ["state-0000003", "state-0000005"]


def test_a_disk_that_is_too_small_is_said_with_both_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    state = save(tmp_path, 3)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 17))
    with pytest.raises(DiskFull, match=r"state-0000004 needs 52 bytes, but its disk has 17 bytes left\."):
        save(tmp_path, 4)
    assert names(tmp_path) == [state.name]
    assert torch.equal(read_parameters(state)["weight"], trained(3.0)[0]["weight"])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_becomes_full_leaves_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    state = save(tmp_path, 3)

    def full(self: HuggingFaceStorageWriter, *arguments: object) -> NoReturn:
        raise OSError(number, "no room")

    monkeypatch.setattr(HuggingFaceStorageWriter, "write_data", full)
    with pytest.raises(DiskFull, match=r"The disk is full: state-0000004 was not saved, what was saved before stays\."):
        save(tmp_path, 4)
    assert names(tmp_path) == [state.name]
    assert torch.equal(read_parameters(state)["weight"], trained(3.0)[0]["weight"])


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "other", "gone"])
def test_a_damaged_state_is_named_and_the_one_before_serves(tmp_path: Path, damage: str):
    save(tmp_path, 3)
    state = save(tmp_path, 4)
    [path] = state.iterdir()
    whole = path.read_bytes()
    if damage == "other":
        save_file({"parameters.weight": torch.zeros(3), "parameters.gain": torch.zeros(())}, str(path))
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "garbage": b"x" * 4000}[damage])
    with pytest.raises(BrokenCheckpoint, match=r"state-0000004 cannot be read; remove it") as raised:
        load_state(state, *trained(1.0))
    assert "\n" not in str(raised.value)
    shutil.rmtree(state)
    before = newest_state(tmp_path)
    assert before is not None
    assert load_state(before, *trained(1.0)) == 3


def test_the_state_of_a_run_that_trains_something_else_is_refused(tmp_path: Path):
    state = save(tmp_path, 3)
    parameters = {"weight": torch.nn.Parameter(torch.zeros(4))}
    with pytest.raises(BrokenCheckpoint, match="trains 2 weights, this recipe trains 1 or others"):
        load_state(state, parameters, torch.optim.AdamW(parameters.values()))


def test_a_run_of_an_earlier_version_is_not_begun_anew(tmp_path: Path):
    (tmp_path / "state-0000004.pt").touch()
    with pytest.raises(BrokenCheckpoint, match=r"state-0000004\.pt is of an earlier version"):
        newest_state(tmp_path)


def test_a_state_is_tensors_and_nothing_else(tmp_path: Path):
    [path] = save(tmp_path, 4).iterdir()
    assert load_file(path)["step"] == 4  # safetensors: reading one can run no code
