"""Marks as the package knows them: the six classes, how they are read, and which are refused.

In come command-line text, JSON, GeoJSON geometries and polygons; out come marks in pixels (x right, y down,
half-open boxes) or boolean rasters. Whoever needs a shape imports it from here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from earthgptx.errors import MalformedMark, MarkOutsideImage
from earthgptx.marks import Box, Ellipse, Mark, Mask, Point, Polygon, Scribble, Vertices
from earthgptx.rasters import BoolArray, FloatArray, fill_rings

__all__ = [
    "MARK_KINDS",
    "Box",
    "Ellipse",
    "Mark",
    "Mask",
    "Point",
    "Polygon",
    "Scribble",
    "Vertices",
    "check_mark",
    "mark_from_geojson_geometry",
    "mark_from_json",
    "mask_from_geojson_geometry",
    "parse_mark",
    "rasterise_polygons",
]

MARK_KINDS = ("point", "box", "ellipse", "polygon", "scribble", "mask")

MAX_VERTICES = 10_000  # the self-crossing test is quadratic: about a second at this size
MAX_COORDINATE = 1e7  # far beyond any scene; keeps the rasters' arithmetic exact
RECTANGLE_TOLERANCE = 1e-3  # pixels by which a projected rectangle's corners may be off

_FORMS = {
    "point": "x,y",
    "box": "x0,y0,x1,y1",
    "circle": "x,y,radius",
    "ellipse": "x,y,radius_x,radius_y",
    "polygon": "x,y,x,y,x,y,...",
    "scribble": "x,y,x,y,...",
}


def rasterise_polygons(
    polygons: Sequence[Sequence[tuple[float, float]]], window: Box, size: tuple[int, int]
) -> BoolArray:
    """The union of polygons, seen through a window of the image and drawn at another size.

    Args:
        polygons: rings of vertices in image pixels, each filled by the even-odd rule by itself.
        window: the part of the image that the raster covers; it may reach past the image.
        size: (height, width) of the raster.

    Returns:
        (height, width), True where the pixel's centre lies in a polygon. A polygon thinner than a pixel may
        leave no trace.
    """
    height, width = size
    raster = np.zeros(size, dtype=bool)
    if window.area <= 0:
        return raster
    scale = np.array([width / window.width, height / window.height])
    origin = np.array([window.x0, window.y0])
    for polygon in polygons:
        ring = (np.asarray(polygon, dtype=np.float64).reshape(-1, 2) - origin) * scale
        raster |= fill_rings([ring], height, width)
    return raster


def parse_mark(kind: str, text: str) -> Mark:
    """Reads a mark as typed on the command line.

    Args:
        kind: point, box, circle, ellipse, polygon or scribble.
        text: numbers in pixels between commas or spaces: `x,y` for a point, `x0,y0,x1,y1` for a box,
            `x,y,radius` for a circle, `x,y,radius_x,radius_y` for an ellipse, `x,y,x,y,...` for the others.

    Raises:
        MalformedMark: the kind is unknown, or the text holds something else than that many numbers.
    """
    return _build(kind, _numbers(text.replace(",", " ").replace(";", " ").split(), kind))


def mark_from_json(obj: object) -> Mark:
    """Inverse of every mark's `to_json`; `{"kind": "circle", "coordinates": [x, y, radius]}` is read too.

    Raises:
        MalformedMark: a member is missing, of the wrong type, or holds the wrong count of numbers.
    """
    members = _members(obj)
    kind, coordinates = members.get("kind"), members.get("coordinates")
    if kind == "mask":
        return _mask_from_json(members)
    if not isinstance(kind, str) or not isinstance(coordinates, Sequence) or isinstance(coordinates, str):
        raise MalformedMark('A mark in JSON needs the members "kind" (text) and "coordinates" (a list).')
    flat: list[Any] = []
    for item in coordinates:
        flat.extend(_pair(item, kind) if isinstance(item, Sequence) and not isinstance(item, str) else [item])
    return _build(kind, _numbers(flat, kind))


def mark_from_geojson_geometry(
    geometry: object,
    to_pixel: Callable[[float, float], tuple[float, float]] | None = None,
    size: tuple[int, int] | None = None,
) -> Mark:
    """Reads a GeoJSON geometry (RFC 7946) as a mark.

    A Point is a point, a LineString a scribble, a Polygon a polygon, or a box where its four corners form an
    axis-aligned rectangle in pixels. What has several parts or holes is a mask.

    Args:
        geometry: the `geometry` member of a feature.
        to_pixel: from the geometry's coordinates to pixels; None where they are pixels already.
        size: (height, width) of the image, without which there are no masks.

    Raises:
        MalformedMark: the geometry is of another type, or not well formed, or needs a size and has none.
    """
    members = _members(geometry)
    kind, coordinates = members.get("type"), members.get("coordinates")
    if not isinstance(coordinates, Sequence) or isinstance(coordinates, str) or not coordinates:
        raise MalformedMark('A GeoJSON geometry needs the members "type" and "coordinates" (a filled list).')
    if kind == "MultiPolygon":
        if len(coordinates) > 1:
            return _mask_or_refusal(members, to_pixel, size, f"{len(coordinates)} parts")
        kind, coordinates = "Polygon", _list(coordinates[0])
    if kind == "Polygon":
        if len(coordinates) > 1:
            return _mask_or_refusal(members, to_pixel, size, f"{len(coordinates) - 1} holes")
        return _box_if_rectangle(Polygon(_without_closure(_positions(coordinates[0], to_pixel))))
    if kind == "LineString":
        return Scribble(_positions(coordinates, to_pixel))
    if kind == "Point":
        return Point(*_positions([coordinates], to_pixel)[0])
    raise MalformedMark(f"A mark is a Point, LineString, Polygon or MultiPolygon, not a {kind}.")


def mask_from_geojson_geometry(
    geometry: object, to_pixel: Callable[[float, float], tuple[float, float]] | None, size: tuple[int, int]
) -> Mask:
    """Reads a Polygon or MultiPolygon as the pixels whose centres lie in it, its holes left open.

    Args:
        geometry: the `geometry` member of a feature.
        to_pixel: as in `mark_from_geojson_geometry`.
        size: (height, width) of the mask.

    Raises:
        MalformedMark: the geometry is of another type, not well formed, or has no finite coordinates.
    """
    members = _members(geometry)
    kind, coordinates = members.get("type"), _list(members.get("coordinates"))
    if kind not in ("Polygon", "MultiPolygon"):
        raise MalformedMark(f"A mask is a Polygon or MultiPolygon, not a {kind}.")
    filled = np.zeros(size, dtype=bool)
    for part in coordinates if kind == "MultiPolygon" else [coordinates]:
        rings = [np.array(_positions(ring, to_pixel), dtype=np.float64).reshape(-1, 2) for ring in _list(part)]
        if not all((np.abs(ring) <= MAX_COORDINATE).all() for ring in rings):
            raise MalformedMark(f"A mask needs finite coordinates up to {MAX_COORDINATE:g}, but has others.")
        filled |= fill_rings(rings, *size)
    return Mask.from_array(filled)


def _mask_or_refusal(
    geometry: Mapping[str, Any],
    to_pixel: Callable[[float, float], tuple[float, float]] | None,
    size: tuple[int, int] | None,
    has: str,
) -> Mask:
    if size is None:
        raise MalformedMark(f"A polygon has 1 part and no hole, but this one has {has}: mark each part by itself.")
    return mask_from_geojson_geometry(geometry, to_pixel, size)


def check_mark(mark: Mark, width: int, height: int) -> Mark:
    """Returns the mark, or says why it cannot be used on an image of this size.

    Reaching partly past the image is allowed; whether a mark touches it is decided by its bounding box.

    Raises:
        MalformedMark: NaN or infinite coordinates, no area (no length for a scribble), a polygon that crosses
            or touches itself, or a mask of another size than the image.
        MarkOutsideImage: no part of it lies in the image.
    """
    if isinstance(mark, Mask):
        return _checked_mask(mark, width, height)
    if isinstance(mark, Polygon | Scribble):
        mark = _checked_path(mark)
    box = mark.bounds()
    values = (box.x0, box.y0, box.x1, box.y1)
    if not all(math.isfinite(value) for vertex in mark.outline() for value in vertex):
        raise MalformedMark(f"{_a(mark)} needs finite coordinates, but one of them is NaN or infinite.")
    farthest = max(abs(value) for value in values)
    if farthest > MAX_COORDINATE:
        raise MalformedMark(f"{_a(mark)} reaches {farthest:g}, past the limit {MAX_COORDINATE:g}.")
    if isinstance(mark, Box | Ellipse) and (box.width <= 0 or box.height <= 0):
        raise MalformedMark(f"{_a(mark)} must enclose an area, but it is {box.width:g} x {box.height:g}.")
    # A point on the far edge belongs to no pixel; a line of no thickness along it is still drawn by its pen.
    past = box.x0 >= width or box.y0 >= height
    before = box.x1 < 0 or box.y1 < 0 if isinstance(mark, Point | Scribble) else box.x1 <= 0 or box.y1 <= 0
    if past or before:
        corners = ", ".join(f"{value:g}" for value in values)
        raise MarkOutsideImage(f"The {mark.kind} in ({corners}) lies outside the {width} x {height} image.")
    return mark


def _checked_mask(mask: Mask, width: int, height: int) -> Mask:
    if (mask.width, mask.height) != (width, height):
        raise MalformedMark(f"The mask is {mask.width} x {mask.height} but the image is {width} x {height}.")
    if mask.area == 0:
        raise MalformedMark(f"The {mask.width} x {mask.height} mask has no pixel set.")
    return mask


def _checked_path(path: Polygon | Scribble) -> Polygon | Scribble:
    """Drops repeated vertices, then refuses what cannot be drawn."""
    if len(path.points) > MAX_VERTICES:
        raise MalformedMark(f"A {path.kind} has {len(path.points)} vertices, past the limit {MAX_VERTICES}.")
    points = tuple(p for i, p in enumerate(path.points) if i == 0 or p != path.points[i - 1])
    if not np.isfinite(np.array(points)).all():
        raise MalformedMark(f"A {path.kind} needs finite coordinates, but one of them is NaN or infinite.")
    if isinstance(path, Scribble):
        if len(points) < 2:
            raise MalformedMark(f"A scribble needs 2 different vertices, but this one has {len(points)}.")
        return Scribble(points)
    polygon = Polygon(_without_closure(points))
    if len(polygon.points) < 3:
        raise MalformedMark(f"A polygon needs 3 different vertices, but it has {len(polygon.points)}.")
    corners = np.array(polygon.points)
    if np.linalg.matrix_rank(corners - corners[0]) < 2:  # all on a line; a bow tie's area is zero as well
        raise MalformedMark(f"The polygon's {len(polygon.points)} vertices enclose no area.")
    crossing = _crossing_edges(polygon)
    if crossing is not None:
        first, second = crossing
        raise MalformedMark(f"The polygon crosses or touches itself: edges {first} and {second} meet.")
    return polygon


def _crossing_edges(polygon: Polygon) -> tuple[int, int] | None:
    """Numbers (from 1) of the first two edges that meet elsewhere than in the vertex they share, or None."""
    starts = np.array(polygon.points)
    ends = np.roll(starts, -1, axis=0)
    count = len(starts)

    def side(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        """Sign of the turn a -> b -> c."""
        ahead, aside = b - a, c - a
        return np.asarray(np.sign(ahead[..., 0] * aside[..., 1] - ahead[..., 1] * aside[..., 0]))

    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    for first in range(count - 1):
        # Neighbours share a vertex by right; they overlap only by folding straight back.
        turn = side(starts[first], ends[first], ends[first + 1])
        if turn == 0 and np.dot(ends[first] - starts[first], ends[first + 1] - starts[first + 1]) < 0:
            return first + 1, first + 2
        others = np.arange(first + 2, count - 1 if first == 0 else count)
        a, b, c, d = starts[first], ends[first], starts[others], ends[others]
        apart = side(a, b, c) * side(a, b, d) > 0  # the other edge lies on one side of this one
        apart |= side(c, d, a) * side(c, d, b) > 0
        apart |= ((low[others] > high[first]) | (high[others] < low[first])).any(axis=1)
        if not apart.all():
            return first + 1, int(others[np.flatnonzero(~apart)[0]]) + 1
    return None


def _build(kind: str, numbers: list[float]) -> Mark:
    """Makes a mark of `kind` from its numbers in the order of the command-line form."""
    if kind not in _FORMS:
        raise MalformedMark(f'"{kind}" is no kind of mark; there are {", ".join(_FORMS)}.')
    expected = {"point": 2, "box": 4, "circle": 3, "ellipse": 4}.get(kind)
    minimum = 6 if kind == "polygon" else 4
    if (expected is not None and len(numbers) != expected) or (
        expected is None and (len(numbers) < minimum or len(numbers) % 2)
    ):
        wanted = f"{expected} numbers" if expected else f"an even count of at least {minimum} numbers"
        raise MalformedMark(f"{_with_article(kind)} needs {wanted} ({_FORMS[kind]}), but {len(numbers)} were given.")
    if kind == "point":
        return Point(*numbers)
    if kind == "box":
        return Box(*numbers)
    if kind == "circle":
        return Ellipse.circle(*numbers)
    if kind == "ellipse":
        return Ellipse(*numbers)
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return Polygon(_without_closure(points)) if kind == "polygon" else Scribble(points)


def _numbers(items: Sequence[Any], kind: str) -> list[float]:
    """Every item as a float, or a sentence that quotes the one that is none."""
    numbers = []
    for item in items:
        try:
            if isinstance(item, bool):
                raise ValueError
            numbers.append(float(item))
        except (TypeError, ValueError, OverflowError) as error:
            quoted = repr(item) if len(repr(item)) <= 40 else repr(item)[:40] + "..."
            raise MalformedMark(f"{_with_article(kind)} is written in numbers, but {quoted} is none.") from error
    return numbers


def _members(obj: object) -> Mapping[str, Any]:
    if not isinstance(obj, Mapping):
        raise MalformedMark(f"A mark in JSON is an object with named members, not {str(obj)[:40]!r}.")
    return obj


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise MalformedMark("A GeoJSON polygon is a filled list of rings.")
    return value


def _a(mark: Mark) -> str:
    """The mark with its article, a circle by its own name, as in "An ellipse"."""
    is_circle = isinstance(mark, Ellipse) and mark.radius_x == mark.radius_y
    return _with_article("circle" if is_circle else mark.kind)


def _with_article(kind: str) -> str:
    return f"{'An' if kind[:1] in tuple('aeiou') else 'A'} {kind}"


def _pair(item: Sequence[Any], kind: str) -> Sequence[Any]:
    if len(item) != 2:
        raise MalformedMark(f"A vertex of a {kind} needs 2 numbers, but one has {len(item)}.")
    return item


def _mask_from_json(obj: Mapping[str, Any]) -> Mask:
    size, counts = obj.get("size"), obj.get("counts")
    if not isinstance(counts, str) or not isinstance(size, Sequence) or len(size) != 2:
        raise MalformedMark('A mask in JSON needs the members "size" ([height, width]) and "counts" (text).')
    if not all(isinstance(extent, int) and extent > 0 for extent in size):
        raise MalformedMark(f"A mask's height and width are whole numbers above 0, not {size!r}.")
    mask = Mask(int(size[0]), int(size[1]), counts)
    mask.check_counts()
    return mask


def _positions(
    positions: Any, to_pixel: Callable[[float, float], tuple[float, float]] | None
) -> tuple[tuple[float, float], ...]:
    """GeoJSON positions as pixels; a third number (altitude) is ignored."""
    if not isinstance(positions, Sequence) or isinstance(positions, str):
        raise MalformedMark("A GeoJSON ring or line must be a list of positions.")
    pixels = []
    for position in positions:
        if not isinstance(position, Sequence) or isinstance(position, str) or len(position) < 2:
            raise MalformedMark(f"A GeoJSON position needs 2 numbers, but one is {str(position)[:40]!r}.")
        x, y = _numbers(position[:2], "position")
        pixels.append((x, y) if to_pixel is None else to_pixel(x, y))
    return tuple(pixels)


def _without_closure(points: Vertices) -> Vertices:
    """Drops a last vertex that repeats the first."""
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points


def _box_if_rectangle(polygon: Polygon) -> Polygon | Box:
    """The polygon's bounding box, where its four vertices are that box's corners in order."""
    if len(polygon.points) != 4:
        return polygon
    box = polygon.bounds()
    corners = box.outline()
    for ring in (polygon.points, polygon.points[::-1]):
        for turn in range(4):
            turned = ring[turn:] + ring[:turn]
            if all(math.dist(a, b) <= RECTANGLE_TOLERANCE for a, b in zip(turned, corners, strict=True)):
                return box
    return polygon
