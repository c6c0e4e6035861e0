"""Contact sheets: every sample gets a cell, regions keep their colours, nothing falls off the picture."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from earthgptx.data.contact_sheet import (
    CELL_WIDTH,
    MARGIN,
    contact_sheet,
    mask_colours,
    region_colour,
    sample_picture,
)
from earthgptx.data.datasets import available
from earthgptx.data.drawing import PALETTE
from earthgptx.data.instructions import TASKS, make_sample
from earthgptx.data.sample import LabelledObject, PixelTarget, Region, Sample, Turn
from earthgptx.errors import MalformedDataset, UnreadableImagery
from earthgptx.shapes import Box, Ellipse, Mask, Point, Polygon, Scribble
from tests.fixtures.make_all import make_all

MARKS = (
    Box(10, 10, 40, 30),
    Point(70, 20),
    Ellipse(20, 60, 12, 8),
    Polygon(((60, 50), (90, 50), (75, 75))),
    Scribble(((10, 90), (30, 95), (60, 88))),
    Mask.from_array(np.pad(np.ones((10, 10), dtype=bool), ((80, 10), (80, 10)))),
)


@pytest.fixture
def sample(tmp_path):
    path = tmp_path / "grey.png"
    Image.new("L", (100, 100), 128).save(path)
    ship = LabelledObject(box=Box(10, 10, 40, 30), label="ship")
    return Sample(
        id="made",
        image=path,
        sensor="sar",
        width=100,
        height=100,
        regions=tuple(Region(mark) for mark in MARKS),
        turns=(
            Turn("user", "Segment <Region 2> and say what <pix> is.\nPlease!"),
            Turn("model", "<Region 2>: <pix>\nAll ships: <pix> and <p>two harbors</p> <pix>."),
        ),
        targets=(PixelTarget((ship,)),) * 3,
        task="dialogue",
    )


def has_colour(image, colour, tolerance=12):
    difference = np.abs(np.asarray(image, dtype=int) - np.array(colour)).max(axis=2)
    return bool((difference <= tolerance).any())


def test_every_kind_of_mark_shows_in_its_regions_colour(sample):
    picture = sample_picture(sample)
    assert picture.width == CELL_WIDTH
    for number in range(1, len(MARKS) + 1):
        assert has_colour(picture, region_colour(number)), number


def test_a_mask_takes_the_colour_of_the_region_it_answers(sample):
    assert mask_colours(sample) == [region_colour(2), region_colour(7), region_colour(8)]
    assert len(set(PALETTE)) == len(PALETTE)


def test_a_mask_is_tinted_where_it_is_and_nowhere_else(sample):
    bare = Sample(**{**vars(sample), "regions": (), "targets": (), "turns": (Turn("user", "?"), Turn("model", "."))})
    masked = Sample(
        **{**vars(bare), "targets": sample.targets[:1], "turns": (Turn("user", "?"), Turn("model", "<pix>"))}
    )
    before, after = (np.asarray(sample_picture(one), dtype=int)[:400] for one in (bare, masked))
    rows, columns = np.nonzero(np.abs(before - after).max(axis=2) > 8)
    left = (CELL_WIDTH - 400) // 2
    assert rows.min() == pytest.approx(40, abs=3)
    assert rows.max() == pytest.approx(120, abs=3)
    assert columns.min() == pytest.approx(left + 40, abs=3)
    assert columns.max() == pytest.approx(left + 160, abs=3)


def test_all_tasks_are_drawn_in_columns(tmp_path):
    images = available(make_all(tmp_path), "train")
    rng = random.Random(0)
    samples = [found for task in TASKS for image in images[:8] if (found := make_sample(image, task, rng))][:14]
    sheet = contact_sheet(samples, columns=4)
    assert sheet.mode == "RGB"
    assert sheet.width == MARGIN + 4 * (CELL_WIDTH + MARGIN)
    assert sheet.height > 4 * 200
    assert contact_sheet(samples[:2], columns=4).width == MARGIN + 2 * (CELL_WIDTH + MARGIN)


def test_long_words_and_empty_answers_do_not_break_the_layout(sample):
    turns = (Turn("user", "w" * 200), Turn("model", ""))
    odd = Sample(**{**vars(sample), "id": "i" * 300, "turns": turns, "targets": (), "regions": ()})
    assert sample_picture(odd).width == CELL_WIDTH


def test_what_cannot_be_shown_is_said(sample):
    with pytest.raises(MalformedDataset, match="got 0 and 3"):
        contact_sheet([])
    with pytest.raises(MalformedDataset, match="got 1 and 0"):
        contact_sheet([sample], columns=0)
    sample.image.unlink()
    with pytest.raises(UnreadableImagery):
        contact_sheet([sample])
