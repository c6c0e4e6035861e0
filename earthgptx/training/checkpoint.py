"""The state of a run on disk: a folder of safetensors, written under a temporary name and then renamed.

torch.distributed.checkpoint writes and reads it, so that each process writes the shards it holds, and a run goes on
with another number of processes. Only tensors are stored: reading one can run no code. One process or many, the format
is the same.
"""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim import Optimizer

from earthgptx.errors import BrokenCheckpoint, DiskFull
from earthgptx.training.world import World

KEPT = 2  # the newest, and one more in case the newest turns out bad
PARAMETERS = "parameters."
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # what AdamW keeps of a parameter, by its own names
STEP = "step"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ALONE = World()


def save_state(
    folder: Path, step: int, parameters: Mapping[str, nn.Parameter], optimizer: Optimizer, world: World = _ALONE
) -> Path:
    """Writes `state-<step>` and drops all but the newest `KEPT`; each process of the world must call it.

    Args:
        folder: of the run, on a disk that all processes see.
        step: steps done, warm-up steps included.
        parameters: what is trained, by name.
        optimizer: AdamW over them.
        world: whose processes write together.

    Raises:
        DiskFull: the disk has too little room, or ran out of it; the states before are as they were.
    """
    target = folder / f"state-{step:07d}"
    draft = folder / (target.name + ".draft")
    tensors = {STEP: torch.tensor(step), **_tensors(parameters, optimizer)}
    if world.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        for abandoned in folder.glob("state-*.draft"):  # by a kill in the middle of the writing
            shutil.rmtree(abandoned)
        draft.mkdir()
    needed = sum(tensor.numel() * tensor.itemsize for tensor in tensors.values())  # a DTensor counts as a whole
    free = world.gather(shutil.disk_usage(folder).free if world.is_first else 0)[0]
    try:
        if free < needed:
            raise DiskFull(f"{target} needs {needed:,} bytes, but its disk has {free:,} bytes left.")
        _write(draft, tensors, world)
    except DiskFull:
        if world.is_first:
            shutil.rmtree(draft)
        raise
    if world.is_first:
        if target.exists():  # the same step once more
            os.replace(target, folder / (target.name + ".replaced.draft"))
        os.replace(draft, target)
        for old in (*_states(folder)[:-KEPT], *folder.glob("state-*.draft")):
            shutil.rmtree(old)
    return target


def _tensors(parameters: Mapping[str, nn.Parameter], optimizer: Optimizer) -> dict[str, Tensor]:
    """Everything by one flat name: a parameter that has had no gradient yet has no moments either."""
    tensors = {PARAMETERS + name: parameter.detach() for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{moment}.{name}"] = value
    return tensors


def _write(draft: Path, tensors: dict[str, Tensor], world: World) -> None:
    writer = HuggingFaceStorageWriter(str(draft), save_distributed=True)
    try:
        with _in_silence():
            save(tensors, storage_writer=writer, no_dist=world.size == 1)
    except CheckpointException as error:  # each process gets those of all
        problems = [problem for problem, _ in error.failures.values()]
        if any(isinstance(problem, OSError) and problem.errno in _FULL for problem in problems):
            raise DiskFull(f"The disk is full: {draft.stem} was not saved, what was saved before stays.") from error
        raise


def newest_state(folder: Path) -> Path | None:
    """The newest state of a run, or None where it has none.

    Raises:
        BrokenCheckpoint: the folder holds a run of an earlier version.
    """
    states = _states(folder)
    old = sorted(folder.glob("state-*.pt"))
    if old and not states:
        raise BrokenCheckpoint(f"{old[-1]} is of an earlier version, which cannot go on; give the run another name.")
    return states[-1] if states else None


def load_state(state: Path, parameters: Mapping[str, nn.Parameter], optimizer: Optimizer, world: World = _ALONE) -> int:
    """Puts a state into parameters and their optimizer; each process of the world must call it.

    Returns:
        The steps that were done.

    Raises:
        BrokenCheckpoint: it cannot be read, or is of a run that trained something else.
    """
    shapes = _shapes(state)
    trained = {name.removeprefix(PARAMETERS): size for name, size in shapes.items() if name.startswith(PARAMETERS)}
    if trained != {name: parameter.shape for name, parameter in parameters.items()}:
        raise BrokenCheckpoint(
            f"{state} is of a run that trains {len(trained)} weights, this recipe trains {len(parameters)} or others; "
            f"give it another name."
        )
    tensors: dict[str, Tensor] = {STEP: torch.tensor(0)}
    moments: dict[str, dict[str, Tensor]] = {}
    for name, parameter in parameters.items():
        tensors[PARAMETERS + name] = parameter.detach()
        if f"{STEP}.{name}" in shapes:
            kept = {moment: torch.zeros_like(parameter.detach()) for moment in MOMENTS[:2]} | {
                "step": torch.zeros((), dtype=torch.float32)
            }
            moments[name] = kept
            tensors |= {f"{moment}.{name}": value for moment, value in kept.items()}
    _read(state, tensors, world)
    names = {id(parameter): name for name, parameter in parameters.items()}
    order = [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
    optimizer.load_state_dict(  # which brings each moment to where its optimizer wants it
        {
            "state": {place: moments[name] for place, name in enumerate(order) if name in moments},
            "param_groups": optimizer.state_dict()["param_groups"],
        }
    )
    return int(tensors[STEP])


def read_parameters(state: Path) -> dict[str, Tensor]:
    """What a state's run had trained so far, whole and by name; for a mean of runs, or to look at.

    Raises:
        BrokenCheckpoint: it cannot be read.
    """
    tensors = {name: torch.zeros(size) for name, size in _shapes(state).items() if name.startswith(PARAMETERS)}
    _read(state, tensors, _ALONE)
    return {name.removeprefix(PARAMETERS): tensor for name, tensor in tensors.items()}


def _shapes(state: Path) -> dict[str, torch.Size]:
    try:
        metadata = HuggingFaceStorageReader(str(state)).read_metadata()
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise _unreadable(state) from error
    if not metadata.state_dict_metadata:  # a folder without a file
        raise _unreadable(state)
    entries = metadata.state_dict_metadata.items()
    return {name: entry.size for name, entry in entries if isinstance(entry, TensorStorageMetadata)}


def _read(state: Path, tensors: dict[str, Tensor], world: World) -> None:
    try:
        with _in_silence():
            load(tensors, storage_reader=HuggingFaceStorageReader(str(state)), no_dist=world.size == 1)
    except CheckpointException as error:
        raise _unreadable(state) from error


@contextmanager
def _in_silence() -> Iterator[None]:
    """Without torch's remark, at every checkpoint, that one process writes and reads by itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
        yield


def _unreadable(state: Path) -> BrokenCheckpoint:
    return BrokenCheckpoint(f"{state} cannot be read; remove it to go on from the one before it.")


def _states(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("state-*") if path.is_dir() and not path.suffix)
