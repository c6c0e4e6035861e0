"""The form of an answer: its JSON schema, and the reading of it with a clear reason where it is not followed.

The text of a model comes in, an `Answer` or an `AnswerRefused` goes out. Whether the answer is true is not known
here; `verify` has the labels.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

SCHEMA_NAME = "image_description"

_NUMBER = {"type": "integer", "minimum": 1}
# Every field is required and no other is allowed: what strict structured output asks for.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["caption", "regions", "relationships"],
    "properties": {
        "caption": {"type": "string"},
        "regions": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["number", "class", "description"],
                "properties": {
                    "number": _NUMBER,
                    "class": {"type": "string"},
                    "description": {"type": "string"},
                },
            },
        },
        "relationships": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["subject", "predicate", "object"],
                "properties": {"subject": _NUMBER, "predicate": {"type": "string"}, "object": _NUMBER},
            },
        },
    },
}

_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*)\n```\Z", re.DOTALL)


class AnswerRefused(Exception):  # noqa: N818  (a sentence about the answer, as the package's other errors)
    """An answer of the model cannot be used; the arguments are the reasons, a sentence each."""


@dataclass(frozen=True)
class RegionDescription:
    """What the answer says of one number."""

    number: int
    label: str
    description: str


@dataclass(frozen=True)
class Relationship:
    """What the answer says of two numbers, as in (1, "moored beside", 2)."""

    subject: int
    predicate: str
    object: int


@dataclass(frozen=True)
class Answer:
    """One answer in the schema's form, spaces tidied."""

    caption: str
    regions: tuple[RegionDescription, ...]
    relationships: tuple[Relationship, ...]


def parse_answer(text: str) -> Answer:
    """Reads an answer; one fenced as a code block is read too.

    Relationships that are stated twice in the same words are one.

    Raises:
        AnswerRefused: not JSON, or not in the schema's form; the reason names the place.
    """
    stripped = text.strip()
    fenced = _FENCE.match(stripped)
    try:
        record = json.loads(fenced.group(1) if fenced else stripped)
    except json.JSONDecodeError as error:
        raise AnswerRefused(f"The answer is not JSON: {error.msg} at character {error.pos} of {len(text)}.") from error
    except RecursionError as error:
        raise AnswerRefused("The answer is not JSON of this schema: it is nested too deeply.") from error
    whole = _fields(record, "the answer", SCHEMA["required"])
    regions = tuple(_region(item, f"regions[{place}]") for place, item in enumerate(_items(whole, "regions")))
    relationships = tuple(
        _relationship(item, f"relationships[{place}]") for place, item in enumerate(_items(whole, "relationships"))
    )
    return Answer(
        caption=_text(whole, "caption", "the answer"),
        regions=regions,
        relationships=tuple(dict.fromkeys(relationships)),
    )


def _region(item: Any, where: str) -> RegionDescription:
    fields = _fields(item, where, ("number", "class", "description"))
    return RegionDescription(
        number=_number(fields, "number", where),
        label=_text(fields, "class", where),
        description=_text(fields, "description", where),
    )


def _relationship(item: Any, where: str) -> Relationship:
    fields = _fields(item, where, ("subject", "predicate", "object"))
    return Relationship(
        subject=_number(fields, "subject", where),
        predicate=_text(fields, "predicate", where),
        object=_number(fields, "object", where),
    )


def _fields(value: Any, where: str, names: tuple[str, ...] | list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AnswerRefused(f"{where} is a JSON {_kind(value)}, not an object.")
    absent = [name for name in names if name not in value]
    unknown = sorted(set(value) - set(names))
    if absent or unknown:
        raise AnswerRefused(f"{where} lacks {absent or 'nothing'} and has {unknown or 'nothing'} beyond the schema.")
    return value


def _items(fields: dict[str, Any], name: str) -> list[Any]:
    value = fields[name]
    if not isinstance(value, list):
        raise AnswerRefused(f"{name} is a JSON {_kind(value)}, not an array.")
    return value


def _text(fields: dict[str, Any], name: str, where: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not value.strip():
        raise AnswerRefused(f"{name} of {where} is {'empty' if isinstance(value, str) else 'a ' + _kind(value)}.")
    tidied = " ".join(value.split())
    if not tidied.isprintable():
        raise AnswerRefused(f"{name} of {where} holds a sign that cannot be printed.")
    return tidied


def _number(fields: dict[str, Any], name: str, where: str) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise AnswerRefused(f"{name} of {where} is a JSON {_kind(value)}, not a whole number.")
    return value


def _kind(value: Any) -> str:
    """JSON's own word for the type of a value."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
