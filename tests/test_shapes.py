"""How marks are read from text, JSON and GeoJSON, and which are refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.errors import EarthGPTXError, MalformedMark, MarkOutsideImage
from earthgptx.shapes import (
    MARK_KINDS,
    Box,
    Ellipse,
    Mask,
    Point,
    Polygon,
    Scribble,
    check_mark,
    mark_from_geojson_geometry,
    mark_from_json,
    parse_mark,
)
from tests.mark_strategies import (
    HEIGHT,
    WIDTH,
    marks,
    star_polygons,
    whole_boxes,
)

# --- reading -------------------------------------------------------------------------------------------


@given(marks)
def test_json_round_trip(mark):
    written = json.loads(json.dumps(mark.to_json()))
    assert written["kind"] == mark.kind
    assert mark.kind in MARK_KINDS
    again = mark_from_json(written)
    assert again == mark
    assert type(again) is type(mark)


@pytest.mark.parametrize(
    ("kind", "text", "mark"),
    [
        ("point", "3,4.5", Point(3, 4.5)),
        ("box", "1, 2, 30, 40", Box(1, 2, 30, 40)),
        ("box", "1 2 30 40", Box(1, 2, 30, 40)),
        ("circle", "9,8,7", Ellipse(9, 8, 7, 7)),
        ("ellipse", "9,8,7,6", Ellipse(9, 8, 7, 6)),
        ("polygon", "0,0,4,0,4,4", Polygon(((0, 0), (4, 0), (4, 4)))),
        ("polygon", "0,0,4,0,4,4,0,0", Polygon(((0, 0), (4, 0), (4, 4)))),
        ("scribble", "5,5,9,30", Scribble(((5, 5), (9, 30)))),
    ],
)
def test_command_line_forms(kind, text, mark):
    assert parse_mark(kind, text) == mark


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("box", "1,2,3", r"4 numbers \(x0,y0,x1,y1\), but 3 were given"),
        ("box", "", "but 0 were given"),
        ("box", "1,2,3,four", "'four' is none"),
        ("point", "1,2,3", "but 3 were given"),
        ("polygon", "0,0,1,1", "at least 6 numbers"),
        ("polygon", "0,0,1,1,2,2,3", "even count"),
        ("scribble", "1,1", "at least 4"),
        ("blob", "1,1", '"blob" is no kind of mark'),
        ("mask", "1,1", "no kind of mark"),
    ],
)
def test_text_that_is_no_mark(kind, text, sentence):
    with pytest.raises(MalformedMark, match=sentence):
        parse_mark(kind, text)


@pytest.mark.parametrize(
    "written",
    [
        None,
        [],
        "box",
        {},
        {"kind": "box"},
        {"kind": 3, "coordinates": [1, 2]},
        {"kind": "box", "coordinates": "1,2,3,4"},
        {"kind": "box", "coordinates": [1, 2, 3]},
        {"kind": "box", "coordinates": [1, 2, 3, None]},
        {"kind": "box", "coordinates": [1, 2, 3, True]},
        {"kind": "box", "coordinates": [1, 2, 3, 10**400]},
        {"kind": "polygon", "coordinates": [[0, 0], [1, 1, 1], [2]]},
        {"kind": "scribble", "coordinates": [[0, {}], [1, 1]]},
        {"kind": "mask", "size": [4, 5]},
        {"kind": "mask", "size": [4, -5], "counts": "d0"},
        {"kind": "mask", "size": [4, 5], "counts": "90"},
    ],
)
def test_json_that_is_no_mark(written):
    with pytest.raises(MalformedMark):
        mark_from_json(written)


def test_circle_in_json():
    assert mark_from_json({"kind": "circle", "coordinates": [1, 2, 3]}) == Ellipse(1, 2, 3, 3)


# --- GeoJSON -------------------------------------------------------------------------------------------


def ring(*points):
    return [list(point) for point in (*points, points[0])]


def test_geojson_geometries_become_marks():
    triangle = ring((0, 0), (4, 1), (2, 5))
    assert mark_from_geojson_geometry({"type": "Point", "coordinates": [3, 4]}) == Point(3, 4)
    assert mark_from_geojson_geometry({"type": "Point", "coordinates": [3, 4, 99]}) == Point(3, 4)
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4], [5, 4]]}
    assert mark_from_geojson_geometry(line) == Scribble(((1, 2), (3, 4), (5, 4)))
    polygon = Polygon(((0, 0), (4, 1), (2, 5)))
    assert mark_from_geojson_geometry({"type": "Polygon", "coordinates": [triangle]}) == polygon
    assert mark_from_geojson_geometry({"type": "MultiPolygon", "coordinates": [[triangle]]}) == polygon


@given(whole_boxes(), st.integers(0, 3), st.booleans())
def test_a_rectangle_in_any_order_becomes_a_box(box, turn, backwards):
    corners = box.outline()[turn:] + box.outline()[:turn]
    corners = corners[::-1] if backwards else corners
    geometry = {"type": "Polygon", "coordinates": [ring(*corners)]}
    assert mark_from_geojson_geometry(geometry) == box


def test_a_diamond_stays_a_polygon():
    geometry = {"type": "Polygon", "coordinates": [ring((2, 0), (4, 2), (2, 4), (0, 2))]}
    assert isinstance(mark_from_geojson_geometry(geometry), Polygon)


def test_geojson_coordinates_pass_through_the_projection():
    def to_pixel(lon, lat):
        return lon * 100, (1 - lat) * 100

    geometry = {"type": "Polygon", "coordinates": [ring((0.1, 0.9), (0.3, 0.9), (0.3, 0.5), (0.1, 0.5))]}
    box = mark_from_geojson_geometry(geometry, to_pixel)
    assert isinstance(box, Box)
    assert np.allclose([box.x0, box.y0, box.x1, box.y1], [10, 10, 30, 50])


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {},
        {"type": "Point"},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": [1]},
        {"type": "Point", "coordinates": "12"},
        {"type": "Point", "coordinates": ["a", 2]},
        {"type": "MultiPoint", "coordinates": [[1, 2]]},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "Polygon", "coordinates": [5]},
        {"type": "Polygon", "coordinates": [ring((0, 0), (9, 0), (9, 9)), ring((1, 1), (2, 1), (2, 2))]},
        {"type": "MultiPolygon", "coordinates": [[ring((0, 0), (1, 0), (1, 1))]] * 2},
        {"type": "MultiPolygon", "coordinates": [7]},
        {"type": "LineString", "coordinates": [[1, 2], 3]},
    ],
)
def test_geojson_that_is_no_mark(geometry):
    with pytest.raises(MalformedMark):
        mark_from_geojson_geometry(geometry)


# --- what is refused -----------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "mark",
    [
        Point(NAN, 1),
        Point(1, INF),
        Box(0, 0, NAN, 5),
        Box(0, 0, 5, INF),
        Box(5, 5, 5, 9),
        Box(9, 5, 5, 9),
        Ellipse(5, 5, 0, 3),
        Ellipse(5, 5, -2, -2),
        Ellipse(NAN, 5, 2, 2),
        Box(-1e12, 0, 5, 5),
        Polygon(((0, 0), (NAN, 3), (4, 4))),
        Polygon(((0, 0), (5, 5))),
        Polygon(((0, 0), (0, 0), (5, 5), (5, 5), (0, 0))),
        Polygon(((0, 0), (5, 5), (9, 9))),
        Polygon(()),
        Polygon(((0, 0), (8, 8), (8, 0), (0, 8))),  # bow tie
        Polygon(((0, 0), (8, 0), (4, 4), (8, 8), (0, 8), (4, 4))),  # touches itself in a vertex
        Polygon(((0, 0), (8, 0), (4, 0), (4, 8))),  # folds back on an edge
        Scribble(()),
        Scribble(((3, 3), (3, 3))),
        Scribble(((3, 3), (INF, 3))),
        Mask.from_array(np.zeros((HEIGHT, WIDTH), dtype=bool)),
        Mask.from_array(np.ones((HEIGHT, WIDTH + 1), dtype=bool)),
        Mask(HEIGHT, WIDTH, "garbage"),
    ],
)
def test_marks_without_sense_are_refused(mark):
    with pytest.raises(MalformedMark):
        check_mark(mark, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "mark",
    [
        Point(WIDTH, 3),
        Point(-0.5, 3),
        Box(WIDTH, 0, WIDTH + 5, 5),
        Box(-5, 0, 0, 5),
        Ellipse(10, HEIGHT + 9, 3, 3),
        Polygon(((60, 60), (70, 60), (70, 70))),
        Scribble(((-9, 3), (-4, 30))),
    ],
)
def test_marks_outside_are_refused_with_both_sizes(mark):
    with pytest.raises(MarkOutsideImage, match=f"{WIDTH} x {HEIGHT}"):
        check_mark(mark, WIDTH, HEIGHT)


@given(star_polygons())
def test_a_ring_round_its_middle_is_accepted(polygon):
    assert check_mark(polygon, WIDTH, HEIGHT) == polygon


def test_crossing_is_said_with_the_numbers_of_the_edges():
    with pytest.raises(MalformedMark, match="edges 1 and 3 meet"):
        check_mark(Polygon(((0, 0), (8, 8), (8, 0), (0, 8))), WIDTH, HEIGHT)


def test_marks_partly_outside_and_repeated_vertices_are_accepted():
    box = Box(-5, -5, 5, 5)
    assert check_mark(box, WIDTH, HEIGHT) == box
    assert box.clipped(WIDTH, HEIGHT) == Box(0, 0, 5, 5)
    repeated = Polygon(((0, 0), (0, 0), (5, 0), (5, 5), (5, 5), (0, 0)))
    assert check_mark(repeated, WIDTH, HEIGHT) == Polygon(((0, 0), (5, 0), (5, 5)))
    vertical = Scribble(((0, 3), (0, 9)))
    assert check_mark(vertical, WIDTH, HEIGHT) == vertical


def test_too_many_vertices_are_refused_before_they_cost_time():
    circle = tuple((24 + math.cos(n), 20 + math.sin(n)) for n in range(20_000))
    with pytest.raises(MalformedMark, match="20000 vertices"):
        check_mark(Polygon(circle), WIDTH, HEIGHT)


@given(marks)
def test_an_accepted_mark_covers_a_pixel(mark):
    try:
        accepted = check_mark(mark, WIDTH, HEIGHT)
    except EarthGPTXError:
        return
    assert accepted.to_mask(HEIGHT, WIDTH).any()
