"""Where in a file the records of each key stand, so that they can be read when they are wanted.

Keys and places come in, the places of one key come out. Kept are 20 bytes a record: a hash of the key, the byte at
which the record begins, and its length; who reads a record makes sure that its key is the one.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator

import numpy as np
from numpy.typing import NDArray


class PlaceIndex:
    """The places of records by their keys, in the order in which they were added."""

    def __init__(self) -> None:
        """Nothing is in it yet."""
        self._hashes, self._starts, self._lengths = array("q"), array("Q"), array("I")
        self._order: NDArray[np.int64] | None = None
        self._sorted_hashes = _numbers(self._hashes)

    def add(self, key: Hashable, start: int, end: int) -> None:
        """Takes a record up."""
        self._hashes.append(hash(key))
        self._starts.append(start)
        self._lengths.append(end - start)
        self._order = None

    def of(self, key: Hashable) -> list[tuple[int, int]]:
        """Start and end of every record with this key; of one whose key has the same hash, once in 10^13 times, too."""
        order, sorted_hashes = self._sorted()
        first, last = (int(np.searchsorted(sorted_hashes, hash(key), side)) for side in ("left", "right"))
        return [self._place(int(position)) for position in order[first:last]]

    def outside(self, keys: PlaceIndex) -> Iterator[tuple[int, int]]:
        """Start and end of every record whose key is in no record of another index."""
        missing = np.isin(_numbers(self._hashes), _numbers(keys._hashes), invert=True)
        for position in np.flatnonzero(missing).tolist():
            yield self._place(position)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return map(self._place, range(len(self._starts)))

    def __len__(self) -> int:
        return len(self._starts)

    def _place(self, position: int) -> tuple[int, int]:
        start = self._starts[position]
        return start, start + self._lengths[position]

    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._order is None:
            hashes = _numbers(self._hashes)
            self._order = np.argsort(hashes, kind="stable")
            self._sorted_hashes = hashes[self._order]
        return self._order, self._sorted_hashes


def _numbers(hashes: array[int]) -> NDArray[np.int64]:
    return np.array(hashes, dtype=np.int64)
