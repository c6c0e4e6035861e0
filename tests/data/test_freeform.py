"""Simulated marks: repeatable, inside the image, near the object, and accepted by the checks of shapes."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.freeform import (
    FIXED_MARKS,
    FREEFORM_KINDS,
    SIMULATED_KINDS,
    fixed_mark,
    simulate,
)
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box, Ellipse, Point, Polygon, Scribble, check_mark


@st.composite
def boxes_in_images(draw):
    """A box with its image's width and height; the box may be a sliver or fill the image."""
    width, height = draw(st.integers(4, 1200)), draw(st.integers(4, 1200))
    x0 = draw(st.floats(0, width - 1))
    y0 = draw(st.floats(0, height - 1))
    box = Box(x0, y0, draw(st.floats(x0 + 1, width)), draw(st.floats(y0 + 1, height)))
    return box, width, height


def image_with(*objects: LabelledObject, name: str = "vhr10/val/001") -> LabelledImage:
    return LabelledImage(name, Path("001.jpg"), "vhr10", "optical", 300, 200, objects)


SHIP = LabelledObject(Box(40, 60, 90, 120), "ship")
# A ring: its middle is bare, as a stadium's or a roundabout's may be.
RING = LabelledObject(
    Box(100, 20, 200, 120),
    "ground track field",
    (
        Polygon(((100, 20), (200, 20), (200, 120), (180, 120), (180, 40), (100, 40))),
        Polygon(((100, 40), (120, 40), (120, 120), (100, 120))),
    ),
)


@pytest.mark.parametrize("kind", SIMULATED_KINDS)
@given(boxes_in_images(), st.integers(0, 2**32))
def test_marks_lie_in_the_image_and_are_accepted(kind, where, seed):
    box, width, height = where
    mark = simulate(box, kind, width, height, random.Random(seed))
    bounds = mark.bounds()
    assert bounds.x0 >= 0
    assert bounds.y0 >= 0
    assert bounds.x1 <= width
    assert bounds.y1 <= height
    check_mark(mark, width, height)
    assert mark.to_mask(height, width).any()


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("box", Box),
        ("jittered box", Box),
        ("point", Point),
        ("ellipse", Ellipse),
        ("polygon", Polygon),
        ("scribble", Scribble),
    ],
)
def test_each_kind_is_its_shape_and_follows_its_seed(kind, shape):
    first, again, other = (simulate(SHIP.box, kind, 300, 200, random.Random(seed)) for seed in (1, 1, 2))
    assert isinstance(first, shape)
    assert first == again
    assert kind == "box" or first != other


@given(boxes_in_images(), st.integers(0, 2**32))
def test_the_exact_box_is_exact_and_the_point_is_in_it(where, seed):
    box, width, height = where
    assert simulate(box, "box", width, height, random.Random(seed)) == box
    point = simulate(box, "point", width, height, random.Random(seed))
    assert box.x0 < point.x < box.x1
    assert box.y0 < point.y < box.y1


@pytest.mark.parametrize("kind", ["jittered box", "ellipse", "polygon"])
def test_overlap_with_the_object_is_that_of_a_careless_hand(kind):
    rng = random.Random(0)
    box = Box(200, 200, 300, 260)
    overlaps = [simulate(box, kind, 500, 500, rng).bounds().iou(box) for _ in range(500)]
    assert 0.6 < statistics.mean(overlaps) < 0.8
    assert min(overlaps) > 0.2
    assert max(overlaps) > 0.9
    areas = [simulate(box, kind, 500, 500, rng).bounds().area / box.area for _ in range(500)]
    assert min(areas) < 0.9  # some cover a part of the object
    assert max(areas) > 1.3  # and some reach past it


