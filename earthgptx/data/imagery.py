"""A Scene: an image of any sensor as display-ready pixels, with its place on the map and what was done to it.

In comes a file (PNG, JPEG, TIFF, GeoTIFF and some others) or an array; out come 8-bit pixels (H, W, 3), the
mask of valid pixels, the georeference, and notes in plain sentences. It knows nothing of marks or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.picture_file import is_picture, read_picture
from earthgptx.data.raster_file import Raster, read_georeference, read_raster
from earthgptx.data.remote_file import exists, is_file, size_of, url_of
from earthgptx.data.sensors import SENSORS, check_sensor, guess_from_pixels, guess_from_words
from earthgptx.data.stretch import Stretch, fit_stretch
from earthgptx.errors import EmptyImagery, UnreadableImagery

if TYPE_CHECKING:
    from earthgptx.data.georeference import Georeference

__all__ = ["SENSORS", "Scene"]


@dataclass(frozen=True, eq=False)
class Scene:
    """An image ready to be looked at.

    Attributes:
        pixels: (H, W, 3) uint8; grey levels are repeated. Invalid pixels of a stretched image are black.
        sensor: one of SENSORS.
        path: the file it came from, if any.
        georeference: pixel to map coordinates, if the file had them.
        valid: (H, W) True where the sensor saw something; None where it saw everything.
        notes: what was guessed, chosen and stretched, one sentence each.
    """

    pixels: NDArray[np.uint8]
    sensor: str
    path: Path | None = None
    georeference: Georeference | None = None
    valid: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def ground_sample_distance(self) -> float | None:
        """Metres a pixel, None without a georeference."""
        return None if self.georeference is None else self.georeference.ground_sample_distance()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        sensor: str = "auto",
        bands: tuple[int, ...] | None = None,
        max_pixels: int = 200_000_000,
    ) -> Scene:
        """Open an image file.

        8-bit pictures of 1, 3 or 4 (alpha) bands keep their values; all else is stretched for its sensor (see
        `stretch.PERCENTILES`), and the notes say with what limits.

        Args:
            path: a PNG, JPEG, TIFF, GeoTIFF or other raster file.
            sensor: "optical", "sar", "infrared", or "auto" to guess; the notes say what, and why.
            bands: one or three bands to show, counted from 1, red first; None for the sensor's usual ones.
            max_pixels: refuse larger images by their header, before decoding.

        Raises:
            UnreadableImagery: no such file, not an image, damaged, or a band it does not have.
            ImageTooLarge: more than `max_pixels` pixels.
            EmptyImagery: not one valid pixel.
            UnknownSensor: a sensor that is not in SENSORS.
        """
        path = Path(path)
        check_sensor(sensor)
        check_file(path)
        if bands is None and is_picture(path):
            return _scene_of_picture(path, sensor=sensor, max_pixels=max_pixels)
        raster = read_raster(path, sensor=sensor, bands=bands, max_pixels=max_pixels)
        return replace(_scene_of_raster(raster, name=path.name), path=path)

    @classmethod
    def from_array(
        cls,
        array: NDArray[np.generic],
        *,
        sensor: str,
        valid: NDArray[np.bool_] | None = None,
        georeference: Georeference | None = None,
    ) -> Scene:
        """Make a scene of an array (H, W), (H, W, 1) or (H, W, 3), treated as `open` treats a file's bands.

        Args:
            array: uint8 is kept as it is, any other type is stretched for the sensor.
            sensor: as in `open`.
            valid: (H, W) True where the array means something; NaN and infinity are never valid.
            georeference: the array's place on the map.

        Raises:
            UnreadableImagery: another shape.
            EmptyImagery: not one valid pixel.
            UnknownSensor: a sensor that is not in SENSORS.
        """
        check_sensor(sensor)
        array = np.asarray(array)
        cube = array[..., None] if array.ndim == 2 else array
        if cube.ndim != 3 or cube.shape[2] not in (1, 3) or cube.size == 0:
            raise UnreadableImagery(f"An array of shape {array.shape} is not an image (H, W), (H, W, 1) or (H, W, 3).")
        layers = np.moveaxis(cube, -1, 0)
        notes: tuple[str, ...] = ()
        if sensor == "auto":
            guess = guess_from_pixels(layers, valid)
            sensor, notes = guess.sensor, (guess.reason,)
        return _scene_of_raster(
            Raster(
                bands=layers,
                valid=valid,
                georeference=georeference,
                sensor=sensor,
                is_display_ready=layers.dtype == np.uint8,
                notes=notes,
            ),
            name="The array",
        )


def check_file(path: Path) -> None:
    """Raise UnreadableImagery unless `path` is a file with something in it."""
    if not exists(path):
        raise UnreadableImagery(f"There is no file {url_of(path) or path}.")
    if not is_file(path):
        raise UnreadableImagery(f"{url_of(path) or path} is a folder, not an image file.")
    if size_of(path) == 0:
        raise UnreadableImagery(f"{path.name} is empty: it holds 0 bytes.")


def _scene_of_picture(path: Path, *, sensor: str, max_pixels: int) -> Scene:
    """Open a JPEG or 8-bit PNG; its values are kept as they are."""
    picture = read_picture(path, max_pixels=max_pixels)
    notes = list(picture.notes)
    georeference = None if picture.is_turned else read_georeference(path)
    if sensor == "auto":
        guess = guess_from_words(path.stem) or guess_from_pixels(picture.bands, picture.valid)
        sensor = guess.sensor
        notes.append(guess.reason)
    raster = Raster(
        bands=picture.bands,
        valid=picture.valid,
        georeference=georeference,
        sensor=sensor,
        is_display_ready=True,
        notes=tuple(notes),
    )
    return replace(_scene_of_raster(raster, name=path.name), path=path)


def _scene_of_raster(raster: Raster, *, name: str) -> Scene:
    """Stretch where needed, black out what is invalid, repeat grey: the last step of every way in."""
    valid = _finite(raster)
    num_valid = int(valid.sum())
    if num_valid == 0:
        raise EmptyImagery(f"{name} shows nothing: 0 of its {valid.size:,} pixels hold data.")
    notes = list(raster.notes)
    if raster.is_display_ready:
        layers = [band.astype(np.uint8, copy=False) for band in raster.bands]
    else:
        stretches = [fit_stretch(band, sensor=raster.sensor, valid=valid) for band in raster.bands]
        layers = [one.apply(band, valid=valid) for one, band in zip(stretches, raster.bands, strict=True)]
        notes.append(stretching_note(raster.sensor, stretches))
    pixels = np.stack(layers if len(layers) == 3 else layers * 3, axis=-1)
    is_complete = num_valid == valid.size
    if not is_complete:
        notes.append(f"{1 - num_valid / valid.size:.1%} of the pixels hold no data.")
    return Scene(
        pixels=np.ascontiguousarray(pixels),
        sensor=raster.sensor,
        georeference=raster.georeference,
        valid=None if is_complete else valid,
        notes=tuple(notes),
    )


def stretching_note(sensor: str, stretches: Sequence[Stretch]) -> str:
    """The sentence that says with what limits the bands were stretched."""
    limits = ", ".join(one.limits for one in stretches)
    return f"The values were stretched for {sensor}: {limits} ({stretches[0].unit}) became 0 to 255."


def _finite(raster: Raster) -> NDArray[np.bool_]:
    """(H, W) True where the file's mask allows it and every band is a finite number."""
    valid = np.ones(raster.bands.shape[1:], dtype=bool) if raster.valid is None else raster.valid.astype(bool)
    if not np.issubdtype(raster.bands.dtype, np.integer):
        valid = valid & np.isfinite(raster.bands).all(axis=0)
    return valid
