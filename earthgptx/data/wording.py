"""What can be said of labelled objects by rule: size, position, direction, neighbours, numbers.

Every word here follows from boxes and labels alone, so that whoever has the labels can check any answer made
of them. Positions and directions are those of the picture: top is small y, left is small x.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from earthgptx.data.datasets.class_names import plural, with_article
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box

# Side of the square of the box's area, as a share of the image's: below the first number "tiny", and so on.
SIZE_LIMITS: tuple[tuple[float, str], ...] = ((0.03, "tiny"), (0.06, "small"), (0.12, "medium-sized"))
LARGEST_SIZE = "large"
_SIZED = (*(f"{word} " for _, word in SIZE_LIMITS), f"{LARGEST_SIZE} ", "big ", "little ", "huge ")  # classes by size

# Nine fields, row by row.
FIELDS: tuple[tuple[str, str, str], ...] = (
    ("top left", "top", "top right"),
    ("left", "center", "right"),
    ("bottom left", "bottom", "bottom right"),
)

# Eight sectors of 45 degrees, clockwise on screen from the right.
DIRECTIONS: tuple[str, ...] = (
    "to the right of",
    "to the lower right of",
    "below",
    "to the lower left of",
    "to the left of",
    "to the upper left of",
    "above",
    "to the upper right of",
)

# A neighbour is worth a word when the gap to it is at most this share of the image's longer side.
NEIGHBOUR_REACH = 0.15

MAX_ATTRIBUTES = 2  # in front of a class; more read like a list

# Verbs that datasets use between two objects, and how one subject takes them; anything else follows "is".
_BARE_VERBS = {
    "carry": "carries",
    "cast": "casts",
    "catch": "catches",
    "connect": "connects",
    "contain": "contains",
    "cover": "covers",
    "cross": "crosses",
    "cut": "cuts",
    "dance": "dances",
    "drink": "drinks",
    "eat": "eats",
    "face": "faces",
    "follow": "follows",
    "hang": "hangs",
    "have": "has",
    "highfive": "highfives",
    "hit": "hits",
    "hold": "holds",
    "hug": "hugs",
    "interact": "interacts",
    "kick": "kicks",
    "kiss": "kisses",
    "lead": "leads",
    "lie": "lies",
    "look": "looks",
    "pass": "passes",
    "play": "plays",
    "pull": "pulls",
    "push": "pushes",
    "read": "reads",
    "ride": "rides",
    "show": "shows",
    "sit": "sits",
    "skateboard": "skateboards",
    "ski": "skis",
    "snowboard": "snowboards",
    "stand": "stands",
    "support": "supports",
    "surf": "surfs",
    "surround": "surrounds",
    "talk": "talks",
    "throw": "throws",
    "touch": "touches",
    "use": "uses",
    "walk": "walks",
    "watch": "watches",
    "wear": "wears",
}

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def size_word(box: Box, width: int, height: int) -> str:
    """One of "tiny", "small", "medium-sized" and "large", for a box in an image of this size."""
    share = math.sqrt(box.area / (width * height))
    return next((word for limit, word in SIZE_LIMITS if share < limit), LARGEST_SIZE)


def position_word(box: Box, width: int, height: int) -> str:
    """The field of the nine that holds the box's middle, as in "top left" or "center"."""
    x, y = box.centre
    column, row = (min(max(int(3 * place), 0), 2) for place in (x / width, y / height))
    return FIELDS[row][column]


def is_clearly_placed(box: Box, width: int, height: int, margin: float = 0.03) -> bool:
    """Whether the box's middle is no nearer than `margin` (a share of the image) to the border of a field."""
    x, y = box.centre
    return all(abs(place - line) >= margin for place in (x / width, y / height) for line in (1 / 3, 2 / 3))


def direction_words(box: Box, other: Box) -> str:
    """Where `box` lies seen from `other`, by their middles: "above", "to the lower left of", ..."""
    (x, y), (other_x, other_y) = box.centre, other.centre
    sector = round(math.atan2(y - other_y, x - other_x) / (math.pi / 4)) % 8
    return DIRECTIONS[sector]


def gap(box: Box, other: Box) -> float:
    """Pixels between the nearest edges of two boxes; 0 where they touch or overlap."""
    gap_x = max(other.x0 - box.x1, box.x0 - other.x1, 0.0)
    gap_y = max(other.y0 - box.y1, box.y0 - other.y1, 0.0)
    return math.hypot(gap_x, gap_y)


