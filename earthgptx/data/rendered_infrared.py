"""A small renderer of a thermal view from a drone: a parking lot at night with cars, people and bicycles.

A seed comes in, a grey picture and the boxes of its objects come out. All is drawn from simple facts of
thermal imagery: asphalt keeps the day's warmth, grass and glass are cold, people and engines are hot. The
picture is no photograph and copies none.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from earthgptx.shapes import Box

WIDTH, HEIGHT = 640, 512  # pixels, as small uncooled thermal cameras have

_SUPERSAMPLING = 3  # drawn this many times larger, so that slanted edges are soft

# Grey levels of apparent temperature, white hot.
_ASPHALT, _GRASS, _KERB, _GLASS, _METAL, _HOT, _SKIN, _TYRE = 142, 84, 172, 52, 112, 250, 240, 70

_SLANT = math.radians(12)  # the lot lies a little askew in the picture
_CAR = (42.0, 20.0)  # pixels long and wide: a car from 60 m or so
_BAY = 34.0  # pixels from one parked car to the next


@dataclass(frozen=True)
class RenderedPicture:
    """The picture (grey, `WIDTH` x `HEIGHT`) and its objects, (label, box) each, in the order drawn."""

    image: Image.Image
    objects: tuple[tuple[str, Box], ...]

    def boxes_of(self, label: str) -> tuple[Box, ...]:
        """The boxes of one class."""
        return tuple(box for name, box in self.objects if name == label)


def render_night(*, seed: int) -> RenderedPicture:
    """Draw one night: two rows of parked cars, some just arrived, people on foot, bicycles along the kerb."""
    rng = random.Random(seed)
    canvas = _Canvas()
    _draw_ground(canvas, rng)
    for row, y in enumerate((150.0, 300.0)):
        for bay in range(13):
            if rng.random() < 0.62:
                x = 95 + bay * _BAY + rng.uniform(-2, 2)
                heading = math.pi / 2 if row == 0 else -math.pi / 2
                _draw_car(canvas, x, y + rng.uniform(-3, 3), heading + rng.uniform(-0.05, 0.05), rng)
    _draw_car(canvas, 300, 226, 0.0, rng, is_hot=True)
    for place in range(6):  # on foot in the lane, well behind the car that drives there or ahead of it
        x = rng.uniform(80, 100) + 50 * place if place < 3 else rng.uniform(370, 390) + 55 * (place - 3)
        _draw_person(canvas, x, 226 + rng.uniform(-14, 14), rng)
    for place in range(7):
        _draw_bicycle(canvas, 330 + place * 17 + rng.uniform(-2, 2), 421 + rng.uniform(-2, 2), rng)
    return RenderedPicture(image=_developed(canvas.image, seed), objects=tuple(canvas.objects))


class _Canvas:
    """A large grey image in the lot's own slanted coordinates, and the objects drawn on it so far."""

    def __init__(self) -> None:
        size = (WIDTH * _SUPERSAMPLING, HEIGHT * _SUPERSAMPLING)
        self.image = Image.new("L", size, _GRASS)
        self.pen = ImageDraw.Draw(self.image)
        self.objects: list[tuple[str, Box]] = []

    def polygon(self, points: list[tuple[float, float]], grey: int) -> None:
        """Fill a polygon given in the lot's coordinates."""
        self.pen.polygon([_supersampled(x, y) for x, y in points], fill=grey)

    def disc(self, x: float, y: float, radius: float, grey: int) -> None:
        """Fill a disc given in the lot's coordinates."""
        centre_x, centre_y = _supersampled(x, y)
        reach = radius * _SUPERSAMPLING
        box = (centre_x - reach, centre_y - reach, centre_x + reach, centre_y + reach)
        self.pen.ellipse(box, fill=grey)

    def add(self, label: str, points: list[tuple[float, float]], margin: float) -> None:
        """Note an object by the outline of its parts, widened by `margin` pixels for the blur."""
        corners = [_slanted(x, y) for x, y in points]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        box = Box(min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin)
        self.objects.append((label, box.clipped(WIDTH, HEIGHT)))


def _slanted(x: float, y: float) -> tuple[float, float]:
    """The lot's coordinates to the picture's: turned about the middle."""
    dx, dy = x - WIDTH / 2, y - HEIGHT / 2
    return (
        WIDTH / 2 + dx * math.cos(_SLANT) - dy * math.sin(_SLANT),
        HEIGHT / 2 + dx * math.sin(_SLANT) + dy * math.cos(_SLANT),
    )


def _supersampled(x: float, y: float) -> tuple[float, float]:
    """The lot's coordinates to the large canvas."""
    column, row = _slanted(x, y)
    return column * _SUPERSAMPLING, row * _SUPERSAMPLING


def _rectangle(x: float, y: float, length: float, width: float, heading: float) -> list[tuple[float, float]]:
    """Corners of a rectangle about (x, y) whose long side points along `heading` (radians)."""
    cos, sin = math.cos(heading), math.sin(heading)
    halves = [
        (length / 2, width / 2),
        (length / 2, -width / 2),
        (-length / 2, -width / 2),
        (-length / 2, width / 2),
    ]
    return [(x + dx * cos - dy * sin, y + dx * sin + dy * cos) for dx, dy in halves]


def _ahead(x: float, y: float, distance: float, heading: float) -> tuple[float, float]:
    """The point `distance` pixels along the heading."""
    return x + distance * math.cos(heading), y + distance * math.sin(heading)


