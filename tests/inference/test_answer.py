"""An answer leaves as JSON, GeoJSON and a picture, and all three lie on the same pixels."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from earthgptx.data.drawing import PALETTE
from earthgptx.data.georeference import Georeference
from earthgptx.data.imagery import Scene
from earthgptx.inference.answer import Answer
from earthgptx.inference.drawing import LEAST_SIDE, MOST_SIDE, picture_scale
from earthgptx.inference.features import mask_geometry
from earthgptx.inference.generation import Generated
from earthgptx.inference.reading import label_confidence, read_answer
from earthgptx.processing.answers import parse
from earthgptx.shapes import Box, Ellipse, Mark, Mask, Point, Polygon, Scribble, mark_from_geojson_geometry
from tests.inference.fake_generator import generated

HEIGHT, WIDTH = 40, 60
UTM = Georeference("EPSG:32631", (0.5, 0.0, 593_000.0, 0.0, -0.5, 5_747_000.0))
MARKS: tuple[Mark, ...] = (
    Box(4, 5, 20, 15),
    Point(30.5, 31),
    Ellipse(45, 20, 8, 6),
    Polygon(((2, 30), (12, 30), (7, 38))),
    Scribble(((40, 2), (50, 4), (55, 9))),
    Mask.from_array(np.pad(np.ones((4, 6), dtype=bool), ((30, 6), (40, 14)))),
)
TEXT = (
    "<Region 1>: Ship. <pix>\n<Region 2>: tank\n<Region 3>: <pix>\n<Region 5>: quay\n"
    "Beside them lie <p>two ships</p> <pix>."
)


def scene(georeference: Georeference | None = None, *, height: int = HEIGHT, width: int = WIDTH) -> Scene:
    ramp = np.linspace(0, 255, height * width).astype(np.uint8).reshape(height, width)
    return Scene.from_array(ramp, sensor="sar", georeference=georeference)


def answer(georeference: Georeference | None = None, text: str = TEXT, marks: tuple[Mark, ...] = MARKS):
    return read_answer(scene(georeference), "What is marked?", marks, generated(text))


def signed_area(ring: list[list[float]]) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring)) / 2


def vertex_distance(one: Mark, other: Mark) -> float:
    """Farthest that a vertex of one mark is from the other's nearest, whatever their order."""
    gaps = np.array(one.outline())[:, None] - np.array(other.outline())[None]
    return float(np.linalg.norm(gaps, axis=-1).min(axis=1).max())


def test_every_mark_has_a_region_and_silence_is_an_empty_label():
    regions = answer().regions
    assert [region.number for region in regions] == [1, 2, 3, 4, 5, 6]
    assert [region.label for region in regions] == ["Ship", "tank", "", "", "quay", ""]
    assert [region.mark for region in regions] == list(MARKS)
    assert [region.confidence for region in regions] == [0.5, 0.5, 0.0, 0.0, 0.5, 0.0]


def test_a_mask_is_bound_to_its_region_or_its_phrase():
    result = answer()
    assert [(mask.region, mask.phrase) for mask in result.masks] == [
        (1, None),
        (3, None),
        (None, "two ships"),
    ]
    assert result.regions[0].mask is result.masks[0].array
    assert result.regions[2].mask is result.masks[1].array
    assert result.regions[1].mask is None


def test_confidence_is_the_mean_over_the_labels_own_tokens():
    tokens = ("<Region 1>", ":", " stor", "age", " tank", ".", "\n", "<Region 2>: sh", "ip", " <pix>")
    reply = Generated(
        text="".join(tokens),
        token_texts=tokens,
        token_probabilities=(0.1, 0.1, 0.9, 0.6, 0.3, 0.0, 0.0, 0.8, 0.4, 0.0),
        masks=(np.ones((2, 2), dtype=bool),),
        mask_scores=(1.0,),
    )
    first, second = parse(reply.text).regions
    assert label_confidence(first, reply) == pytest.approx(0.6)
    assert label_confidence(second, reply) == pytest.approx(0.6)


@given(st.lists(st.floats(0, 1), min_size=20, max_size=20))
def test_confidence_lies_between_the_extremes(probabilities: list[float]):
    reply = generated("<Region 1>: a large white storage tank <pix>")
    reply = Generated(
        reply.text,
        reply.token_texts,
        tuple(probabilities[: len(reply.token_texts)]),
        reply.masks,
        reply.mask_scores,
    )
    confidence = label_confidence(parse(reply.text).regions[0], reply)
    assert min(probabilities) - 1e-9 <= confidence <= max(probabilities) + 1e-9


def test_json_gives_back_masks_and_marks():
    result = answer()
    written = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert [region["mask"] for region in written["regions"]] == [0, None, 1, None, None, None]
    for mask, original in zip(written["masks"], result.masks, strict=True):
        read = Mask(*mask["size"], counts=mask["counts"]).to_array()
        assert np.array_equal(read, original.array)
        assert mask["area_px"] == original.array.sum()
    assert written["words"] == result.words
    assert "<p" not in written["words"]
    assert written["image"]["sensor"] == "sar"


@pytest.mark.parametrize("georeference", [None, UTM])
def test_geojson_keeps_to_the_winding_rule_and_closes_its_rings(georeference: Georeference | None):
    written = json.loads(json.dumps(answer(georeference).to_geojson(), allow_nan=False))
    assert [feature["properties"]["role"] for feature in written["features"]] == ["mark"] * 6 + ["mask"] * 3
    for feature in written["features"]:
        geometry = feature["geometry"]
        polygons = {"Polygon": [geometry["coordinates"]], "MultiPolygon": geometry["coordinates"]}
        for rings in polygons.get(geometry["type"], []):
            for index, ring in enumerate(rings):
                assert ring[0] == ring[-1]
                assert (signed_area(ring) < 0) == (index > 0)


