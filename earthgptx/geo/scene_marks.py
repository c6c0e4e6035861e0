"""Marks of one question about a scene of any size, from vector files: every feature is one region, in the file's order.

Features in pixels or in any reference system come in; marks in the scene's pixels go out, checked. What is wrong with
one of them is wrong with the question, so that it is refused by its feature's name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from earthgptx.errors import EarthGPTXError, MalformedMark, TooManyMarks
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature import Feature, FeatureFile
from earthgptx.geo.feature_files import features_of, read_features
from earthgptx.geo.regions import region_of
from earthgptx.geo.scene_masks import filled
from earthgptx.inference.questions import MAX_MARKS
from earthgptx.shapes import Mark, check_mark, mark_from_geojson_geometry


def read_marks(path: Path, scene: BigScene, *, on_note: Callable[[str], None] | None = None) -> tuple[Mark, ...]:
    """Reads GeoJSON, GeoPackage, FlatGeobuf, a shapefile or GeoParquet as marks.

    GeoJSON is in WGS84 (RFC 7946) unless its ``crs`` member says otherwise; the others say what they are in. Without
    a place on the map, where no system is named, and where a feature holds ``"coordinates": "pixels"``, positions are
    pixels. What has holes or several parts becomes a mask, and so does a feature of the ``"kind": "mask"``. Features
    with ``"role": "mask"`` are answers of this project, not marks, and are passed over.

    Args:
        path: the file.
        scene: what the marks are drawn on.
        on_note: told what is unusual about the file but can be read all the same, one sentence each.

    Raises:
        MalformedRegions: no such file, not what its ending says, or an unknown reference system.
        MalformedMark, MarkOutsideImage, MalformedRegions: a feature that cannot be a mark, by its name.
        TooManyMarks: more than one question carries.
        MissingExtra: another format than GeoJSON, and the extra `geo` is not installed.
    """
    file = read_features(path)
    if on_note is not None:
        for note in file.notes:
            on_note(note)
    return _marks(file, scene, path.name)


def marks_of(content: Any, scene: BigScene, *, name: str) -> tuple[Mark, ...]:
    """Reads GeoJSON that is parsed already, as `read_marks` does.

    Args:
        content: plain values.
        scene: what the marks are drawn on.
        name: what to call the content in a refusal.

    Raises:
        EarthGPTXError: as `read_marks`.
    """
    return _marks(features_of(content, name), scene, name)


def _marks(file: FeatureFile, scene: BigScene, name: str) -> tuple[Mark, ...]:
    drawn = [feature for feature in file.features if feature.properties.get("role") != "mask"]
    if not drawn:
        raise MalformedMark(f"{name} holds {len(file.features)} features and 0 marks.")
    if len(drawn) > MAX_MARKS:  # before each of them is laid on the scene
        raise TooManyMarks(f"{len(drawn):,} marks were given; one question carries at most {MAX_MARKS}.")
    return tuple(_mark(feature, scene, file.crs, name) for feature in drawn)


def _mark(feature: Feature, scene: BigScene, crs: str | None, name: str) -> Mark:
    try:
        geometry = region_of(feature, scene, crs).geometry
        kind, coordinates = geometry["type"], geometry["coordinates"]
        has_parts = kind == "MultiPolygon" or (kind == "Polygon" and len(coordinates) > 1)
        if has_parts or (kind == "Polygon" and feature.properties.get("kind") == "mask"):
            mark: Mark = filled(geometry, width=scene.width, height=scene.height)
        else:
            mark = mark_from_geojson_geometry(geometry)
        return check_mark(mark, scene.width, scene.height)
    except EarthGPTXError as error:
        raise type(error)(f"{name}, {feature.name}: {error}") from error
