"""Finds rows of a CSV file by a key when the file is neither sorted nor small.

A file comes in, the rows of one key come out. Kept in memory are 20 bytes a row (see `place_index`), so that 3 million
rows take 60 MB, nothing is written to disk and nothing has to be left behind; the rows themselves stay in the file.
What the columns mean is not known here.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

from earthgptx.data.annotation_file import decoded
from earthgptx.data.formats.place_index import PlaceIndex
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
        if not os.path.isfile(path):
            raise MalformedDataset(f"The annotation file {path} does not exist.")
        self._path = path
        self._file = path.open("rb")
        try:
            self.columns = self._fields(self._file.readline().removeprefix(b"\xef\xbb\xbf"))
            if column not in self.columns:
                raise MalformedDataset(f"{path} has no column {column!r}; it has {', '.join(self.columns) or 'none'}.")
            self._position = self.columns.index(column)
            self._places = self._indexed()
        except BaseException:
            self.close()
            raise

    def rows(self, key: str) -> list[dict[str, str]]:
        """The rows of a key, in the file's order, each as a mapping from column to text."""
        found = []
        for start, end in self._places.of(key.encode()):
            fields = self._fields(os.pread(self._file.fileno(), end - start, start))
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

    def _indexed(self) -> PlaceIndex:
        places = PlaceIndex()
        start = self._file.tell()
        for line in self._file:
            fields = line.split(b",", self._position + 1) if b'"' not in line else self._encoded(line)
            if len(fields) > self._position:
                places.add(fields[self._position].strip(), start, start + len(line))
            start += len(line)
        return places

    def _encoded(self, line: bytes) -> list[bytes]:
        return [field.encode() for field in self._fields(line)]

    def _fields(self, line: bytes) -> list[str]:
        try:
            return next(csv.reader([decoded(line, self._path).rstrip("\r\n")]), [])
        except csv.Error as error:
            raise MalformedDataset(f"{self._path} is not CSV: {error}.") from error
