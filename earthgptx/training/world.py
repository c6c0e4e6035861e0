"""The processes of one run: which of them this one is, and the little that they tell one another.

`torchrun` starts them and says so in the environment; without it a run is one process, for which nothing here costs
anything. It knows neither models nor files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]  # public by its own pages

from earthgptx.errors import DeviceUnavailable, WrongProcessCount

Value = TypeVar("Value")

JOIN_SECONDS = 600.0  # until every process must have come; torch's own patience with gloo is half an hour
LONGEST_WAIT = timedelta(days=14)  # for a process that encodes its share of a large corpus
NAMES = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class World:
    """All processes of a run, seen from one of them.

    Attributes:
        rank: this one's number, from 0.
        size: how many there are.
        device: where this one computes.
        store: where they met; None for a run of one process.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    store: Store | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the one that speaks and writes for all."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """Which items of what all of them do together are this one's."""
        return slice(self.rank, None, self.size)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place; each must ask for it."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def agreed(self, *claims: bool) -> list[bool]:
        """Which of some claims any process makes; each must ask, and none goes on before all have."""
        return [count > 0 for count in self.sum(torch.tensor([0, *claims], dtype=torch.float32)).tolist()[1:]]

    def gather(self, value: Value) -> list[Value]:
        """What each process has, by rank; each must ask for it. For small things that pickle."""
        if self.size == 1:
            return [value]
        values: list[Value | None] = [None] * self.size
        dist.all_gather_object(values, value)
        return values  # type: ignore[return-value]  # all of them are filled by now

    def wait(self, name: str) -> None:
        """Until all processes have come here, however long one of them takes; each name serves once a run."""
        if self.store is not None:
            self.store.set(f"{name}/{self.rank}", "")
            self.store.wait([f"{name}/{rank}" for rank in range(self.size)], LONGEST_WAIT)


def alone(device: str) -> World:
    """The world of a run of one process.

    Raises:
        DeviceUnavailable: this machine has no such device.
    """
    return World(device=_device(device))


@contextmanager
def joined(
    environment: Mapping[str, str], device: str, *, asked: int = 0, seconds: float = JOIN_SECONDS
) -> Iterator[World]:
    """Joins the processes that `torchrun` started, as its environment variables tell.

    Args:
        environment: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT; a run of one process where WORLD_SIZE is
            absent or 1.
        device: "cpu", or "cuda": then each process takes the card of its number on its machine.
        asked: number of processes that must take part; 0 for as many as were started.
        seconds: until all must have come.

    Raises:
        WrongProcessCount: others than were asked for, or not all of those that were started came.
        DeviceUnavailable: this machine has no such device, or fewer cards than processes.
    """
    size = int(environment.get("WORLD_SIZE", "1"))
    if asked and size != asked:
        raise WrongProcessCount(f"The run has {size} processes where {asked} were asked for.")
    if size == 1:
        yield alone(device)
        return
    for name in NAMES:
        if name not in environment:
            raise WrongProcessCount(f"WORLD_SIZE is {size}, but {name} is not set; start the processes with torchrun.")
    rank = int(environment["RANK"])
    mine = _device(f"cuda:{environment['LOCAL_RANK']}" if device == "cuda" else device)
    if mine.type == "cuda":
        torch.cuda.set_device(mine)
    store = _meet(environment, rank, size, seconds)
    # What is told on the host goes over gloo in any case.
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if mine.type == "cuda" else "gloo",
        store=PrefixStore("groups", store),
        rank=rank,
        world_size=size,
    )
    yield World(rank, size, mine, store)
    dist.destroy_process_group()  # not after an error: others may wait in the midst of something


def _device(name: str) -> torch.device:
    """A process's device, tried before anything is read."""
    try:
        device = torch.device(name)
        torch.zeros((), device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: a torch without CUDA
        raise DeviceUnavailable(f"There is no device {name!r} on this machine.") from error
    return device


def _meet(environment: Mapping[str, str], rank: int, size: int, seconds: float) -> Store:
    """The store at which all processes have reported.

    Raises:
        WrongProcessCount: after so many seconds some have not.
    """
    started_again = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
    torchrun_has_it = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    until = time.monotonic() + seconds
    host, port = environment["MASTER_ADDR"], int(environment["MASTER_PORT"])
    came = 0
    try:
        shared = TCPStore(
            host,
            port,
            size,
            is_master=rank == 0 and not torchrun_has_it,
            timeout=timedelta(seconds=seconds),
            wait_for_workers=False,
        )
        store = PrefixStore(f"earthgptx/{started_again}", shared)
        came = store.add("came", 1)
        while came < size and time.monotonic() < until:
            time.sleep(0.05)
            came = store.add("came", 0)
    except dist.DistError as error:
        raise WrongProcessCount(
            f"Process {rank} of {size} waited {seconds:g} seconds for the first one at {host}:{port}."
        ) from error
    if came < size:
        raise WrongProcessCount(f"{came} processes came within {seconds:g} seconds where {size} were asked for.")
    return store
