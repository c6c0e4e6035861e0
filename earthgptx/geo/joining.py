"""What was said in the windows of a scene, put together into one answer in the user's numbering.

`Sight`s, which say what was asked where, and the answers given there come in; text, regions and masks of the whole
scene go out. It neither looks nor asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earthgptx.data.sample import Turn
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.scene_answer import SceneAnswer, SceneMask, SceneRegion
from earthgptx.geo.windows import Frame
from earthgptx.inference.answer import Answer
from earthgptx.inference.questions import renumbered
from earthgptx.shapes import Box, Mark

_HEADER = re.compile(r"\s*<?\s*region\s*#?\s*([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Sight:
    """A window, the regions that are asked about in it, and the question as it is asked there.

    Attributes:
        window: whole pixels of the scene.
        numbers: of the regions in the user's numbering; the window's own goes from 1 in this order.
        question: in the window's numbering.
        turns: what was said before about these regions, in the window's numbering.
    """

    window: Box
    numbers: tuple[int, ...]
    question: str
    turns: tuple[Turn, ...] = ()

    def number_here(self, number: int) -> int:
        """A region's number in the window from the user's; 0 where it is not seen there."""
        return self.numbers.index(number) + 1 if number in self.numbers else 0


@dataclass(frozen=True)
class Part:
    """What was said in one window."""

    sight: Sight
    frame: Frame
    answer: Answer

    def in_own_words(self, num_marks: int, *, is_alone: bool) -> str:
        """The text in the user's numbering; among others it says which regions it is about."""
        text = _in_users_numbering(self.answer.text, self.sight, num_marks)
        if is_alone or not text.strip() or _HEADER.match(text):
            return text
        if len(self.sight.numbers) == 1:
            return f"<Region {self.sight.numbers[0]}>: {text.lstrip()}"
        return f"{about(self.sight.numbers)}{text.lstrip()}"


def joined(scene: BigScene, question: str, marks: Sequence[Mark], parts: Sequence[Part]) -> SceneAnswer:
    """One answer from those of the windows: what is said of regions in the user's order, masks in that of the text."""
    num_marks = len(marks)
    blocks: list[tuple[int, str, list[SceneMask]]] = []
    labels: dict[int, tuple[str, float]] = {}
    bound: dict[int, SceneMask] = {}
    for part in parts:
        masks = [
            SceneMask(
                array=mask.array,
                frame=part.frame,
                region=None if mask.region is None else _users_number(mask.region, part.sight, num_marks),
                phrase=mask.phrase,
                confidence=mask.confidence,
            )
            for mask in part.answer.masks
        ]
        for number, region in zip(part.sight.numbers, part.answer.regions, strict=True):
            labels[number] = (region.label, region.confidence)
            found = next((k for k, mask in enumerate(part.answer.masks) if mask.array is region.mask), None)
            if found is not None:
                bound[number] = masks[found]
        for number, text in blocks_of(part.in_own_words(num_marks, is_alone=len(parts) == 1)):
            num_masks = text.count("<pix>")
            blocks.append((number, text, masks[:num_masks]))
            masks = masks[num_masks:]
    if len(parts) > 1 and all(number for number, _, _ in blocks):
        blocks.sort(key=lambda block: block[0])
    return SceneAnswer(
        scene=scene,
        question=question,
        text="\n".join(text for _, text, _ in blocks),
        regions=tuple(
            SceneRegion(number, mark, *labels.get(number, ("", 0.0)), bound.get(number))
            for number, mark in enumerate(marks, start=1)
        ),
        masks=tuple(mask for _, _, masks in blocks for mask in masks),
        windows=tuple(part.frame.window for part in parts),
    )


def blocks_of(text: str) -> list[tuple[int, str]]:
    """A text's lines, those that belong to a region's together: its number, 0 for lines before any region's."""
    blocks: list[tuple[int, str]] = []
    for line in text.split("\n"):
        header = _HEADER.match(line)
        if header or not blocks:
            blocks.append((int(header.group(1)) if header else 0, line))
        else:
            blocks[-1] = (blocks[-1][0], f"{blocks[-1][1]}\n{line}")
    return blocks


def _users_number(number: int, sight: Sight, num_marks: int) -> int:
    """A region's number from the window's; one that the model made up gets a number that no mark has."""
    return sight.numbers[number - 1] if 1 <= number <= len(sight.numbers) else num_marks + max(number, 1)


def _in_users_numbering(text: str, sight: Sight, num_marks: int) -> str:
    if sight.numbers == tuple(range(1, num_marks + 1)):
        return text
    return renumbered(text, lambda number: _users_number(number, sight, num_marks))


def about(numbers: Sequence[int]) -> str:
    """The beginning of a sentence about regions; nothing where there are none."""
    *first, last = map(str, numbers) if numbers else ("",)
    return f"Regions {', '.join(first)} and {last}: " if first else f"Region {last}: " if last else ""


class Lines:
    """Text as it comes, told in the user's numbering.

    Args:
        sight: the only window: its words are told at once where its numbering is the user's, else line by line. None
            where there are several: all is told at the end.
        num_marks: of the user's.
        tell: told the words.
    """

    def __init__(self, sight: Sight | None, num_marks: int, tell: Callable[[str], None]) -> None:
        self._sight, self._num_marks, self._tell = sight, num_marks, tell
        self._is_same = sight is not None and sight.numbers == tuple(range(1, num_marks + 1))
        self._held = ""

    def add(self, piece: str) -> None:
        """Hears a piece of the text of the only window, or of one of several."""
        if self._sight is None:
            return
        if self._is_same:
            self._tell(piece)
            return
        lines, end, self._held = (self._held + piece).rpartition("\n")
        if end:
            self._tell(_in_users_numbering(lines + end, self._sight, self._num_marks))

    def end(self, text: str) -> None:
        """Tells what is left; `text` is all of it, of all windows."""
        if self._sight is None:
            self._tell(text)
        elif self._held:
            self._tell(_in_users_numbering(self._held, self._sight, self._num_marks))
            self._held = ""
