"""Marks as a hand would draw them, simulated from an object's box.

A box is shaken by noise, Gaussian or uniform, so that the mark covers a part of the object or reaches past it,
and a shape is drawn in the shaken box. Every object of a dataset has three marks that never change - its exact box,
a point and a free-form shape - which training and evaluation both use. Randomness is always an argument.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box, Ellipse, Mark, Point, Polygon, Scribble

FREEFORM_KINDS = ("ellipse", "polygon", "scribble", "jittered box")
SIMULATED_KINDS = ("box", "point", *FREEFORM_KINDS)
FIXED_MARKS = ("box", "point", "freeform")

CENTRE_NOISE = 1 / 8  # standard deviation of the centre, as a share of the box's width and height
SIZE_NOISE = 0.15  # standard deviation of the factor on each extent
SIZE_RANGE = (0.6, 1.4)
MAX_CENTRE_SHIFT = 3 / 8  # three standard deviations: the centre stays in the box

UNIFORM_SHIFT = 8  # the corner moves by whole pixels up to an eighth of the box's width and height
UNIFORM_SIZE = 0.15  # each extent changes by up to this share
NOISES = ("gaussian", "uniform")

ROTATED_SHARE = 0.25  # of free-form marks of an object with a rotated box are that box

_SMALLEST_EXTENT = 2.0  # pixels; a hand draws nothing thinner
_DECIMALS = 2  # of a pixel: keeps files short and hides differences between mathematical libraries
_SAMPLES_PER_SPAN = 6
_POINT_ATTEMPTS = 16


def simulate(box: Box, kind: str, width: int, height: int, rng: random.Random, noise: str = "gaussian") -> Mark:
    """Draws one mark for an object, inside the image.

    Args:
        box: the object's box in pixels.
        kind: one of `SIMULATED_KINDS`; "box" is the exact box.
        width: of the image in pixels.
        height: of the image in pixels.
        rng: the only source of chance.
        noise: one of `NOISES`. "gaussian" moves the centre, "uniform" is the rule of SPHINX-V's training: whole
            pixels, at most an eighth of the box, then the size about the moved corner. The first two kinds have
            none.

    Raises:
        ValueError: `kind` or `noise` is none of them.
    """
    if noise not in _SHAKERS:
        raise ValueError(f"{noise!r} is none of {NOISES}.")
    if kind == "box":
        return _inside(box, width, height, smallest=0.5)
    if kind == "point":
        return _point(_inside(box, width, height, smallest=0.5), rng)
    shaken = _inside(_SHAKERS[noise](box, rng), width, height, smallest=_SMALLEST_EXTENT)
    if kind == "jittered box":
        return _rounded_box(shaken)
    if kind == "ellipse":
        return _ellipse(shaken, width, height, rng)
    if kind == "polygon":
        return _polygon(shaken, width, height, rng)
    if kind == "scribble":
        return _scribble(shaken, rng)
    raise ValueError(f"{kind!r} is none of {SIMULATED_KINDS}.")


def fixed_mark(image: LabelledImage, index: int, kind: str, seed: int = 0, noise: str = "gaussian") -> Mark:
    """The mark of one object that is the same in every run and on every machine.

    Args:
        image: its id and size are used, never its pixels.
        index: of the object in `image.objects`.
        kind: "box" (exact), "point" (near the centre, on the object) or "freeform" (one of `FREEFORM_KINDS`, or
            the object's rotated box where its dataset has one).
        seed: another seed gives another set of marks.
        noise: of free-form marks, as in `simulate`.

    Raises:
        ValueError: `kind` is none of the three.
    """
    # Text seeds are hashed by SHA-512 inside `random`, so they do not depend on the process.
    rng = random.Random(f"{seed}/{image.id}/{index}/{kind}")
    labelled = image.objects[index]
    if kind == "box":
        return simulate(labelled.box, "box", image.width, image.height, rng)
    if kind == "point":
        return _point_on(labelled, image.width, image.height, rng)
    if kind == "freeform":
        mark = simulate(labelled.box, rng.choice(FREEFORM_KINDS), image.width, image.height, rng, noise)
        # Asked last, so that datasets without rotated boxes keep the marks they have.
        if labelled.rotated is not None and rng.random() < ROTATED_SHARE:
            return _rotated(labelled.rotated, image.width, image.height) or mark
        return mark
    raise ValueError(f"{kind!r} is none of {FIXED_MARKS}.")


def _inside(box: Box, width: int, height: int, smallest: float) -> Box:
    """The part of the box in the image, widened to `smallest` pixels if there is less than that."""

    def extent(low: float, high: float, limit: int) -> tuple[float, float]:
        smallest_here = min(smallest, float(limit))
        low, high = min(max(low, 0.0), limit - smallest_here), min(max(high, 0.0), float(limit))
        return low, max(high, low + smallest_here)

    x0, x1 = extent(box.x0, box.x1, width)
    y0, y1 = extent(box.y0, box.y1, height)
    return Box(x0, y0, x1, y1)


def _shaken_gaussian(box: Box, rng: random.Random) -> Box:
    """The box with Gaussian noise on its centre and on each extent."""

    def noisy(centre: float, extent: float) -> tuple[float, float]:
        shift = min(max(rng.gauss(0.0, CENTRE_NOISE), -MAX_CENTRE_SHIFT), MAX_CENTRE_SHIFT) * extent
        factor = min(max(rng.gauss(1.0, SIZE_NOISE), SIZE_RANGE[0]), SIZE_RANGE[1])
        half = max(extent * factor, _SMALLEST_EXTENT) / 2
        return centre + shift - half, centre + shift + half

    x0, x1 = noisy(box.centre[0], box.width)
    y0, y1 = noisy(box.centre[1], box.height)
    return Box(x0, y0, x1, y1)


def _shaken_uniform(box: Box, rng: random.Random) -> Box:
    """The box with uniform noise on its upper left corner, in whole pixels, and then on each extent."""

    def noisy(low: float, extent: float) -> tuple[float, float]:
        most = int(extent / UNIFORM_SHIFT)
        moved = low + rng.randint(-most, most)
        return moved, moved + extent * (1 + rng.uniform(-UNIFORM_SIZE, UNIFORM_SIZE))

    x0, x1 = noisy(box.x0, box.width)
    y0, y1 = noisy(box.y0, box.height)
    return Box(x0, y0, x1, y1)


_SHAKERS: dict[str, Callable[[Box, random.Random], Box]] = {
    "gaussian": _shaken_gaussian,
    "uniform": _shaken_uniform,
}


def _rotated(polygon: Polygon, width: int, height: int) -> Polygon | None:
    """The rotated box with rounded corners, or None where it has no area or reaches past the image.

    To cut it at the image's border would bend it, so that it no longer follows the object.
    """
    mark = Polygon(tuple((round(x, _DECIMALS), round(y, _DECIMALS)) for x, y in polygon.points))
    is_whole = all(0 <= x <= width and 0 <= y <= height for x, y in mark.points)
    return mark if is_whole and mark.area > 0 else None


def _rounded_box(box: Box) -> Box:
    return Box(*(round(value, _DECIMALS) for value in (box.x0, box.y0, box.x1, box.y1)))


def _point(box: Box, rng: random.Random) -> Point:
    """A click near the middle of the box, always inside it."""

    def near(centre: float, extent: float) -> float:
        return centre + min(max(rng.gauss(0.0, CENTRE_NOISE), -MAX_CENTRE_SHIFT), MAX_CENTRE_SHIFT) * extent

    return Point(round(near(box.centre[0], box.width), _DECIMALS), round(near(box.centre[1], box.height), _DECIMALS))


def _point_on(labelled: LabelledObject, width: int, height: int, rng: random.Random) -> Point:
    """A click near the middle of the object, in a pixel of the object where its outline is known.

    Draws until a point is on the object; one whose middle is bare (a ring, a bent runway) gets the centre of
    its pixel nearest to the middle.
    """
    box = _inside(labelled.box, width, height, smallest=0.5)
    point = _point(box, rng)
    if not labelled.has_mask:
        return point
    for _ in range(_POINT_ATTEMPTS):
        x, y = math.floor(point.x), math.floor(point.y)
        if labelled.mask_in(Box(x, y, x + 1, y + 1), 1).any():
            return point
        point = _point(box, rng)
    left, top = math.floor(box.x0), math.floor(box.y0)
    side = math.ceil(max(box.x1 - left, box.y1 - top))
    rows, columns = np.nonzero(labelled.mask_in(Box(left, top, left + side, top + side), side))
    if not len(rows):  # thinner than a pixel everywhere
        return point
    middle_x, middle_y = box.centre
    nearest = int(np.argmin((columns + left + 0.5 - middle_x) ** 2 + (rows + top + 0.5 - middle_y) ** 2))
    return Point(float(columns[nearest] + left + 0.5), float(rows[nearest] + top + 0.5))


def _ellipse(box: Box, width: int, height: int, rng: random.Random) -> Ellipse:
    """An ellipse between the one that fits in the box and the one that goes round it, cut to the image."""
    factor = rng.uniform(1.0, 1.3)
    (x, y), half_width, half_height = box.centre, box.width / 2 * factor, box.height / 2 * factor
    around = Box(x - half_width, y - half_height, x + half_width, y + half_height)
    frame = _inside(around, width, height, smallest=_SMALLEST_EXTENT)
    # Radii are rounded down, by a hair more than the centre can be off, to stay in the image.
    hair = 10.0**-_DECIMALS
    return Ellipse(
        round(frame.centre[0], _DECIMALS),
        round(frame.centre[1], _DECIMALS),
        round(frame.width / 2 - hair, _DECIMALS),
        round(frame.height / 2 - hair, _DECIMALS),
    )


def _polygon(box: Box, width: int, height: int, rng: random.Random) -> Polygon:
    """Six to ten clicks round the box's middle.

    The directions of the clicks are in order and less than half a turn apart, and each is pulled straight
    towards the middle if it would leave the image: so the outline never crosses itself.
    """
    (x, y), radius_x, radius_y = box.centre, box.width / 2, box.height / 2
    count = rng.randint(6, 10)
    turn = rng.uniform(0.0, 2 * math.pi)
    points = []
    for number in range(count):
        angle = turn + 2 * math.pi * (number + rng.uniform(-0.3, 0.3)) / count
        step_x, step_y = radius_x * math.cos(angle), radius_y * math.sin(angle)
        reach = min(rng.uniform(0.9, 1.3), _reach(x, step_x, width), _reach(y, step_y, height))
        points.append((round(x + reach * step_x, _DECIMALS), round(y + reach * step_y, _DECIMALS)))
    return Polygon(tuple(points))


def _reach(start: float, step: float, limit: int) -> float:
    """How many steps from `start` stay in [0, limit]."""
    if step == 0:
        return math.inf
    return ((limit if step > 0 else 0.0) - start) / step


def _scribble(box: Box, rng: random.Random) -> Scribble:
    """A smooth stroke from one end of the box to the other, along its longer side.

    Four to six knots advance along the longer axis and wander across it; a Catmull-Rom spline joins them.
    """
    count = rng.randint(4, 6)
    along = [min(max((number + rng.uniform(-0.3, 0.3)) / (count - 1), 0.0), 1.0) for number in range(count)]
    across = [rng.uniform(0.1, 0.9) for _ in range(count)]
    # A hand seldom starts on the very edge: keep a twentieth clear at both ends.
    knots = np.stack([0.05 + 0.9 * np.array(along), np.array(across)], axis=1)
    if rng.random() < 0.5:
        knots = knots[::-1]
    path = np.clip(_catmull_rom(knots), 0.0, 1.0)
    if box.height > box.width:
        path = path[:, ::-1]
    points = np.array([box.x0, box.y0]) + path * np.array([box.width, box.height])
    return Scribble(tuple((round(float(x), _DECIMALS), round(float(y), _DECIMALS)) for x, y in points))


def _catmull_rom(knots: np.ndarray) -> np.ndarray:
    """Points on the uniform Catmull-Rom spline through every knot (Catmull and Rom, 1974).

    Args:
        knots: (N, 2), N >= 2; the end knots are mirrored outwards to give the ends a tangent.

    Returns:
        ((N - 1) * samples + 1, 2) points, the first and the last being the first and the last knot.
    """
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]  # (N - 1, 2) each
    t = (np.arange(_SAMPLES_PER_SPAN) / _SAMPLES_PER_SPAN)[None, :, None]
    cubic = (3 * (start - end) + after - before)[:, None]
    square = (2 * before - 5 * start + 4 * end - after)[:, None]
    linear = (end - before)[:, None]
    spans = start[:, None] + 0.5 * t * (linear + t * (square + t * cubic))  # (N - 1, samples, 2)
    return np.concatenate([spans.reshape(-1, 2), knots[-1:]])
