"""The order in which one process sees the rows of one source: dealt out in blocks, shuffled, and known by its position.

In come the blocks of rows that a source has and a function that reads one; rows come out, one after the other, for
ever or for one pass. Which source is asked next, and what a row means, is not known here.

A permutation of single rows would read a whole row group for each of them, and a buffer that rows fall out of at
random cannot be rebuilt without reading everything before it. So blocks of neighbouring rows are permuted, which are
read at the cost of a row group, and the rows of a few blocks together (a window) are permuted once more. A position
is two numbers: the window and the row in it; going on from there reads that one window again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earthgptx.errors import MalformedCorpus

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Block:
    """Neighbouring rows of one shard.

    Attributes:
        shard: the shard's number in the corpus.
        start, stop: its rows, half open.
        num_rows: how many of those belong to the stream; fewer than stop - start where others lie between.
    """

    shard: int
    start: int
    stop: int
    num_rows: int


@dataclass(frozen=True)
class Deal:
    """Who reads: one of several processes that share a corpus without overlap.

    Attributes:
        seed: of every shuffle; the same for all processes.
        consumer: this process's number among all ranks' workers.
        num_consumers: how many there are.
    """

    seed: int
    consumer: int
    num_consumers: int


class SourceStream:
    """The rows of one source that fall to one process, in their shuffled order.

    The epochs of a source, each with its blocks in an order of its own, are laid end to end, and every
    `num_consumers`-th block falls to this process. So the processes together see every row once an epoch, and
    a source with fewer blocks than processes is no special case: some begin in a later epoch.

    Attributes:
        name: tells the source apart; its shuffles depend on it.
        window, offset: the position of the next row.
    """

    def __init__(
        self,
        name: str,
        blocks: Sequence[Block],
        read: Callable[[Block], Sequence[Row]],
        deal: Deal,
        *,
        window_blocks: int,
        only_epoch: int | None = None,
    ) -> None:
        """Stands at the first row.

        Args:
            name: tells the source apart.
            blocks: all its rows, the same in every process; at least one block, none of them empty.
            read: gives the rows of a block.
            deal: which of them fall to this process.
            window_blocks: how many blocks are shuffled together and held in memory.
            only_epoch: stop at the end of this epoch of the source; None goes on for ever.
        """
        assert blocks
        assert window_blocks >= 1
        self.name = name
        self.window = 0
        self.offset = 0
        self._blocks = blocks
        self._read = read
        self._deal = deal
        self._window_blocks = window_blocks
        self._first = deal.consumer + (only_epoch or 0) * len(blocks)
        self._end = None if only_epoch is None else (only_epoch + 1) * len(blocks)
        self._order: tuple[int, list[int]] = (-1, [])  # an epoch and the order of its blocks
        self._held: tuple[int, list[tuple[int, Row]]] = (-1, [])  # a window and its rows

    @property
    def is_finished(self) -> bool:
        """Whether no row is left; follows from the position alone."""
        return not self._dealt(self.window)

    def seek(self, window: int, offset: int) -> None:
        """Moves to a position that this stream, or one made alike, had before."""
        self.window, self.offset = window, offset

    def next_row(self) -> tuple[int, Row]:
        """The next row and the epoch of the source it belongs to.

        Raises:
            MalformedCorpus: a block holds other than its number of rows.
        """
        rows = self._rows()
        found = rows[self.offset]
        self.offset += 1
        if self.offset == len(rows):
            self.window, self.offset = self.window + 1, 0
            self._held = (-1, [])
        return found

    def _rows(self) -> list[tuple[int, Row]]:
        """The rows of the present window, in their order."""
        if self._held[0] != self.window:
            rows: list[tuple[int, Row]] = []
            for position in self._dealt(self.window):
                epoch, index = divmod(position, len(self._blocks))
                block = self._blocks[self._order_of(epoch)[index]]
                read = self._read(block)
                if len(read) != block.num_rows:
                    raise MalformedCorpus(
                        f"The corpus changed while it was read: {self.name} should have {block.num_rows} rows in rows "
                        f"{block.start} to {block.stop} of a shard, but {len(read)} were found."
                    )
                rows += ((epoch, row) for row in read)
            # The text seeds the same numbers in every process and every version of Python.
            random.Random(f"{self._deal.seed}/{self.name}/rows/{self._first}/{self.window}").shuffle(rows)
            self._held = (self.window, rows)
        return self._held[1]

    def _dealt(self, window: int) -> range:
        """The places, in the endless row of epochs, of the blocks of a window; empty behind the end."""
        step = self._deal.num_consumers
        start = self._first + window * self._window_blocks * step
        stop = start + self._window_blocks * step
        return range(start, stop if self._end is None else min(stop, self._end), step)

    def _order_of(self, epoch: int) -> list[int]:
        """The order of the blocks in an epoch; the same in every process."""
        if self._order[0] != epoch:
            order = list(range(len(self._blocks)))
            random.Random(f"{self._deal.seed}/{self.name}/blocks/{epoch}").shuffle(order)
            self._order = (epoch, order)
        return self._order[1]
