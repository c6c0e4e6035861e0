"""Turned copies: labels go where the pixels go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.orientation import NUM_ORIENTATIONS, oriented, oriented_pixels, speaks_of_frame, speaks_of_place
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box, Polygon
from tests.mark_strategies import HEIGHT, WIDTH, whole_boxes

orientations = st.integers(0, NUM_ORIENTATIONS - 1)


def image_of(*objects: LabelledObject) -> LabelledImage:
    return LabelledImage(
        id="set/train/a",
        path=Path("a.png"),
        dataset="set",
        sensor="sar",
        width=WIDTH,
        height=HEIGHT,
        objects=objects,
        captions=("many planes", "a plane on the left", "Northern lights", "an upright tower"),
    )


@given(box=whole_boxes(), orientation=orientations)
def test_a_turned_box_covers_the_turned_pixels(box: Box, orientation: int) -> None:
    image = image_of(LabelledObject(box=box, label="ship"))
    turned = oriented(image, orientation)
    before = image.objects[0].mask(HEIGHT, WIDTH)
    after = turned.objects[0].mask(turned.height, turned.width)
    assert (oriented_pixels(before[..., None].astype(np.uint8), orientation)[..., 0] == after).all()
    assert turned.objects[0].box.area == box.area


@pytest.mark.parametrize("orientation", range(NUM_ORIENTATIONS))
def test_a_turned_outline_covers_the_turned_pixels(orientation: int) -> None:
    corner = Polygon(((2.0, 3.0), (20.0, 3.0), (20.0, 9.0), (8.0, 9.0), (8.0, 30.0), (2.0, 30.0)))
    image = image_of(LabelledObject(box=Box(2, 3, 20, 30), label="ship", polygons=(corner,)))
    turned = oriented(image, orientation)
    before = image.objects[0].mask(HEIGHT, WIDTH)
    after = turned.objects[0].mask(turned.height, turned.width)
    assert (oriented_pixels(before[..., None].astype(np.uint8), orientation)[..., 0] == after).all()
    bounds = turned.objects[0].polygons[0].bounds()
    assert bounds == turned.objects[0].box


@pytest.mark.parametrize(
    ("text", "of_place", "of_frame"),
    [
        ("the leftmost ship", True, True),
        ("on the lower right-hand side", True, True),
        ("a car facing downwards", True, True),
        ("the ship in the middle", False, True),
        ("the third car", False, True),
        ("a plane in the corner of the image", False, True),
        ("an upright, brightly painted tower", False, False),
        ("the largest ship", False, False),
    ],
)
def test_words_that_stop_being_true(text: str, of_place: bool, of_frame: bool) -> None:
    assert (speaks_of_place(text), speaks_of_frame(text)) == (of_place, of_frame)


def test_the_eight_are_different() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert len({oriented_pixels(pixels, k).tobytes() + bytes([k >= 4]) for k in range(NUM_ORIENTATIONS)}) == 8
    assert oriented_pixels(pixels, 4).shape == (3, 2, 3)


def test_a_turned_image_has_a_name_of_its_own_and_captions_that_stay_true() -> None:
    turned = oriented(image_of(), 3)
    assert turned.id == "set/train/a~3"
    assert turned.captions == ("many planes", "an upright tower")
    assert oriented(image_of(), 0) == image_of()


@pytest.mark.parametrize("orientation", [-1, NUM_ORIENTATIONS])
def test_there_are_eight(orientation: int) -> None:
    with pytest.raises(ValueError, match="none of 0 to 7"):
        oriented(image_of(), orientation)


def test_nothing_is_turned_twice() -> None:
    with pytest.raises(ValueError, match="turned already"):
        oriented(replace(image_of(), orientation=1), 2)
