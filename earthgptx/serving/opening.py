"""A file becomes a scene that the server can show: checked by its header, then decoded once or read by windows.

Which of both, the number of its pixels says. What comes out holds no word of where on this machine the file lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from earthgptx.data.imagery import Scene
from earthgptx.data.picture_file import is_picture
from earthgptx.data.raster_file import opened
from earthgptx.errors import ImageTooLarge, UnreadableImagery
from earthgptx.geo.big_scene import BigScene
from earthgptx.serving.pyramid import Picture, write_pyramid
from earthgptx.serving.settings import Settings
from earthgptx.serving.windowed_picture import write_overview

BANDS_AT_ONCE = 16  # a file's bands often share their blocks, so that reading one decodes them all
# Formats in which a window can be read without what lies before it.
WINDOWED_DRIVERS = ("GTiff", "JP2OpenJPEG", "HFA", "NITF")
MOST_WITHOUT_OVERVIEWS = 2_000_000_000  # pixels that are decoded once for the overview: some 20 s of deflate


@dataclass(frozen=True)
class Header:
    """What a file says of itself, and passed.

    Attributes:
        file: where it lies.
        width, height, num_bands: of its pixels.
    """

    file: Path
    width: int
    height: int
    num_bands: int


@dataclass(frozen=True)
class Opened:
    """A scene and what is shown of it."""

    scene: Scene | BigScene
    picture: Picture
    num_bands: int


def checked_file(file: Path, within: Path, settings: Settings) -> Header:
    """Reads a file's header, and refuses what cannot be opened within the limits.

    Args:
        file: the image.
        within: folder that it and all that it refers to must lie in.
        settings: the limits.

    Raises:
        UnreadableImagery: empty, damaged, unreadable, or made of files elsewhere.
        ImageTooLarge: too many pixels, or too many for its format.
    """
    try:
        if file.stat().st_size == 0:
            raise UnreadableImagery(f"{file.name} is empty: it holds 0 bytes.")
        with opened(file) as dataset:
            num_bands, height, width = dataset.count, dataset.height, dataset.width
            parts, driver, factors = list(dataset.files), dataset.driver, dataset.overviews(1) if num_bands else []
    except OSError as error:
        raise UnreadableImagery(f"{file.name} cannot be read ({error.strerror}).") from error
    # Some formats name other files to read from (overviews, masks, pixels): a link out of the folder by another name.
    if any(not Path(part).resolve().is_relative_to(within.resolve()) for part in parts):
        raise UnreadableImagery(f"{file.name} refers to {len(parts)} files, not all of them in the folder of scenes.")
    num_pixels = width * height
    if num_pixels > settings.max_pixels:
        _check_large(file, num_pixels, driver, has_overviews=bool(factors), settings=settings)
    elif num_bands * num_pixels > settings.max_pixels * BANDS_AT_ONCE:
        raise ImageTooLarge(
            f"{file.name} has {width:,} x {height:,} pixels in {num_bands:,} bands, "
            f"over the limit {settings.max_pixels * BANDS_AT_ONCE:,} for all bands together."
        )
    return Header(file, width, height, num_bands)


def _check_large(file: Path, num_pixels: int, driver: str, *, has_overviews: bool, settings: Settings) -> None:
    """Refuses a file that is too large to be decoded and cannot be read by windows either."""
    if is_picture(file) or driver not in WINDOWED_DRIVERS:
        raise ImageTooLarge(
            f"{file.name} has {num_pixels:,} pixels, over the limit {settings.max_pixels:,} for {driver}: "
            "give it as a tiled GeoTIFF, which is read by windows (gdal_translate -of COG)."
        )
    if num_pixels > settings.max_windowed_pixels:
        raise ImageTooLarge(f"{file.name} has {num_pixels:,} pixels, over the limit {settings.max_windowed_pixels:,}.")
    if not has_overviews and num_pixels > MOST_WITHOUT_OVERVIEWS:
        raise ImageTooLarge(
            f"{file.name} has {num_pixels:,} pixels and no overviews, without which at most "
            f"{MOST_WITHOUT_OVERVIEWS:,} are opened: add them with gdaladdo, or write a COG."
        )


def open_file(header: Header, folder: Path, settings: Settings, *, sensor: str) -> Opened:
    """Opens a file whose header was checked.

    Args:
        header: of the file.
        folder: made here, for what is shown.
        settings: the limits.
        sensor: as in `Scene.open`.

    Raises:
        EarthGPTXError: one of those of `Scene.open` and `BigScene.open`.
    """
    file = header.file
    if header.width * header.height > settings.max_pixels:
        big = BigScene.open(file, sensor=sensor)
        note = (
            f"{header.width:,} x {header.height:,} pixels are read by windows: a mark is seen with what is around it."
        )
        big = replace(big, notes=(*big.notes, note))
        return Opened(big, write_overview(big, folder), header.num_bands)
    scene = Scene.open(file, sensor=sensor, max_pixels=settings.max_pixels)
    pyramid = write_pyramid(scene.pixels, folder, valid=scene.valid)
    # What the model reads is mapped from disk too, and says no more of this machine than the file's name.
    kept = replace(scene, pixels=pyramid.levels[0], valid=None, path=Path(file.name))
    return Opened(kept, pyramid, header.num_bands)


def shown_bands(file: Path, scene: Scene | BigScene, bands: tuple[int, ...], folder: Path) -> Picture:
    """Other bands of a scene that is open.

    Args:
        file: the scene's.
        scene: as it is shown otherwise.
        bands: one or three, from 1.
        folder: made here.

    Raises:
        UnreadableImagery: bands that it does not have, not one or three, or the file is another than it was.
    """
    size = (scene.width, scene.height)
    if isinstance(scene, BigScene):
        big = BigScene.open(file, sensor=scene.sensor, bands=bands)
        _check_same(file, size, (big.width, big.height))
        return write_overview(big, folder)
    shown = Scene.open(file, sensor=scene.sensor, bands=bands, max_pixels=scene.width * scene.height)
    _check_same(file, size, (shown.width, shown.height))
    return write_pyramid(shown.pixels, folder, valid=shown.valid)


def _check_same(file: Path, size: tuple[int, int], now: tuple[int, int]) -> None:
    if size != now:
        raise UnreadableImagery(
            f"{file.name} had {size[0]:,} x {size[1]:,} pixels and has {now[0]:,} x {now[1]:,} now."
        )
