"""A scene of any size that is read by windows, at full resolution or reduced through its overviews.

A path comes in; `Scene`s of windows come out, all stretched alike. No dataset stays open and nothing of a large file is
kept, so a `BigScene` may be shared between threads and sent to other processes. It knows nothing of marks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from earthgptx.data.georeference import Georeference
from earthgptx.data.imagery import Scene, check_file, stretching_note
from earthgptx.data.picture_file import check_pixel_count, is_picture, orientation_of, picture_size
from earthgptx.data.raster_bands import (
    Excerpt,
    ShownBands,
    choose_bands,
    declared_valid,
    padded_with_zeros,
    read_values,
)
from earthgptx.data.raster_file import georeference_of, guessed_sensor, opened, raster_size
from earthgptx.data.sensors import check_sensor
from earthgptx.data.stretch import Stretch, fit_stretch
from earthgptx.errors import EmptyImagery, UnreadableImagery
from earthgptx.shapes import Box

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

HELD_PIXELS = 16_000_000  # a smaller scene is decoded once and kept (48 MB), exactly as `Scene.open` shows it
MOST_PICTURE_PIXELS = 200_000_000  # of a PNG or JPEG: it has no tiles, so that a window takes much of it
_LARGEST_BLOCK = 256_000_000  # bytes that must be decoded to reach one pixel
_SAMPLES_A_SIDE, _SAMPLE_SIDE = 8, 256  # windows at full resolution from which the stretch is worked out
_OVERVIEW_SIDE = 2048


@dataclass(frozen=True)
class _Reading:
    """What was decided once about a large file, so that all its windows are read alike."""

    shown: ShownBands
    zeros_are_nodata: bool
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, eq=False)
class BigScene:
    """A scene whose pixels stay on disk until a window of them is read.

    Attributes:
        path: the file.
        width, height: in pixels.
        sensor: one of SENSORS.
        georeference: pixel to map coordinates, if the file had them.
        notes: what was guessed, chosen and stretched, one sentence each.
        held: the whole scene, where it is small or must be turned upright.
        reading: how the windows of any other are read.
    """

    path: Path
    width: int
    height: int
    sensor: str
    georeference: Georeference | None
    notes: tuple[str, ...]
    held: Scene | None = None
    reading: _Reading | None = None

    @classmethod
    def open(cls, path: str | Path, *, sensor: str = "auto", bands: tuple[int, ...] | None = None) -> BigScene:
        """Reads the header, and of raw values a few samples from which the stretch is worked out.

        Args:
            path: a PNG, JPEG, TIFF, GeoTIFF or other raster file, of any size.
            sensor: "optical", "sar", "infrared", or "auto" to guess.
            bands: one or three bands to show, counted from 1, red first; None for the sensor's usual ones.

        Raises:
            UnreadableImagery: no such file, not an image, damaged, a band it does not have, or stored in one piece
                so large that no window of it can be read by itself.
            ImageTooLarge: a PNG or JPEG of more than 200 million pixels, which cannot be read by windows, or a large
                one that must be turned upright, which takes all of it.
            EmptyImagery: not one valid pixel.
            UnknownSensor: a sensor that is not in SENSORS.
        """
        path = Path(path)
        check_sensor(sensor)
        check_file(path)
        if is_picture(path):
            width, height = picture_size(path)
            check_pixel_count(path.name, width=width, height=height, max_pixels=MOST_PICTURE_PIXELS)
        else:
            width, height = raster_size(path)
        if width * height <= HELD_PIXELS or orientation_of(path) > 1:
            scene = Scene.open(path, sensor=sensor, bands=bands, max_pixels=4 * HELD_PIXELS)
            return cls(path, scene.width, scene.height, scene.sensor, scene.georeference, scene.notes, held=scene)
        notes: list[str] = []
        with opened(path) as dataset:
            _check_blocks(dataset, path)
            if sensor == "auto":
                sensor = guessed_sensor(dataset, path, notes)
            shown = choose_bands(dataset, path.name, sensor=sensor, asked=bands, notes=notes)
            reading = _reading(dataset, path.name, shown=shown, sensor=sensor, notes=notes)
            georeference = georeference_of(dataset, notes)
        return cls(path, width, height, sensor, georeference, tuple(notes), reading=reading)

    @property
    def ground_sample_distance(self) -> float | None:
        """Metres a pixel at the upper left corner, None without a georeference."""
        return None if self.georeference is None else self.georeference.ground_sample_distance()

    def covered(self, window: Box) -> Box:
        """The whole pixels of the scene that a window touches.

        Raises:
            EmptyImagery: it touches none.
        """
        x0, y0 = max(math.floor(window.x0), 0), max(math.floor(window.y0), 0)
        x1, y1 = min(math.ceil(window.x1), self.width), min(math.ceil(window.y1), self.height)
        if x0 >= x1 or y0 >= y1:
            corners = ", ".join(f"{value:g}" for value in (window.x0, window.y0, window.x1, window.y1))
            raise EmptyImagery(f"The window ({corners}) lies outside the {self.width} x {self.height} scene.")
        return Box(x0, y0, x1, y1)

    def read(self, window: Box, max_side: int) -> Scene:
        """The pixels under a window, with their own place on the map; black where there is no data.

        Args:
            window: in the scene's pixels; it is widened to whole pixels and cut to the scene (`covered`).
            max_side: a larger window is reduced until its longer side has so many pixels.

        Raises:
            EmptyImagery: the window lies outside the scene.
            UnreadableImagery: the file is damaged there.
        """
        part = self.covered(window)
        width, height = int(part.width), int(part.height)
        factor = min(1.0, max_side / max(width, height))
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        excerpt = Excerpt(int(part.x0), int(part.y0), width, height, size)
        pixels, valid = self._held_pixels(excerpt) if self.held is not None else self._file_pixels(excerpt)
        place = self.georeference
        if place is not None:
            place = place.of_window(part.x0, part.y0, width / size[1], height / size[0])
        return Scene(
            pixels=pixels,
            sensor=self.sensor,
            path=self.path,
            georeference=place,
            valid=None if valid is None or valid.all() else valid,
            notes=self.notes,
        )

    def _held_pixels(self, excerpt: Excerpt) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        assert self.held is not None
        rows = slice(excerpt.row, excerpt.row + excerpt.height)
        columns = slice(excerpt.column, excerpt.column + excerpt.width)
        pixels = np.ascontiguousarray(self.held.pixels[rows, columns])
        valid = None if self.held.valid is None else self.held.valid[rows, columns]
        if excerpt.size == (excerpt.height, excerpt.width):
            return pixels, valid
        size = excerpt.size[::-1]
        pixels = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
        if valid is not None:
            valid = np.array(Image.fromarray(valid).resize(size, Image.Resampling.NEAREST))
        return pixels, valid

    def _file_pixels(self, excerpt: Excerpt) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        assert self.reading is not None
        shown, stretches = self.reading.shown, self.reading.stretches
        with opened(self.path) as dataset:
            values = read_values(dataset, shown, excerpt)
            valid = _valid(dataset, shown, values, excerpt, zeros_are_nodata=self.reading.zeros_are_nodata)
        if stretches:
            layers = [one.apply(band, valid=valid) for one, band in zip(stretches, values, strict=True)]
        else:
            layers = [band.astype(np.uint8, copy=False) for band in values]
        return np.ascontiguousarray(np.stack(layers if len(layers) == 3 else layers * 3, axis=-1)), valid


def _check_blocks(dataset: DatasetReader, path: Path) -> None:
    """Refuses a file of which a single pixel cannot be read without decoding most of it."""
    from rasterio.enums import Interleaving

    rows, columns = dataset.block_shapes[0]
    bands_together = dataset.count if dataset.interleaving == Interleaving.pixel else 1
    num_bytes = rows * columns * np.dtype(dataset.dtypes[0]).itemsize * bands_together
    if num_bytes > _LARGEST_BLOCK:
        raise UnreadableImagery(
            f"{path.name} is stored in blocks of {columns:,} x {rows:,} pixels ({num_bytes:,} bytes each, at most "
            f"{_LARGEST_BLOCK:,} are read): write it in tiles first, for example with gdal_translate -of COG."
        )


def _reading(dataset: DatasetReader, name: str, *, shown: ShownBands, sensor: str, notes: list[str]) -> _Reading:
    """How all windows are read. The stretch comes from samples at full resolution, spread over the scene.

    An overview would not do: averaging takes away the speckle and the few bright pixels that the limits depend on.
    """
    if shown.is_display_ready:
        return _Reading(shown, zeros_are_nodata=False, stretches=())
    samples = _samples(dataset.width, dataset.height)
    values, valid, is_padded = _seen(dataset, shown, samples, notes)
    if not valid.any() or not values.any():  # islands in a sea of nodata: the overview finds them
        factor = min(1.0, _OVERVIEW_SIDE / max(dataset.width, dataset.height))
        size = (max(1, round(dataset.height * factor)), max(1, round(dataset.width * factor)))
        values, valid, is_padded = _seen(dataset, shown, [Excerpt(0, 0, dataset.width, dataset.height, size)], notes)
    if not valid.any():
        raise EmptyImagery(f"{name} shows nothing: 0 of its {dataset.width * dataset.height:,} pixels hold data.")
    stretches = tuple(fit_stretch(band, sensor=sensor, valid=valid) for band in values)
    notes.append(stretching_note(sensor, stretches))
    return _Reading(shown, zeros_are_nodata=is_padded, stretches=stretches)


def _seen(
    dataset: DatasetReader, shown: ShownBands, excerpts: Sequence[Excerpt], notes: list[str]
) -> tuple[NDArray[np.generic], NDArray[np.bool_], bool]:
    """(C, H, W) values of excerpts of one width below each other, (H, W) which are valid, and whether zeros are not."""
    read = [read_values(dataset, shown, excerpt) for excerpt in excerpts]
    values = np.concatenate(read, axis=1)
    is_padded = declared_valid(dataset, shown, excerpts[0]) is None and padded_with_zeros(values, notes)
    valid = [
        _valid(dataset, shown, one, excerpt, zeros_are_nodata=is_padded)
        for one, excerpt in zip(read, excerpts, strict=True)
    ]
    return values, np.concatenate(valid), is_padded


def _samples(width: int, height: int) -> list[Excerpt]:
    """Windows at full resolution, evenly spread and of one width, so that their rows can be laid end to end."""
    across, down = min(_SAMPLE_SIDE, width), min(_SAMPLE_SIDE, height)
    columns = np.linspace(0, width - across, _SAMPLES_A_SIDE).astype(int).tolist()
    rows = np.linspace(0, height - down, _SAMPLES_A_SIDE).astype(int).tolist()
    return [Excerpt(column, row, across, down, (down, across)) for row in rows for column in columns]


def _valid(
    dataset: DatasetReader,
    shown: ShownBands,
    values: NDArray[np.generic],
    excerpt: Excerpt,
    *,
    zeros_are_nodata: bool,
) -> NDArray[np.bool_]:
    """(H, W) True where the file's mask allows it, no padding lies and every band is a finite number."""
    declared = declared_valid(dataset, shown, excerpt)
    valid = np.ones(values.shape[1:], dtype=bool) if declared is None else declared
    if zeros_are_nodata:
        valid = valid & ~(values == 0).all(axis=0)
    if not np.issubdtype(values.dtype, np.integer):
        valid = valid & np.isfinite(values).all(axis=0)
    return valid
