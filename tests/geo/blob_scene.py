"""A fabricated scene of bright discs on dark ground, and the regions drawn around them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

from earthgptx.data.georeference import Georeference

COLOURS = ("red", "green", "blue")
PLACES = {
    "degrees": ("EPSG:4326", Affine(1e-5, 0, 4.3, 0, -1e-5, 51.9)),
    "utm": ("EPSG:32631", Affine(0.5, 0, 590_000, 0, -0.5, 5_750_000)),
    "rotated": ("EPSG:32631", Affine(0.4, 0.3, 590_000, 0.3, -0.4, 5_750_000)),
}


@dataclass(frozen=True)
class Blob:
    """A disc: centre and radius in pixels, and its colour's name."""

    x: float
    y: float
    radius: float
    colour: str


def blobs(count: int, width: int, height: int, *, seed: int = 0, radius: float = 9.0) -> list[Blob]:
    """Discs that do not touch."""
    rng = np.random.default_rng(seed)
    found: list[Blob] = []
    while len(found) < count:
        x, y = rng.uniform(25, width - 25), rng.uniform(25, height - 25)
        if all(np.hypot(x - one.x, y - one.y) > 4 * radius for one in found):
            found.append(Blob(float(x), float(y), radius, COLOURS[len(found) % 3]))
    return found


def write_scene(path: Path, found: list[Blob], width: int, height: int, place: str | None = "utm") -> Path:
    """An 8-bit GeoTIFF of the discs, tiled."""
    pixels = np.full((3, height, width), 20, np.uint8)
    for one in found:
        pixels[COLOURS.index(one.colour)][disc(one, width, height)] = 220
    about: dict[str, Any] = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": width, "height": height}
    if place is not None:
        crs, transform = PLACES[place]
        about |= {"crs": crs, "transform": transform}
    with rasterio.open(path, "w", tiled=True, compress="deflate", photometric="rgb", **about) as dataset:
        dataset.write(pixels)
    return path


def disc(one: Blob, width: int, height: int) -> np.ndarray:
    filled = np.zeros((height, width), bool)
    left, top, side = int(one.x - one.radius) - 1, int(one.y - one.radius) - 1, int(2 * one.radius) + 4
    y, x = np.ogrid[max(top, 0) : top + side, max(left, 0) : left + side]
    near = filled[max(top, 0) : top + side, max(left, 0) : left + side]
    near |= (np.hypot(x + 0.5 - one.x, y + 0.5 - one.y) <= one.radius)[: near.shape[0], : near.shape[1]]
    return filled


def georeference(place: str) -> Georeference:
    crs, transform = PLACES[place]
    return Georeference(crs, tuple(transform)[:6])


def square_around(one: Blob, place: str | None, margin: float = 2.0) -> dict[str, Any]:
    """A polygon around a disc, in degrees or in pixels."""
    reach = one.radius + margin
    corners = [(one.x + a * reach, one.y + b * reach) for a, b in ((-1, 1), (1, 1), (1, -1), (-1, -1))]
    points = corners if place is None else georeference(place).ring_to_wgs84(corners)
    ring = [list(point) for point in points]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def write_regions(path: Path, found: list[Blob], place: str | None, *extra: dict[str, Any]) -> Path:
    """One feature a disc, with an id and a property of its own, then the extra ones."""
    features = [
        {"type": "Feature", "id": f"blob-{k}", "geometry": square_around(one, place), "properties": {"own": k}}
        for k, one in enumerate(found)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [*features, *extra]}))
    return path
