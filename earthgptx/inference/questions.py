"""What may be asked: the checks that every question and its marks pass before the model sees them.

Text, marks and the scene's size come in; the same question comes out, or one named error that holds the
numbers needed to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from earthgptx.errors import (
    EmptyQuestion,
    MisplacedTokens,
    QuestionTooLong,
    RegionCountMismatch,
    TooManyMarks,
)
from earthgptx.shapes import Mark, check_mark

MAX_QUESTION_CHARACTERS = 4_000
MAX_MARKS = 64

# "<Region 2>", "region 2", "<region> 2", "regions 2, 3 and 7": however a region is named, it must have been marked.
_REGION_NAMES = re.compile(
    r"\bregions?\s*>?\s*#?\s*([0-9]+(?:\s*(?:,\s*and\b|,|\band\b|\bor\b|\bto\b|[&-])\s*[0-9]+)*)", re.IGNORECASE
)
# "the region 200 m to the north" names no region; nor does any other number with a unit.
_UNIT = re.compile(r"\.[0-9]|\s*(?:%|(?:m|km|px|pixels?|met(?:er|re)s?|kilomet(?:er|re)s?)\b)", re.IGNORECASE)
# What may stand between two names of one list: "<Region 1>, <Region 2> and <Region 5>", "regions 1 to 3".
_BETWEEN_NAMES = re.compile(r"[\s,>&]*(?:and\b|or\b|to\b|-)?[\s,<&]*(?:regions?)?[\s<>#]*", re.IGNORECASE)
_BEFORE_NAME, _AFTER_NAME = re.compile(r"(?:<\s*)?\bregions?\s*>?\s*#?\s*$", re.IGNORECASE), re.compile(r"\s*>")
_RANGE = re.compile(r"([0-9]+)\s*(?:\bto\b|-)\s*([0-9]+)")
_WITHOUT_NUMBER = re.compile(r"\bmarked\s+regions?\b|\b(?:each|every)\s+mark\b", re.IGNORECASE)
_OWN_TOKENS = ("<image>", "<pix>")


def check_question(text: str, num_marks: int) -> str:
    """Gives the question back without the spaces around it.

    Args:
        text: as the user typed it.
        num_marks: marks that the question is about.

    Raises:
        EmptyQuestion: not a single word.
        QuestionTooLong: more than 4,000 characters.
        MisplacedTokens: it holds a token that only the program may write.
        RegionCountMismatch: it names a region that was not marked, or speaks of marked regions where there is none.
    """
    # A terminal can hand over bytes that are no text; they become "?", not a failure in the tokenizer.
    question = text.encode("utf-8", errors="replace").decode("utf-8").strip()
    if not question:
        raise EmptyQuestion("The question is empty: ask something, for example 'What is in this image?'.")
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise QuestionTooLong(
            f"The question has {len(question):,} characters; at most {MAX_QUESTION_CHARACTERS:,} are read."
        )
    for token in _OWN_TOKENS:
        if token in question:
            raise MisplacedTokens(f"The question must not hold {token}, which only the model's own text may hold.")
    if num_marks == 0 and _WITHOUT_NUMBER.search(question):
        raise RegionCountMismatch("The question speaks of marked regions but no mark was given.")
    for number in named_regions(question):
        if not 1 <= number <= num_marks:
            raise RegionCountMismatch(
                f"The question names region {number}, but {_counted(num_marks)} given (numbered from 1)."
            )
    return question


def check_marks(marks: Sequence[Mark], *, width: int, height: int) -> tuple[Mark, ...]:
    """Gives the marks back if there are not too many and each lies in the image.

    Args:
        marks: in the image's pixels.
        width, height: the image's size.

    Raises:
        TooManyMarks: more than 64.
        MalformedMark: a mark encloses nothing, holds NaN or crosses itself.
        MarkOutsideImage: a mark does not touch the image.
    """
    if len(marks) > MAX_MARKS:
        raise TooManyMarks(f"{len(marks):,} marks were given; one question carries at most {MAX_MARKS}.")
    return tuple(check_mark(mark, width, height) for mark in marks)


def named_regions(text: str) -> tuple[int, ...]:
    """The numbers of all regions that a checked question is about by name, in order; "2 to 4" holds 3."""
    numbers = set(_named_regions(text))
    for first, last in _RANGE.findall(" ".join(names.group(1) for names in _REGION_NAMES.finditer(text))):
        if {int(first), int(last)} <= numbers:
            numbers.update(range(int(first), int(last) + 1))
    return tuple(sorted(numbers))


def renumbered(text: str, number_of: Callable[[int], int]) -> str:
    """A question or an answer with other numbers for the regions it names.

    Args:
        text: with or without brackets around the names.
        number_of: a region's number now to its number then.
    """
    pieces, done = [], 0
    for start, end in _spans(text):
        pieces += [text[done:start], str(number_of(int(text[start:end])))]
        done = end
    return "".join([*pieces, text[done:]])


def narrowed(text: str, numbers: Collection[int]) -> str | None:
    """A question that names regions, asked of some of them: the others are left out of its lists.

    Args:
        text: as in "Segment <Region 1>, <Region 2> and <Region 5>."
        numbers: of the regions that stay.

    Returns:
        None where nothing would be left of a list, so that the question cannot be asked of those alone.
    """
    lists: list[list[tuple[int, int]]] = []
    for span in _spans(text):
        if lists and _BETWEEN_NAMES.fullmatch(text, lists[-1][-1][1], span[0]):
            lists[-1].append(span)
        else:
            lists.append([span])
    pieces, done = [], 0
    for spans in lists:
        before, after = _BEFORE_NAME.search(text[: spans[0][0]]), _AFTER_NAME.match(text, spans[-1][1])
        start, end = before.start() if before else spans[0][0], after.end() if after else spans[-1][1]
        named = named_regions(text[start:end])
        *first, last = [f"<Region {number}>" for number in named if number in numbers] or [""]
        if not last:
            return None
        kept = f"{', '.join(first)} and {last}" if first else last
        pieces += [text[done:start], text[start:end] if set(named) <= set(numbers) else kept]
        done = end
    return "".join([*pieces, text[done:]])


def _named_regions(question: str) -> list[int]:
    """Every number by which the question names a region."""
    return [int(question[start:end]) for start, end in _spans(question)]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the numbers stand by which a text names regions."""
    for names in _REGION_NAMES.finditer(text):
        for number in re.finditer("[0-9]+", names.group(1)):
            if not _UNIT.match(text, names.start(1) + number.end()):
                yield names.start(1) + number.start(), names.start(1) + number.end()


def _counted(num_marks: int) -> str:
    return f"{num_marks or 'no'} mark{' was' if num_marks == 1 else 's were'}"
