"""Vector files in: GeoJSON (RFC 7946) by hand, every other format through `vector_files`.

A path comes in; features with their ids, properties and geometries as the file has them go out, those that are no
features with a sentence that says why. Nothing here knows a scene.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earthgptx.data.georeference import WGS84, check_crs
from earthgptx.errors import MalformedRegions, UnreadableImagery
from earthgptx.geo.feature import DEPTHS, Feature, FeatureFile, positions_of, rewound
from earthgptx.geo.vector_files import read_vectors

GEOJSON_ENDINGS = (".geojson", ".json")
_MOST_DIGITS = 300  # of a whole number; a float holds 308


def read_features(path: Path) -> FeatureFile:
    """Reads a vector file; what it is, its ending says.

    Raises:
        MalformedRegions: no such file, not what its ending says, no features, or an unknown reference system.
        MissingExtra: another format than GeoJSON, and the extra `geo` is not installed.
    """
    if not path.is_file():
        raise MalformedRegions(f"There is no file of regions {path}.")
    if path.suffix.lower() in GEOJSON_ENDINGS:
        return _read_geojson(path)
    return read_vectors(path)


def _read_geojson(path: Path) -> FeatureFile:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_int=_whole_number)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise MalformedRegions(f"{path.name} is not JSON: {error}.") from error
    except RecursionError as error:
        raise MalformedRegions(f"{path.name} is nested too deeply to be GeoJSON.") from error
    return features_of(content, path.name)


def _whole_number(digits: str) -> int | float:
    """A number as JSON has it; one that no float could hold is infinite."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def features_of(content: Any, name: str) -> FeatureFile:
    """Reads GeoJSON that is parsed already.

    Args:
        content: plain values.
        name: what to call it in a refusal.

    Raises:
        MalformedRegions: it is no GeoJSON, holds no features, or is in an unknown reference system.
    """
    features = tuple(_feature(item, number) for number, item in enumerate(_items(content, name), start=1))
    if not features:
        raise MalformedRegions(f"{name} holds 0 features.")
    return FeatureFile(features, _crs(content, name), tuple(_notes(features)))


def _items(content: Any, name: str) -> list[Any]:
    """The features of a collection, the one of a file that is a feature, or a bare geometry as one."""
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "FeatureCollection" and isinstance(content.get("features"), list):
        return list(content["features"])
    if kind == "Feature":
        return [content]
    if kind in DEPTHS:
        return [{"type": "Feature", "geometry": content, "properties": {}}]
    found = repr(kind) if isinstance(kind, str) else f"a {type(content).__name__} without a type"
    raise MalformedRegions(f"{name} is not GeoJSON: it holds {found[:60]} where a FeatureCollection should be.")


def _feature(item: Any, number: int) -> Feature:
    kind = item.get("type") if isinstance(item, dict) else None
    if kind in DEPTHS and "coordinates" in item:  # a bare geometry among the features
        return Feature(number, None, item)
    if kind != "Feature":
        return Feature(number, None, None, problem=f"It is no GeoJSON Feature but {str(item)[:40]!r}.")
    identity = item.get("id")
    if isinstance(identity, bool) or not isinstance(identity, str | int | float):
        identity = None
    elif isinstance(identity, float) and not math.isfinite(identity):
        identity = None  # JSON has no such number, and could not be written with it
    properties = item.get("properties")
    geometry = item.get("geometry")
    return Feature(
        number,
        identity,
        geometry if isinstance(geometry, dict) else None,
        properties if isinstance(properties, dict) else {},
    )


def _crs(content: dict[str, Any], name: str) -> str | None:
    """What the `crs` member says, which GeoJSON had before RFC 7946; WGS84 without one."""
    member = content.get("crs", WGS84)
    if member is None:  # this project's own files of pixels say so
        return None
    named = member.get("properties") if isinstance(member, dict) else None
    crs = named.get("name") if isinstance(named, dict) else member
    if not isinstance(crs, str):
        raise MalformedRegions(f"{name}: its crs member names no coordinate reference system.")
    try:
        return check_crs(crs)
    except UnreadableImagery as error:
        raise MalformedRegions(f"{name}: {error}") from error


def _notes(features: tuple[Feature, ...]) -> Iterator[str]:
    """What RFC 7946 would have otherwise, but can be read all the same."""
    high, wound = [], []
    for feature in features:
        try:
            positions = positions_of(feature.geometry or {})
        except MalformedRegions:
            continue  # told when the feature is looked at
        numbers = all(isinstance(value, int | float) for position in positions for value in position[:2])
        if any(len(position) > 2 for position in positions):
            high.append(feature.name)
        if feature.geometry and numbers and all(len(position) > 1 for position in positions):
            wound += [feature.name] if rewound(feature.geometry) != feature.geometry else []
    if high:
        yield f"Heights are not used ({_some(high)})."
    if wound:
        yield f"Rings wound against RFC 7946 were read all the same ({_some(wound)})."


def _some(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
