"""Small pictures to show the studio: a harbour for optics and for radar, and a car park at night; all rendered.

No picture is a photograph and none comes from a data set. The harbour lies at a place on the Earth, so that an
export can be laid on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image, ImageDraw, ImageFilter
from rasterio.crs import CRS
from rasterio.transform import Affine

from earthgptx.data.rendered_infrared import render_night

WIDTH, HEIGHT = 640, 480
TRANSFORM = Affine(0.5, 0, 593_000, 0, -0.5, 5_747_000)
ZONE = CRS.from_epsg(32631)
# Ships at anchor and at the quay: middle, length, width, heading in degrees.
SHIPS = ((150, 150, 120, 26, 12), (330, 96, 84, 20, -8), (110, 300, 64, 16, 70), (300, 250, 46, 13, 35))
TANKS = ((520, 90, 34), (590, 150, 28), (516, 178, 26), (586, 234, 32))


@dataclass(frozen=True)
class RenderedScenes:
    """Files, one a sensor."""

    optical: Path
    sar: Path
    infrared: Path


def render_scenes(folder: Path) -> RenderedScenes:
    """Writes the three scenes into a folder."""
    colours = _harbour(land=(104, 108, 92), water=(38, 66, 84), ship=(176, 160, 150), tank=(216, 216, 210))
    # Deep water is darker: a scene needs some black, or its stretch would make all the water so.
    depth = np.clip(np.linspace(0.2, 1.5, WIDTH)[None] * np.linspace(0.7, 1.3, HEIGHT)[:, None], 0.1, 1.6)[..., None]
    colours = np.asarray(colours, np.float32)
    colours = np.where(colours[..., 2:] > colours[..., :1] + 15, colours * depth, colours)
    levels = (colours / 255) ** 1.4 * 2600 + 180
    noisy = levels + np.random.default_rng(1).normal(0, 4, levels.shape)
    optical = _write(folder / "harbour.tif", noisy.astype(np.uint16).transpose(2, 0, 1))
    echoes = np.asarray(_harbour(land=(74,) * 3, water=(22,) * 3, ship=(250,) * 3, tank=(205,) * 3), np.float32)[..., 0]
    speckle = np.random.default_rng(2).gamma(3.0, 1 / 3.0, echoes.shape)
    decibels = 10 * np.log10((echoes / 255) ** 2.4 * speckle + 1e-4)
    sar = _write(folder / "harbour_vv.tif", decibels.astype(np.float32)[None])
    infrared = folder / "night_thermal.png"
    render_night(seed=20).image.save(infrared)
    return RenderedScenes(optical=optical, sar=sar, infrared=infrared)


def ship_box(index: int) -> tuple[int, int, int, int]:
    """The box around a ship, in pixels."""
    xs, ys = zip(*_hull(*SHIPS[index]), strict=True)
    return round(min(xs)), round(min(ys)), round(max(xs)), round(max(ys))


def _hull(x: float, y: float, length: float, width: float, heading: float) -> list[tuple[float, float]]:
    """Corners of a hull with a pointed bow."""
    turn = np.deg2rad(heading)
    corners = [(-0.5, -0.5), (0.28, -0.5), (0.5, 0.0), (0.28, 0.5), (-0.5, 0.5)]
    return [
        (
            x + along * length * np.cos(turn) - across * width * np.sin(turn),
            y + along * length * np.sin(turn) + across * width * np.cos(turn),
        )
        for along, across in corners
    ]


def _harbour(*, land: tuple, water: tuple, ship: tuple, tank: tuple) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), water)
    draw = ImageDraw.Draw(image)
    rng = np.random.default_rng(7)
    draw.polygon([(430, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT), (0, 420), (390, 380)], fill=land)
    draw.line([(430, 0), (390, 380), (0, 420)], fill=_shade(land, 1.5), width=7)
    draw.line([(455, 0), (424, 404), (0, 452)], fill=_shade(land, 0.66), width=11)
    for _ in range(46):
        x, y = rng.uniform(440, WIDTH - 30), rng.uniform(262, HEIGHT - 26)
        side = rng.uniform(10, 32, 2)
        draw.rectangle([x, y, *(np.array([x, y]) + side)], fill=_shade(land, rng.uniform(0.7, 1.55)))
    for x, y, radius in TANKS:
        draw.ellipse([x - radius + 5, y - radius + 5, x + radius + 5, y + radius + 5], fill=_shade(land, 0.5))
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=tank, outline=_shade(tank, 0.75), width=2)
    for x, y, length, width, heading in SHIPS:
        draw.polygon(_hull(x, y, length, width, heading), fill=ship)
        bridge = _hull(
            x - 0.32 * length * np.cos(np.deg2rad(heading)),
            y - 0.32 * length * np.sin(np.deg2rad(heading)),
            length * 0.16,
            width * 0.8,
            heading,
        )
        draw.polygon(bridge, fill=_shade(ship, 1.3))
        draw.polygon(_hull(x, y, length * 0.5, width * 0.5, heading), fill=_shade(ship, 0.7))
    return image.filter(ImageFilter.GaussianBlur(0.8))


def _shade(colour: tuple, by: float) -> tuple[int, ...]:
    return tuple(int(min(255, max(0, part * by))) for part in colour)


def _write(path: Path, bands: np.ndarray) -> Path:
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype}
    with rasterio.open(path, "w", crs=ZONE, transform=TRANSFORM, **profile) as dataset:
        dataset.write(bands)
    return path
