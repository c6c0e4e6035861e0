"""Set-of-Marks: the labelled objects of an image outlined and numbered, so that a model can speak of them by number.

Pixels and objects come in; a picture goes out, with where each number stands and in which colours. It knows
neither classes nor questions. The idea is that of Yang et al., "Set-of-Mark Prompting", 2023; the drawing is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from earthgptx.data.drawing import INK, PALETTE, Colour, Rectangle, draw_mark
from earthgptx.data.sample import LabelledObject
from earthgptx.shapes import Box, Mark, Point

READING_SIDE = 448  # pixels of the longer side at which every number must still be read
FONT_SHARE = 16 / READING_SIDE  # 16 px letters at that size, whose digits are 11 px tall
WEIGHT_SHARE = 0.5 / READING_SIDE  # by which every stroke is fattened on both sides: thin ones drown in speckle
HALO_SHARE = 2.5 / READING_SIDE

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
# Dark and far apart in hue, for snow, roofs and white-hot engines.
DEEP_PALETTE: tuple[Colour, ...] = ((130, 0, 56), (0, 52, 130), (84, 0, 124), (0, 66, 32), (100, 40, 0), (0, 62, 76))

# WCAG 2 asks 3:1 of large letters and of graphics, 4.5:1 of other words. White or black always reach 4.5.
SMALLEST_CONTRAST = 3.0
SMALLEST_HALO_CONTRAST = 4.5

_LEADER_DISTANCE = 0.8  # a number farther off than this many of its heights gets a line to its object


@dataclass(frozen=True)
class PlacedNumber:
    """One number on the picture.

    Attributes:
        number: counted from 1, in the order of the objects.
        rectangle: what the number and its halo cover, in picture pixels.
        colour: of the digits and of the object's outline.
        halo: of the rim round both.
    """

    number: int
    rectangle: Rectangle
    colour: Colour
    halo: Colour


@dataclass(frozen=True)
class MarkedPicture:
    """The picture (RGB), its numbers, and the factor from the image's pixels to the picture's."""

    image: Image.Image
    numbers: tuple[PlacedNumber, ...]
    scale: float


def picture_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Size of the picture of an image: its longer side is `side`, the shape is kept."""
    scale = side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def draw_set_of_marks(
    pixels: NDArray[np.uint8], objects: Sequence[LabelledObject], *, side: int = 2 * READING_SIDE
) -> MarkedPicture:
    """Outlines each object thinly and writes its number beside it.

    Args:
        pixels: (H, W, 3), 8 bits.
        objects: in pixels of the image; the first gets number 1.
        side: the longer side of the picture. Letters grow with it, so that reduced to `READING_SIDE` they
            always have the same size.
    """
    outlines = [[one for one in item.polygons or (item.rotated,) if one is not None] for item in objects]
    return _draw(pixels, [(item.box, outline) for item, outline in zip(objects, outlines, strict=True)], side)


def draw_numbered_marks(
    pixels: NDArray[np.uint8], marks: Sequence[Mark], *, side: int = 2 * READING_SIDE
) -> MarkedPicture:
    """The same for marks: each as it is, a point as a dot, a scribble as its stroke; nothing is known of objects.

    Args:
        pixels: (H, W, 3), 8 bits.
        marks: in pixels of the image; the first gets number 1.
        side: the longer side of the picture.
    """
    return _draw(pixels, [(mark.bounds(), [] if isinstance(mark, Box) else [mark]) for mark in marks], side)


