"""Ordinary pictures: JPEG and 8-bit PNG, decoded by Pillow.

In comes a path, out come 8-bit bands in display order, the alpha channel as a mask, and what was done in
sentences. It knows nothing of coordinates; anything else than these two formats belongs to `raster_file`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from earthgptx.data.remote_file import open_binary
from earthgptx.errors import ImageTooLarge, UnreadableImagery

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_ORIENTATION_TAG = 0x0112  # EXIF: 1 is upright, 2 to 8 are mirrored or turned

# What Pillow raises for damaged files, all of them: its PNG reader uses SyntaxError for a broken chunk.
_DECODING_PROBLEMS = (OSError, SyntaxError, ValueError, struct.error, EOFError)


@dataclass(frozen=True, eq=False)
class Picture:
    """Decoded 8-bit picture: `bands` (C, H, W) uint8 with C 1 or 3, `valid` (H, W) or None."""

    bands: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None
    notes: tuple[str, ...]
    is_turned: bool


def is_picture(path: Path) -> bool:
    """True for a JPEG or an 8-bit PNG, told by the first bytes and never by the name's ending."""
    with open_binary(path) as stream:
        head = stream.read(26)
    if head.startswith(_JPEG_SIGNATURE):
        return True
    # The byte after width and height in a PNG's IHDR is the bit depth; Pillow would cut 16-bit colour to 8.
    return head.startswith(_PNG_SIGNATURE) and len(head) == 26 and head[24] <= 8


def check_pixel_count(name: str, *, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture by its header, before any pixel is decoded.

    Raises:
        ImageTooLarge: more than `max_pixels`.
    """
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"{name} has {width:,} x {height:,} = {width * height:,} pixels, over the limit {max_pixels:,}."
        )


def read_picture(path: Path, *, max_pixels: int) -> Picture:
    """Decode a JPEG or 8-bit PNG, upright as its EXIF orientation says.

    Raises:
        ImageTooLarge: more pixels than `max_pixels`, judged by the header.
        UnreadableImagery: a damaged or truncated file.
    """
    with open_binary(path) as stream:
        return _picture(_decoded(stream, path.name, max_pixels))


def read_mask(stream: BinaryIO, name: str, *, max_pixels: int) -> NDArray[np.bool_]:
    """Which pixels of a JPEG or PNG are not black: (height, width).

    Args:
        stream: the file's bytes.
        name: of the picture, for messages.
        max_pixels: refuse larger pictures by their header.

    Raises:
        ImageTooLarge: more pixels than `max_pixels`, judged by the header.
        UnreadableImagery: a damaged or truncated picture, or none.
    """
    return np.asarray(_decoded(stream, name, max_pixels).convert("L")) > 0


def orientation_of(path: Path) -> int:
    """The EXIF orientation 1..8 of a PNG or JPEG, read from its header; 1 for every other file."""
    with open_binary(path) as stream:
        head = stream.read(8)
        if head != _PNG_SIGNATURE and not head.startswith(_JPEG_SIGNATURE):
            return 1
        stream.seek(0)
        try:
            return _orientation(_header(stream))
        except _DECODING_PROBLEMS as problem:
            raise UnreadableImagery(f"{path.name} has a damaged header ({problem}).") from problem


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of a JPEG or PNG as it is shown, upright; from its header, however large it is.

    Raises:
        UnreadableImagery: a damaged header, or another format.
    """
    try:
        with open_binary(path) as stream:
            image = _header(stream)
            # Without an EXIF chunk before the pixels Pillow would decode a whole PNG to look for one behind them.
            is_tagged = isinstance(image, JpegImageFile) or "exif" in image.info
            is_on_its_side = is_tagged and _orientation(image) >= 5
    except _DECODING_PROBLEMS as problem:
        raise UnreadableImagery(f"{path.name} has a damaged header ({problem}).") from problem
    return (image.height, image.width) if is_on_its_side else (image.width, image.height)


def _decoded(stream: BinaryIO, name: str, max_pixels: int) -> Image.Image:
    """The picture with its pixels."""
    try:
        image = _header(stream)
        check_pixel_count(name, width=image.width, height=image.height, max_pixels=max_pixels)
        image.load()
    except _DECODING_PROBLEMS as problem:
        reason = str(problem).rstrip(".")
        raise UnreadableImagery(f"{name} is damaged or cut short: {reason}.") from problem
    return image


def _header(stream: BinaryIO) -> Image.Image:
    """Open without decoding. The format's own class is used: Image.open has a lower pixel limit than ours."""
    is_png = stream.read(8) == _PNG_SIGNATURE
    stream.seek(0)
    return PngImageFile(stream) if is_png else JpegImageFile(stream)


def _orientation(image: Image.Image) -> int:
    """The orientation tag, 1 where it is missing, nonsense or damaged: the pixels may be whole all the same."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DECODING_PROBLEMS:
        return 1
    return int(orientation) if orientation in range(1, 9) else 1


def _picture(image: Image.Image) -> Picture:
    """Turn a decoded Pillow image upright and into bands."""
    notes: list[str] = []
    orientation = _orientation(image)
    is_turned = orientation > 1
    if is_turned:
        image = ImageOps.exif_transpose(image)
        notes.append(f"The picture was turned upright as its EXIF orientation {orientation} says.")
    if image.mode == "P":
        notes.append("The palette was replaced by its colours.")
    has_alpha = image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info
    if has_alpha:
        colours = np.asarray(image.convert("RGBA"))
        valid: NDArray[np.bool_] | None = colours[..., 3] > 0
        colours = np.where(colours[..., 3:] > 0, colours[..., :3], np.uint8(0))
    else:
        valid = None
        colours = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    bands = colours[None] if colours.ndim == 2 else np.moveaxis(colours, -1, 0)
    return Picture(bands=bands, valid=valid, notes=tuple(notes), is_turned=is_turned)
