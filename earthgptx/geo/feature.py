"""A feature of a vector file, and what can be done with its geometry whatever it lies on.

GeoJSON geometries as plain dicts come in and go out; nothing here reads a file or knows a scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from earthgptx.errors import MalformedRegions

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
