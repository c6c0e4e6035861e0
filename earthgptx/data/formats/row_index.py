"""Finds rows of a CSV file by a key when the file is neither sorted nor small.

A file comes in, the rows of one key come out. Kept in memory are 16 bytes a row (a hash of the key, and where the
row begins), so that 3 million rows take 48 MB, nothing is written to disk and nothing has to be left behind; the rows
themselves stay in the file. What the columns mean is not known here.
"""

from __future__ import annotations

import csv
import hashlib
from array import array
from pathlib import Path

import numpy as np

from earthgptx.errors import MalformedDataset


class RowIndex:
    """The rows of a CSV file with a header, by one column. Close it, or use it in a `with` block."""

    def __init__(self, path: Path, column: str) -> None:
        """Reads the file once from end to end.

        Args:
            path: rows end where lines end; fields may be quoted but hold no line break.
            column: the key.

        Raises:
            MalformedDataset: the file does not exist, is empty, or has no such column.
        """
        if not path.is_file():
            raise MalformedDataset(f"The annotation file {path} does not exist.")
        self._file = path.open("rb")
        self.columns = _fields(self._file.readline().removeprefix(b"\xef\xbb\xbf"))
        if column not in self.columns:
            self.close()
            raise MalformedDataset(f"{path} has no column {column!r}; it has {', '.join(self.columns) or 'none'}.")
        self._position = self.columns.index(column)
        hashes, starts = array("Q"), array("Q")
        start = self._file.tell()
        for line in self._file:
            fields = line.split(b",", self._position + 1) if b'"' not in line else _encoded(_fields(line))
            if len(fields) > self._position:
                hashes.append(_hash(fields[self._position].strip()))
                starts.append(start)
            start += len(line)
        found = np.frombuffer(hashes, dtype=np.uint64) if hashes else np.zeros(0, dtype=np.uint64)
        order = np.argsort(found, kind="stable")
        self._hashes = found[order]
        self._starts = np.frombuffer(starts, dtype=np.uint64)[order] if starts else found

    def rows(self, key: str) -> list[dict[str, str]]:
        """The rows of a key, in the file's order, each as a mapping from column to text."""
        wanted = np.uint64(_hash(key.encode()))
        first, last = (int(np.searchsorted(self._hashes, wanted, side)) for side in ("left", "right"))
        found = []
        for start in self._starts[first:last].tolist():
            self._file.seek(start)
            fields = _fields(self._file.readline())
            if len(fields) > self._position and fields[self._position].strip() == key:
                found.append(dict(zip(self.columns, fields, strict=False)))
        return found

    def close(self) -> None:
        """Gives the file back."""
        self._file.close()

    def __enter__(self) -> RowIndex:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _fields(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8", errors="replace").rstrip("\r\n")]), [])


def _encoded(fields: list[str]) -> list[bytes]:
    return [field.encode() for field in fields]


def _hash(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
