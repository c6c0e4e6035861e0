"""A mark's window holds it well inside, shows it large enough, and depends on nothing but the mark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.phrasing import PHRASES
from earthgptx.geo.windows import (
    CONTEXT,
    LEAST_SIDE,
    VIEW_SIDE,
    Frame,
    cells,
    group_by_window,
    relates,
    wants_overview,
    whole,
    window_of,
    with_margin,
)
from earthgptx.shapes import Box

SCENES = st.tuples(st.integers(1, 40_000), st.integers(1, 40_000))


@given(size=SCENES, at=st.tuples(st.floats(0, 1), st.floats(0, 1)), extent=st.floats(0, 0.3), tall=st.floats(0, 1))
def test_a_mark_lies_inside_its_window_with_room_around(size, at, extent, tall):
    width, height = size
    across = extent * max(size)
    x, y = at[0] * width, at[1] * height
    mark = Box(x - across / 2, y - across * tall / 2, x + across / 2, y + across * tall / 2)
    window = window_of(mark, width, height)
    assert 0 <= window.x0 < window.x1 <= width
    assert 0 <= window.y0 < window.y1 <= height
    room = max(across, LEAST_SIDE / CONTEXT) / 2  # on each side where the scene has it
    assert window.x0 <= max(0, mark.x0 - room)
    assert window.x1 >= min(width, mark.x1 + room)
    assert window.y0 <= max(0, mark.y0 - room)
    assert window.y1 >= min(height, mark.y1 + room)
    side = max(window.width, window.height)
    assert side <= max(2 * CONTEXT * across, LEAST_SIDE, min(VIEW_SIDE, max(size)))


def test_small_marks_are_seen_at_full_resolution_and_large_ones_whole():
    assert window_of(Box(9000, 9000, 9020, 9012), 30_000, 30_000).width == 512
    assert window_of(Box(100, 100, 300, 200), 30_000, 30_000) == Box(0, 0, 1024, 1024)
    assert window_of(Box(0, 0, 20_000, 100), 30_000, 30_000) == whole(30_000, 30_000)


def test_a_scene_no_larger_than_a_view_is_seen_whole_unless_zoom_is_asked_for():
    assert window_of(Box(5, 5, 9, 9), 1024, 700) == whole(1024, 700)
    assert window_of(Box(5, 5, 9, 9), 1024, 700, view="zoom") == Box(0, 0, 512, 512)
    assert window_of(Box(5, 5, 9, 9), 30_000, 700, view="overview") == whole(30_000, 700)


def test_neighbours_share_a_window_and_strangers_do_not():
    marks = [Box(5000, 5000, 5010, 5010), Box(20_000, 900, 20_050, 950), Box(5030, 5020, 5050, 5050)]
    windows = [window_of(mark, 30_000, 30_000) for mark in marks]
    assert list(group_by_window(windows).values()) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("question", "is_overview"),
    [
        ("Please identify the object category of each marked region in the image.", False),
        ("Where in the image does the region lie in the image?", True),
        ("Describe the whole scene around the mark.", True),
        ("Zoom out: what is it part of?", True),
        ("What is this?", False),
        *((one.format(regions="<Region 1>"), True) for one in ("Where is {regions}?", "Tell me where {regions} is.")),
        ("Where do <Region 1> and <Region 2> lie with respect to each other?", False),
        ("Describe the pier where the ship docks.", False),
    ],
)
def test_questions_about_the_whole_scene_are_told_apart(question: str, is_overview: bool):
    assert wants_overview(question) == is_overview


def test_phrases_of_the_tasks_see_what_they_need():
    def share(task: str, sees: Callable[[str], bool]) -> float:
        asked = [phrase.replace("{regions}", "<Region 1> and <Region 2>") for phrase in PHRASES[task]]
        return sum(map(sees, asked)) / len(asked)

    assert share("vqa_region_position", wants_overview) > 0.7
    for task in ("relation", "relation_stated"):
        assert share(task, relates) > 0.8
    for task in ("roc", "roc_single", "region_caption", "detailed_region_caption", "segment_region", "vqa_identity"):
        assert share(task, relates) == share(task, wants_overview) == 0


@given(size=st.tuples(st.integers(1, 900), st.integers(1, 900)), side=st.integers(40, 300))
def test_cells_cover_the_scene_once(size, side):
    covered = np.zeros(size, dtype=int)
    for cell in cells(size[1], size[0], side):
        covered[int(cell.y0) : int(cell.y1), int(cell.x0) : int(cell.x1)] += 1
        around = with_margin(cell, 20, size[1], size[0])
        assert around.x0 == max(cell.x0 - 20, 0)
        assert around.y1 == min(cell.y1 + 20, size[0])
    assert (covered == 1).all()


def test_a_frame_goes_there_and_back():
    frame = Frame(Box(100, 200, 300, 600), width=50, height=200)
    assert frame.to_view(300, 600) == (50, 200)
    assert frame.to_scene([(50, 200), (0, 0)]) == ((300, 600), (100, 200))
    assert frame.area_step == 8
