"""What a run tells of itself: a JSON line a step, TensorBoard's curves, and a progress bar.

It knows numbers by name and nothing of models.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter


class Journal:
    """Writes `losses.jsonl` and TensorBoard events in a run's folder; lines past a resumed step are cut off."""

    def __init__(self, folder: Path, *, total_steps: int, first_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "losses.jsonl"
        kept = self._path.read_text().splitlines()[:first_step] if self._path.exists() else []
        draft = self._path.with_suffix(".draft")
        draft.write_text("".join(line + "\n" for line in kept))
        os.replace(draft, self._path)
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        # On stderr: stdout is for results.
        self._progress = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))
        self._task = self._progress.add_task("training", total=total_steps, completed=first_step)
        self._last = time.monotonic()

    def __enter__(self) -> Journal:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._events.close()

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """One step's numbers; the seconds since the last one are added."""
        now = time.monotonic()
        line = {"step": step, **numbers, "seconds": round(now - self._last, 3)}
        self._last = now
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in numbers.items():
            self._events.add_scalar(name, value, step)
        self._progress.update(self._task, completed=step, description=f"loss {numbers.get('loss', 0):.3f}")
