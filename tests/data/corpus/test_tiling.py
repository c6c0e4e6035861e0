"""Windows of big images: everything is somewhere, nothing is in two minds about where."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.corpus.tiling import Tiling, clipped_ring, seen_through, starts, tile
from earthgptx.data.sample import LabelledImage, LabelledObject, Relation
from earthgptx.errors import MalformedTiling
from earthgptx.shapes import Box, Polygon, rasterise_polygons

TILING = Tiling(size=100, overlap=30, largest_whole=120)


def image(width: int, height: int, *objects: LabelledObject, relations: tuple[Relation, ...] = ()) -> LabelledImage:
    return LabelledImage(
        id="dota_v2/train/P0001",
        path=Path("P0001.png"),
        dataset="dota_v2",
        sensor="optical",
        width=width,
        height=height,
        objects=objects,
        captions=("A port.",),
        scene="port",
        relations=relations,
    )


def boxed(x0: float, y0: float, x1: float, y1: float, label: str = "ship") -> LabelledObject:
    return LabelledObject(Box(x0, y0, x1, y1), label)


@given(length=st.integers(1, 2000))
def test_windows_cover_a_side_and_share_the_overlap(length):
    begins = starts(length, TILING)
    assert begins[0] == 0
    assert begins[-1] == max(0, length - TILING.size)
    assert all(later - earlier <= TILING.size - TILING.overlap for earlier, later in pairwise(begins))


@given(
    width=st.integers(121, 700),
    height=st.integers(60, 700),
    data=st.data(),
)
def test_an_object_smaller_than_the_overlap_is_whole_in_a_window(width, height, data):
    w, h = data.draw(st.floats(1, 30)), data.draw(st.floats(1, 30))
    x, y = data.draw(st.floats(0, width - w)), data.draw(st.floats(0, height - h))
    whole = boxed(x, y, x + w, y + h)
    tiles = tile(image(width, height, whole), TILING)
    assert tiles.lost == ()
    areas = [shown.objects[0].box.area for shown in tiles.images]
    assert max(areas) == pytest.approx(whole.box.area, rel=1e-6)
    for shown in tiles.images:  # and wherever it is shown, it is where it was
        assert shown.window is not None
        back = shown.objects[0].box.shifted(shown.window.x0, shown.window.y0)
        assert back.x0 >= x - 1e-6
        assert back.x1 <= x + w + 1e-6
        assert back.area >= TILING.visibility * whole.box.area * (1 - 1e-6)
        assert (shown.width, shown.height) == (shown.window.width, shown.window.height)


@given(
    points=st.lists(st.tuples(st.integers(-40, 140), st.integers(-40, 140)), min_size=3, max_size=9, unique=True),
)
def test_a_clipped_outline_fills_to_the_pixels_in_the_window(points):
    window = Box(10, 20, 90, 70)
    ring = tuple((x + 0.25, y + 0.25) for x, y in points)  # no vertex on a pixel's centre
    cut = clipped_ring(ring, window)
    whole = rasterise_polygons([ring], window, (50, 80))
    clipped = rasterise_polygons([cut], window, (50, 80)) if len(cut) >= 3 else np.zeros((50, 80), bool)
    # Only centres on the very line may fall to either side by rounding.
    assert (whole != clipped).sum() <= 2


def test_the_area_of_a_clipped_outline_is_shapelys():
    shapely = pytest.importorskip("shapely")
    rng = np.random.default_rng(0)
    for _ in range(50):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        radii = rng.uniform(10, 60, 9)
        ring = tuple((50 + r * np.cos(a), 50 + r * np.sin(a)) for r, a in zip(radii, angles, strict=True))
        shape = shapely.Polygon(ring)
        if shape.is_valid:
            cut = clipped_ring(ring, Box(0, 0, 70, 60))
            expected = shape.intersection(shapely.box(0, 0, 70, 60)).area
            assert Polygon(cut).area == pytest.approx(expected, abs=1e-6)


def test_visibility_decides_and_boxes_are_cut():
    window = Box(0, 0, 100, 100)
    half = seen_through(boxed(80, 10, 120, 20), window, 0.5)
    assert half is not None
    assert half.box == Box(80, 10, 100, 20)
    assert seen_through(boxed(81, 10, 121, 20), window, 0.5) is None


def test_a_rotated_box_is_kept_only_whole_and_its_area_counts():
    diamond = Polygon(((100, 0), (140, 40), (100, 80), (60, 40)))
    item = LabelledObject(diamond.bounds(), "plane", rotated=diamond)
    half = seen_through(item, Box(0, 0, 100, 100), 0.5)
    assert half is not None
    assert half.rotated is None
    assert half.box == Box(60, 0, 100, 80)
    whole = seen_through(item, Box(50, 0, 150, 100), 0.5)
    assert whole is not None
    assert whole.rotated == diamond.shifted(-50, 0)


def test_relations_follow_their_objects_and_captions_stay_with_the_whole():
    objects = (boxed(150, 5, 160, 15, "car"), boxed(5, 5, 15, 15), boxed(20, 5, 30, 15))
    relations = (Relation(1, "beside", 2), Relation(0, "far from", 1))
    tiles = tile(image(200, 90, *objects, relations=relations), TILING)
    first = tiles.images[0]
    assert first.id == "dota_v2/train/P0001@0-0"
    assert [item.label for item in first.objects] == ["ship", "ship"]
    assert first.relations == (Relation(0, "beside", 1),)
    assert first.captions == ()
    assert first.scene is None
    assert all(len(shown.relations) <= 1 for shown in tiles.images)


def test_descriptions_that_speak_of_a_place_are_left_out():
    item = replace(boxed(5, 5, 15, 15), descriptions=("the ship on the left", "a white ship"))
    assert tile(image(200, 90, item), TILING).images[0].objects[0].descriptions == ("a white ship",)


def test_an_object_larger_than_any_window_is_told():
    tiles = tile(image(500, 500, boxed(0, 0, 500, 500), boxed(1, 1, 9, 9)), TILING)
    assert tiles.lost == (0,)
    assert [len(shown.objects) for shown in tiles.images] == [1]


def test_windows_without_objects_are_left_out_and_ids_differ():
    tiles = tile(image(1000, 1000, boxed(60, 60, 90, 90), boxed(900, 900, 910, 910)), TILING)
    assert 2 <= len(tiles.images) < 12
    assert len({shown.id for shown in tiles.images}) == len(tiles.images)


def test_what_cannot_be_cut():
    with pytest.raises(ValueError, match="window"):
        tile(replace(image(200, 200), window=Box(0, 0, 200, 200)), TILING)
    for numbers in ({"overlap": 1024}, {"overlap": -1}, {"largest_whole": 100}, {"visibility": 0.0}):
        with pytest.raises(MalformedTiling):
            Tiling(**numbers)
