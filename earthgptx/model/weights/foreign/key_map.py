"""How one published layout of names becomes ours: a table of rows, each checked before a tensor is read.

Rows and files come in; a list of what is missing, left over or of another shape comes out, or the tensors themselves,
one at a time. What a part is, its own file says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.weights.foreign.tensor_files import TensorFiles

NAMED_KEYS = 4  # how many keys an error spells out
Make = Callable[[Sequence[Tensor]], Tensor]


def whole(pieces: Sequence[Tensor]) -> Tensor:
    """The tensor as it is; of several shards the first, since each holds all of it."""
    return pieces[0]


@dataclass(frozen=True)
class Row:
    """Where one of our tensors comes from.

    Attributes:
        ours: name in our model, after the part's prefix.
        theirs: name in the files.
        make: from the tensor of that name in each of the files' shards to ours.
        more: further names, whose tensors `make` gets after that one.
    """

    ours: str
    theirs: str
    make: Make = whole
    more: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names in the files that ours is made of."""
        return (self.theirs, *self.more)


@dataclass(frozen=True)
class Size:
    """What tells one size of a part from another."""

    num_layers: int
    width: int

    def __str__(self) -> str:
        return f"{self.num_layers} layers and a width of {self.width}"


@dataclass(frozen=True)
class Layout:
    """One way in which a part is published.

    Attributes:
        name: in words.
        telltale: a name that this layout has and the part's others have not.
        layer: pattern of what a layer's names begin with, its number included.
        width: a name, and the axis of ours that is the part's width.
        rows: for the size that is wanted.
        unused: patterns of names that our model has no place for, named so that nothing is dropped unseen.
    """

    name: str
    telltale: str
    layer: str
    width: tuple[str, int]
    rows: tuple[Row, ...]
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A pretrained part in its files, matched with the layout it is in.

    Attributes:
        title: what it is ("SAM").
        prefix: of its tensors' names in our model.
        layout: that of the files.
        shards: one, or as many as a model was cut into for several devices.
    """

    title: str
    prefix: str
    layout: Layout
    shards: tuple[TensorFiles, ...]

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Our tensors by name, one at a time, in the files' precision and the table's order."""
        for row in self.layout.rows:
            pieces = [shard.read(name) for name in row.names for shard in self.shards]
            yield self.prefix + row.ours, row.make(pieces)
        for shard in self.shards:
            shard.close()

    def check(self, wanted: Mapping[str, tuple[int, ...]], size: Size, size_name: str) -> None:
        """Makes sure that the files hold this part of this size, and nothing that is not accounted for.

        Args:
            wanted: shapes of all our model's tensors by name.
            size: the part's.
            size_name: of the model, for the sentence.

        Raises:
            BrokenCheckpoint: another size; or tensors are missing, left over, quantised or of another shape.
        """
        file = self.shards[0].paths[0]
        place = file if len(self.shards) * len(self.shards[0].paths) == 1 else file.parent
        found = self._size()
        if found is not None and found != size:
            raise BrokenCheckpoint(f"{place} holds a {self.title} of {found}, but {size_name} needs {size}.")
        troubles = [trouble for trouble in self._troubles(wanted) if trouble]
        if troubles:
            raise BrokenCheckpoint(
                f"{place} does not fit {size_name}'s {self.title} in the names of {self.layout.name}: "
                f"{'; '.join(troubles)}."
            )

    def _troubles(self, wanted: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
        held = [shard.stored for shard in self.shards]
        taken = {name for row in self.layout.rows for name in row.names}
        unused = re.compile("|".join(f"(?:{pattern})" for pattern in self.layout.unused) or r"(?!)")
        everywhere = set(held[0]).intersection(*held[1:])
        anywhere = set(held[0]).union(*held[1:])
        yield _counted("missing", sorted(taken - everywhere))
        yield _counted("left over", sorted(n for n in anywhere - taken if not unused.fullmatch(n)))
        codes = {name for stored in held for name in taken & stored.keys() if not stored[name].is_float}
        yield _counted("quantised", sorted(codes))
        odd = [self._misfit(row, wanted[self.prefix + row.ours]) for row in self.layout.rows]
        yield _counted("of another shape", [misfit for misfit in odd if misfit])

    def _misfit(self, row: Row, wanted: tuple[int, ...]) -> str:
        """What is wrong with a row's shapes; nothing where they fit, or where a tensor is missing."""
        pieces = self._pieces(row)
        shape = self._shape(row)
        if pieces is None or shape == wanted:
            return ""
        if shape is None:
            given = ", ".join(str(tuple(piece.shape)) for piece in pieces)
            return f"{' with '.join(row.names)} of {given} cannot be made into {wanted}"
        return f"{row.theirs} gives {shape} where {wanted} is wanted"

    def _pieces(self, row: Row) -> list[Tensor] | None:
        """What a row is made of, without values; None where something is missing."""
        pieces = []
        for stored in (shard.stored.get(name) for name in row.names for shard in self.shards):
            if stored is None:
                return None
            pieces.append(torch.empty(stored.shape, device="meta"))
        return pieces

    def _shape(self, row: Row) -> tuple[int, ...] | None:
        """Of our tensor as the files would give it; None where they do not, since it cannot be cut or joined so."""
        pieces = self._pieces(row)
        try:
            return None if pieces is None else tuple(row.make(pieces).shape)
        except (RuntimeError, IndexError):
            return None

    def _size(self) -> Size | None:
        layer = re.compile(self.layout.layer)
        layers = {match[0] for match in map(layer.match, self.shards[0].stored) if match}
        name, axis = self.layout.width
        for row in self.layout.rows:
            if row.theirs == name:
                shape = self._shape(row)
                return None if shape is None or axis >= len(shape) else Size(len(layers), shape[axis])
        return None


def part_of(title: str, prefix: str, shards: Sequence[TensorFiles], layouts: Sequence[Layout]) -> Part:
    """Finds out in which layout a part's files are.

    Args:
        title, prefix: as in `Part`.
        shards: the files.
        layouts: those that can be read.

    Raises:
        BrokenCheckpoint: in none of them.
    """
    for layout in layouts:
        if layout.telltale in shards[0].stored:
            return Part(title, prefix, layout, tuple(shards))
    names = sorted(shards[0].stored)
    raise BrokenCheckpoint(
        f"{shards[0].paths[0]} is no {title} in the names of {' or '.join(layout.name for layout in layouts)}: "
        f"it holds {len(names)} tensors, first {', '.join(names[:NAMED_KEYS])}."
    )


def rows_of(table: Mapping[str, str], ours: str = "", theirs: str = "", make: Make = whole) -> tuple[Row, ...]:
    """Rows of a table from our names to theirs, with what stands before them on either side."""
    return tuple(Row(ours + mine, theirs + other, make) for mine, other in table.items())


def both(table: Mapping[str, str]) -> dict[str, str]:
    """A table of modules as one of their weights and biases."""
    return {f"{mine}.{end}": f"{other}.{end}" for mine, other in table.items() for end in ("weight", "bias")}


def same(*names: str) -> dict[str, str]:
    """A table of names that are theirs and ours alike."""
    return {name: name for name in names}


def _counted(what: str, keys: Sequence[str]) -> str:
    if not keys:
        return ""
    more = ", ..." if len(keys) > NAMED_KEYS else ""
    return f"{len(keys)} {what} ({', '.join(keys[:NAMED_KEYS])}{more})"