def test_the_noise_is_the_stated_gaussian():
    rng = random.Random(0)
    box = Box(200, 200, 280, 240)
    shaken = [simulate(box, "jittered box", 500, 500, rng) for _ in range(3000)]
    centres = np.array([mark.centre for mark in shaken]) - box.centre
    assert np.abs(centres.mean(axis=0)).max() < 0.5
    assert np.allclose(centres.std(axis=0), [80 / 8, 40 / 8], rtol=0.06)
    factors = np.array([[mark.width / 80, mark.height / 40] for mark in shaken])
    assert np.allclose(factors.mean(axis=0), 1, atol=0.01)
    assert np.allclose(factors.std(axis=0), 0.15, rtol=0.06)


def test_the_uniform_noise_is_the_stated_rule():
    rng = random.Random(0)
    box = Box(200, 200, 283, 240)
    shaken = [simulate(box, "jittered box", 500, 500, rng, "uniform") for _ in range(4000)]
    corners = np.array([(mark.x0 - 200, mark.y0 - 200) for mark in shaken])
    assert np.array_equal(corners, np.round(corners))  # whole pixels
    assert set(corners[:, 0]) == set(range(-10, 11))  # 83 // 8
    assert set(corners[:, 1]) == set(range(-5, 6))
    counts = np.bincount((corners[:, 1] + 5).astype(int))
    assert counts.min() > 0.75 * counts.max()
    factors = np.array([[mark.width / 83, mark.height / 40] for mark in shaken])
    assert 0.849 < factors.min() < 0.855
    assert 1.145 < factors.max() < 1.151
    assert np.allclose(factors.std(axis=0), 0.3 / np.sqrt(12), rtol=0.05)


@pytest.mark.parametrize("kind", FREEFORM_KINDS)
@given(boxes_in_images(), st.integers(0, 2**32))
def test_uniform_marks_lie_in_the_image_and_are_accepted(kind, where, seed):
    box, width, height = where
    mark = simulate(box, kind, width, height, random.Random(seed), "uniform")
    bounds = mark.bounds()
    assert min(bounds.x0, bounds.y0) >= 0
    assert bounds.x1 <= width
    assert bounds.y1 <= height
    check_mark(mark, width, height)


@given(boxes_in_images(), st.integers(0, 2**32))
def test_uniform_jitter_stays_within_its_bounds(where, seed):
    box, width, height = where
    mark = simulate(box, "jittered box", width, height, random.Random(seed), "uniform").bounds()
    for low, high, new_low, new_high, limit in (
        (box.x0, box.x1, mark.x0, mark.x1, width),
        (box.y0, box.y1, mark.y0, mark.y1, height),
    ):
        extent = high - low
        assert new_low >= max(0, min(low - extent / 8, limit - 2)) - 0.01
        assert new_high <= max(high + extent * (1 / 8 + 0.15), new_low + 2) + 0.01


@given(st.integers(0, 2**32))
def test_a_scribble_runs_smoothly_along_the_longer_side(seed):
    scribble = simulate(Box(100, 100, 140, 300), "scribble", 400, 400, random.Random(seed))
    points = np.array(scribble.points)
    assert 19 <= len(points) <= 31  # three to five spans of six samples
    extent = points.max(axis=0) - points.min(axis=0)
    assert extent[1] > extent[0]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.max() < 0.25 * 200  # no leap: a stroke, not a scatter


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="blob"):
        simulate(SHIP.box, "blob", 300, 200, random.Random(0))
    with pytest.raises(ValueError, match="scribble"):
        fixed_mark(image_with(SHIP), 0, "scribble")


# --- fixed marks ---------------------------------------------------------------------------------------


def test_the_same_corpus_has_the_same_marks_in_another_process():
    here = [fixed_mark(image_with(SHIP, RING), index, kind) for index in (0, 1) for kind in FIXED_MARKS]
    script = (
        "from tests.data.test_freeform import RING, SHIP, image_with\n"
        "from earthgptx.data.freeform import FIXED_MARKS, fixed_mark\n"
        "image = image_with(SHIP, RING)\n"
        "print([fixed_mark(image, index, kind) for index in (0, 1) for kind in FIXED_MARKS])"
    )
    root = Path(__file__).resolve().parents[2]
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert there.stdout.strip() == repr(here)


