"""What happens to an item of a dataset that cannot be used: it is reported with its reason, never dropped in silence.

Adapters report through a function that their caller chooses: `refuse` where every item must be whole (training,
evaluation), a collecting one where the rest should go on (the builder).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from earthgptx.errors import MalformedDataset


@dataclass(frozen=True)
class BrokenItem:
    """One image or annotation that is left out.

    Attributes:
        source: the dataset's name.
        item: what it is in the dataset's own files: a file, or a file and an annotation's number.
        reason: one sentence with the numbers in it.
    """

    source: str
    item: str
    reason: str


OnBroken = Callable[[BrokenItem], None]


def refuse(broken: BrokenItem) -> NoReturn:
    """Takes the first broken item for an error.

    Raises:
        MalformedDataset: always.
    """
    raise MalformedDataset(f"{broken.item}: {broken.reason}")
