"""The state of a run on disk: whole or not at all, and never an older one in place of a newer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from earthgptx.errors import BrokenCheckpoint
from earthgptx.training import checkpoint
from earthgptx.training.checkpoint import KEPT, TrainingState, newest_state, save_state


def state(step: int) -> TrainingState:
    parameter = torch.nn.Parameter(torch.full((3,), float(step)))
    optimizer = torch.optim.AdamW([{"params": [parameter], "lr": 0.1, "peak": 0.1}])
    parameter.sum().backward()
    optimizer.step()
    return TrainingState(step, {"weight": parameter.detach().clone()}, optimizer.state_dict())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_comes_back_exactly(tmp_path: Path):
    saved = state(7)
    save_state(tmp_path / "run", saved)
    loaded = newest_state(tmp_path / "run")
    assert loaded is not None
    assert loaded.step == 7
    assert torch.equal(loaded.parameters["weight"], saved.parameters["weight"])
    assert loaded.optimizer["param_groups"] == saved.optimizer["param_groups"]
    moments, wanted = loaded.optimizer["state"], saved.optimizer["state"]
    assert isinstance(moments, dict)
    assert isinstance(wanted, dict)
    assert all(torch.equal(moments[0][name], wanted[0][name]) for name in ("exp_avg", "exp_avg_sq", "step"))


def test_a_run_without_a_state_begins_at_the_beginning(tmp_path: Path):
    assert newest_state(tmp_path) is None
    assert newest_state(tmp_path / "absent") is None


def test_two_are_kept_and_the_newest_counts(tmp_path: Path):
    for step in (8, 9, 10, 100):
        save_state(tmp_path, state(step))
    assert KEPT == 2
    assert names(tmp_path) == ["state-0000010.pt", "state-0000100.pt"]
    newest = newest_state(tmp_path)
    assert newest is not None
    assert newest.step == 100


def test_a_kill_in_the_middle_leaves_the_last_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_state(tmp_path, state(3))

    def killed(content: object, file: object) -> None:
        file.write(b"half a")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.torch, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            save_state(tmp_path, state(4))
    newest = newest_state(tmp_path)
    assert newest is not None
    assert newest.step == 3
    save_state(tmp_path, state(5))
    assert names(tmp_path) == ["state-0000003.pt", "state-0000005.pt"]


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "other"])
def test_a_damaged_state_is_named_and_the_one_before_serves(tmp_path: Path, damage: str):
    save_state(tmp_path, state(3))
    path = save_state(tmp_path, state(4))
    whole = path.read_bytes()
    if damage == "other":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "garbage": b"x" * 4000}[damage])
    with pytest.raises(BrokenCheckpoint, match=r"state-0000004\.pt cannot be read; remove it") as raised:
        newest_state(tmp_path)
    assert "\n" not in str(raised.value)
    path.unlink()
    before = newest_state(tmp_path)
    assert before is not None
    assert before.step == 3


def test_a_state_cannot_run_code(tmp_path: Path):
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("sprung",)

    torch.save({"step": 1, "parameters": Trap(), "optimizer": {}}, tmp_path / "state-0000001.pt")
    with pytest.raises(BrokenCheckpoint):
        newest_state(tmp_path)