def test_marks_differ_between_objects_images_and_seeds():
    twice = image_with(SHIP, SHIP)
    assert fixed_mark(twice, 0, "point") != fixed_mark(twice, 1, "point")
    assert fixed_mark(twice, 0, "point") != fixed_mark(image_with(SHIP, name="vhr10/val/002"), 0, "point")
    assert fixed_mark(twice, 0, "point", seed=0) != fixed_mark(twice, 0, "point", seed=1)


def test_another_object_beside_it_changes_no_mark():
    alone, beside_a_ring = image_with(SHIP), image_with(SHIP, RING)
    for kind in FIXED_MARKS:
        assert fixed_mark(alone, 0, kind) == fixed_mark(beside_a_ring, 0, kind)


def test_every_object_has_the_three_marks_of_its_box():
    image = image_with(SHIP, RING)
    for index, item in enumerate(image.objects):
        assert fixed_mark(image, index, "box") == item.box
        assert isinstance(fixed_mark(image, index, "point"), Point)
        assert fixed_mark(image, index, "freeform").bounds().iou(item.box) > 0


def test_all_free_forms_occur_about_equally_often():
    crowd = image_with(*[SHIP] * 400)
    kinds = [fixed_mark(crowd, index, "freeform").kind for index in range(400)]
    for kind in ("ellipse", "polygon", "scribble", "box"):
        assert 70 < kinds.count(kind) < 130
    assert len(FREEFORM_KINDS) == 4


@given(st.integers(0, 10_000))
def test_the_point_is_on_the_object_even_where_its_middle_is_bare(seed):
    point = fixed_mark(image_with(RING), 0, "point", seed)
    on_object = RING.mask(200, 300)
    assert on_object[int(point.y), int(point.x)]


def test_a_box_past_the_image_is_cut_and_one_outside_is_brought_in():
    image = image_with(LabelledObject(Box(-20, -10, 30, 40), "ship"), LabelledObject(Box(400, 50, 420, 60), "ship"))
    assert fixed_mark(image, 0, "box") == Box(0, 0, 30, 40)
    for kind in FIXED_MARKS:
        check_mark(fixed_mark(image, 1, kind), image.width, image.height)


def test_a_rotated_box_is_one_of_the_freeform_marks_of_its_object():
    polygon = Polygon(((60, 60), (90, 90), (70, 120), (40, 90)))
    turned = LabelledObject(Box(40, 60, 90, 120), "ship", rotated=polygon)
    crowd, plain = image_with(*(turned,) * 400), image_with(*(SHIP,) * 400)
    marks = [(fixed_mark(crowd, k, "freeform"), fixed_mark(plain, k, "freeform")) for k in range(400)]
    num_rotated = sum(mark == polygon for mark, _ in marks)
    assert 70 < num_rotated < 130
    assert all(mark in (polygon, usual) for mark, usual in marks)  # the others are as without it
    for kind in ("box", "point"):
        assert fixed_mark(crowd, 0, kind) == fixed_mark(plain, 0, kind)


@pytest.mark.parametrize(
    "polygon", [Polygon(((-1, 5), (10, 5), (10, 15), (-1, 15))), Polygon(((5, 5), (9, 9), (5, 5), (9, 9)))]
)
def test_a_rotated_box_that_leaves_the_image_or_has_no_area_is_no_mark(polygon):
    image = image_with(*(LabelledObject(Box(0, 5, 10, 15), "ship", rotated=polygon),) * 60)
    assert polygon not in [fixed_mark(image, k, "freeform") for k in range(60)]


def test_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="brown"):
        simulate(SHIP.box, "ellipse", 300, 200, random.Random(0), "brown")