def _draw_ground(canvas: _Canvas, rng: random.Random) -> None:
    """Warm asphalt with warmer and cooler patches, a kerb, a path, cold trees on cold grass."""
    canvas.polygon(_rectangle(320, 238, 560, 300, 0.0), _KERB)
    canvas.polygon(_rectangle(320, 238, 552, 292, 0.0), _ASPHALT)
    canvas.polygon(_rectangle(320, 421, 900, 34, 0.0), _ASPHALT - 8)
    for _ in range(40):
        x, y = rng.uniform(60, 580), rng.uniform(110, 365)
        grey = _ASPHALT + rng.randint(-9, 9)
        canvas.polygon(_rectangle(x, y, rng.uniform(20, 90), rng.uniform(8, 26), 0.0), grey)
    for _ in range(34):
        x = rng.uniform(-60, 700)
        y = rng.choice((rng.uniform(-40, 64), rng.uniform(462, 560)))
        for _ in range(7):
            grey = _GRASS + rng.randint(-22, 14)
            canvas.disc(x + rng.gauss(0, 12), y + rng.gauss(0, 9), rng.uniform(5, 15), grey)


def _draw_car(
    canvas: _Canvas, x: float, y: float, heading: float, rng: random.Random, *, is_hot: bool | None = None
) -> None:
    """One car: a body near the air's warmth, cold glass, a hot bonnet and wheels if it was driven lately."""
    length, width = _CAR[0] + rng.uniform(-3, 4), _CAR[1] + rng.uniform(-1, 2)
    hot = rng.random() < 0.35 if is_hot is None else is_hot
    body = _rectangle(x, y, length, width, heading)
    canvas.polygon(_rectangle(x + 2, y + 2, length + 5, width + 4, heading), _ASPHALT - 26)
    canvas.polygon(body, _METAL + rng.randint(-14, 18))
    bonnet = _ahead(x, y, length * 0.36, heading)
    if hot:
        canvas.polygon(_rectangle(*bonnet, length * 0.26, width * 0.9, heading), _HOT)
        for along, aside in ((0.32, 0.5), (0.32, -0.5), (-0.32, 0.5), (-0.32, -0.5)):
            wheel = _ahead(*_ahead(x, y, along * length, heading), aside * width, heading + math.pi / 2)
            canvas.disc(*wheel, 2.4, 214)
    cabin = _ahead(x, y, -length * 0.08, heading)
    canvas.polygon(_rectangle(*cabin, length * 0.56, width * 0.82, heading), _GLASS)
    roof = _ahead(x, y, -length * 0.1, heading)
    canvas.polygon(_rectangle(*roof, length * 0.3, width * 0.66, heading), _METAL - 34 + rng.randint(-8, 8))
    canvas.add("car", body, 1.0)


def _draw_person(canvas: _Canvas, x: float, y: float, rng: random.Random) -> None:
    """One person from above and aside: a hot head over a warm body, legs in a stride."""
    lean = rng.uniform(-0.4, 0.4)
    shoulders = _rectangle(x, y, 7.0, 4.6, math.pi / 2 + lean)
    canvas.polygon(shoulders, _SKIN - rng.randint(6, 26))
    head = _ahead(x, y, -5.2, math.pi / 2 + lean)
    canvas.disc(*head, 2.6, _HOT)
    feet = []
    for stride in (-0.45, 0.45):
        foot = _ahead(x, y, 6.4, math.pi / 2 + lean + stride)
        middle = ((x + foot[0]) / 2, (y + foot[1]) / 2)
        canvas.polygon(_rectangle(*middle, 6.6, 2.0, math.pi / 2 + lean + stride), _SKIN - 40)
        feet.append(foot)
    canvas.add("person", [*shoulders, *feet, (head[0] - 2.6, head[1] - 2.6), (head[0] + 2.6, head[1])], 1.0)


def _draw_bicycle(canvas: _Canvas, x: float, y: float, rng: random.Random) -> None:
    """One bicycle, cold on warm ground: two wheels and the frame between."""
    heading = math.pi / 2 + rng.uniform(-0.25, 0.25)
    frame = _rectangle(x, y, 20.0, 2.6, heading)
    canvas.polygon(frame, _TYRE)
    for along in (-7.0, 7.0):
        canvas.polygon(_rectangle(*_ahead(x, y, along, heading), 8.6, 3.4, heading), _TYRE - 14)
    bar = _rectangle(*_ahead(x, y, 5.0, heading), 2.2, 9.5, heading)
    canvas.polygon(bar, _TYRE + 6)
    canvas.add("bicycle", [*frame, *bar], 1.5)


def _developed(canvas: Image.Image, seed: int) -> Image.Image:
    """The camera: reduced to its pixels, blurred by its lens, warmed unevenly, with a little noise."""
    reduced = canvas.resize((WIDTH, HEIGHT), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.9))
    noise = np.random.default_rng(seed)
    coarse = Image.fromarray(noise.normal(0.0, 1.0, (9, 11)).astype(np.float32))
    drift = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    grain = noise.normal(0.0, 1.3, (HEIGHT, WIDTH)).astype(np.float32)
    # Neighbours share noise, as after a camera's own smoothing: the mean of four shifted copies.
    smooth_grain = sum(np.roll(grain, shift, axis=(0, 1)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))) / 2.0
    grey = np.asarray(reduced, dtype=np.float32) + 7.0 * drift + 1.8 * smooth_grain
    return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
