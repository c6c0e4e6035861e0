"""Masks to valid polygons, simplified to a tolerance, joined across seams and laid on the map.

Boolean arrays come in; `Shape`s, which are rings in scene pixels, and GeoJSON geometries go out. It is the one file
that works with shapely, which comes with the extra `geo`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.georeference import polygons_of
from earthgptx.errors import MissingExtra
from earthgptx.inference.features import DECIMALS, Place
from earthgptx.shapes import Vertices

_LONGEST_EDGE = 256.0  # scene pixels that stay straight in degrees: off by 0.02 pixels of 10 m at 50 degrees north

Shape = tuple[tuple[Vertices, ...], ...]
"""Polygons, each its exterior ring and then its holes; rings are open and in scene pixels."""


def _shapely() -> Any:
    """The package, which is not a dependency of all that the project does.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module("shapely")
    except ModuleNotFoundError as error:
        raise MissingExtra("Outlines of masks are made by shapely: pip install 'earthgptx[geo]'.") from error


def require_outlines() -> None:
    """Says early that masks cannot be outlined here.

    Raises:
        MissingExtra: shapely is not installed.
    """
    _shapely()


def outline(mask: NDArray[np.bool_], *, tolerance: float) -> Shape:
    """The outline of a mask, valid and with as few vertices as the tolerance allows.

    Args:
        mask: (H, W).
        tolerance: how far the outline may leave the pixels' edges, in pixels; 0 keeps them.

    Returns:
        In pixels of the mask; empty for an empty mask.
    """
    return _to_shape(_simplified(_geometry(polygons_of(mask)), tolerance))


def simplify(shape: Shape, *, tolerance: float) -> Shape:
    """A shape with as few vertices as the tolerance allows; valid."""
    return _to_shape(_simplified(_geometry(shape), tolerance))


def exact_parts(mask: NDArray[np.bool_]) -> list[Shape]:
    """One shape a connected part of a mask, along the edges of its pixels."""
    return [_to_shape(_geometry([rings])) for rings in polygons_of(mask)]


def area_of(shape: Shape) -> float:
    """In squares of the shape's pixels."""
    return float(_geometry(shape).area)


def middle_of(shape: Shape) -> tuple[float, float]:
    """The centre of its area."""
    centre = _geometry(shape).centroid
    return float(centre.x), float(centre.y)


