"""Reads JSON files piece by piece, so that a file of a gigabyte needs no more memory than one of its records.

A path comes in, records come out, with where they stand if that is asked for. Python's own decoder reads each record,
so that NaN is read here as everywhere else; what the records mean is not known.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from earthgptx.data.annotation_file import decoded, json_value
from earthgptx.errors import MalformedDataset

_CHUNK = 1 << 20  # bytes that are read at once
_LARGEST = 1 << 28  # bytes of one record: more is no record, but a file that was cut off
_SPACE = " \t\n\r"
# A value that is cut off by the end of a chunk is told by where the decoder stops: this close to the end, since no
# word or escape of JSON is longer, or anywhere in a text.
_MARGIN = 16
_DECODER = json.JSONDecoder()


class Element(NamedTuple):
    """One record of a list, and the bytes at which it begins and ends."""

    value: Any
    start: int
    end: int


def records(path: Path) -> Iterator[Any]:
    """Every record of a file, in its order.

    Args:
        path: a JSON array, or JSON Lines; told apart by the first character.

    Raises:
        MalformedDataset: the file does not exist, is neither, or breaks off; what stands before the fault is given
            first.
    """
    with _opened(path) as text:
        first = text.sign()
        if first == "[":
            yield from (element.value for element in text.elements())
        elif first == "{":
            while text.sign():
                yield text.record().value
        else:
            raise MalformedDataset(f"The annotation file {path} is not JSON: it begins with neither [ nor {{.")
        text.close_at_end()


class Member(NamedTuple):
    """A name in an object, and what it holds: the elements of a list, to be read before the next member, or a value."""

    name: str
    elements: Iterator[Element] | None
    value: Any = None


def members(path: Path) -> Iterator[Member]:
    """What the outermost object of a file holds, in the file's order; elements that nobody reads are passed over.

    Raises:
        MalformedDataset: the file does not exist, is no object, or is not JSON.
    """
    with _opened(path) as text:
        if text.sign() != "{":
            raise MalformedDataset(f"The annotation file {path} is not JSON in the form of an object, {{...}}.")
        text.take("{")
        is_first = True
        while text.sign() != "}":
            if not is_first:
                text.take(",")
            is_first = False
            name = text.value().value
            if not isinstance(name, str):
                raise text.fault(f"{str(name)[:40]} stands where a name should")
            text.take(":")
            if text.sign() == "[":
                elements = text.elements()
                yield Member(name, elements)
                for _ in elements:  # what was not asked for
                    continue
            else:
                yield Member(name, None, text.value().value)
        text.take("}")
        text.close_at_end()


def record_at(file: IO[bytes], start: int, end: int, path: Path) -> Any:
    """The record between two places of an open file, as `Element` has them.

    Raises:
        MalformedDataset: no record stands there any more.
    """
    try:
        return json_value(decoded(os.pread(file.fileno(), end - start, start), path))
    except ValueError as error:
        raise MalformedDataset(f"The annotation file {path} changed while it was read.") from error


@contextmanager
def _opened(path: Path) -> Iterator[_Text]:
    if not os.path.isfile(path):
        raise MalformedDataset(f"The annotation file {path} does not exist.")
    try:
        with path.open("rb") as file:
            yield _Text(file, path)
    except OSError as error:
        raise MalformedDataset(f"The annotation file {path} cannot be read: {error}.") from error


class _Text:
    """A file's text, of which a window is in memory. A character is a byte, so that places can be told in bytes."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self._num_records = 0
        self._begin = 0  # of the window, in bytes
        self._window = file.read(_CHUNK + 3).decode("latin-1")  # three bytes are a mark
        self._at = 0  # in the window
        if self._window.startswith(("\xff\xfe", "\xfe\xff")):
            raise MalformedDataset(f"The annotation file {path} is in UTF-16: JSON is read in UTF-8.")
        if self._window.startswith("\xef\xbb\xbf"):
            self._at = 3

    def sign(self) -> str:
        """The next character that is no space, which stays; "" at the end."""
        while True:
            while self._at < len(self._window) and self._window[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._has_more(_CHUNK):
                return ""

    def take(self, wanted: str) -> None:
        """Passes over the next character."""
        found = self.sign()
        if found != wanted:
            raise self.fault(f"{wanted} is missing" if not found else f"{found!r} stands where {wanted} should")
        self._at += 1

    def value(self) -> Element:
        """Passes over the next value."""
        self.sign()
        more = _CHUNK
        is_all = False
        while True:
            try:
                value, end = _DECODER.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos >= len(self._window) - _MARGIN
                if not is_cut or len(self._window) - self._at > _LARGEST or not self._has_more(more):
                    raise self.fault(error.msg) from error
                more *= 2
            except RecursionError as error:
                raise self.fault("it is nested too deeply") from error
            except ValueError as error:  # a number of thousands of digits
                raise self.fault(str(error).split(";")[0]) from error
            else:
                if end <= len(self._window) - _MARGIN or is_all:
                    return self._passed(value, end)
                is_all = not self._has_more(_CHUNK)  # a number may go on: 1.5 with e+7

    def elements(self) -> Iterator[Element]:
        """Passes over the next list, element by element."""
        self.take("[")
        if self.sign() != "]":
            yield self.record()
            while self.sign() == ",":
                self.take(",")
                yield self.record()
        self.take("]")

    def record(self) -> Element:
        """Passes over the next value, and counts it."""
        element = self.value()
        self._num_records += 1
        return element

    def close_at_end(self) -> None:
        """Makes sure that nothing is left."""
        if self.sign():
            raise self.fault(f"{self.sign()!r} stands behind its end")

    def fault(self, reason: str) -> MalformedDataset:
        """The error that tells how far the file is JSON."""
        return MalformedDataset(
            f"The annotation file {self._path} is not JSON after record {self._num_records}: {reason}, at byte "
            f"{self._begin + self._at:,}."
        )

    def _passed(self, value: Any, end: int) -> Element:
        found = self._window[self._at : end]
        if not found.isascii() or "\\u" in found:
            value = json_value(decoded(found.encode("latin-1"), self._path))
        element = Element(value, self._begin + self._at, self._begin + end)
        self._at = end
        return element

    def _has_more(self, size: int) -> bool:
        """Drops what was passed over and reads on."""
        read = self._file.read(size)
        self._window = self._window[self._at :] + read.decode("latin-1")
        self._begin += self._at
        self._at = 0
        return bool(read)
