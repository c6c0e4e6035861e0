"""The folder in which a server keeps its scenes: its own for as long as it runs, and what others left is cleared away.

Without a folder of the operator's choice it is a temporary one, removed at the end. A server that was killed removes
nothing; the next one does, and knows by a lock, which ends with its process, whose owner is gone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from earthgptx.errors import FolderInUse

_PREFIX, _SUFFIX = "earthgptx-", ".scenes"
_LOCK = "server.lock"
_SECONDS_TO_LOCK = 3600  # a temporary folder without a lock is left alone so long: its server may just have made it


class Shelf:
    """A folder that this process alone uses.

    Args:
        data: the operator's folder, made if it is not there; None for a temporary one.

    Raises:
        FolderInUse: another server keeps its scenes there.
    """

    def __init__(self, data: Path | None) -> None:
        self.is_kept = data is not None
        if data is None:
            _clear_left_over(Path(tempfile.gettempdir()))
            self._root = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX))
        else:
            data.mkdir(parents=True, exist_ok=True)
            self._root = data
        lock = _locked(self._root / _LOCK)
        if lock is None:
            raise FolderInUse(f"Another server keeps its scenes in {data}: give each a folder of its own.")
        self._lock = lock
        self.folder = self._root / "scenes"
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def close(self) -> None:
        """Lets go of the folder; a temporary one is removed."""
        if not self.is_kept:
            shutil.rmtree(self._root, ignore_errors=True)
        self._lock.close()


def _clear_left_over(parent: Path) -> None:
    """Removes the temporary folders whose servers are gone."""
    for folder in parent.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(FileNotFoundError):  # another server clears at the same moment
            if not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.getuid():
                _clear(folder)


def _clear(folder: Path) -> None:
    path = folder / _LOCK
    if not path.is_file():
        if time.time() - folder.stat().st_mtime > _SECONDS_TO_LOCK:
            shutil.rmtree(folder, ignore_errors=True)
        return
    lock = _locked(path)
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _locked(path: Path) -> TextIO | None:
    """A file that is locked until it is closed or the process ends; None where another process has it."""
    stream = path.open("a")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream
