"""Words by rule: positions, directions, neighbours and numbers, and their symmetries."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.datasets.class_names import absent_label, plural, with_article
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.data.wording import (
    DIRECTIONS,
    FIELDS,
    describe,
    direction_words,
    gap,
    group_phrase,
    is_clearly_placed,
    is_within,
    listed,
    nearest_neighbour,
    position_word,
    relate,
    shared_position,
    size_word,
)
from earthgptx.shapes import Box
from tests.mark_strategies import HEIGHT, WIDTH, whole_boxes


def image_with(*objects: tuple[str, Box]) -> LabelledImage:
    items = tuple(LabelledObject(box=box, label=label) for label, box in objects)
    return LabelledImage(
        id="made/val/1",
        path=Path("1.png"),
        dataset="vhr10",
        sensor="optical",
        width=300,
        height=300,
        objects=items,
    )


def swapped(words: str) -> str:
    return words.replace("left", "?").replace("right", "left").replace("?", "right")


@given(whole_boxes())
def test_mirroring_swaps_left_and_right_of_a_position(box):
    if is_clearly_placed(box, WIDTH, HEIGHT):
        assert position_word(box.flipped(WIDTH), WIDTH, HEIGHT) == swapped(position_word(box, WIDTH, HEIGHT))


@given(whole_boxes(), whole_boxes())
def test_directions_are_opposite_seen_from_the_other_side(box, other):
    if box.centre == other.centre:
        return
    sector = DIRECTIONS.index(direction_words(box, other))
    # Exactly between two sectors either may be named.
    assert (DIRECTIONS.index(direction_words(other, box)) - sector) % 8 in (3, 4, 5)
    dx, dy = box.centre[0] - other.centre[0], box.centre[1] - other.centre[1]
    words = DIRECTIONS[sector]
    assert ("left" in words) <= (dx < 0)
    assert ("right" in words) <= (dx > 0)
    assert ("above" in words or "upper" in words) <= (dy < 0)
    assert ("below" in words or "lower" in words) <= (dy > 0)


@given(whole_boxes(), whole_boxes())
def test_a_gap_is_the_same_from_both_sides_and_none_where_boxes_share_area(box, other):
    assert gap(box, other) == gap(other, box) >= 0
    if box.iou(other) > 0:
        assert gap(box, other) == 0
    assert not (is_within(box, other) and is_within(other, box))


@given(whole_boxes(), st.integers(2, 9))
def test_size_and_position_do_not_depend_on_the_images_scale(box, factor):
    large = box.scaled(factor, factor)
    assert size_word(large, WIDTH * factor, HEIGHT * factor) == size_word(box, WIDTH, HEIGHT)
    assert position_word(large, WIDTH * factor, HEIGHT * factor) == position_word(box, WIDTH, HEIGHT)


def test_nine_fields():
    words = [[position_word(Box(x, y, x + 10, y + 10), 300, 300) for x in (40, 140, 250)] for y in (40, 140, 250)]
    assert words == [list(row) for row in FIELDS]
    assert not is_clearly_placed(Box(95, 140, 105, 160), 300, 300)


@pytest.mark.parametrize(("side", "word"), [(8, "tiny"), (12, "small"), (30, "medium-sized"), (60, "large")])
def test_sizes(side, word):
    assert size_word(Box(0, 0, side, side), 300, 300) == word


def test_region_caption_names_size_class_position_and_neighbour():
    image = image_with(
        ("ship", Box(0, 40, 60, 80)), ("harbor", Box(70, 40, 130, 80)), ("ship", Box(250, 280, 260, 290))
    )
    assert describe(image, 0) == "a large ship at the top left, to the left of a harbor"
    assert describe(image, 1) == "a large harbor at the top, to the right of a ship"
    assert describe(image, 2) == "a small ship at the bottom right"
    same = image_with(("airplane", Box(130, 130, 160, 160)), ("airplane", Box(130, 170, 160, 200)))
    assert describe(same, 0) == "a medium-sized airplane in the center, above another airplane"


def test_a_class_that_names_its_size_has_no_other_size():
    image = image_with(("small vehicle", Box(100, 100, 200, 200)), ("large vehicle", Box(0, 0, 5, 5)))
    assert describe(image, 0).startswith("a small vehicle in the center")
    assert describe(image, 1).startswith("a large vehicle at the top left")


def test_neighbours_beyond_reach_or_in_the_same_place_are_not_named():
    far = image_with(("ship", Box(0, 0, 10, 10)), ("ship", Box(200, 200, 210, 210)))
    assert nearest_neighbour(far, 0) is None
    assert nearest_neighbour(image_with(("ship", Box(0, 0, 10, 10))), 0) is None
    assert nearest_neighbour(image_with(("ship", Box(0, 0, 9, 9)), ("harbor", Box(0, 0, 9, 9))), 0) is None


def test_relations():
    ship, tank = (
        LabelledObject(Box(0, 0, 10, 10), "ship"),
        LabelledObject(Box(40, 40, 50, 50), "storage tank"),
    )
    harbor = LabelledObject(Box(0, 0, 60, 60), "harbor")
    assert relate(ship, ship.flipped(100)) == "<Region 1> is to the left of <Region 2>, both are ships"
    assert relate(ship, tank) == "<Region 1> is to the upper left of <Region 2>, a ship and a storage tank"
    assert relate(tank, harbor) == "<Region 1> is within the bounds of <Region 2>, a storage tank and a harbor"
    assert relate(harbor, tank) == "<Region 1> is around <Region 2>, a harbor and a storage tank"


def test_numbers_articles_and_lists():
    assert group_phrase("airplane", 1) == "an airplane"
    assert group_phrase("person", 3) == "three people"
    assert group_phrase("ship", 11) == "more than ten ships"
    assert with_article("other vehicle") == "some other vehicle"
    assert with_article("airplane", "large") == "a large airplane"
    assert (with_article("igloo"), with_article("dome"), plural("dome")) == ("an igloo", "a dome", "domes")
    assert (listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])) == ("a", "a and b", "a, b and c")


def test_a_position_is_shared_or_not_named():
    image = image_with(("ship", Box(0, 0, 9, 9)), ("ship", Box(20, 20, 29, 29)), ("ship", Box(290, 0, 300, 9)))
    assert shared_position(image.objects[:2], 300, 300) == " at the top left"
    assert shared_position(image.objects, 300, 300) == ""


def test_absent_labels_are_of_the_sensor_and_absent():
    rng = random.Random(5)
    drawn = {absent_label("infrared", ("person",), rng) for _ in range(200)}
    assert drawn == {"car", "bicycle", "other vehicle"}
    assert absent_label("infrared", ("person", "car", "bicycle", "other vehicle"), rng) is None