def is_within(box: Box, other: Box) -> bool:
    """Whether `box` lies inside `other` and is smaller."""
    inside = other.x0 <= box.x0 and other.y0 <= box.y0 and box.x1 <= other.x1 and box.y1 <= other.y1
    return inside and box.area < other.area


def describe(image: LabelledImage, index: int) -> str:
    """A region caption, as in "a large ship at the top left, to the left of a harbor".

    Where the dataset says what the object looks like, that stands in the place of its size: "a white car".

    Args:
        image: the labelled image.
        index: which of its objects to describe.
    """
    item = image.objects[index]
    words = [attribute for attribute in map(plain, item.attributes) if attribute]
    looks = [word for word in words if " " not in word][:MAX_ATTRIBUTES]
    adjective = " ".join(looks)
    if not looks and not item.label.startswith(_SIZED):  # no "large small vehicle"
        adjective = size_word(item.box, image.width, image.height)
    caption = f"{with_article(item.label, adjective)} {at(position_word(item.box, image.width, image.height))}"
    if words and not looks:  # only longer ones, as in "covered in snow"
        caption = f"{caption}, {words[0]}"
    neighbour = nearest_neighbour(image, index)
    if neighbour is None:
        return caption
    named = f"another {item.label}" if neighbour.label == item.label else with_article(neighbour.label)
    return f"{caption}, {direction_words(item.box, neighbour.box)} {named}"


def nearest_neighbour(image: LabelledImage, index: int) -> LabelledObject | None:
    """The object with the smallest gap to this one, then the nearest middle; None where all are far away."""
    box = image.objects[index].box
    others = [other for position, other in enumerate(image.objects) if position != index]
    if not others:
        return None
    nearest = min(others, key=lambda other: (gap(box, other.box), math.dist(box.centre, other.box.centre)))
    is_near = gap(box, nearest.box) <= NEIGHBOUR_REACH * max(image.width, image.height)
    return nearest if is_near and nearest.box.centre != box.centre else None


def relate(first: LabelledObject, second: LabelledObject) -> str:
    """The relationship of regions 1 and 2, as in "<Region 1> is above <Region 2>, both are ships"."""
    if is_within(first.box, second.box):
        place = "within the bounds of"
    elif is_within(second.box, first.box):
        place = "around"
    else:
        place = direction_words(first.box, second.box)
    if first.label == second.label:
        classes = f"both are {plural(first.label)}"
    else:
        classes = f"{with_article(first.label)} and {with_article(second.label)}"
    return f"<Region 1> is {place} <Region 2>, {classes}"


def state(subject_name: str, subject: LabelledObject, predicate: str, name: str, item: LabelledObject) -> str:
    """A dataset's relation of two regions, as in "<Region 1> is parked on <Region 2>, a car and a street".

    Args:
        subject_name, name: how subject and object are named, as in "<Region 1>".
        subject, item: the two objects.
        predicate: the dataset's words between them, in any form: "on", "riding", "wears", "have".
    """
    both = f"both are {plural(subject.label)}"
    classes = both if subject.label == item.label else f"{with_article(subject.label)} and {with_article(item.label)}"
    return f"{subject_name} {predicate_phrase(predicate)} {name}, {classes}"


def predicate_phrase(predicate: str) -> str:
    """A relation's words as a sentence about one subject says them: "is on", "is riding", "wears", "has"."""
    words = plain(predicate).lower().replace("_", " ")
    first, space, rest = words.partition(" ")
    if first in ("is", "has"):
        return words
    if first in ("are", "be"):
        return f"is{space}{rest}"
    if first in _BARE_VERBS:
        return f"{_BARE_VERBS[first]}{space}{rest}"
    return words if first in _BARE_VERBS.values() else f"is {words}"


def plain(text: str) -> str:
    """Words of a dataset as part of an answer: in one line, without the signs that name regions and masks."""
    return " ".join(re.sub(r"[<>]", " ", text).split())


def group_phrase(label: str, count: int) -> str:
    """A class and how many, as in "a ship", "three ships" and "more than ten ships"."""
    if count == 1:
        return with_article(label)
    number = _NUMBERS[count] if count < len(_NUMBERS) else "more than ten"
    return f"{number} {plural(label)}"


def shared_position(items: Sequence[LabelledObject], width: int, height: int) -> str:
    """The words " at the top left" where all the objects lie in that one field of the nine, else none."""
    words = {position_word(item.box, width, height) for item in items}
    return f" {at(words.pop())}" if len(words) == 1 else ""


def listed(parts: Sequence[str]) -> str:
    """Words joined as in "a", "a and b" and "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def at(position: str) -> str:
    """A field of the nine with its preposition."""
    return "in the center" if position == "center" else f"at the {position}"
