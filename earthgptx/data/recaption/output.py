"""The folder that a run writes: shards of new samples, the list of refused items, and the bill.

A file gets its name when it is whole, so that a reader never meets half a line; a run that starts again writes
all of them anew from the kept answers.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from earthgptx.data.sample import Sample
from earthgptx.data.sample_file import render
from earthgptx.errors import FolderInUse

REJECTS = "rejects.jsonl"
SUMMARY = "summary.json"
_PARTIAL = ".partial"


class OutputFolder:
    """Writes samples and rejects as they come; `close` makes the last files whole.

    Args:
        folder: exists, and is written by nobody else; see `held`.
        samples_per_shard: lines of one shard.
    """

    def __init__(self, folder: Path, samples_per_shard: int) -> None:
        self.folder = folder
        self.num_samples = 0
        self._samples_per_shard = samples_per_shard
        self._num_shards = 0
        self._shard: IO[str] | None = None
        self._rejects = self._partial(REJECTS).open("w", encoding="utf-8")

    def add(self, sample: Sample) -> None:
        """Writes a sample; its image's path becomes relative to the folder."""
        if self._shard is None:
            self._shard = self._partial(self._shard_name(self._num_shards)).open("w", encoding="utf-8")
        relative = Path(os.path.relpath(sample.image.absolute(), self.folder.absolute()))
        self._shard.write(render(replace(sample, image=relative)) + "\n")
        self.num_samples += 1
        if self.num_samples % self._samples_per_shard == 0:
            self._finish_shard()

    def reject(self, record: Mapping[str, Any]) -> None:
        """Writes one refused item, at once."""
        self._rejects.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._rejects.flush()

    def close(self, summary: Mapping[str, Any]) -> None:
        """Gives the last files their names, removes shards of an earlier, longer run, and writes the summary."""
        self._finish_shard()
        _finish(self._rejects, self._partial(REJECTS))
        number = self._num_shards
        while (stale := self.folder / self._shard_name(number)).exists():
            stale.unlink()
            number += 1
        for left_over in self.folder.glob(f"samples-*{_PARTIAL}"):  # of a run that was killed
            left_over.unlink()
        with self._partial(SUMMARY).open("w", encoding="utf-8") as opened:
            json.dump(summary, opened, indent=2)
            opened.write("\n")
            _finish(opened, self._partial(SUMMARY))

    def _finish_shard(self) -> None:
        if self._shard is not None:
            _finish(self._shard, self._partial(self._shard_name(self._num_shards)))
            self._shard = None
            self._num_shards += 1

    def _partial(self, name: str) -> Path:
        return self.folder / (name + _PARTIAL)

    def _shard_name(self, number: int) -> str:
        return f"samples-{number:05d}.jsonl"


def shards(folder: Path) -> Sequence[Path]:
    """The shards of samples that a folder holds, in order."""
    return sorted(folder.glob("samples-*.jsonl"))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes the folder and keeps other runs out of it meanwhile; they would pay for the same questions.

    Raises:
        FolderInUse: another run has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(f"{folder} is being written by another process; name another or wait for it.") from error
        yield


def _finish(opened: IO[str], path: Path) -> None:
    opened.flush()
    os.fsync(opened.fileno())
    opened.close()
    path.replace(path.with_name(path.name.removesuffix(_PARTIAL)))