def test_geojson_without_a_georeference_says_that_it_is_in_pixels():
    written = answer().to_geojson()
    assert written["crs"] is None
    assert {feature["properties"]["coordinates"] for feature in written["features"]} == {"pixels"}
    assert written["features"][0]["geometry"]["coordinates"][0][0] == [4, 5]


def test_geojson_in_degrees_comes_back_to_the_marks_it_was_made_of():
    written = answer(UTM).to_geojson()
    assert "crs" not in written
    for feature, mark in zip(written["features"][:5], MARKS, strict=False):
        assert feature["properties"]["coordinates"] == "wgs84"
        back = mark_from_geojson_geometry(feature["geometry"], UTM.from_wgs84)
        assert vertex_distance(back, mark) < 0.01  # 9 decimals of a degree are 0.1 mm, a pixel here 50 cm
    assert written["features"][0]["properties"]["label"] == "Ship"
    assert written["features"][6]["properties"]["area_m2"] == pytest.approx(HEIGHT * 0.25)


def test_a_place_without_degrees_is_written_in_pixels():
    # The mark reaches past the edge of an orthographic projection's half of the globe, where no degrees are.
    globe = Georeference("+proj=ortho +lat_0=0 +lon_0=0 +datum=WGS84", (300_000.0, 0.0, -6e6, 0.0, -300_000.0, 6e6))
    written = json.loads(json.dumps(answer(globe, marks=(Box(1, 1, 58, 30),)).to_geojson(), allow_nan=False))
    assert written["crs"] is None
    assert {feature["properties"]["coordinates"] for feature in written["features"]} == {"pixels"}
    assert [1, 1] in written["features"][0]["geometry"]["coordinates"][0]


def test_boxes_are_the_masks_extents():
    result = answer()
    assert result.masks[0].box == Box(0, 0, 1, HEIGHT)
    assert result.regions[0].box == Box(0, 0, 1, HEIGHT)  # its mask's
    assert result.regions[1].box == MARKS[1].bounds()  # it has no mask
    empty = replace(result.masks[0], array=np.zeros((HEIGHT, WIDTH), dtype=bool))
    assert empty.box is None
    assert replace(result.regions[0], mask=empty.array).box == MARKS[0].bounds()
    written = replace(result, masks=(empty, *result.masks[1:])).to_json()
    assert [mask["box"] for mask in written["masks"]] == [None, [1, 0, 2, HEIGHT], [2, 0, 3, HEIGHT]]
    assert written["regions"][1]["box"] == [30.5, 31, 30.5, 31]


masks = st.integers(0, 2**24 - 1).map(lambda bits: np.array(list(f"{bits:024b}")).reshape(4, 6) == "1")


@given(masks)
def test_a_masks_polygons_cover_its_area(mask: NDArray[np.bool_]):
    polygons = mask_geometry(mask, lambda points: tuple(points))["coordinates"]
    assert sum(signed_area(ring) for rings in polygons for ring in rings) == pytest.approx(mask.sum())


def test_the_picture_shows_the_mask_in_its_regions_colour_and_leaves_the_rest_alone():
    mark = Box(30, 10, 50, 30)
    bare = np.asarray(answer(text="", marks=()).draw(), dtype=int)
    drawn = np.asarray(answer(text="<Region 1>: <pix>", marks=(mark,)).draw(), dtype=int)
    scale = picture_scale(WIDTH, HEIGHT)
    assert drawn.shape == (HEIGHT * scale, WIDTH * scale, 3)
    changed = (drawn != bare).any(axis=-1)
    column = slice(2, scale - 2)  # the mask of the fake generator is column 0
    assert changed[:, column].all()
    towards = np.array(PALETTE[0]) - bare[:, column]
    assert ((drawn - bare)[:, column] * towards >= 0).all()
    assert not changed[:, 2 * scale : 20 * scale].any()


def test_marks_are_seen_on_black_and_on_white():
    for level in (0, 255):
        flat = Scene.from_array(np.full((HEIGHT, WIDTH), level, dtype=np.uint8), sensor="infrared")
        for mark in MARKS:
            picture = read_answer(flat, "?", (mark,), generated("<Region 1>: ship")).draw()
            contrast = np.abs(np.asarray(picture, dtype=int) - level).max(axis=-1)
            assert (contrast > 120).sum() > 50


@pytest.mark.parametrize(("width", "height"), [(1, 1), (64, 64), (719, 100), (2000, 2000), (5000, 3)])
def test_pictures_of_any_scene_have_a_size_to_look_at(width: int, height: int):
    flat = scene(width=width, height=height)
    mark = Point(width / 2, height / 2)
    picture = read_answer(flat, "?", (mark,), generated("<Region 1>: " + "a very long label " * 30)).draw()
    assert LEAST_SIDE / 2 <= max(picture.size) <= MOST_SIDE


def test_sixty_four_marks_are_drawn():
    many = tuple(Box(i % 8 * 7, i // 8 * 5, i % 8 * 7 + 6, i // 8 * 5 + 4) for i in range(64))
    text = "\n".join(f"<Region {number}>: car" for number in range(1, 65))
    result = answer(text=text, marks=many)
    assert all(region.label == "car" for region in result.regions)
    result.draw()


@pytest.mark.parametrize("place", [None, UTM], ids=["pixels", "map"])
def test_an_answer_comes_back_from_its_json(place: Georeference | None):
    before = answer(place)
    written = json.loads(json.dumps(before.to_json()))
    after = Answer.from_json(written | {"id": "an id of someone else's"}, scene(place))
    assert after.to_json() == written
    assert after.to_geojson() == before.to_geojson()
    assert after.draw().tobytes() == before.draw().tobytes()
