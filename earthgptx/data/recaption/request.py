"""What is asked: the words, the picture and the key under which the answer is kept.

A subject comes in; a `Question` and PNG bytes go out. It knows neither prices nor the network.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from earthgptx.data.datasets.class_names import plural
from earthgptx.data.pixels import pixels_of
from earthgptx.data.recaption.schema import SCHEMA
from earthgptx.data.recaption.set_of_marks import draw_set_of_marks
from earthgptx.data.recaption.subject import Subject
from earthgptx.data.sample import LabelledObject
from earthgptx.data.wording import listed
from earthgptx.errors import UnreadableImagery

DRAWING_VERSION = 1  # raise it when the picture is drawn differently; words and schema are in the key themselves

ResponseFormat = Literal["json_schema", "json_object", "text"]

SYSTEM = (
    "You write training descriptions of imagery for people who interpret satellite, aerial and radar pictures. "
    "You say only what can be seen or what you are told, in plain, exact English. You answer with one JSON object."
)

_SENSORS = {
    "optical": "an optical image; colours are real unless it is grey",
    "sar": "a radar (SAR) image; brightness is backscatter, metal glints, calm water is dark, speckle is noise",
    "infrared": "a thermal infrared image; brightness is heat, not light, and colours mean nothing",
}

_RULES = """\
Fields of the JSON object:
- "caption": three to six sentences on the whole image: the kind of place, how the objects are arranged, the ground \
around them. Name every class of the list. Where you give a number of objects of a class, give that of the whole image.
- "regions": one entry for every number drawn, none left out and none added: "number", "class" exactly as listed, and \
"description", one or two sentences on that object alone: look, orientation, state, place, what is next to it. Use \
the class's name in it.
- "relationships": the pairs that an expert would remark on, at most one for each number: "subject" and "object" are \
numbers, "predicate" is the words that complete "<subject> is ... <object>" in lower case, such as "moored beside" or \
"parked in the row to the left of". Leave the array empty if there is a single object.

Rules:
- The outlines and numbers were drawn for you and are not part of the scene: never mention them or the numbers in \
"caption", "description" or "predicate".
- Use the class names as listed. Do not name a class of this kind that is not listed, and do not guess model names.
- Directions are those of the picture: left, right, top, bottom. Never use compass directions.
- No angle brackets, no markdown."""


@dataclass(frozen=True)
class Parameters:
    """What shapes every answer of a run; each is part of the key.

    Attributes:
        model: its name at the endpoint.
        max_output_tokens: where an answer is cut.
        temperature: the endpoint's own default where None; some models take no other.
        response_format: "json_schema" asks for the schema, "json_object" for any JSON, "text" for nothing.
        side: the picture's longer side in pixels.
    """

    model: str
    max_output_tokens: int = 3000
    temperature: float | None = None
    response_format: ResponseFormat = "json_schema"
    side: int = 896


@dataclass(frozen=True)
class Question:
    """The words of one question and the run's parameters."""

    system: str
    words: str
    parameters: Parameters


def question_of(subject: Subject, parameters: Parameters) -> Question:
    """The words for one subject: sensor, numbers with their classes, totals, fields and rules."""
    lines = "\n".join(f"{number}: {item.label}" for number, item in enumerate(subject.numbered, start=1))
    words = (
        f"This is {_SENSORS[subject.image.sensor]}. Some objects are outlined and numbered:\n{lines}\n\n"
        f"{_totals_in_words(subject)}\n\n{_RULES}"
    )
    if parameters.response_format != "json_schema":
        words += f"\n\nThe JSON object must follow this schema:\n{json.dumps(SCHEMA)}"
    return Question(system=SYSTEM, words=words, parameters=parameters)


def _totals_in_words(subject: Subject) -> str:
    """How many objects of each class there are, numbered or not; or that this is not known."""
    totals = subject.totals
    open_classes = sorted(set(subject.counts) - set(totals))
    sentences = []
    if totals:
        counted = [f"{count} {label if count == 1 else plural(label)}" for label, count in sorted(totals.items())]
        sentences.append(f"In all, the image is known to hold {listed(counted)}.")
        numbered = sum(1 for item in subject.numbered if item.label in totals)
        if numbered < sum(totals.values()):
            sentences.append(f"{sum(totals.values()) - numbered} of these carry no number.")
    if open_classes:
        classes = listed([plural(label) for label in open_classes])
        sentences.append(f"How many {classes} there are in all is not known: give no number of them in the caption.")
    return " ".join(sentences)


def content_key(subject: Subject, question: Question) -> str:
    """SHA-256 (hex) of everything that the answer depends on; two copies of an image share it, paths do not matter.

    Raises:
        UnreadableImagery: the image file cannot be read.
    """
    image = subject.image
    try:
        image_hash = _file_hash(image.path, image.path.stat().st_mtime_ns)
    except OSError as error:
        raise UnreadableImagery(f"{image.path} cannot be read: {error.strerror}.") from error
    content: dict[str, Any] = {
        "drawing": DRAWING_VERSION,
        "question": asdict(question),
        "schema": SCHEMA,
        "image": image_hash,
        "sensor": image.sensor,
        "window": None if image.window is None else image.window.to_json(),
        "orientation": image.orientation,
        "marks": [_drawn(item) for item in subject.numbered],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def picture_of(subject: Subject, parameters: Parameters) -> bytes:
    """The picture with its numbers, as PNG.

    Raises:
        UnreadableImagery, ImageTooLarge, EmptyImagery: as `pixels.pixels_of` has them.
    """
    pixels = pixels_of(subject.image)
    marked = draw_set_of_marks(pixels, subject.numbered, side=parameters.side)
    written = io.BytesIO()
    marked.image.save(written, format="PNG")
    return written.getvalue()


@lru_cache(maxsize=4)  # the tiles of a big image come one after the other
def _file_hash(path: Path, changed_at: int) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _drawn(item: LabelledObject) -> list[Any]:
    """The geometry that is drawn for an object."""
    shapes = item.polygons or ((item.rotated,) if item.rotated is not None else ())
    return [item.box.to_json(), [shape.to_json() for shape in shapes]]
