"""Numbers stand beside their objects, inside the picture, apart from each other, and can be read on any ground."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from earthgptx.data.recaption.set_of_marks import (
    READING_SIDE,
    SMALLEST_CONTRAST,
    SMALLEST_HALO_CONTRAST,
    contrast,
    draw_set_of_marks,
    picture_size,
    place_numbers,
    relative_luminance,
)
from earthgptx.data.rendered_infrared import render_night
from earthgptx.data.sample import LabelledObject
from earthgptx.shapes import Box, Polygon

PLATES = st.sampled_from([(14.0, 17.0), (24.0, 17.0)])


@st.composite
def frames(draw, width=448, height=448):
    x0, y0 = draw(st.integers(0, width - 2)), draw(st.integers(0, height - 2))
    return (
        float(x0),
        float(y0),
        float(min(width - 1, x0 + draw(st.integers(1, 300)))),
        float(min(height - 1, y0 + draw(st.integers(1, 300)))),
    )


def overlap(a, b):
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def is_inside(place, size):
    return place[0] >= 0 and place[1] >= 0 and place[2] <= size[0] and place[3] <= size[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(frames(), min_size=1, max_size=20), st.data())
@example([(0.0, 0.0, 447.0, 447.0)] * 20, None)
@example([(200.0, 200.0, 204.0, 204.0)] * 20, None)
def test_numbers_are_inside_and_never_on_each_other(boxes, data):
    plates = [(24.0, 17.0) if data is None else data.draw(PLATES) for _ in boxes]
    places = place_numbers(boxes, plates, (448, 448))
    assert [(x1 - x0, y1 - y0) for x0, y0, x1, y1 in places] == plates
    assert all(is_inside(place, (448, 448)) for place in places)
    assert not any(overlap(a, b) for index, a in enumerate(places) for b in places[:index])


@settings(max_examples=100, deadline=None)
@given(frames(), PLATES)
def test_a_number_is_off_its_object_and_next_to_it_where_there_is_room(frame, plate):
    (place,) = place_numbers([frame], [plate], (448, 448))
    room = max(frame[0] - plate[0], frame[1] - plate[1], 448 - plate[0] - frame[2], 448 - plate[1] - frame[3])
    if room >= plate[1] / 5:  # a strip beside the object that holds number and gap
        assert overlap(place, frame) == 0
        apart_x = max(place[0] - frame[2], frame[0] - place[2], 0)
        apart_y = max(place[1] - frame[3], frame[1] - place[3], 0)
        assert max(apart_x, apart_y) <= plate[1] / 5 + 1


def test_a_number_keeps_off_other_objects_where_it_can():
    boxes = [(100.0, 100.0, 140.0, 140.0), (90.0, 60.0, 160.0, 98.0)]
    first, _ = place_numbers(boxes, [(14.0, 17.0)] * 2, (448, 448))
    assert overlap(first, boxes[1]) == 0


def grounds():
    """Pictures of every kind of ground, (name, (H, W, 3))."""
    rng = np.random.default_rng(0)
    speckle = np.clip(rng.gamma(1.0, 45.0, (120, 160)), 0, 255)
    bright = np.clip(rng.gamma(1.0, 160.0, (120, 160)), 0, 255)
    ramp = np.tile(np.linspace(0, 255, 160), (120, 1))
    checks = 255.0 * ((np.add.outer(np.arange(120), np.arange(160)) // 3) % 2)
    pictures = [(f"grey {level}", np.full((120, 160), float(level))) for level in range(0, 256, 17)]
    pictures += [("speckle", speckle), ("bright speckle", bright), ("ramp", ramp), ("checks", checks)]
    coloured = [
        (f"colour {colour}", np.broadcast_to(np.array(colour, dtype=float), (120, 160, 3)))
        for colour in ((200, 30, 30), (30, 160, 60), (40, 90, 200), (240, 220, 60), (90, 110, 70), (0, 229, 255))
    ]
    optical = [("noise", rng.integers(0, 256, (120, 160, 3)).astype(float))]
    grey = [(name, np.repeat(picture[..., None], 3, axis=2)) for name, picture in pictures]
    return [(name, picture.astype(np.uint8)) for name, picture in [*grey, *coloured, *optical]]


OBJECTS = tuple(
    LabelledObject(box=Box(x, y, x + 12, y + 9), label="ship") for y in (20, 60, 100) for x in (10, 50, 90, 130)
)


@pytest.mark.parametrize(("name", "pixels"), grounds(), ids=[name for name, _ in grounds()])
def test_numbers_stand_out_from_what_lies_under_them_and_from_their_halo(name, pixels):
    marked = draw_set_of_marks(pixels, OBJECTS, side=READING_SIDE)
    bare = Image.fromarray(pixels).resize(marked.image.size, Image.Resampling.LANCZOS)
    under = relative_luminance(np.asarray(bare))
    for number in marked.numbers:
        x0, y0, x1, y1 = map(int, number.rectangle)
        own, halo = (float(relative_luminance(np.array(c, dtype=np.uint8))) for c in (number.colour, number.halo))
        assert contrast(own, float(under[y0:y1, x0:x1].mean())) >= SMALLEST_CONTRAST
        assert contrast(own, halo) >= SMALLEST_HALO_CONTRAST


@pytest.mark.parametrize(("name", "pixels"), grounds(), ids=[name for name, _ in grounds()])
def test_digits_can_be_read_at_448_pixels_though_drawn_larger(name, pixels):
    """Reduced to 448 px, a digit is still at least 10 px tall, of its own colour inside and of its halo's around."""
    marked = draw_set_of_marks(pixels, OBJECTS, side=2 * READING_SIDE)
    reduced = np.asarray(marked.image.resize((448, 336), Image.Resampling.LANCZOS)).astype(int)
    for number in marked.numbers:
        x0, y0, x1, y1 = (round(edge / 2) for edge in number.rectangle)
        patch = reduced[y0:y1, x0:x1]
        is_ink = np.abs(patch - number.colour).max(axis=2) < 70
        is_halo = np.abs(patch - number.halo).max(axis=2) < 70
        rows = np.flatnonzero(is_ink.any(axis=1))
        assert rows[-1] - rows[0] + 1 >= 10
        assert is_ink.sum() >= 16
        assert is_halo.sum() >= 16


