"""Reads GeoJSON features that lie over one georeferenced image, in any reference system.

A GeoJSON file and a GeoTIFF come in, one labelled image in pixels comes out. Points and lines have no area and are
taken for a small square and a ribbon, as in `labelme`; which property holds the label is found or told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from earthgptx.data.annotation_file import image_size, listed, read_json
from earthgptx.data.formats.labelme import LINE_BREADTH, POINT_SIZE
from earthgptx.data.formats.placement import keyhole, numbers, outlined_object, placed_box, ribbon
from earthgptx.data.georeference import WGS84, Georeference
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.raster_file import raster_place
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import MalformedDataset, UnreadableImagery
from earthgptx.shapes import Box, Vertices

_logger = logging.getLogger(__name__)

# Properties that hold a label, the likeliest first; letter case does not matter.
LABEL_PROPERTIES = ("label", "class", "class_name", "classname", "category", "type_name", "type", "name", "object")


def read_scene(
    path: Path,
    image: Path,
    *,
    dataset: str,
    split: str,
    sensor: str,
    name_of: Callable[[str], str],
    on_broken: OnBroken = refuse,
    label_property: str | None = None,
) -> Iterator[LabelledImage]:
    """The one image, with the features as objects.

    Coordinates are longitude and latitude unless the file names another system in its ``crs`` member. Files without
    that member whose numbers cannot be degrees are taken to be in the image's own system, which is logged.

    Args:
        path: a feature collection.
        image: the georeferenced image.
        dataset, split, sensor: as they stand in the image.
        name_of: from a label in the file to the canonical name.
        on_broken: told of every feature that is left out.
        label_property: which property holds the label; None takes the first of LABEL_PROPERTIES that any has.

    Raises:
        MalformedDataset: the file is no feature collection, no property holds a label, or the image has no place on
            the map.
    """
    content = read_json(path)
    features = listed(content, "features", path)
    key = label_property or _label_property(features, path)
    try:
        place = raster_place(image)
        if place is None:
            raise MalformedDataset(f"{image} has no place on the map, which GeoJSON features need.")
        crs = _system(content, features, path, place)
        place.ring_to_pixels([(0.0, 0.0)], crs=crs)  # an unknown system is the file's fault, not each feature's
    except (UnreadableImagery, OSError) as error:
        raise MalformedDataset(f"{path} over {image}: {error}") from error
    width, height = image_size(image)
    objects = []
    for number, feature in enumerate(features, start=1):
        with setting_aside(dataset, f"{path} feature {number}", on_broken):
            label = _mapping(feature, "properties").get(key)
            if label is None or not str(label).strip():
                raise MalformedDataset(f"its property {key!r} holds no label.")
            named = name_of(str(label))
            geometry = _mapping(feature, "geometry")
            objects.append(_object(geometry, named, (width, height), lambda ring: place.ring_to_pixels(ring, crs=crs)))
    yield LabelledImage(
        id=f"{dataset}/{split}/{image.stem}",
        path=image,
        dataset=dataset,
        sensor=sensor,
        width=width,
        height=height,
        objects=tuple(objects),
    )


def _object(
    geometry: Any, label: str, size: tuple[int, int], to_pixels: Callable[[Vertices], Vertices]
) -> LabelledObject:
    """The object of one geometry.

    Raises:
        EnclosesNothing: it has no area.
        MalformedDataset: it is of another type, not well formed, or outside the image.
    """
    if not isinstance(geometry, dict) or not isinstance(geometry.get("coordinates"), list):
        raise MalformedDataset("it has no geometry.")
    kind, coordinates = geometry.get("type"), geometry["coordinates"]
    if kind == "Point":
        ((x, y),) = to_pixels(_positions([coordinates]))
        half = POINT_SIZE / 2
        return LabelledObject(box=placed_box(Box(x - half, y - half, x + half, y + half), *size), label=label)
    rings: list[Vertices] = []
    if kind in ("LineString", "MultiLineString"):
        for line in [coordinates] if kind == "LineString" else coordinates:
            rings += ribbon(to_pixels(_positions(line)), LINE_BREADTH)
    elif kind in ("Polygon", "MultiPolygon"):
        for part in [coordinates] if kind == "Polygon" else coordinates:
            if not isinstance(part, list) or not part:
                raise MalformedDataset("a polygon is a filled list of rings.")
            exterior, *holes = (to_pixels(_positions(ring)) for ring in part)
            rings.append(keyhole(exterior, holes))
    else:
        raise MalformedDataset(f"a geometry of the type {kind!r} cannot be read.")
    return outlined_object(rings, label, *size)


def _positions(written: Any) -> Vertices:
    """Positions of two numbers; a third (altitude) is left out."""
    if not isinstance(written, list) or not written:
        raise MalformedDataset(f"{str(written)[:40]} is no filled list of positions.")
    pairs = [numbers(position[:2] if isinstance(position, list) else position, 2, "a position") for position in written]
    return tuple((x, y) for x, y in pairs)


def _mapping(record: Any, key: str) -> Mapping[str, Any]:
    """The named members under a key of a record; none where there is something else."""
    found = record.get(key) if isinstance(record, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _label_property(features: Sequence[Any], path: Path) -> str:
    """The property that holds the label, in the file's own letter case."""
    present = {key for feature in features for key in _mapping(feature, "properties")}
    by_lower_case = {key.lower(): key for key in sorted(present, reverse=True)}
    for name in LABEL_PROPERTIES:
        if name in by_lower_case:
            return by_lower_case[name]
    found = ", ".join(sorted(present)) or "none"
    wanted = ", ".join(LABEL_PROPERTIES)
    raise MalformedDataset(f"{path}: no property of its features holds a label: looked for {wanted}; there is {found}.")


def _system(content: Any, features: Sequence[Any], path: Path, place: Georeference) -> str:
    """The reference system of a file's coordinates."""
    named = content.get("crs")
    if isinstance(named, dict):
        name = _mapping(named, "properties").get("name")
        if isinstance(name, str) and name:
            return name
        raise MalformedDataset(f"{path}: its crs member names no reference system.")
    x, y = next((found for found in map(_first_position, features) if found is not None), (0.0, 0.0))
    if abs(x) <= 180 and abs(y) <= 90:
        return WGS84
    _logger.info("%s names no reference system and holds no degrees; it is taken to be in the image's own.", path)
    return place.crs_wkt


def _first_position(feature: Any) -> tuple[float, float] | None:
    """The first two numbers of a feature's coordinates; None where it has none."""
    found: Any = _mapping(feature, "geometry").get("coordinates")
    while isinstance(found, list) and found and isinstance(found[0], list):
        found = found[0]
    if isinstance(found, list) and len(found) >= 2 and all(isinstance(value, int | float) for value in found[:2]):
        return float(found[0]), float(found[1])
    return None
