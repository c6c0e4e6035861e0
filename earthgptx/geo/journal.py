"""What was answered so far, beside the file that is to become: a run that is stopped goes on where it was.

JSON Lines: the settings, then one line a batch, written through to the disk before the next one is asked. A line that
was cut off in the writing is dropped when the file is opened again. Nothing here knows what is answered.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from earthgptx.errors import FolderInUse, OutputExists

Settings = Mapping[str, Any]


def journal_of(out: Path) -> Path:
    """Where the journal of an output file lies."""
    return out.with_name(f"{out.name}.journal")


def _locked(path: Path) -> BinaryIO:
    """Opens a file for one process alone.

    Raises:
        FolderInUse: another process has it.
    """
    while True:
        stream = path.open("a+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            stream.close()
            raise FolderInUse(f"Another run writes into {path.name}; wait for it or choose another output.") from error
        # Its last owner may have finished and removed it since it was opened.
        if path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat()):
            return stream
        stream.close()


class Journal:
    """Batches by their number; open for as long as a run lasts, for one process at a time.

    Args:
        path: made where it is not there.
        settings: plain values; all that the answers depend on.
        is_new: whatever it held is dropped.

    Raises:
        FolderInUse: another process writes into it.
        OutputExists: it belongs to a run with other settings.
    """

    def __init__(self, path: Path, settings: Settings, *, is_new: bool = False) -> None:
        self.path = path
        self.batches: dict[int, list[dict[str, Any]]] = {}
        self._stream = _locked(path)
        if is_new:  # under the lock: a run that is still going keeps its journal
            self._stream.truncate(0)
        try:
            self._read(json.loads(json.dumps(dict(settings))))
        except OutputExists:
            self._stream.close()
            raise

    def _read(self, settings: dict[str, Any]) -> None:
        self._stream.seek(0)
        lines = self._stream.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()  # its writing was interrupted
        self._stream.truncate(sum(map(len, lines)))
        if not lines:
            self._append({"settings": settings})
            return
        try:
            first, *records = [json.loads(line) for line in lines]
            begun: dict[str, Any] = first["settings"]
            self.batches = {record["batch"]: record["records"] for record in records}
        except (ValueError, KeyError, TypeError) as error:
            raise OutputExists(f"{self.path.name} is no journal of an unfinished run: move it away.") from error
        if begun != settings:
            differing = sorted(key for key in begun.keys() | settings if begun.get(key) != settings.get(key))
            raise OutputExists(
                f"{self.path.name} belongs to a run with another {', '.join(differing)}: repeat that command to "
                f"complete it, or give --overwrite to begin anew."
            )

    def add(self, batch: int, records: list[dict[str, Any]]) -> None:
        """Keeps the records of a batch; they are on the disk when this returns."""
        self._append({"batch": batch, "records": records})
        self.batches[batch] = records

    def _append(self, record: dict[str, Any]) -> None:
        self._stream.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def remove(self) -> None:
        """Deletes the file: what it held is in the output now."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
