"""What a check found, in numbers and in examples that a person can look up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

ProblemKind = Literal[
    "broken label",  # a source's own item that its reader left out
    "sample that does not parse",
    "repeated id",
    "image that cannot be opened",
    "box outside the image",
    "empty mask",
]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one item.

    Attributes:
        kind: what sort of mistake it is.
        source, split: where the item belongs.
        item: its id, or its name in the source's own files.
        detail: one sentence with the numbers in it.
    """

    kind: ProblemKind
    source: str
    split: str
    item: str
    detail: str


@dataclass(frozen=True)
class ProblemCount:
    """How often a kind of problem was met in a split of a source, and the first few of them."""

    kind: ProblemKind
    source: str
    split: str
    count: int
    examples: tuple[Problem, ...]


@dataclass(frozen=True)
class Leak:
    """An image of one split that is seen in an earlier one too.

    Attributes:
        source, split, item: the image, by its id, or in a corpus by its path below the image folder.
        other_source, other_split, other_item: the one that is most like it in an earlier split.
        distance: bits in which their hashes differ, of 64.
        likeness: correlation of their thumbnails, at most 1.
        is_copy: whether the two files hold the same bytes.
    """

    source: str
    split: str
    item: str
    other_source: str
    other_split: str
    other_item: str
    distance: int
    likeness: float
    is_copy: bool


@dataclass(frozen=True)
class LikeName:
    """Two class names of one source that may be meant as one.

    Attributes:
        source: where both are used.
        name, count: the rarer one, and of how many objects.
        other_name, other_count: the more frequent one.
        difference: in what the two differ.
    """

    source: str
    name: str
    count: int
    other_name: str
    other_count: int
    difference: str


@dataclass(frozen=True)
class Balance:
    """How evenly the classes of a source are filled.

    Attributes:
        source: the dataset's name.
        num_classes: classes that at least one object has.
        most, most_count: the most frequent class, and its objects.
        least, least_count: the rarest.
        is_unbalanced: whether the first has many times as many objects as the last, see
            `class_names_in_use.UNBALANCED`.
    """

    source: str
    num_classes: int
    most: str
    most_count: int
    least: str
    least_count: int
    is_unbalanced: bool

    @property
    def ratio(self) -> float:
        """Objects of the most frequent class for one of the rarest."""
        return self.most_count / self.least_count


@dataclass(frozen=True)
class Counts:
    """What was looked at in one split of a source: items, different images, objects on these."""

    source: str
    split: str
    num_items: int
    num_images: int
    num_objects: int


@dataclass(frozen=True)
class CheckReport:
    """Everything a check found.

    Attributes:
        where: the folder or URL that was checked.
        counts: what was looked at.
        problems: mistakes by kind, source and split.
        leaks: images that are in more than one split, one row an image of the later split.
        like_names: class names that may be one.
        balances: one row a source with labelled objects.
        hash_distance, least_likeness: what counted as seen twice.
    """

    where: str
    counts: tuple[Counts, ...]
    problems: tuple[ProblemCount, ...]
    leaks: tuple[Leak, ...]
    like_names: tuple[LikeName, ...]
    balances: tuple[Balance, ...]
    hash_distance: int
    least_likeness: float

    @property
    def is_serious(self) -> bool:
        """Whether something would spoil training or measuring; names and balance are only remarks."""
        return bool(self.problems or self.leaks)

    def leaks_by_split(self) -> Mapping[tuple[str, str, str, str], tuple[int, int]]:
        """(source, split, other source, other split) to the number of images in both, and of copies among them."""
        found: dict[tuple[str, str, str, str], tuple[int, int]] = {}
        for leak in self.leaks:
            key = (leak.source, leak.split, leak.other_source, leak.other_split)
            number, copies = found.get(key, (0, 0))
            found[key] = (number + 1, copies + leak.is_copy)
        return found

    def to_json(self) -> dict[str, Any]:
        """All of it, with `is_serious`, in what JSON can hold."""
        return {"is_serious": self.is_serious, **asdict(self)}
