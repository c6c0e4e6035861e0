"""Answers on disk, one file each under the hash of all that they depend on, so that nothing is paid for twice.

A file appears whole or not at all. What an answer is worth is not known here: refused ones are kept as well.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from earthgptx.data.corpus.folder import write_whole

_LOG = logging.getLogger(__name__)
_NOTE = re.compile(r"\[(\d+), (\d+)\]\n")  # a line, if it is whole


@dataclass(frozen=True)
class Reply:
    """One paid answer.

    Attributes:
        text: as the model wrote it; empty where it refused.
        tokens_in, tokens_out: as billed; None where the endpoint does not say.
        finish_reason: "stop" for a whole answer; "length" for one that was cut, and so on.
    """

    text: str
    tokens_in: int | None
    tokens_out: int | None
    finish_reason: str


class AnswerCache:
    """A folder of answers; its methods may be called from any thread.

    Args:
        folder: made where missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lost = folder / "lost.jsonl"

    def get(self, key: str) -> Reply | None:
        """The answer kept under a key; None where there is none, or where the disk has damaged it."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            return Reply(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            _LOG.warning("The kept answer %s is damaged and will be asked for again: %s.", path, error)
            return None

    def put(self, key: str, reply: Reply) -> None:
        """Keeps an answer, in place of an older one; on return it is on the disk."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(reply)))

    def add_lost(self, tokens_in: int, tokens_out: int) -> None:
        """Notes what an answer that got lost on the way may have been billed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lost.open("a", encoding="utf-8") as notes:
            notes.write(f"[{tokens_in}, {tokens_out}]\n")

    def lost(self) -> tuple[int, int]:
        """Tokens in and out of all the lost answers that were noted."""
        notes = self._lost.read_text(encoding="utf-8") if self._lost.is_file() else ""
        pairs = [(int(tokens_in), int(tokens_out)) for tokens_in, tokens_out in _NOTE.findall(notes)]
        return sum(tokens_in for tokens_in, _ in pairs), sum(tokens_out for _, tokens_out in pairs)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"
