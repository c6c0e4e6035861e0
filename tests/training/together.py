"""Runs of several processes for the tests: forked from one that has imported everything, so that each costs little.

`torchrun` does the same with processes of its own; tests/training/test_distributed_elastic.py goes through it.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
import signal
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from earthgptx.errors import EarthGPTXError
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.features import VisionFeatures
from earthgptx.model.weights.assembly import Assembled
from earthgptx.training import command, loop, sharding
from earthgptx.training.command import build, export
from earthgptx.training.loop import Trainer
from earthgptx.training.recipe import TrainingRecipe
from earthgptx.training.world import joined

LONGEST = 240  # seconds of a run; tests on a crowded machine are slow, a deadlock is forever
Happening = Callable[[Trainer], None]


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, and the error it told of, if any."""

    code: int | None
    error: str


def run_together(
    recipe: TrainingRecipe,
    size: int,
    folder: Path,
    *,
    started: int | None = None,
    seconds: float = 60.0,
    prepare: Callable[[], None] | None = None,
    before: Happening | None = None,
) -> list[Ended]:
    """Trains by a recipe in `size` processes, of which `started` really start, and exports; returns how each ended.

    Args:
        recipe: of the run.
        size: number of processes.
        folder: for what they tell.
        started: fewer than `size`, to see what happens then.
        seconds: until all must have come.
        prepare: called in each process before anything else; a function of this module.
        before: called with each process's trainer before it runs; a function of this module.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    processes = [
        context.Process(target=_one, args=(recipe, rank, size, port, folder, seconds, prepare, before))
        for rank in range(size if started is None else started)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LONGEST)
        process.kill()  # does nothing to one that has ended
    told = [folder / f"error-{rank}.txt" for rank in range(len(processes))]
    return [
        Ended(process.exitcode, path.read_text() if path.exists() else "")
        for process, path in zip(processes, told, strict=True)
    ]


def _one(
    recipe: TrainingRecipe,
    rank: int,
    size: int,
    port: int,
    folder: Path,
    seconds: float,
    prepare: Callable[[], None] | None,
    before: Happening | None,
) -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if prepare is not None:
        prepare()
    names = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    try:
        with joined(
            {name: str(value) for name, value in names.items()}, "cpu", asked=recipe.processes, seconds=seconds
        ) as world:
            trainer = build(recipe, world)
            trainer.resume()
            if before is not None:
                before(trainer)
            trainer.run()
            export(recipe, trainer.model, trainer.folder / "model", world)
    except EarthGPTXError as error:
        (folder / f"error-{rank}.txt").write_text(f"{type(error).__name__}: {error}")
        raise SystemExit(2) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BaseException:
        (folder / f"error-{rank}.txt").write_text(traceback.format_exc())
        raise


def in_fp32() -> None:
    """Nothing is rounded to bf16 but the cached features, which are the same for all."""
    whole_assemble = command.assemble

    def assemble_in_fp32(config: EarthGPTXConfig) -> Assembled:
        assembled = whole_assemble(config)
        assembled.model.float()
        return assembled

    def to_fp32(self: VisionFeatures, device: torch.device | str) -> VisionFeatures:
        return VisionFeatures(vit=self.vit.float(), cnn=tuple(level.float() for level in self.cnn))

    command.assemble = assemble_in_fp32  # type: ignore[attr-defined]
    VisionFeatures.to = to_fp32  # type: ignore[method-assign]
    loop.COMPUTE = sharding.COMPUTE = torch.float32


def after_step(trainer: Trainer, step: int, happens: Callable[[], object]) -> None:
    """Lets something happen at the end of a step."""
    whole_step = trainer.train_step

    def watched(batch: object) -> dict[str, float]:
        numbers = whole_step(batch)  # type: ignore[arg-type]
        if trainer.step == step:
            happens()
        return numbers

    trainer.train_step = watched  # type: ignore[method-assign]


def keep_a_copy(trainer: Trainer) -> None:
    """Saves after step 30 and copies the run as it is then: what another number of processes goes on from."""

    def copy() -> None:
        trainer.save()
        if trainer.world.is_first:
            shutil.copytree(trainer.folder, trainer.folder.with_name("copied"))

    after_step(trainer, 30, copy)


def interrupt_the_last(trainer: Trainer) -> None:
    """Ctrl-C that only one process hears, and not the one that writes the journal."""
    if trainer.world.rank == trainer.world.size - 1:
        after_step(trainer, 2, lambda: os.kill(os.getpid(), signal.SIGINT))


def lose_the_loss(trainer: Trainer) -> None:
    """A loss that is none in one process alone, after a checkpoint."""

    def spoil() -> None:
        trainer.save()
        if not trainer.world.is_first:
            whole_losses = trainer.losses
            trainer.losses = lambda item: replace(  # type: ignore[method-assign]
                whole_losses(item), mask_bce=torch.tensor(math.nan)
            )

    after_step(trainer, 2, spoil)


def fill_the_disk(trainer: Trainer) -> None:
    """After a checkpoint, no file can grow beyond a kilobyte in one process: the next checkpoint cannot be written."""
    import resource

    def fill() -> None:
        trainer.save()
        if not trainer.world.is_first:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an OSError in its place
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    after_step(trainer, 2, fill)
