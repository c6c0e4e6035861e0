"""Marks from a file: GeoJSON of a map or of a picture, one region a feature, in the file's order.

Positions become pixels of the scene they are read for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from earthgptx.data.imagery import Scene
from earthgptx.errors import MalformedMark
from earthgptx.shapes import Mark, mark_from_geojson_geometry, mask_from_geojson_geometry

_WGS84_NAMES = ("CRS84", "EPSG:4326", "EPSG::4326")


def read_marks(path: Path, scene: Scene) -> tuple[Mark, ...]:
    """Reads a FeatureCollection, a Feature or a bare geometry.

    Coordinates are longitude and latitude (WGS84, as RFC 7946 has it) where the scene has a georeference,
    else pixels. A feature whose properties hold ``"coordinates": "pixels"``, as `Answer.to_geojson` writes
    them, is in pixels whatever the scene, and one with ``"wgs84"`` needs a scene with a georeference. A feature
    of the ``"kind": "mask"``, of several parts or with holes becomes a mask; features with ``"role": "mask"`` are
    answers, not marks, and are passed over.

    Args:
        path: the file.
        scene: what the marks are drawn on.

    Raises:
        MalformedMark: no such file, not GeoJSON, another coordinate system, degrees on a scene without a
            georeference, or no feature to mark.
    """
    if not path.is_file():
        raise MalformedMark(f"There is no file of marks {path}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise MalformedMark(f"{path.name} is not JSON: {error}.") from error
    return marks_of(content, scene, name=path.name)


def marks_of(content: Any, scene: Scene, *, name: str) -> tuple[Mark, ...]:
    """Reads a FeatureCollection, a Feature or a bare geometry that is parsed already, as `read_marks` does.

    Args:
        content: plain values.
        scene: what the marks are drawn on.
        name: what to call the content in a refusal.

    Raises:
        MalformedMark: as `read_marks`.
    """
    features = _features(content, name)
    marks = [
        _mark(geometry, properties, _to_pixel(properties, content, scene, name), scene)
        for geometry, properties in features
        if properties.get("role") != "mask"
    ]
    if not marks:
        raise MalformedMark(f"{name} holds {len(features)} features and 0 marks.")
    return tuple(marks)


def _mark(
    geometry: dict[str, Any],
    properties: dict[str, Any],
    to_pixel: Callable[[float, float], tuple[float, float]] | None,
    scene: Scene,
) -> Mark:
    size = (scene.height, scene.width)
    if properties.get("kind") == "mask":
        return mask_from_geojson_geometry(geometry, to_pixel, size)
    return mark_from_geojson_geometry(geometry, to_pixel, size)


def _features(content: Any, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(geometry, properties) of every feature."""
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "FeatureCollection" and isinstance(content.get("features"), list):
        return [pair for feature in content["features"] for pair in _features(feature, name)]
    if kind == "Feature" and isinstance(content.get("geometry"), dict):
        properties = content.get("properties")
        return [(content["geometry"], properties if isinstance(properties, dict) else {})]
    if isinstance(kind, str) and "coordinates" in content:
        return [(content, {})]
    raise MalformedMark(f"{name} is not GeoJSON: a {kind or type(content).__name__!r} where a feature should be.")


def _to_pixel(
    properties: dict[str, Any], content: dict[str, Any], scene: Scene, name: str
) -> Callable[[float, float], tuple[float, float]] | None:
    if properties.get("coordinates") == "pixels":
        return None
    georeference = scene.georeference
    if georeference is None:
        if properties.get("coordinates") == "wgs84":
            raise MalformedMark(
                f"{name} holds degrees (wgs84) but the image has no georeference: give marks in pixels."
            )
        return None
    crs = content.get("crs")
    if crs is not None and not any(known in str(crs) for known in _WGS84_NAMES):
        raise MalformedMark(f"{name} is in the coordinate system {crs}; GeoJSON marks must be in WGS84 degrees.")

    def to_pixel(longitude: float, latitude: float) -> tuple[float, float]:
        x, y = georeference.from_wgs84(longitude, latitude)
        return georeference.nearest_turn(x, y, scene.width, scene.height)

    return to_pixel
