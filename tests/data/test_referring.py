"""Words that refer: what holds for one object holds for no other, read by a judge who knows only the words."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.datasets.class_names import may_be_called
from earthgptx.data.datasets.synonyms import KINDS
from earthgptx.data.referring import unique_expressions
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.data.wording import FIELDS, position_word
from earthgptx.shapes import Box

WIDTH, HEIGHT = 320, 240
LABELS = ("ship", "boat", "car", "vehicle", "small vehicle", "person", "woman", "storage tank")
ORDERS = {
    "leftmost": lambda box: box.centre[0],
    "rightmost": lambda box: -box.centre[0],
    "topmost": lambda box: box.centre[1],
    "bottommost": lambda box: -box.centre[1],
    "largest": lambda box: -box.area,
    "smallest": lambda box: box.area,
}


def image_with(*objects: tuple[str, Box]) -> LabelledImage:
    items = tuple(LabelledObject(box=box, label=label) for label, box in objects)
    return LabelledImage("made/val/1", Path("1.png"), "made", "optical", WIDTH, HEIGHT, items)


@st.composite
def crowds(draw):
    objects = []
    for _ in range(draw(st.integers(1, 8))):
        x, y = draw(st.integers(0, WIDTH - 4)), draw(st.integers(0, HEIGHT - 4))
        box = Box(x, y, draw(st.integers(x + 2, WIDTH)), draw(st.integers(y + 2, HEIGHT)))
        objects.append((draw(st.sampled_from(LABELS)), box))
    return image_with(*objects)


def meant(image: LabelledImage, expression: str) -> list[int]:
    """All objects that the words fit, by another way of reading them than the way they were written."""
    words = expression.removeprefix("the ")
    field = next((name for row in FIELDS for name in row if words.endswith((f" at the {name}", f" in the {name}"))), "")
    words = words.removesuffix(f" at the {field}").removesuffix(f" in the {field}")
    order = next((word for word in ORDERS if words.startswith(f"{word} ")), "")
    noun = words.removeprefix(f"{order} ")
    fitting = [
        k
        for k, item in enumerate(image.objects)
        if item.label == noun or item.label.endswith(f" {noun}") or item.label in KINDS.get(noun, ())
    ]
    if field:
        places = {k: position_word(image.objects[k].box, WIDTH, HEIGHT) for k in fitting}
        return [k for k, place in places.items() if field == place or field in place.split()]
    if order:
        keys = [ORDERS[order](image.objects[k].box) for k in fitting]
        return [k for k, key in zip(fitting, keys, strict=True) if key == min(keys)]
    return fitting


@given(crowds())
def test_an_expression_fits_one_object_and_no_other(image):
    seen = []
    for index in range(len(image.objects)):
        for expression in unique_expressions(image, index):
            assert meant(image, expression) == [index], expression
            seen.append(expression)
    assert len(seen) == len(set(seen))


@given(crowds(), st.integers(-3, 3), st.integers(-3, 3))
def test_a_little_shift_of_the_eye_never_makes_it_another_object(image, dx, dy):
    """The margins: every middle may be misjudged by a hundredth of the image, one of them more than the rest."""
    for index in range(len(image.objects)):
        for expression in unique_expressions(image, index):
            moved = [
                (item.label, item.box.shifted(dx, dy) if k == index else item.box)
                for k, item in enumerate(image.objects)
            ]
            assert meant(image_with(*moved), expression) == [index], expression


def test_the_only_one_of_its_kind_needs_no_place():
    image = image_with(("ship", Box(0, 0, 20, 20)), ("car", Box(200, 200, 220, 220)))
    assert unique_expressions(image, 0) == ("the ship",)


def test_a_kind_of_the_thing_is_in_the_way_of_the_general_word_only():
    image = image_with(("vehicle", Box(0, 0, 20, 20)), ("small vehicle", Box(200, 200, 220, 220)))
    assert "the vehicle" not in unique_expressions(image, 0)
    assert unique_expressions(image, 1) == ("the small vehicle",)
    assert may_be_called("car", "vehicle")
    assert not may_be_called("vehicle", "car")


def test_places_and_sizes():
    image = image_with(
        ("ship", Box(0, 0, 40, 40)), ("ship", Box(150, 110, 170, 130)), ("ship", Box(150, 200, 170, 220))
    )
    assert unique_expressions(image, 0) == (
        "the leftmost ship",
        "the topmost ship",
        "the largest ship",
        "the ship at the top left",
    )
    assert unique_expressions(image, 1) == ("the ship in the center",)
    row = image_with(("ship", Box(10, 10, 20, 20)), ("ship", Box(150, 10, 160, 20)))
    assert unique_expressions(row, 0) == ("the leftmost ship", "the ship at the top left")
    assert unique_expressions(row, 1) == ("the rightmost ship",)  # both are at the top
    twins = image_with(("ship", Box(0, 0, 20, 20)), ("ship", Box(2, 2, 22, 22)))
    assert unique_expressions(twins, 0) == unique_expressions(twins, 1) == ()
