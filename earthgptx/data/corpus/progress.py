"""What is finished of a corpus that is being built, so that a build that was ended goes on from there.

A split has one file of records, a line for each finished shard; a line is written only when its shard is whole. In
come records, out come those whose shards still are what they were.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earthgptx.data.corpus.manifest import Shard
from earthgptx.data.corpus.shards import hash_of


@dataclass(frozen=True)
class Broken:
    """One line of the quarantine: what was left out, of which split, and why."""

    source: str
    split: str
    item: str
    reason: str


@dataclass(frozen=True)
class Record:
    """What one stretch of a split's items gave.

    Attributes:
        shard: the file of its rows; None where it gave none.
        num_steps: how far the reader of the split came.
        num_items, num_used: as in `BuiltSplit`.
        counts: (sensor, task, kinds of marks, number of samples).
        broken: what was left out, in the order in which it was met.
        is_last: whether the split ends here.
    """

    shard: Shard | None
    num_steps: int
    num_items: int
    num_used: int
    counts: tuple[tuple[str, str, tuple[str, ...], int], ...]
    broken: tuple[Broken, ...]
    is_last: bool


@dataclass(frozen=True)
class Finished:
    """What is finished of a split, without the quarantine, which may be long.

    Attributes:
        num_steps: how far the reader came; what it met until there need not be converted again.
        num_shards: files of rows so far.
        is_complete: whether nothing is left to do.
    """

    num_steps: int
    num_shards: int
    is_complete: bool


class SplitProgress:
    """The records of one split, on disk."""

    def __init__(self, path: Path) -> None:
        """Touches nothing yet.

        Args:
            path: the file of records.
        """
        self.path = path

    def resume(self, out: Path, inputs: str) -> Finished:
        """Keeps the records whose shards are whole, drops the others and their shards, and says what is finished.

        Args:
            out: the corpus's folder.
            inputs: tells whether the source's files are still the same; with others nothing is kept.
        """
        kept: list[str] = []
        num_steps = num_shards = 0
        is_complete = False
        if self._inputs() == inputs:
            for line in self._lines():
                record = _parsed(line)
                if record is None or (record.shard is not None and not _is_whole(record.shard, out)):
                    break
                kept.append(line)
                num_steps += record.num_steps
                num_shards += record.shard is not None
                is_complete = record.is_last
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(
            "".join(f"{line}\n" for line in (json.dumps({"inputs": inputs}), *kept)), encoding="utf-8"
        )
        unfinished.replace(self.path)
        return Finished(num_steps=num_steps, num_shards=num_shards, is_complete=is_complete)

    def append(self, record: Record) -> None:
        """Writes a record behind the others; it is on disk when this returns."""
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(_written(record), ensure_ascii=False, separators=(",", ":")) + "\n")
            lines.flush()
            os.fsync(lines.fileno())

    def records(self) -> Iterator[Record]:
        """The records in their order, one in memory at a time."""
        for line in self._lines():
            record = _parsed(line)
            assert record is not None, f"{self.path} changed while it was read"
            yield record

    def restart(self, reason: Broken) -> None:
        """Drops all records for the one reason why the split cannot be read; the next build tries it again."""
        failed = Record(None, num_steps=0, num_items=0, num_used=0, counts=(), broken=(reason,), is_last=False)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps({"inputs": "unreadable"}) + "\n", encoding="utf-8")
        unfinished.replace(self.path)
        self.append(failed)

    def _inputs(self) -> str | None:
        if not self.path.is_file():
            return None
        with self.path.open(encoding="utf-8") as lines:
            first = lines.readline()
        try:
            return str(json.loads(first)["inputs"])
        except (ValueError, KeyError, TypeError):  # cut off while it was written
            return None

    def _lines(self) -> Iterator[str]:
        """The lines behind the first; one that was cut off by the end of the process is left out."""
        with self.path.open(encoding="utf-8") as lines:
            next(lines, None)
            for line in lines:
                if line.endswith("\n"):
                    yield line[:-1]


def fingerprint(folder: Path, passed_over: Path) -> str:
    """Tells the files of a folder from themselves after a change, by names, sizes and times of change.

    Contents are not read: a source may have a million images.

    Args:
        folder: looked through with its subfolders.
        passed_over: a subfolder that changes for other reasons.
    """
    digest = hashlib.sha256()
    for place, subfolders, names in os.walk(folder, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if Path(place, name) != passed_over)
        for name in sorted(names):
            status = os.stat(os.path.join(place, name)) if os.path.exists(os.path.join(place, name)) else None
            state = "gone" if status is None else f"{status.st_size} {status.st_mtime_ns}"
            digest.update(f"{os.path.relpath(place, folder)}/{name} {state}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _is_whole(shard: Shard, out: Path) -> bool:
    path = out / shard.path
    return path.is_file() and hash_of(path) == shard.sha256


def _written(record: Record) -> dict[str, Any]:
    shard = record.shard
    return {
        "shard": None if shard is None else vars(shard),
        "num_steps": record.num_steps,
        "num_items": record.num_items,
        "num_used": record.num_used,
        "counts": record.counts,
        "broken": [vars(broken) for broken in record.broken],
        "is_last": record.is_last,
    }


def _parsed(line: str) -> Record | None:
    """The record of a line; None where the line is no whole record."""
    try:
        written = json.loads(line)
        return Record(
            shard=None if written["shard"] is None else Shard(**written["shard"]),
            num_steps=written["num_steps"],
            num_items=written["num_items"],
            num_used=written["num_used"],
            counts=tuple((sensor, task, tuple(kinds), num) for sensor, task, kinds, num in written["counts"]),
            broken=tuple(Broken(**row) for row in written["broken"]),
            is_last=written["is_last"],
        )
    except (ValueError, KeyError, TypeError):
        return None
