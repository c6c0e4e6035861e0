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
from earthgptx.shapes import Mark, Mask, Point, Scribble, Vertices

Place = Callable[[Sequence[tuple[float, float]]], Vertices]

DECIMALS = 9  # a tenth of a millimetre in degrees of latitude: boxes come back as boxes


def mark_geometry(mark: Mark, place: Place) -> dict[str, Any]:
    """A mark's outline: Point, LineString for a scribble, MultiPolygon for a mask, Polygon for the rest.

    An ellipse becomes the polygon of its 32 outline vertices.

    Args:
        mark: in pixels.
        place: pixel positions to output coordinates.
    """
    if isinstance(mark, Mask):
        return mask_geometry(mark.to_array(), place)
    if isinstance(mark, Point):
        return {"type": "Point", "coordinates": _positions(mark.outline(), place)[0]}
    if isinstance(mark, Scribble):
        return {"type": "LineString", "coordinates": _positions(mark.outline(), place)}
    return {"type": "Polygon", "coordinates": [_ring(mark.outline(), place, is_hole=False)]}


def mask_geometry(mask: NDArray[np.bool_], place: Place) -> dict[str, Any]:
    """The exact outline of a mask's pixels as a MultiPolygon, one polygon a connected part, holes kept.

    Args:
        mask: (H, W).
        place: pixel positions to output coordinates.
    """
    polygons = [
        [_ring(ring, place, is_hole=index > 0) for index, ring in enumerate(rings)] for rings in polygons_of(mask)
    ]
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


def _positions(points: Vertices, place: Place) -> list[list[float]]:
    return [[round(float(x), DECIMALS), round(float(y), DECIMALS)] for x, y in place(points)]


def _ring(points: Vertices, place: Place, *, is_hole: bool) -> list[list[float]]:
    """A closed linear ring in the direction that RFC 7946, section 3.1.6, wants, from an open one."""
    ring = _positions(points, place)
    ahead = ring[1:] + ring[:1]
    twice_area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, ahead, strict=True))
    if (twice_area < 0) != is_hole:
        ring.reverse()
    return [*ring, ring[0]]
