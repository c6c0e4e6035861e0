"""Five sample scenes for the demo and for trying things out: four real places and one rendered night.

In comes a cache folder, out come image files verified by hash, with marks drawn by eye on objects that can be
named by eye. The real scenes lie in a package of the package index that cannot be installed any more: it is
downloaded, unzipped and never imported. No training data comes from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from earthgptx.data.rendered_infrared import render_night
from earthgptx.errors import UnreadableImagery, WheelUnavailable
from earthgptx.shapes import Box, Ellipse, Mark, Point, Polygon, Scribble
from earthgptx.wheels import PinnedFile, Wheel, cache_folder, download, sha256_of, take

ATTRIBUTION = (
    "The place, resolution and sensors match SpaceNet 6 (Rotterdam): imagery by SpaceNet, Maxar and Capella "
    "Space, CC BY-SA 4.0. Pictures derived from it carry the same terms."
)
RENDERED_ATTRIBUTION = "Rendered by this project: a drawing in the manner of thermal imagery, not a photograph."

RENDERED_NAME = "rendered_night.png"
_RENDERED_SEED = 20


@dataclass(frozen=True)
class SampleMark:
    """A mark on an object, and what a person sees there."""

    mark: Mark
    truth: str


@dataclass(frozen=True)
class SampleScene:
    """One scene and its marks.

    Attributes:
        name: short, for file names.
        file: its name in the folder that `fetch_sample_scenes` returns.
        sensor: one of SENSORS.
        title: what it shows, in a few words.
        ground: what a pixel measures, in words.
        subject: the class that the scene is about, for questions on the whole of it.
        marks: in the scene's pixels.
        attribution: whose image it is.
    """

    name: str
    file: str
    sensor: str
    title: str
    ground: str
    subject: str
    marks: tuple[SampleMark, ...]
    attribution: str


# pip 24.1 and newer refuse the second wheel's metadata ("gdal>=3.0.2geopandas>=0.7.0"), so the last pip that
# takes it is run.
_PIP = Wheel(
    "pip",
    "24.0",
    "pip-24.0-py3-none-any.whl",
    "ba0d021a166865d2265246961bec0152ff124de910c5cc39f1156ce3fa7c69dc",
)
_SOLARIS = Wheel(
    "solaris",
    "0.4.0",
    "solaris-0.4.0-py3-none-any.whl",
    "09445946221410ebb2ae807580cf7dea9fe3c9aa3bf045947b61a162d2d3a8df",
)
_FOLDER_IN_WHEEL = "solaris/data/preproc_tutorial"
_FILES: tuple[PinnedFile, ...] = tuple(
    PinnedFile(f"{_FOLDER_IN_WHEEL}/{name}", sha256)
    for name, sha256 in (
        ("rgb_unmasked.tif", "32a03f493d5f2e88c0f357876dd91387fc5dcf448e7bde5c673b468cf8a0c6b8"),
        ("sar_masked.tif", "cffe254f343b2525fa8a77265637542bbea89f01c43391d78d4abb54e245e00e"),
        ("sar_hh.tif", "cb80cf3fa3b6e539816514c3748a7d4d80e16d3e452b8265bf5d991fed50c06f"),
        ("ms1.tif", "5c0b92a1b2b9c0fddf6d568fa2f86909b868780e0b06ada9c4207aed4e12a63c"),
        ("ms2.tif", "4c55519eb339995426bce80e9f6b5c8a8370200833184b4236ce55cfaae4c1f5"),
        ("ms3.tif", "3cf920a37bcd108d0181f948489017f263562e07e7b345c2a99671d8cd0e069b"),
        ("pan1.tif", "14b6857c26649d7fc3fb7d37d3431a40a9440d2d3646018890829e751aa520f8"),
    )
)
_DOWNLOAD_SECONDS = 600

SAMPLE_SCENES: tuple[SampleScene, ...] = (
    SampleScene(
        name="harbour_optical",
        file="rgb_unmasked.tif",
        sensor="optical",
        title="A harbour basin seen by an optical satellite",
        ground="4.5 m a pixel, 8 bit, three bands",
        subject="ship",
        marks=(
            SampleMark(Box(2, 49, 40, 76), "ship"),
            SampleMark(Scribble(((34.5, 47), (36.5, 51.5), (40, 56.5), (42.5, 61), (45, 65))), "ship"),
            SampleMark(Point(82.6, 126.5), "ship"),
            SampleMark(Ellipse(6.3, 144.2, 3.9, 3.9), "storage tank"),
        ),
        attribution=ATTRIBUTION,
    ),
    SampleScene(
        name="harbour_sar",
        file="sar_masked.tif",
        sensor="sar",
        title="The same basin on another day, seen by radar",
        ground="4.5 m a pixel, float decibels, 39% without data",
        subject="ship",
        marks=(
            SampleMark(Box(76, 113, 87, 148), "ship"),
            SampleMark(Scribble(((48, 131), (48.5, 136), (49.5, 143), (51, 148), (52.5, 153))), "ship"),
            SampleMark(Ellipse(39.5, 105, 5, 5), "jetty"),
        ),
        attribution=ATTRIBUTION,
    ),
    SampleScene(
        name="tanks_multispectral",
        file="ms3.tif",
        sensor="optical",
        title="Tank farm, from a four-band multispectral image",
        ground="1 m a pixel, float, bands B G R NIR, 39% without data",
        subject="storage tank",
        marks=(
            SampleMark(Box(253, 247, 289, 283), "storage tank"),
            SampleMark(Ellipse(220.8, 274.5, 18, 18), "storage tank"),
            SampleMark(Point(248.5, 129.5), "storage tank"),
            SampleMark(Scribble(((264, 124), (270, 130), (277, 131), (281, 123), (272, 122))), "storage tank"),
        ),
        attribution=ATTRIBUTION,
    ),
    SampleScene(
        name="streets_panchromatic",
        file="pan1.tif",
        sensor="optical",
        title="Streets and a roundabout, from a 16-bit panchromatic image",
        ground="0.5 m a pixel, 16 bit, one band",
        subject="vehicle",
        marks=(
            SampleMark(Box(36, 530, 47, 546), "vehicle"),
            SampleMark(Ellipse(72.7, 483.5, 5.5, 5.5), "vehicle"),
            SampleMark(Scribble(((361.5, 390), (358.5, 395.5), (355, 402))), "vehicle"),
            SampleMark(Point(495.3, 247.6), "vehicle"),
        ),
        attribution=ATTRIBUTION,
    ),
)


def fetch_sample_scenes(cache: Path | None = None) -> Path:
    """Put the sample scenes' files into the cache, once, and return their folder.

    Args:
        cache: the cache folder; None for `$EARTHGPTX_CACHE` or `~/.cache/earthgptx`.

    Raises:
        UnreadableImagery: the package index cannot be reached, or pip is missing.
        HashMismatch: a file is not the one that is pinned.
    """
    cache = cache_folder(cache)
    folder = cache / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    if not all(_is_there(folder / file.name, file.sha256) for file in _FILES):
        take(_kept_wheel(cache / "packages"), _FILES, folder)
    return folder


def rendered_scene(folder: Path) -> SampleScene:
    """Draw the infrared sample into `folder` and return it with its marks; the seed is fixed."""
    picture = render_night(seed=_RENDERED_SEED)
    picture.image.save(folder / RENDERED_NAME)
    cars = picture.boxes_of("car")
    people = picture.boxes_of("person")
    bicycles = picture.boxes_of("bicycle")
    return SampleScene(
        name="parking_infrared",
        file=RENDERED_NAME,
        sensor="infrared",
        title="A parking lot at night (rendered)",
        ground="640 x 512 pixels, 8 bit, grey",
        subject="car",
        marks=(
            SampleMark(Point(*cars[0].centre), "car"),
            SampleMark(_lozenge(cars[-1]), "car"),
            SampleMark(_circle(people[0]), "person"),
            SampleMark(bicycles[0], "bicycle"),
        ),
        attribution=RENDERED_ATTRIBUTION,
    )


def _circle(box: Box) -> Ellipse:
    """A circle around a small object."""
    x, y = box.centre
    radius = max(box.width, box.height) / 2 + 2
    return Ellipse(x, y, radius, radius)


def _lozenge(box: Box) -> Polygon:
    """A hasty polygon around an object: the middles of the sides of its box, a little outside."""
    x, y = box.centre
    return Polygon(((x, box.y0 - 3), (box.x1 + 5, y), (x, box.y1 + 3), (box.x0 - 5, y)))


def _is_there(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def _kept_wheel(folder: Path) -> Path:
    """The verified wheel with the scenes, downloaded into `folder` unless it lies there already."""
    wheel = folder / _SOLARIS.file
    if _is_there(wheel, _SOLARIS.sha256):
        return wheel
    try:
        return download(_SOLARIS, folder, seconds=_DOWNLOAD_SECONDS, pip=_PIP)
    except WheelUnavailable as error:
        raise UnreadableImagery(f"The sample scenes cannot be had: {error}") from error
