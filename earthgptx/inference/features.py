"""Marks and masks as GeoJSON geometries (RFC 7946).

A function `place` that moves pixel positions to the coordinates wanted comes in; geometries as plain dicts go
out, exterior rings counterclockwise and holes clockwise. This module knows neither answers nor files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.georeference import polygons_of
from earthgptx.inference import antimeridian
from earthgptx.shapes import Mark, Mask, Point, Scribble, Vertices

Place = Callable[[Sequence[tuple[float, float]]], Vertices]

DECIMALS = 9  # a tenth of a millimetre in degrees of latitude: boxes come back as boxes


def mark_geometry(mark: Mark, place: Place, wraps: bool = False) -> dict[str, Any]:
    """A mark's outline: Point, LineString for a scribble, MultiPolygon for a mask, Polygon for the rest.

    An ellipse becomes the polygon of its 32 outline vertices. What crosses the antimeridian is cut there: a line then
    becomes a MultiLineString, a polygon a MultiPolygon (RFC 7946, section 3.1.9).

    Args:
        mark: in pixels.
        place: pixel positions to output coordinates.
        wraps: those are degrees.
    """
    if isinstance(mark, Mask):
        return mask_geometry(mark.to_array(), place, wraps=wraps)
    if isinstance(mark, Point):
        return {"type": "Point", "coordinates": _rounded(_line(mark.outline(), place, wraps=wraps)[0])[0]}
    if isinstance(mark, Scribble):
        lines = [_rounded(line) for line in _line(mark.outline(), place, wraps=wraps)]
        return _one_or_many("LineString", lines)
    return _one_or_many("Polygon", _polygons([mark.outline()], place, wraps=wraps))


def mask_geometry(mask: NDArray[np.bool_], place: Place, wraps: bool = False) -> dict[str, Any]:
    """The exact outline of a mask's pixels as a MultiPolygon, one polygon a connected part, holes kept.

    Args:
        mask: (H, W).
        place: pixel positions to output coordinates.
        wraps: those are degrees: a part that crosses the antimeridian is cut there.
    """
    polygons = [piece for rings in polygons_of(mask) for piece in _polygons(rings, place, wraps=wraps)]
    return {"type": "MultiPolygon", "coordinates": polygons}


def is_finite(geometry: dict[str, Any]) -> bool:
    """Whether every coordinate is a number: a projection can have no degrees for some of its pixels."""
    return bool(np.isfinite(list(_numbers(geometry["coordinates"]))).all())


def _numbers(coordinates: Any) -> Iterator[float]:
    if isinstance(coordinates, list):
        for item in coordinates:
            yield from _numbers(item)
    else:
        yield coordinates


def _line(points: Vertices, place: Place, *, wraps: bool) -> list[antimeridian.Ring]:
    placed = [(float(x), float(y)) for x, y in place(points)]
    if not (wraps and _all_finite(placed)):
        return [placed]
    return antimeridian.cut_line(antimeridian.unwrapped(placed, placed[0][0]))


def _polygons(rings: Sequence[Vertices], place: Place, *, wraps: bool) -> list[list[list[list[float]]]]:
    """A polygon of open rings, the exterior first, as one or several of closed rings.

    Those run as RFC 7946, section 3.1.6, wants them.
    """
    placed = [[(float(x), float(y)) for x, y in place(ring)] for ring in rings]
    if wraps and all(map(_all_finite, placed)):
        start = placed[0][0][0]
        placed = [antimeridian.unwrapped_ring(ring, start) for ring in placed]
        placed = [antimeridian.turned(ring, clockwise=place > 0) for place, ring in enumerate(placed)]
        pieces = antimeridian.cut_polygon(placed)
    else:
        pieces = [placed]
    return [[_ring(ring, is_hole=index > 0) for index, ring in enumerate(piece)] for piece in pieces]


def _ring(points: antimeridian.Ring, *, is_hole: bool) -> list[list[float]]:
    rounded = antimeridian.turned([(round(x, DECIMALS), round(y, DECIMALS)) for x, y in points], clockwise=is_hole)
    return [[x, y] for x, y in (*rounded, rounded[0])]


def _rounded(points: antimeridian.Ring) -> list[list[float]]:
    return [[round(x, DECIMALS), round(y, DECIMALS)] for x, y in points]


def _one_or_many(kind: str, parts: list[Any]) -> dict[str, Any]:
    return (
        {"type": kind, "coordinates": parts[0]} if len(parts) == 1 else {"type": f"Multi{kind}", "coordinates": parts}
    )


def _all_finite(points: antimeridian.Ring) -> bool:
    return bool(np.isfinite(points).all())