def _draw(pixels: NDArray[np.uint8], shapes: Sequence[tuple[Box, Sequence[Mark]]], side: int) -> MarkedPicture:
    """Numbers shapes: bounds, and what is drawn where they are not tiny; the bounds themselves where it is nothing."""
    height, width = pixels.shape[:2]
    size = picture_size(width, height, side)
    bare = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    scale = side / max(width, height)
    font = ImageFont.load_default(size=max(10, round(side * FONT_SHARE)))
    weight, halo_width = round(side * WEIGHT_SHARE), max(2, round(side * HALO_SHARE))
    reach = weight + halo_width
    line = max(1, round(side / READING_SIDE))
    clearance = 2 * line  # an outline drawn on a tiny object would hide it

    picture = bare.copy()
    pen = ImageDraw.Draw(picture)
    words = [str(number) for number in range(1, len(shapes) + 1)]
    inks = [pen.textbbox((0, 0), word, font=font, stroke_width=reach) for word in words]
    frames = [_frame(box, scale, clearance, size) for box, _ in shapes]
    places = place_numbers(frames, [(right - left, bottom - top) for left, top, right, bottom in inks], size)

    luminance = relative_luminance(np.asarray(bare))
    colours = [_colours(luminance, place, index) for index, place in enumerate(places)]
    for (_, outline), frame, (colour, halo) in zip(shapes, frames, colours, strict=True):
        is_tiny = max(frame[2] - frame[0], frame[3] - frame[1]) < 16 * line
        is_dot = any(isinstance(mark, Point) for mark in outline)
        drawn = [mark.scaled(scale, scale) for mark in outline]
        for mark in [Box(*frame)] if (is_tiny and not is_dot) or not outline else drawn:
            draw_mark(pen, mark, colour, line, rim=halo)
    for place, frame, (colour, halo) in zip(places, frames, colours, strict=True):
        _draw_leader(pen, place, frame, colour, halo, line)
    for word, ink, place, (colour, halo) in zip(words, inks, places, colours, strict=True):
        origin = (place[0] - ink[0], place[1] - ink[1])
        pen.text(origin, word, font=font, fill=halo, stroke_width=reach, stroke_fill=halo)
        pen.text(origin, word, font=font, fill=colour, stroke_width=weight, stroke_fill=colour)
    numbers = tuple(
        PlacedNumber(number=index + 1, rectangle=place, colour=colour, halo=halo)
        for index, (place, (colour, halo)) in enumerate(zip(places, colours, strict=True))
    )
    return MarkedPicture(image=picture, numbers=numbers, scale=scale)


