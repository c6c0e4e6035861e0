"""The written form of answers: region lines, phrases and mask tokens, to text and back.

A region's answer is the line ``<Region 2>: harbor``; a mask is the word ``<pix>``; a phrase that a mask
belongs to is ``<p>two ships</p> <pix>``. Training writes this form with `render`, inference reads it with
`parse` and `pix_bindings`. This module knows text only: no tokenizer, no image, no mask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_NAME = r"<\s*region\s*\#?\s*(?:[0-9]{1,4})\s*>"
_BARE_NAME = r"\bregion\s*\#?\s*(?:[0-9]{1,4})\b"

# One or more names and a colon: "<Region 1>:", "region 1 :", "<Region 1><Region 2>, <Region 3>:". Brackets
# are optional only in front of a colon: prose ("region 2 lies left") never counts as a region's answer.
_HEADER = re.compile(rf"(?:{_NAME}|{_BARE_NAME})(?:[ \t]*(?:,|;|&|and)?[ \t]*{_NAME})*[ \t]*[:\uff1a]", re.IGNORECASE)
_NAMED = re.compile(rf"{_NAME}|{_BARE_NAME}[ \t]*[:\uff1a]", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,4}")
_PIX = re.compile(r"<pix>")
# A phrase left open ends where its mask, the next phrase or the line begins.
_PHRASE = re.compile(r"<p>((?:(?!</?p>|<pix>|\n).)*)(?:</p>)?\s*(<pix>)?")
_TOKENS = re.compile(r"<(?:pix|/?p|region|image)>")
_LINE_SPACES = re.compile(r"[ \t]+")
_SPACE_BEFORE_STOP = re.compile(r"[ \t]+([.,;!?])")
_EDGE_PUNCTUATION = " \t.,;:"


@dataclass(frozen=True)
class RegionAnswer:
    """What an answer says about one region.

    Attributes:
        number: the region's number, from 1, as written in ``<Region k>``.
        text: the words after the colon, mask and phrase tokens included.
        start: where `text` begins in the parsed answer, in characters. Not part of equality.
    """

    number: int
    text: str
    start: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Phrase:
    """A ``<p>..</p>`` phrase and the mask that belongs to it.

    Attributes:
        text: the words between the tokens.
        pix: the index, from 0, of the ``<pix>`` directly after the phrase; None where there is none.
    """

    text: str
    pix: int | None


@dataclass(frozen=True)
class ParsedAnswer:
    """An answer taken apart.

    Attributes:
        regions: one entry a region, in the order written.
        text: the whole answer as prose: phrase and mask tokens taken out, spaces tidied.
        phrases: the ``<p>`` phrases in order.
    """

    regions: tuple[RegionAnswer, ...]
    text: str
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True)
class PixBinding:
    """What one ``<pix>`` is the mask of.

    Attributes:
        region: the number of the ``<Region k>`` last named before it on its line, or None.
        phrase: the words of the ``<p>`` phrase directly before it, or None.
    """

    region: int | None
    phrase: str | None


def render(regions: Sequence[str]) -> str:
    """Writes one line a region, numbered from 1 in the order given; `parse` gives the same texts back.

    Args:
        regions: the answer of each region: one line, words parted by single spaces.

    Raises:
        ValueError: a text holds a line break, stray spaces, or a ``<Region k>:`` header of its own, so that
            it could not be read back.
    """
    for number, text in enumerate(regions, start=1):
        if text != " ".join(text.split()):
            raise ValueError(f"the answer of region {number} must be one line without stray spaces: {text!r}")
        if _HEADER.search(text):
            raise ValueError(f"the answer of region {number} must not hold a region header: {text!r}")
    return "\n".join(f"<Region {number}>: {text}" for number, text in enumerate(regions, start=1))


def parse(text: str) -> ParsedAnswer:
    """Reads an answer, a model's odd habits included.

    Accepted beside `render`'s own form: several regions on one line, names without brackets before a colon,
    any case, ``<Region1>``, one answer shared by ``<Region 1><Region 2>:``. Where a region is answered twice,
    the first answer that has words counts.

    Args:
        text: an answer as generated.
    """
    return ParsedAnswer(regions=_regions(text), text=readable(text), phrases=_phrases(text))


def pix_bindings(text: str) -> list[PixBinding]:
    """Tells what each ``<pix>`` of an answer is the mask of, in order of appearance.

    Args:
        text: an answer as generated.
    """
    phrases = {phrase.pix: phrase.text for phrase in _phrases(text) if phrase.pix is not None}
    bindings = []
    for index, pix in enumerate(_PIX.finditer(text)):
        line = text[text.rfind("\n", 0, pix.start()) + 1 : pix.start()]
        names = _NAMED.findall(line)
        region = int(_NUMBER.findall(names[-1])[-1]) if names else None
        bindings.append(PixBinding(region=region, phrase=phrases.get(index)))
    return bindings


def readable(text: str) -> str:
    """The answer as prose: without phrase, mask and placeholder tokens, spaces tidied line by line.

    A line that held nothing but a mask keeps its region's name; an empty line is dropped.
    """
    lines = []
    for line in text.splitlines():
        words = _LINE_SPACES.sub(" ", _TOKENS.sub(" ", line)).strip()
        lines.append(_SPACE_BEFORE_STOP.sub(r"\1", words))
    return "\n".join(line for line in lines if line)


def without_tokens(piece: str) -> str:
    """A piece of streamed text without phrase, mask and placeholder tokens, its spaces as they were."""
    return _TOKENS.sub("", piece)


def label_of(text: str) -> str:
    """The bare label in a region's answer: no tokens, no full stop at its end ("Ship. <pix>" -> "Ship")."""
    return " ".join(readable(text).split()).strip(_EDGE_PUNCTUATION)


def _regions(text: str) -> tuple[RegionAnswer, ...]:
    answers: dict[int, RegionAnswer] = {}
    for answer in _written_regions(text):
        earlier = answers.get(answer.number)
        if earlier is None or (not label_of(earlier.text) and label_of(answer.text)):
            answers[answer.number] = answer
    return tuple(answers.values())


def _written_regions(text: str) -> Iterator[RegionAnswer]:
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=False):
        # The answer is the rest of the header's line; a line break right after the colon is forgiven.
        written = text[header.end() : end]
        start = header.end() + len(written) - len(written.lstrip())
        words = written.strip().split("\n", 1)[0].rstrip()
        for number in _NUMBER.findall(header.group()):
            yield RegionAnswer(number=int(number), text=words, start=start)


def _phrases(text: str) -> tuple[Phrase, ...]:
    phrases = []
    for match in _PHRASE.finditer(text):
        pix = text.count("<pix>", 0, match.start(2)) if match.group(2) else None
        phrases.append(Phrase(text=" ".join(match.group(1).split()), pix=pix))
    return tuple(phrases)
