"""The coordinates in which answers are written, and areas on the ground.

A scene and a choice come in; ways from its pixels, and from a file's own coordinates, to those of the output go out.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal

from earthgptx.data.georeference import WGS84, is_same_crs, reproject
from earthgptx.errors import MalformedRegions
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature import Feature, positions_of, rewound, with_positions
from earthgptx.geo.outlines import Shape, middle_of
from earthgptx.inference.features import DECIMALS, Place
from earthgptx.shapes import Vertices

OutputCrs = Literal["wgs84", "scene"]


@dataclass(frozen=True)
class Coordinates:
    """What the coordinates of an output mean.

    Attributes:
        crs: their reference system; None for pixels of the scene.
        place: from scene pixels to them.
        wraps: they are degrees that end at the antimeridian.
    """

    crs: str | None
    place: Place
    wraps: bool


def coordinates_of(scene: BigScene, choice: OutputCrs) -> Coordinates:
    """Longitude and latitude, or the scene's own system; pixels where it has none."""
    georeference = scene.georeference
    if georeference is None:
        return Coordinates(None, tuple, wraps=False)
    if choice == "wgs84":
        return Coordinates(WGS84, georeference.ring_to_wgs84, wraps=True)
    return Coordinates(georeference.crs_wkt, georeference.ring_to_map, wraps=False)


def own_geometry(feature: Feature, crs: str | None, scene: BigScene, target: Coordinates) -> dict[str, Any] | None:
    """A feature's own geometry in the output's coordinates; None where it has none, or one that cannot be written.

    Args:
        feature: as the file has it.
        crs: the file's reference system.
        scene: on which it lies.
        target: what is written.
    """
    if feature.geometry is None:
        return None
    try:
        positions = positions_of(feature.geometry)
    except MalformedRegions:
        return None
    if not positions or not all(_is_place(position) for position in positions):
        return None
    is_pixels = crs is None or scene.georeference is None or feature.properties.get("coordinates") == "pixels"
    if not is_pixels and crs is not None and target.crs is not None and is_same_crs(crs, target.crs):
        return rewound({"type": feature.geometry["type"], "coordinates": feature.geometry["coordinates"]})
    points = tuple((float(position[0]), float(position[1])) for position in positions)
    moved: Vertices
    if is_pixels or crs is None or target.crs is None:
        moved = target.place(points)
    else:
        moved = reproject(points, source=crs, target=target.crs)
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in moved):
        return None
    rounded = iter([[round(x, DECIMALS), round(y, DECIMALS)] for x, y in moved])
    return rewound(with_positions(feature.geometry, rounded))


def _is_place(position: list[Any]) -> bool:
    numbers = [value for value in position if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(position) >= 2 and all(abs(value) <= sys.float_info.max for value in numbers)


def square_metres(scene: BigScene, shape: Shape, area: float) -> float | None:
    """The area on the ground of so many scene pixels, as large as a pixel is in the middle of a shape.

    A projected system's nominal pixel size counts as long as it is true within 1 %, so an area may be 2 % off.

    Args:
        scene: whose pixels.
        shape: where; not empty.
        area: in scene pixels.

    Returns:
        None without a georeference, and where its system measures nothing.
    """
    if scene.georeference is None:
        return None
    metres = scene.georeference.of_window(*middle_of(shape)).ground_sample_distance()
    return None if metres is None else area * metres**2
