"""Reads the records of a JSON file one after the other, so that a file of a gigabyte needs no more memory than one.

A path comes in, records come out. The file is an array of records, or has a record on every line; what the records
mean is not known here. This is the only module that knows `ijson`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from earthgptx.errors import MalformedDataset, MissingExtra

_LOOKED_AT = 4096  # bytes in which the first character that is no space must stand


def records(path: Path) -> Iterator[Any]:
    """Every record of a file, in its order.

    Args:
        path: a JSON array, or JSON Lines; told apart by the first character.

    Raises:
        MalformedDataset: the file does not exist, is neither, or breaks off; what stands before the fault is given
            first.
        MissingExtra: it is an array, and `ijson` is not installed.
    """
    if not path.is_file():
        raise MalformedDataset(f"The annotation file {path} does not exist.")
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        file.seek(0)
        if start not in (b"[", b"{"):
            raise MalformedDataset(f"The annotation file {path} is not JSON: it begins with neither [ nor {{.")
        yield from _elements(file, path, is_lines=start == b"{")


def _elements(file: IO[bytes], path: Path, *, is_lines: bool) -> Iterator[Any]:
    try:
        import ijson  # type: ignore[import-untyped]  # publishes no types
    except ImportError as error:
        raise MissingExtra("Large JSON files are read by ijson: pip install 'earthgptx[data]'.") from error
    if file.read(3) != b"\xef\xbb\xbf":  # a byte order mark, which ijson does not expect
        file.seek(0)
    found = ijson.items(file, "" if is_lines else "item", multiple_values=is_lines, use_float=True)
    number = 0
    try:
        for record in found:
            number += 1
            yield record
    except (ijson.JSONError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MalformedDataset(f"The annotation file {path} is not JSON after record {number}: {reason}.") from error
