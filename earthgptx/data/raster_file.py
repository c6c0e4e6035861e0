"""Raster files of every kind: which bands to show, their raw values, the mask, and the place on the map.

In comes a path, out comes a `Raster`: one or three bands in the file's own numbers, in display order. Sizes
are judged by the header, and only the bands that are shown are read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.picture_file import check_pixel_count, orientation_of
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

# Red, green and blue of unnamed bands, by band count. 4 and 5: blue, green, red, near infrared (Planet and
# Maxar); 7: Landsat 8/9; 8: WorldView-2/3 (SuperDove orders its bands otherwise, but names them); 11 and up:
# Sentinel-2, whose first band is the coastal one (10-band stacks leave that out).
_UNNAMED_COLOURS: dict[int, tuple[int, int, int]] = {
    3: (1, 2, 3), 4: (3, 2, 1), 5: (3, 2, 1), 6: (3, 2, 1), 7: (4, 3, 2), 8: (5, 3, 2), 9: (4, 3, 2),
    10: (3, 2, 1), 11: (4, 3, 2), 12: (4, 3, 2), 13: (4, 3, 2),
}  # fmt: skip

_ZERO_BORDER_SHARE = 0.01  # undeclared nodata: more of the picture than this is exactly zero in every band
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
    with _opened(path) as dataset:
        check_pixel_count(path.name, width=dataset.width, height=dataset.height, max_pixels=max_pixels)
        if dataset.count == 0:
            raise UnreadableImagery(f"{path.name} holds no bands of pixels.")
        notes: list[str] = []
        if sensor == "auto":
            sensor = _guessed_sensor(dataset, path, notes)
        is_palette = _is_palette(dataset)
        shown = _checked_bands(dataset, path.name, bands) if bands else _usual_bands(dataset, sensor, notes)
        values = _with_palette(dataset, notes) if is_palette and not bands else dataset.read(list(shown))
        values, is_display_ready = _display_ready(dataset, values, is_chosen=bands is not None)
        valid = _valid_pixels(dataset, shown, values, is_raw=not is_display_ready, notes=notes)
        georeference = _georeference(dataset, notes)
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
        is_display_ready=is_display_ready,
        notes=tuple(notes),
    )


def raster_size(path: Path) -> tuple[int, int]:
    """(width, height) from a raster file's header, however large it is.

    Raises:
        UnreadableImagery: not an image, or damaged.
    """
    with _opened(path) as dataset:
        return dataset.width, dataset.height


def raster_place(path: Path) -> Georeference | None:
    """The place on the map that a raster file, or a file beside it, tells; None without.

    Raises:
        UnreadableImagery: not an image, or damaged.
    """
    with _opened(path) as dataset:
        return _georeference(dataset, [])


def read_georeference(path: Path) -> Georeference | None:
    """The place on the map of a picture with a world file or an .aux.xml beside it; None without."""
    has_sidecar = any(path.with_suffix(ending).exists() for ending in _SIDECARS)
    if not has_sidecar and not path.with_name(path.name + ".aux.xml").exists():
        return None
    with _opened(path) as dataset:
        return _georeference(dataset, [])


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    """Open with rasterio; its errors, while opening or reading, become UnreadableImagery."""
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    # GDAL reports a damaged file both as an error and in rasterio's log; the error is enough.
    logging.getLogger("rasterio._env").setLevel(logging.CRITICAL)
    driver = _driver(path)
    try:
        with warnings.catch_warnings(), rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=driver) as dataset:
                yield dataset
    except RasterioError as problem:
        size = path.stat().st_size
        raise UnreadableImagery(
            f"{path.name} is damaged or cut short and cannot be decoded as {driver} ({size:,} bytes)."
        ) from problem


def _driver(path: Path) -> str:
    """The GDAL driver for a file's first bytes.

    Raises:
        UnreadableImagery: the bytes are text, or of no known format.
    """
    with path.open("rb") as stream:
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


def _guessed_sensor(dataset: DatasetReader, path: Path, notes: list[str]) -> str:
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


def _with_palette(dataset: DatasetReader, notes: list[str]) -> NDArray[np.generic]:
    """(3, H, W) or, for a grey table, (1, H, W) uint8: the indices of band 1 replaced by their colours."""
    indices = dataset.read(1)
    colours = dataset.colormap(1)
    table = np.zeros((int(indices.max()) + 1, 3), dtype=np.uint8)
    for index, (red, green, blue, _alpha) in colours.items():
        if index < len(table):
            table[index] = (red, green, blue)
    notes.append("The palette was replaced by its colours.")
    picture = np.moveaxis(table[indices], -1, 0)
    return np.asarray(picture[:1] if (table == table[:, :1]).all() else picture)


def _display_ready(
    dataset: DatasetReader, values: NDArray[np.generic], *, is_chosen: bool
) -> tuple[NDArray[np.generic], bool]:
    """Whether the values are an 8-bit picture that is shown as it is, and such a picture's values.

    1-, 2- and 4-bit pictures are spread over 0..255, and white-is-zero pictures are turned over.
    """
    if values.dtype != np.uint8 or dataset.count > 4 or is_chosen:
        return values, False
    structure = dataset.tags(1, ns="IMAGE_STRUCTURE")
    num_bits = int(structure.get("NBITS", 8))
    picture = np.asarray(values, dtype=np.uint8)
    if num_bits < 8 and not _is_palette(dataset):
        picture = (picture.astype(np.uint16) * 255 // (2**num_bits - 1)).astype(np.uint8)
    if dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES":
        picture = np.uint8(255) - picture
    return picture, True


def _valid_pixels(
    dataset: DatasetReader,
    shown: tuple[int, ...],
    values: NDArray[np.generic],
    *,
    is_raw: bool,
    notes: list[str],
) -> NDArray[np.bool_] | None:
    """(H, W) True where the file's mask, alpha or nodata value allows it; None for everywhere.

    A pixel of raw values counts as nodata where any shown band is, one of an 8-bit picture where all are. Raw
    files that declare nothing but are zero in every shown band over more than a hundredth of the picture are
    taken to be padded with zeros.
    """
    from rasterio.enums import MaskFlags

    masks = [dataset.read_masks(band) > 0 for band in shown]
    if any(MaskFlags.all_valid not in dataset.mask_flag_enums[band - 1] for band in shown):
        # A shared mask or alpha is the same for each band, but nodata values are a matter of each band: pure red
        # has two zeros in an 8-bit picture, while a gap in one band of raw values would spoil its percentiles.
        if is_raw:
            return np.asarray(np.logical_and.reduce(masks))
        return np.asarray(np.logical_or.reduce(masks))
    if is_raw and not looks_like_decibels(values[0]):
        zero = (values == 0).all(axis=0)
        share = float(zero.mean())
        if share > _ZERO_BORDER_SHARE and share < 1.0:
            notes.append(f"{share:.1%} of the pixels are exactly zero and were taken for nodata.")
            return np.asarray(~zero)
    return None


def _georeference(dataset: DatasetReader, notes: list[str]) -> Georeference | None:
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