def touching(shapes: Sequence[Shape]) -> list[list[int]]:
    """Which shapes belong together because they share an edge, or overlap: groups of places, each in order."""
    shapely = _shapely()
    geometries = [_geometry(shape) for shape in shapes]
    leader = list(range(len(shapes)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    first, second = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        # A corner in common is no seam: two ships may touch there.
        if one < other and find(one) != find(other):
            common = geometries[one].intersection(geometries[other])
            if common.length > 0 or common.area > 0:
                low, high = sorted((find(one), find(other)))
                leader[high] = low
    groups: dict[int, list[int]] = {}
    for place in range(len(shapes)):
        groups.setdefault(find(place), []).append(place)
    return list(groups.values())


def joined(shapes: Sequence[Shape]) -> Shape:
    """The union of shapes."""
    return _to_shape(_shapely().union_all([_geometry(shape) for shape in shapes]))


def on_map(shape: Shape, place: Place, *, wraps: bool, decimals: int = DECIMALS) -> dict[str, Any] | None:
    """A shape as a GeoJSON Polygon or MultiPolygon in other coordinates, still valid.

    Exterior rings run counterclockwise and holes clockwise (RFC 7946, section 3.1.6).

    Args:
        shape: not empty.
        place: from scene pixels to the coordinates wanted.
        wraps: those are degrees: what crosses the antimeridian is cut there (section 3.1.9), and long edges bend.
        decimals: to which coordinates are rounded.

    Returns:
        None where the projection has no coordinates for one of the vertices.
    """
    shapely = _shapely()
    if wraps:
        shape = _with_more_vertices(shape)
    rings = [[_moved(ring, place) for ring in polygon] for polygon in shape]
    if not all(np.isfinite(ring).all() for polygon in rings for ring in polygon):
        return None
    if wraps:
        start = rings[0][0][0, 0]
        rings = [[_unwrapped(ring, start) for ring in polygon] for polygon in rings]
    geometry = _only_polygons(shapely.MultiPolygon([shapely.Polygon(ring[0], ring[1:]) for ring in rings]))
    if wraps:
        geometry = _cut_at_antimeridian(geometry)
    rounded = shapely.transform(geometry, lambda points: np.round(points, decimals))
    rounded = shapely.orient_polygons(_only_polygons(rounded))
    parts = [_closed_rings(part) for part in rounded.geoms]
    if not parts:
        return None
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


def to_wkb(geometries: Sequence[dict[str, Any] | None]) -> NDArray[np.object_]:
    """GeoJSON geometries as well-known binary, heights left out; None stays None."""
    shapely = _shapely()
    shape = importlib.import_module("shapely.geometry").shape
    made = [None if one is None else shape(one) for one in geometries]
    return np.asarray(shapely.to_wkb(shapely.force_2d(np.array(made, dtype=object))), dtype=object)


def from_wkb(binaries: Sequence[bytes | None]) -> list[dict[str, Any] | None]:
    """Well-known binary as GeoJSON geometries."""
    shapely = _shapely()
    mapping = importlib.import_module("shapely.geometry").mapping
    return [None if one is None else _plain(mapping(one)) for one in shapely.from_wkb(list(binaries))]


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _geometry(shape: Sequence[Sequence[Sequence[tuple[float, float]]]]) -> Any:
    """A shape as a valid MultiPolygon."""
    shapely = _shapely()
    return _only_polygons(shapely.MultiPolygon([shapely.Polygon(rings[0], rings[1:]) for rings in shape]))


def _only_polygons(geometry: Any) -> Any:
    """The area of a geometry as a valid MultiPolygon: points and lines that are left of collapsed parts go."""
    shapely = _shapely()
    if not geometry.is_valid:
        geometry = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    parts = [part for part in shapely.get_parts(geometry).tolist() if part.area > 0]
    flat = [
        inner
        for part in parts
        for inner in (shapely.get_parts(part).tolist() if part.geom_type != "Polygon" else [part])
        if inner.geom_type == "Polygon" and inner.area > 0
    ]
    return shapely.MultiPolygon(flat)


def _simplified(geometry: Any, tolerance: float) -> Any:
    if tolerance <= 0:
        return geometry
    return _only_polygons(geometry.simplify(tolerance, preserve_topology=True))


def _to_shape(geometry: Any) -> Shape:
    """Rings as open tuples of plain numbers."""
    geometry = _only_polygons(geometry)
    return tuple(
        tuple(tuple((float(x), float(y)) for x, y in ring.coords[:-1]) for ring in (part.exterior, *part.interiors))
        for part in geometry.geoms
    )


def _with_more_vertices(shape: Shape) -> Shape:
    """A shape whose long edges have vertices on their way: what is straight in the scene is curved in degrees."""
    if all(
        math.dist(*edge) <= _LONGEST_EDGE for rings in shape for ring in rings for edge in pairwise((*ring, ring[0]))
    ):
        return shape
    shapely = _shapely()
    closed = [[shapely.LinearRing(ring) for ring in rings] for rings in shape]
    return tuple(
        tuple(
            tuple((float(x), float(y)) for x, y in shapely.segmentize(ring, _LONGEST_EDGE).coords[:-1])
            for ring in rings
        )
        for rings in closed
    )


def _moved(ring: Vertices, place: Place) -> NDArray[np.float64]:
    return np.array(place(ring), dtype=np.float64).reshape(-1, 2)


def _unwrapped(ring: NDArray[np.float64], start: float) -> NDArray[np.float64]:
    """A ring of degrees without jumps of a full turn, its first vertex within half a turn of `start`."""
    longitudes = np.concatenate([[start], ring[:, 0]])
    turns = np.cumsum(np.round(np.diff(longitudes) / 360.0))
    return np.column_stack([ring[:, 0] - 360.0 * turns, ring[:, 1]])


def _cut_at_antimeridian(geometry: Any) -> Any:
    """What reaches past 180 degrees is cut off there and comes back in from the other side."""
    shapely = _shapely()
    west, _, east, _ = geometry.bounds
    if west >= -180.0 and east <= 180.0:
        return geometry
    pieces = []
    for turn in (-1, 0, 1):
        box = shapely.box(-180.0 + 360.0 * turn, -90.0, 180.0 + 360.0 * turn, 90.0)
        piece = _only_polygons(geometry.intersection(box))
        offset = 360.0 * turn
        pieces += shapely.get_parts(_shifted(piece, offset)).tolist()
    return shapely.MultiPolygon(pieces)


def _shifted(geometry: Any, offset: float) -> Any:
    return _shapely().transform(geometry, lambda points: points - np.array([offset, 0.0]))


def _closed_rings(polygon: Any) -> list[list[list[float]]]:
    return [[[float(x), float(y)] for x, y in ring.coords] for ring in (polygon.exterior, *polygon.interiors)]
