"""Words that pick out one object of an image, by rule: its class, its place, its extreme place or size.

In come boxes and labels, out come expressions that hold for this object and for no other labelled object of the
image, with a margin, so that nobody has to guess which of two was meant.
"""

from __future__ import annotations

from collections.abc import Sequence

from earthgptx.data.datasets.class_names import may_be_called
from earthgptx.data.sample import LabelledImage
from earthgptx.data.wording import at, position_word
from earthgptx.shapes import Box

PLACE_MARGIN = 0.05  # of the image's side: how far the outermost object's middle is past the next one's
FIELD_MARGIN = 0.03  # of the image's side: a middle that is nearer to the border of a field lies in both
SIZE_FACTOR = 1.5  # how many times as large as the next one the largest is


def unique_expressions(image: LabelledImage, index: int) -> tuple[str, ...]:
    """Every expression by rule that holds for this object alone, as in "the ship" or "the leftmost ship".

    Args:
        image: the labelled image.
        index: of the object in `image.objects`.

    Returns:
        The expressions, the shortest first; none where words cannot tell it from its like.
    """
    item = image.objects[index]
    alike = [
        other.box for k, other in enumerate(image.objects) if k != index and may_be_called(other.label, item.label)
    ]
    if not alike:
        return (f"the {item.label}",)
    found = [f"the {word} {item.label}" for word in _extremes(item.box, alike, image.width, image.height)]
    field = position_word(item.box, image.width, image.height)
    # "At the top" is said of the top left, too.
    places = {word for box in alike for name in _fields(box, image) for word in (name, *name.split())}
    if _fields(item.box, image) == {field} and field not in places:
        found.append(f"the {item.label} {at(field)}")
    return tuple(found)


def _extremes(box: Box, others: Sequence[Box], width: int, height: int) -> list[str]:
    (x, y), area = box.centre, box.area
    middles = [other.centre for other in others]
    margin_x, margin_y = PLACE_MARGIN * width, PLACE_MARGIN * height
    claims = {
        "leftmost": all(x + margin_x <= other_x for other_x, _ in middles),
        "rightmost": all(x - margin_x >= other_x for other_x, _ in middles),
        "topmost": all(y + margin_y <= other_y for _, other_y in middles),
        "bottommost": all(y - margin_y >= other_y for _, other_y in middles),
        "largest": all(area >= SIZE_FACTOR * other.area for other in others),
        "smallest": all(SIZE_FACTOR * area <= other.area for other in others),
    }
    return [word for word, holds in claims.items() if holds]


def _fields(box: Box, image: LabelledImage) -> set[str]:
    """The fields of the nine in which someone could place the box."""
    (x, y), dx, dy = box.centre, FIELD_MARGIN * image.width, FIELD_MARGIN * image.height
    middles = [(x + shift_x, y + shift_y) for shift_x in (-dx, 0, dx) for shift_y in (-dy, 0, dy)]
    return {position_word(Box(*middle, *middle), image.width, image.height) for middle in middles}
