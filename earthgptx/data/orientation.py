"""The eight ways to lay a picture on a table: an image seen from above has no right way up.

Turned copies are how a small set (SAR-ACD's 618 chips) shows more than it holds. A turned `LabelledImage` is a value
like any other, with an id of its own and hence marks of its own; whoever opens its file turns the pixels with
`oriented_pixels`.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box, Polygon

NUM_ORIENTATIONS = 8
_TRANSPOSED, _UPSIDE_DOWN, _MIRRORED = 4, 2, 1  # bits of an orientation, the mirror applied first

# Words that stop being true, or may, when the picture is turned.
_PLACE_WORDS = re.compile(
    r"\b((left|right|top|bottom|upper|lower|up|down)(most|hand|side|wards?)?|above|below|beneath|under(neath)?"
    r"|(counter|anti)?clockwise|diagonal\w*|vertical\w*|horizontal\w*|north\w*|south\w*|east\w*|west\w*)\b",
    re.IGNORECASE,
)


# Words that stop being true, or may, when only a part of the picture is shown.
_FRAME_WORDS = re.compile(
    r"\b(cent(er|re)\w*|middle|corners?|edges?|borders?|sides?|first|second|third|last|only|image|picture|photo\w*)\b",
    re.IGNORECASE,
)


def oriented(image: LabelledImage, orientation: int) -> LabelledImage:
    """The image as it is after its pixels went through `oriented_pixels`.

    Captions that speak of left, top or north are left out, since they would no longer be true.

    Args:
        image: as it is on file.
        orientation: 0 to 7; 0 gives the image itself.

    Raises:
        ValueError: the orientation is none of the eight, or the image is turned already.
    """
    if not 0 <= orientation < NUM_ORIENTATIONS:
        raise ValueError(f"Orientation {orientation} is none of 0 to {NUM_ORIENTATIONS - 1}.")
    if image.orientation:
        raise ValueError(f"{image.id} is turned already, by {image.orientation}.")
    if orientation == 0:
        return image
    is_transposed = bool(orientation & _TRANSPOSED)
    return replace(
        image,
        id=f"{image.id}~{orientation}",
        orientation=orientation,
        width=image.height if is_transposed else image.width,
        height=image.width if is_transposed else image.height,
        objects=tuple(_oriented_object(item, image, orientation) for item in image.objects),
        captions=tuple(caption for caption in image.captions if not speaks_of_place(caption)),
    )


def speaks_of_place(text: str) -> bool:
    """Whether the text says where something is, which stops being true when the picture is turned."""
    return _PLACE_WORDS.search(text) is not None


def speaks_of_frame(text: str) -> bool:
    """Whether the text says where something is, or of how many it is one, which a part of the picture may not show."""
    return speaks_of_place(text) or _FRAME_WORDS.search(text) is not None


def oriented_pixels(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """(H, W, C) pixels mirrored left to right (bit 1), then upside down (bit 2), then transposed (bit 4)."""
    if orientation & _MIRRORED:
        pixels = pixels[:, ::-1]
    if orientation & _UPSIDE_DOWN:
        pixels = pixels[::-1]
    if orientation & _TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels)


def _oriented_object(item: LabelledObject, image: LabelledImage, orientation: int) -> LabelledObject:
    def moved(x: float, y: float) -> tuple[float, float]:
        if orientation & _MIRRORED:
            x = image.width - x
        if orientation & _UPSIDE_DOWN:
            y = image.height - y
        return (y, x) if orientation & _TRANSPOSED else (x, y)

    (xa, ya), (xb, yb) = moved(item.box.x0, item.box.y0), moved(item.box.x1, item.box.y1)

    def turned(polygon: Polygon) -> Polygon:
        return Polygon(tuple(moved(x, y) for x, y in polygon.points))

    return replace(
        item,
        box=Box(min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)),
        polygons=tuple(map(turned, item.polygons)),
        rotated=None if item.rotated is None else turned(item.rotated),
    )
