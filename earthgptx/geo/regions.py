"""Features to regions of one scene: in its pixels, checked, ready to be marks in any window.

A feature and a `BigScene` come in; a `Region` goes out, or one sentence on what is wrong with the feature.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

from earthgptx.data.georeference import WGS84, Georeference, is_same_crs
from earthgptx.errors import MalformedMark, MalformedRegions, MarkOutsideImage
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature import Feature, positions_of, with_positions
from earthgptx.geo.windows import Frame
from earthgptx.shapes import Box, Mark, Vertices, check_mark, mark_from_geojson_geometry

_PARTS = {"MultiPoint": "Point", "MultiLineString": "LineString", "MultiPolygon": "Polygon"}


@dataclass(frozen=True)
class Region:
    """A region of a scene.

    Attributes:
        geometry: a GeoJSON geometry in scene pixels.
        bounds: the smallest box around it.
    """

    geometry: dict[str, Any]
    bounds: Box

    def mark_in(self, frame: Frame) -> Mark:
        """The region as a mark on what was read of a window; a mask where it has holes or several parts.

        Raises:
            MalformedMark: it encloses no pixel there, crosses itself, or is of a kind that cannot be marked.
            MarkOutsideImage: it does not touch the window.
        """
        size = (frame.height, frame.width)
        mark = mark_from_geojson_geometry(self.geometry, frame.to_view, size)
        return check_mark(mark, frame.width, frame.height)


def region_of(feature: Feature, scene: BigScene, crs: str | None) -> Region:
    """Lays a feature on a scene.

    Coordinates are pixels where the scene has no georeference, where the file names no reference system, and where the
    feature's properties hold ``"coordinates": "pixels"``, as this project's own files do.

    Args:
        feature: as the file has it.
        scene: what it marks.
        crs: the reference system of the file.

    Raises:
        MalformedRegions: it is no feature, has no or an empty geometry, or coordinates that are no numbers.
        MalformedMark: its geometry crosses itself or encloses nothing.
        MarkOutsideImage: it lies outside the scene, or where the scene's projection does not reach.
    """
    if feature.problem:
        raise MalformedRegions(feature.problem)
    if feature.geometry is None:
        raise MalformedRegions("It has no geometry.")
    geometry = _single(feature.geometry)
    points = _points(geometry)
    place = scene.georeference
    if place is not None and crs is not None and feature.properties.get("coordinates") != "pixels":
        points = _placed(points, place, scene, crs)
    elif place is None and feature.properties.get("coordinates") == "wgs84":
        raise MalformedRegions("It is in degrees (wgs84), but the scene has no georeference: give pixels.")
    in_pixels = with_positions(geometry, iter([list(point) for point in points]))
    xs, ys = [x for x, _ in points], [y for _, y in points]
    region = Region(in_pixels, Box(min(xs), min(ys), max(xs), max(ys)))
    _check(region, scene)
    return region


def _single(geometry: dict[str, Any]) -> dict[str, Any]:
    """A geometry of several parts that has only one, as that part."""
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind in _PARTS and isinstance(coordinates, list) and coordinates:
        if len(coordinates) == 1:
            return {"type": _PARTS[kind], "coordinates": coordinates[0]}
        if kind != "MultiPolygon":
            raise MalformedRegions(f"Its {kind} has {len(coordinates)} parts: give each a feature of its own.")
    return geometry


def _points(geometry: dict[str, Any]) -> Vertices:
    """All positions as two finite numbers; heights are left out."""
    kind = geometry.get("type")
    positions = positions_of(geometry)
    if not positions or positions == [[]]:
        raise MalformedRegions(f"Its {kind} is empty.")
    points = []
    for position in positions:
        pair = position[:2]
        if len(pair) < 2 or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in pair):
            raise MalformedRegions(f"A position needs 2 numbers, but its {kind} has {str(position)[:40]}.")
        if not all(abs(value) <= sys.float_info.max for value in pair):  # NaN, too, and whole numbers past any float
            raise MalformedRegions(f"Its {kind} has a coordinate that is NaN or infinite.")
        points.append((float(pair[0]), float(pair[1])))
    return tuple(points)


def _placed(points: Vertices, place: Georeference, scene: BigScene, crs: str) -> Vertices:
    """Map positions to pixels."""
    if is_same_crs(crs, WGS84):
        wrong = next((lat for _, lat in points if abs(lat) > 90), None)
        if wrong is not None:
            raise MalformedRegions(
                f"It has the latitude {wrong:g}, but latitudes lie between -90 and 90; longitude comes first."
            )
    pixels = place.ring_to_pixels(points, crs=crs)
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in pixels):
        raise MarkOutsideImage("It lies where the scene's projection does not reach.")
    return tuple(place.nearest_turn(x, y, scene.width, scene.height) for x, y in pixels)


def _check(region: Region, scene: BigScene) -> None:
    """Refuses what is not on the scene, or cannot be drawn, before any pixel is read."""
    bounds = region.bounds
    kind, coordinates = region.geometry["type"], region.geometry["coordinates"]
    is_outside = bounds.x0 >= scene.width or bounds.y0 >= scene.height or bounds.x1 < 0 or bounds.y1 < 0
    if is_outside:
        corners = ", ".join(f"{value:,.1f}" for value in (bounds.x0, bounds.y0, bounds.x1, bounds.y1))
        raise MarkOutsideImage(
            f"It lies outside the scene: its pixels ({corners}) are not in 0 to {scene.width:,}, 0 to {scene.height:,}."
        )
    if kind in ("Point", "LineString") or (kind == "Polygon" and len(coordinates) == 1):
        check_mark(mark_from_geojson_geometry(region.geometry), scene.width, scene.height)
    elif bounds.width <= 0 or bounds.height <= 0:
        raise MalformedMark(f"Its {kind} encloses no area: it is {bounds.width:g} x {bounds.height:g} pixels.")
