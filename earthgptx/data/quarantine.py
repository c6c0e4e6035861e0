"""What happens to an item of a dataset that cannot be used: it is reported with its reason, never dropped in silence.

Adapters report through a function that their caller chooses: `refuse` where every item must be whole (training,
evaluation), a collecting one where the rest should go on (the builder).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from earthgptx.errors import EnclosesNothing, MalformedDataset


@dataclass(frozen=True)
class BrokenItem:
    """One image or annotation that is left out.

    Attributes:
        source: the dataset's name.
        item: what it is in the dataset's own files: a file, or a file and an annotation's number.
        reason: one sentence with the numbers in it.
        is_empty: nothing is lost with it: a box or outline without area, or images that were left out on purpose.
    """

    source: str
    item: str
    reason: str
    is_empty: bool = False

    def __post_init__(self) -> None:
        """Makes sure that the report can be written, whatever bytes a file's name has."""
        for name in ("item", "reason"):
            object.__setattr__(self, name, getattr(self, name).encode("utf-8", "replace").decode())


OnBroken = Callable[[BrokenItem], None]


def refuse(broken: BrokenItem) -> None:
    """Takes the first broken item for an error; what loses nothing, see `is_empty`, is passed over.

    Raises:
        MalformedDataset: something is lost with the item.
    """
    if not broken.is_empty:
        raise MalformedDataset(f"{broken.item}: {broken.reason}")


def setting_aside(source: str, item: str, on_broken: OnBroken) -> AbstractContextManager[None, bool]:
    """Reports what is wrong inside a `with` block as one broken item, and goes on behind the block.

    Args:
        source: the dataset's name.
        item: what the block reads, in the words of the dataset's own files.
        on_broken: told of the item; what it raises is raised.
    """
    return _SettingAside(source, item, on_broken)


@dataclass(frozen=True)
class _SettingAside:
    """A class, not a generator, so that type checkers know that the block may be left half done."""

    source: str
    item: str
    on_broken: OnBroken

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, RecursionError):  # a thousand lists within lists, which a hostile file may hold
            error = MalformedDataset("it is nested too deeply.")
        if not isinstance(error, MalformedDataset | EnclosesNothing):
            return False
        is_empty = isinstance(error, EnclosesNothing)
        self.on_broken(BrokenItem(self.source, self.item, str(error), is_empty=is_empty))
        return True
