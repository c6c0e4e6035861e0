"""What may be asked: the checks that every question and its marks pass before the model sees them.

Text, marks and the scene's size come in; the same question comes out, or one named error that holds the
numbers needed to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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

# "<Region 2>", "region 2", "<region> 2": however a region is named, it must have been marked.
_REGION_NAME = re.compile(r"<?\s*\bregion\s*>?\s*#?\s*([0-9]+)", re.IGNORECASE)
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
        RegionCountMismatch: it names a region that was not marked.
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
    for number in map(int, _REGION_NAME.findall(question)):
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


def _counted(num_marks: int) -> str:
    return f"{num_marks or 'no'} mark{' was' if num_marks == 1 else 's were'}"
