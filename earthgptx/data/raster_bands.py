"""Which bands of a raster file are shown, and their values and valid pixels, whole or through a window.

An open dataset comes in; what is chosen depends on the header alone, so that every window of a file is read alike.
Values come out in the file's own numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.sensors import looks_like_decibels
from earthgptx.errors import UnreadableImagery

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

# Red, green and blue of unnamed bands, by band count. 4 and 5: blue, green, red, near infrared (Planet and
# Maxar); 7: Landsat 8/9; 8: WorldView-2/3 (SuperDove orders its bands otherwise, but names them); 11 and up:
# Sentinel-2, whose first band is the coastal one (10-band stacks leave that out).
_UNNAMED_COLOURS: dict[int, tuple[int, int, int]] = {
    3: (1, 2, 3), 4: (3, 2, 1), 5: (3, 2, 1), 6: (3, 2, 1), 7: (4, 3, 2), 8: (5, 3, 2), 9: (4, 3, 2),
    10: (3, 2, 1), 11: (4, 3, 2), 12: (4, 3, 2), 13: (4, 3, 2),
}  # fmt: skip

_ZERO_BORDER_SHARE = 0.01  # undeclared nodata: more of the picture than this is exactly zero in every band


@dataclass(frozen=True)
class ShownBands:
    """How a dataset is shown.

    Attributes:
        bands: one or three bands in display order, counted from 1.
        has_palette: band 1 holds indices, which are replaced by their colours.
        is_display_ready: the values are an 8-bit picture that is shown as it is.
    """

    bands: tuple[int, ...]
    has_palette: bool
    is_display_ready: bool


@dataclass(frozen=True)
class Excerpt:
    """A window of a dataset, read at a size of its own.

    Attributes:
        column, row, width, height: the window, in whole pixels of the dataset.
        size: (height, width) of what is read; at most the window's own.
    """

    column: int
    row: int
    width: int
    height: int
    size: tuple[int, int]


def choose_bands(
    dataset: DatasetReader, name: str, *, sensor: str, asked: tuple[int, ...] | None, notes: list[str]
) -> ShownBands:
    """What to show of a dataset.

    Args:
        dataset: open.
        name: the file's, for the message.
        sensor: one of SENSORS.
        asked: one or three bands counted from 1, or None for the sensor's usual ones.
        notes: gets a sentence on what was chosen.

    Raises:
        UnreadableImagery: a band was asked for that is not there, or neither one nor three were.
    """
    bands = _checked_bands(dataset, name, asked) if asked else _usual_bands(dataset, sensor, notes)
    has_palette = _is_palette(dataset) and not asked
    if has_palette:
        notes.append("The palette was replaced by its colours.")
    is_bytes = has_palette or all(dataset.dtypes[band - 1] == "uint8" for band in bands)
    return ShownBands(bands, has_palette, is_display_ready=is_bytes and dataset.count <= 4 and not asked)


def read_values(dataset: DatasetReader, shown: ShownBands, excerpt: Excerpt | None = None) -> NDArray[np.generic]:
    """(C, H, W) values of the shown bands.

    1-, 2- and 4-bit pictures are spread over 0..255, and white-is-zero pictures are turned over.

    Args:
        dataset: open.
        shown: what `choose_bands` chose.
        excerpt: what to read; None for all of it. A reduced one is averaged from the overviews, where there are any.
    """
    if shown.has_palette:
        return _with_palette(dataset, excerpt)
    # Averaged phases cancel each other; a colour between two indices means nothing.
    is_averaged = excerpt is not None and not dataset.dtypes[shown.bands[0] - 1].startswith("complex")
    values = np.asarray(dataset.read(list(shown.bands), **_part(excerpt, is_averaged=is_averaged)))
    if not shown.is_display_ready:
        return _without_lost_neighbours(dataset, shown, excerpt, values) if is_averaged else values
    num_bits = int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
    picture = np.asarray(values, dtype=np.uint8)
    if num_bits < 8 and not _is_palette(dataset):
        picture = (picture.astype(np.uint16) * 255 // (2**num_bits - 1)).astype(np.uint8)
    if dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES":
        picture = np.uint8(255) - picture
    return picture


def _without_lost_neighbours(
    dataset: DatasetReader, shown: ShownBands, excerpt: Excerpt | None, values: NDArray[np.generic]
) -> NDArray[np.generic]:
    """Averages that a NaN among many numbers has spoilt, replaced by the pixel in their middle.

    Where NaN is declared as nodata GDAL leaves it out of the average itself.
    """
    if not np.issubdtype(values.dtype, np.floating) or np.isfinite(values).all():
        return values
    nearest = dataset.read(list(shown.bands), **_part(excerpt, is_averaged=False))
    return np.where(np.isfinite(values), values, nearest)


def declared_valid(
    dataset: DatasetReader, shown: ShownBands, excerpt: Excerpt | None = None
) -> NDArray[np.bool_] | None:
    """(H, W) True where the file's mask, alpha or nodata value allows it; None where the file declares nothing.

    A pixel of raw values counts as nodata where any shown band is, one of an 8-bit picture where all are.
    """
    from rasterio.enums import MaskFlags

    if all(MaskFlags.all_valid in dataset.mask_flag_enums[band - 1] for band in shown.bands):
        return None
    masks = [dataset.read_masks(band, **_part(excerpt, is_averaged=False)) > 0 for band in shown.bands]
    # A shared mask or alpha is the same for each band, but nodata values are a matter of each band: pure red
    # has two zeros in an 8-bit picture, while a gap in one band of raw values would spoil its percentiles.
    joined = np.logical_or if shown.is_display_ready else np.logical_and
    return np.asarray(joined.reduce(masks))


def padded_with_zeros(values: NDArray[np.generic], notes: list[str]) -> bool:
    """Whether raw values of a file that declares no nodata are zero in every shown band over more than a hundredth.

    Args:
        values: (C, H, W) as the file has them.
        notes: gets a sentence where they are.
    """
    if looks_like_decibels(values[0]):
        return False
    share = float((values == 0).all(axis=0).mean())
    is_padded = _ZERO_BORDER_SHARE < share < 1.0
    if is_padded:
        notes.append(f"{share:.1%} of the pixels are exactly zero and were taken for nodata.")
    return is_padded


def _part(excerpt: Excerpt | None, *, is_averaged: bool) -> dict[str, object]:
    """The arguments by which rasterio reads an excerpt."""
    from rasterio.enums import Resampling
    from rasterio.windows import Window

    if excerpt is None:
        return {}
    return {
        "window": Window(excerpt.column, excerpt.row, excerpt.width, excerpt.height),
        "out_shape": excerpt.size,
        "resampling": Resampling.average if is_averaged else Resampling.nearest,
    }


def _checked_bands(dataset: DatasetReader, name: str, bands: tuple[int, ...]) -> tuple[int, ...]:
    """The bands asked for, if there are one or three and the file has them."""
    if len(bands) not in (1, 3):
        raise UnreadableImagery(f"One or three bands can be shown, but {len(bands)} were asked for: {bands}.")
    for band in bands:
        if not 1 <= band <= dataset.count:
            raise UnreadableImagery(f"Band {band} was asked for, but {name} has bands 1 to {dataset.count}.")
    return tuple(bands)


def _usual_bands(dataset: DatasetReader, sensor: str, notes: list[str]) -> tuple[int, ...]:
    """The bands to show when none were asked for: red, green, blue for optical, else the first."""
    from rasterio.enums import ColorInterp

    num_colours = sum(kind != ColorInterp.alpha for kind in dataset.colorinterp)
    is_picture = dataset.dtypes[0] == "uint8" and num_colours == 3
    if num_colours < 3 or (sensor != "optical" and not is_picture):
        if num_colours > 1:
            notes.append(f"Band 1 of {num_colours} is shown, in grey.")
        return (1,)
    named = _named_colours(dataset)
    if named is not None:
        return named
    if dataset.dtypes[0] == "uint8" and num_colours <= 4:
        return (1, 2, 3)
    chosen = _UNNAMED_COLOURS.get(num_colours, (1, 2, 3))
    if num_colours > 3:
        shown = ", ".join(str(band) for band in chosen)
        notes.append(f"The {num_colours} bands have no names; {shown} were taken for red, green and blue.")
    return chosen


def _named_colours(dataset: DatasetReader) -> tuple[int, int, int] | None:
    """Bands that the file itself calls red, green and blue, by colour interpretation or by description."""
    from rasterio.enums import ColorInterp

    by_interpretation = {kind: band for band, kind in reversed(list(enumerate(dataset.colorinterp, start=1)))}
    wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(kind in by_interpretation for kind in wanted):
        return (by_interpretation[wanted[0]], by_interpretation[wanted[1]], by_interpretation[wanted[2]])
    names = [re.sub(r"[^a-z0-9]", "", (name or "").lower()) for name in dataset.descriptions]
    customs = (("red", "green", "blue"), ("b04", "b03", "b02"), ("b4", "b3", "b2"), ("r", "g", "b"))
    for red, green, blue in customs:
        if {red, green, blue} <= set(names):
            return (names.index(red) + 1, names.index(green) + 1, names.index(blue) + 1)
    return None


def _is_palette(dataset: DatasetReader) -> bool:
    """True when the one colour band holds indices into a colour table."""
    from rasterio.enums import ColorInterp

    return dataset.colorinterp[0] == ColorInterp.palette and dataset.dtypes[0] in ("uint8", "uint16")


def _with_palette(dataset: DatasetReader, excerpt: Excerpt | None) -> NDArray[np.generic]:
    """(3, H, W) or, for a grey table, (1, H, W) uint8: the indices of band 1 replaced by their colours."""
    indices = dataset.read(1, **_part(excerpt, is_averaged=False))
    colours = dataset.colormap(1)
    num_colours = int(indices.max()) + 1 if excerpt is None else max(int(indices.max()), *colours) + 1
    table = np.zeros((num_colours, 3), dtype=np.uint8)
    for index, (red, green, blue, _alpha) in colours.items():
        if index < len(table):
            table[index] = (red, green, blue)
    picture = np.moveaxis(table[indices], -1, 0)
    return np.asarray(picture[:1] if (table == table[:, :1]).all() else picture)
