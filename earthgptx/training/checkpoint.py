"""The state of a run on disk: written to a temporary name, flushed, then renamed, so that a kill leaves a good one.

Only tensors and plain numbers are stored, and they are read without unpickling anything else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from earthgptx.errors import BrokenCheckpoint

KEPT = 2  # the newest, and one more in case the newest turns out bad


@dataclass(frozen=True)
class TrainingState:
    """Everything a run needs to go on exactly.

    Attributes:
        step: steps done, warm-up steps included.
        parameters: trained parameters by name.
        optimizer: the optimizer's state dict.
    """

    step: int
    parameters: dict[str, Tensor]
    optimizer: dict[str, object]


def save_state(folder: Path, state: TrainingState) -> Path:
    """Writes `state-<step>.pt` and drops all but the newest `KEPT`."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"state-{state.step:07d}.pt"
    for abandoned in folder.glob("state-*.draft"):  # by a kill in the middle of the writing
        abandoned.unlink()
    draft = target.with_suffix(".draft")
    with draft.open("wb") as file:
        torch.save({"step": state.step, "parameters": state.parameters, "optimizer": state.optimizer}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, target)
    for old in _states(folder)[:-KEPT]:
        old.unlink()
    return target


def newest_state(folder: Path) -> TrainingState | None:
    """The newest state of a run, or None where it has none.

    Raises:
        BrokenCheckpoint: the file cannot be read.
    """
    states = _states(folder)
    if not states:
        return None
    try:
        loaded = torch.load(states[-1], weights_only=True, map_location="cpu")
        return TrainingState(step=loaded["step"], parameters=loaded["parameters"], optimizer=loaded["optimizer"])
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise BrokenCheckpoint(f"{states[-1]} cannot be read; remove it to go on from the one before it.") from error


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.pt"))