def test_a_rendered_night_has_all_its_numbers():
    night = render_night(seed=3)
    objects = [LabelledObject(box=box, label=label) for label, box in night.objects][:20]
    marked = draw_set_of_marks(np.asarray(night.image.convert("RGB")), objects)
    assert marked.image.size == picture_size(640, 512, 896)
    assert [number.number for number in marked.numbers] == list(range(1, len(objects) + 1))
    for number, item in zip(marked.numbers, objects, strict=True):
        box = item.box.scaled(marked.scale, marked.scale)
        assert overlap(number.rectangle, (box.x0, box.y0, box.x1, box.y1)) == 0


def test_outlines_follow_the_object_and_leave_its_inside_alone():
    pixels = np.full((100, 100, 3), 90, dtype=np.uint8)
    ring = LabelledObject(
        box=Box(20, 20, 80, 80), label="tank", polygons=(Polygon(((20, 50), (50, 20), (80, 50), (50, 80))),)
    )
    picture = np.asarray(draw_set_of_marks(pixels, [ring], side=448).image)
    changed = (picture != 90).any(axis=2)
    assert changed[round(35 * 4.48), round(35 * 4.48)]  # on the slanted edge
    assert not changed[round(50 * 4.48), round(50 * 4.48)]
    assert not changed[round(25 * 4.48), round(25 * 4.48)]  # in the box, off the outline


def test_the_same_image_is_drawn_the_same_way():
    pixels = np.random.default_rng(1).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    objects = [LabelledObject(box=Box(3, 4, 30, 20), label="a"), LabelledObject(box=Box(0, 0, 70, 40), label="b")]
    first, second = (draw_set_of_marks(pixels, objects) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.numbers == second.numbers
