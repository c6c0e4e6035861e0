"""Raster files of every kind: their raw values, the mask, and the place on the map.

In comes a path, out comes a `Raster`: one or three bands in the file's own numbers, in display order. Sizes
are judged by the header, and only the bands that are shown are read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.picture_file import check_pixel_count, orientation_of
from earthgptx.data.raster_bands import choose_bands, declared_valid, padded_with_zeros, read_values
from earthgptx.data.remote_file import exists, open_binary, size_of
from earthgptx.data.sensors import guess_from_pixels, guess_from_words, looks_like_decibels
from earthgptx.errors import UnreadableImagery

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from earthgptx.data.georeference import Georeference

# First bytes and the GDAL driver they are opened with. A driver is always named, so that a text file handed
# in by a stranger (VRT and its kin) can never make GDAL open other files or addresses.
_DRIVERS: tuple[tuple[bytes, str], ...] = (
    (b"II*\0", "GTiff"),
    (b"MM\0*", "GTiff"),
    (b"II+\0", "GTiff"),  # BigTIFF
    (b"MM\0+", "GTiff"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\0\0\0\x0cjP  ", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"RIFF", "WEBP"),
    (b"NITF", "NITF"),
    (b"EHFA_HEADER_TAG", "HFA"),
)

_BLOCK_CACHE = 128_000_000  # bytes; GDAL would take a twentieth of the machine, for blocks that are read once
_SIDECARS = (".wld", ".jgw", ".pgw", ".jpgw", ".pngw")


@dataclass(frozen=True, eq=False)
class Raster:
    """Bands as the file has them.

    Attributes:
        bands: (C, H, W), C 1 or 3 in display order, the file's own type.
        valid: (H, W) or None for everywhere; NaN is not looked at yet.
        georeference: place on the map, if known.
        sensor: as given, or as guessed.
        is_display_ready: the bands are 8-bit pictures that are shown as they are.
        notes: sentences on what was guessed and chosen.
    """

    bands: NDArray[np.generic]
    valid: NDArray[np.bool_] | None
    georeference: Georeference | None
    sensor: str
    is_display_ready: bool
    notes: tuple[str, ...]


def read_raster(path: Path, *, sensor: str, bands: tuple[int, ...] | None, max_pixels: int) -> Raster:
    """Read the bands of a raster file that are shown.

    Args:
        path: an existing file.
        sensor: "auto" or one of SENSORS.
        bands: one or three bands counted from 1, or None for the sensor's usual ones.
        max_pixels: refuse larger images by their header.

    Raises:
        UnreadableImagery: not an image, damaged, or without a band that was asked for.
        ImageTooLarge: more than `max_pixels` pixels.
    """
    with opened(path) as dataset:
        check_pixel_count(path.name, width=dataset.width, height=dataset.height, max_pixels=max_pixels)
        if dataset.count == 0:
            raise UnreadableImagery(f"{path.name} holds no bands of pixels.")
        notes: list[str] = []
        if sensor == "auto":
            sensor = guessed_sensor(dataset, path, notes)
        shown = choose_bands(dataset, path.name, sensor=sensor, asked=bands, notes=notes)
        values = read_values(dataset, shown)
        valid = declared_valid(dataset, shown)
        if valid is None and not shown.is_display_ready and padded_with_zeros(values, notes):
            valid = ~(values == 0).all(axis=0)
        georeference = georeference_of(dataset, notes)
    turn = orientation_of(path)
    if turn > 1:
        values = np.stack([_turned(band, turn) for band in values])
        valid = None if valid is None else _turned(valid, turn).astype(bool)
        georeference = None
        notes.append(f"The picture was turned upright as its orientation tag {turn} says.")
    return Raster(
        bands=values,
        valid=valid,
        georeference=georeference,
        sensor=sensor,
        is_display_ready=shown.is_display_ready,
        notes=tuple(notes),
    )


def raster_size(path: Path) -> tuple[int, int]:
    """(width, height) from a raster file's header, however large it is.

    Raises:
        UnreadableImagery: not an image, or damaged.
    """
    with opened(path) as dataset:
        return dataset.width, dataset.height


def raster_place(path: Path) -> Georeference | None:
    """The place on the map that a raster file, or a file beside it, tells; None without.

    Raises:
        UnreadableImagery: not an image, or damaged.
    """
    with opened(path) as dataset:
        return georeference_of(dataset, [])


def read_georeference(path: Path) -> Georeference | None:
    """The place on the map of a picture with a world file or an .aux.xml beside it; None without."""
    has_sidecar = any(exists(path.with_suffix(ending)) for ending in _SIDECARS)
    if not has_sidecar and not exists(path.with_name(path.name + ".aux.xml")):
        return None
    with opened(path) as dataset:
        return georeference_of(dataset, [])


@contextmanager
def opened(path: Path) -> Iterator[DatasetReader]:
    """Open with rasterio; its errors, while opening or reading, become UnreadableImagery."""
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    # GDAL reports a damaged file both as an error and in rasterio's log; the error is enough.
    logging.getLogger("rasterio._env").setLevel(logging.CRITICAL)
    driver = _driver(path)
    try:
        with warnings.catch_warnings(), rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True, GDAL_CACHEMAX=_BLOCK_CACHE):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=driver) as dataset:
                yield dataset
    except RasterioError as problem:
        size = size_of(path)
        raise UnreadableImagery(
            f"{path.name} is damaged or cut short and cannot be decoded as {driver} ({size:,} bytes)."
        ) from problem


def _driver(path: Path) -> str:
    """The GDAL driver for a file's first bytes.

    Raises:
        UnreadableImagery: the bytes are text, or of no known format.
    """
    with open_binary(path) as stream:
        head = stream.read(512)
    for signature, driver in _DRIVERS:
        if head.startswith(signature):
            return driver
    if _is_text(head):
        raise UnreadableImagery(f"{path.name} holds text, not an image.")
    raise UnreadableImagery(f"{path.name} is in no known image format (PNG, JPEG, TIFF, JPEG 2000, ...).")


def _is_text(head: bytes) -> bool:
    """True when no byte is a control character below the tabulator, which binary formats are full of."""
    return all(byte >= 9 for byte in head)


def guessed_sensor(dataset: DatasetReader, path: Path, notes: list[str]) -> str:
    """Guess the sensor: complex or decibel values, then names, then the pixels; `notes` gets the reason."""
    sample = _thumbnail(dataset)
    valid = None if dataset.nodata is None else sample[0] != dataset.nodata
    names = [name for name in dataset.descriptions if name]
    told = guess_from_words(*names, path.stem)
    is_radar = np.iscomplexobj(sample) or looks_like_decibels(sample[0], valid)
    guess = told if told is not None and not is_radar else guess_from_pixels(sample, valid)
    notes.append(guess.reason)
    return guess.sensor


def _thumbnail(dataset: DatasetReader) -> NDArray[np.generic]:
    """The central 1024 x 1024 pixels at most, at full resolution, one or three bands: enough for a guess."""
    from rasterio.windows import Window

    width, height = min(dataset.width, 1024), min(dataset.height, 1024)
    window = Window((dataset.width - width) // 2, (dataset.height - height) // 2, width, height)
    count = 3 if dataset.count >= 3 else 1
    return np.asarray(dataset.read(list(range(1, count + 1)), window=window))


def georeference_of(dataset: DatasetReader, notes: list[str]) -> Georeference | None:
    """The dataset's transform and coordinate system, or an affine fit of its ground control points."""
    from rasterio.transform import from_gcps

    from earthgptx.data.georeference import Georeference

    transform, crs = dataset.transform, dataset.crs
    if transform.is_identity:
        points, crs = dataset.gcps
        if len(points) < 3 or crs is None:
            return None
        transform = from_gcps(points)
        notes.append(f"The place on the map is an affine fit of {len(points)} ground control points.")
    if crs is None:
        return None
    a, b, c, d, e, f = tuple(transform)[:6]
    return Georeference(crs_wkt=crs.to_wkt(), transform=(a, b, c, d, e, f))


def _turned(layer: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Turn (H, W) upright, as the EXIF standard numbers the eight orientations."""
    if orientation in (5, 6, 7, 8):
        layer = layer.T  # 5: mirrored along the main diagonal; 6 to 8 add a flip
    flips = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (1,), 7: (0, 1), 8: (0,)}
    return np.flip(layer, axis=flips[orientation])
