"""Answers on disk, one file each under the hash of all that they depend on, so that nothing is paid for twice.

A file appears whole or not at all. What an answer is worth is not known here: refused ones are kept as well.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path

from earthgptx.data.recaption.reply import Reply

_LOG = logging.getLogger(__name__)


class AnswerCache:
    """A folder of answers; it may be shared between runs, threads and processes.

    Args:
        folder: made where missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Reply | None:
        """The answer kept under a key; None where there is none, or where the disk has damaged it."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return Reply(
                text=str(record["text"]),
                tokens_in=_count(record["tokens_in"]),
                tokens_out=_count(record["tokens_out"]),
                finish_reason=str(record["finish_reason"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            _LOG.warning("The kept answer %s is damaged and will be asked for again: %s.", path, error)
            return None

    def put(self, key: str, reply: Reply) -> None:
        """Keeps an answer, in place of an older one; on return it is on the disk."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "text": reply.text,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "finish_reason": reply.finish_reason,
        }
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{key[:8]}-", suffix=".partial")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                json.dump(record, opened, ensure_ascii=False)
                opened.flush()
                os.fsync(opened.fileno())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _count(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TypeError(f"{value!r} is no number of tokens")