def relative_luminance(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """WCAG 2's relative luminance, 0 black to 1 white, of sRGB bytes (..., 3)."""
    share = colours.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(first: float, second: float) -> float:
    """WCAG 2's contrast ratio of two relative luminances, 1 to 21."""
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def place_numbers(
    frames: Sequence[Rectangle], plates: Sequence[tuple[float, float]], size: tuple[int, int]
) -> list[Rectangle]:
    """Where the numbers go: beside their own object, inside the picture, on no other number.

    Small objects choose first, since a large one has more room round it. Each takes a free place near its object,
    a little farther off where it would lie on another object.

    Args:
        frames: the objects' bounds in picture pixels.
        plates: width and height of each number.
        size: width and height of the picture.

    Returns:
        One rectangle a number, in the order of `frames`.
    """
    order = sorted(range(len(frames)), key=lambda k: (frames[k][2] - frames[k][0]) * (frames[k][3] - frames[k][1]))
    placed: dict[int, Rectangle] = {}
    for index in order:
        others = np.array([frame for k, frame in enumerate(frames) if k != index], dtype=np.float64).reshape(-1, 4)
        taken = np.array(list(placed.values()), dtype=np.float64).reshape(-1, 4)
        placed[index] = _place(frames[index], plates[index], size, others=others, taken=taken)
    return [placed[index] for index in range(len(frames))]


def _place(
    frame: Rectangle,
    plate: tuple[float, float],
    size: tuple[int, int],
    *,
    others: NDArray[np.float64],
    taken: NDArray[np.float64],
) -> Rectangle:
    own = np.array([frame], dtype=np.float64)
    gap = plate[1] / 5
    places = np.concatenate([_ring(frame, plate, size, gap), _grid(plate, size)])
    gaps = np.maximum(places[:, :2] - own[:, 2:], own[:, :2] - places[:, 2:]).clip(min=0)
    # A number on a number cannot be read; on its own object it hides something; the rest is a matter of taste.
    cost = 1000 * (_overlaps(places, taken) > 0) + 20 * (_overlaps(places, own) > 0)
    cost = cost + _overlaps(places, others) / (plate[0] * plate[1]) + 0.3 * np.abs(np.hypot(*gaps.T) - gap) / plate[1]
    return _rectangle(places[int(np.argmin(cost))])


def _ring(frame: Rectangle, plate: tuple[float, float], size: tuple[int, int], gap: float) -> NDArray[np.float64]:
    """Places that touch the frame widened by `gap`, those of them that are inside the picture, (n, 4)."""
    (x0, y0, x1, y1), (width, height) = frame, plate
    columns = (x0 - gap - width, x0, (x0 + x1 - width) / 2, x1 - width, x1 + gap)
    rows = (y0 - gap - height, y0, (y0 + y1 - height) / 2, y1 - height, y1 + gap)
    corners = [(x, rows[side]) for side in (0, 4) for x in (columns[1], columns[2], columns[3], columns[4], columns[0])]
    corners += [(columns[side], y) for side in (4, 0) for y in (rows[1], rows[2], rows[3])]
    most_x, most_y = size[0] - width, size[1] - height
    corners = [(x, y) for x, y in corners if 0 <= x <= most_x and 0 <= y <= most_y]
    return np.array([(x, y, x + width, y + height) for x, y in corners], dtype=np.float64).reshape(-1, 4)


def _grid(plate: tuple[float, float], size: tuple[int, int]) -> NDArray[np.float64]:
    """Places all over the picture, half a plate apart, (n, 4); at least one."""
    columns = np.arange(0, max(size[0] - plate[0], 0) + 1e-9, plate[0] / 2)
    rows = np.arange(0, max(size[1] - plate[1], 0) + 1e-9, plate[1] / 2)
    x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
    return np.stack([x, y, x + plate[0], y + plate[1]], axis=1)


def _overlaps(places: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square pixels that each place (n, 4) shares with all the others (m, 4) together, (n,)."""
    low = np.maximum(places[:, None, :2], others[None, :, :2])
    high = np.minimum(places[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)


def _rectangle(place: NDArray[np.float64]) -> Rectangle:
    """Whole pixels, so that letters are not smeared; rounded down, so that it stays inside."""
    x, y = float(np.floor(place[0])), float(np.floor(place[1]))
    return x, y, x + float(place[2] - place[0]), y + float(place[3] - place[1])


def _frame(bounds: Box, scale: float, clearance: float, size: tuple[int, int]) -> Rectangle:
    """Bounds in picture pixels, a little widened, cut to the picture."""
    box = bounds.scaled(scale, scale)
    return (
        max(0.0, box.x0 - clearance),
        max(0.0, box.y0 - clearance),
        min(size[0] - 1.0, box.x1 + clearance),
        min(size[1] - 1.0, box.y1 + clearance),
    )


def _colours(luminance: NDArray[np.float64], place: Rectangle, index: int) -> tuple[Colour, Colour]:
    """Colour and halo of a number: the next hue of the palette that stands out from what lies under it."""
    x0, y0, x1, y1 = (round(edge) for edge in place)
    under = float(luminance[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)].mean())
    for palette in (PALETTE, DEEP_PALETTE):
        turned = [palette[(index + step) % len(palette)] for step in range(len(palette))]
        clear = [colour for colour in turned if contrast(_luminance_of(colour), under) >= SMALLEST_CONTRAST]
        if clear:
            return clear[0], _halo(clear[0])
    plain = max((WHITE, BLACK), key=lambda colour: contrast(_luminance_of(colour), under))
    return plain, _halo(plain)


def _halo(colour: Colour) -> Colour:
    return max((INK, WHITE), key=lambda halo: contrast(_luminance_of(halo), _luminance_of(colour)))


def _luminance_of(colour: Colour) -> float:
    return float(relative_luminance(np.array(colour, dtype=np.uint8)))


def _draw_leader(
    pen: ImageDraw.ImageDraw, place: Rectangle, frame: Rectangle, colour: Colour, halo: Colour, line: int
) -> None:
    """A line from a number to its object, where the two are so far apart that one could wonder."""
    middle = ((place[0] + place[2]) / 2, (place[1] + place[3]) / 2)
    end = (min(max(middle[0], frame[0]), frame[2]), min(max(middle[1], frame[1]), frame[3]))
    start = (min(max(end[0], place[0]), place[2]), min(max(end[1], place[1]), place[3]))
    distance = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    if distance > _LEADER_DISTANCE * (place[3] - place[1]):
        pen.line((start, end), fill=halo, width=line + 2)
        pen.line((start, end), fill=colour, width=line)
