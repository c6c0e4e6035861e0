"""Vector files in: GeoJSON (RFC 7946) by hand, every other format through `vector_files`.

A path comes in; features with their ids, properties and geometries as the file has them go out, those that are no
features with a sentence that says why. Nothing here knows a scene.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earthgptx.data.georeference import WGS84, check_crs
from earthgptx.errors import MalformedRegions, UnreadableImagery

GEOJSON_ENDINGS = (".geojson", ".json")
DEPTHS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""Lists of positions around each position of a geometry."""


@dataclass(frozen=True)
class Feature:
    """One feature of a file.

    Attributes:
        number: its place in the file, from 1.
        id: its own, None where it has none.
        geometry: a GeoJSON geometry in the file's coordinates, not checked yet; None where it has none.
        properties: its own.
        problem: a sentence on why it is no feature, empty where it is one.
    """

    number: int
    id: str | int | float | None
    geometry: dict[str, Any] | None
    properties: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"Feature {self.number}" if self.id is None else f"Feature {self.id!r}"


@dataclass(frozen=True)
class FeatureFile:
    """All of a file.

    Attributes:
        features: in the file's order.
        crs: the reference system of their coordinates, None where the file leaves it open.
        notes: what is unusual about it, one sentence each.
    """

    features: tuple[Feature, ...]
    crs: str | None
    notes: tuple[str, ...] = ()


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
    from earthgptx.geo.vector_files import read_vectors

    return read_vectors(path)


def positions_of(geometry: dict[str, Any]) -> list[list[Any]]:
    """Every position of a geometry, in order.

    Raises:
        MalformedRegions: a type that has no positions, or lists that are not nested as its type has them.
    """
    kind = geometry.get("type")
    if kind not in DEPTHS:
        known = ", ".join(DEPTHS)
        raise MalformedRegions(f"Its geometry is a {str(kind)[:40]!r}, but regions are one of {known}.")
    return list(_walk(geometry.get("coordinates"), DEPTHS[kind], kind))


def with_positions(geometry: dict[str, Any], positions: Iterator[Any]) -> dict[str, Any]:
    """The geometry with other positions, in the order of `positions_of`."""
    return {
        "type": geometry["type"],
        "coordinates": _rebuilt(geometry["coordinates"], DEPTHS[geometry["type"]], positions),
    }


def rewound(geometry: dict[str, Any]) -> dict[str, Any]:
    """The geometry with exterior rings counterclockwise and holes clockwise, as RFC 7946 wants them."""
    if geometry["type"] == "Polygon":
        return {**geometry, "coordinates": _rewound_rings(geometry["coordinates"])}
    if geometry["type"] == "MultiPolygon":
        return {**geometry, "coordinates": [_rewound_rings(rings) for rings in geometry["coordinates"]]}
    return geometry


def _rewound_rings(rings: list[Any]) -> list[Any]:
    return [ring[::-1] if _is_clockwise(ring) != (place > 0) else ring for place, ring in enumerate(rings)]


def _is_clockwise(ring: list[Any]) -> bool:
    ahead = ring[1:] + ring[:1]
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ahead, strict=True)) < 0


def _walk(coordinates: Any, depth: int, kind: str) -> Iterator[list[Any]]:
    if not isinstance(coordinates, list):
        raise MalformedRegions(f"Its {kind} holds {str(coordinates)[:40]!r} where a list should be.")
    if depth == 0:
        yield coordinates
        return
    for item in coordinates:
        yield from _walk(item, depth - 1, kind)


def _rebuilt(coordinates: Any, depth: int, positions: Iterator[Any]) -> Any:
    return next(positions) if depth == 0 else [_rebuilt(item, depth - 1, positions) for item in coordinates]


def _read_geojson(path: Path) -> FeatureFile:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise MalformedRegions(f"{path.name} is not JSON: {error}.") from error
    except RecursionError as error:
        raise MalformedRegions(f"{path.name} is nested too deeply to be GeoJSON.") from error
    features = tuple(_feature(item, number) for number, item in enumerate(_items(content, path.name), start=1))
    if not features:
        raise MalformedRegions(f"{path.name} holds 0 features.")
    return FeatureFile(features, _crs(content, path.name), tuple(_notes(features)))


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
    if not isinstance(item, dict) or item.get("type") != "Feature":
        return Feature(number, None, None, problem=f"It is no GeoJSON Feature but {str(item)[:40]!r}.")
    identity = item.get("id")
    if isinstance(identity, bool) or not isinstance(identity, str | int | float):
        identity = None
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
