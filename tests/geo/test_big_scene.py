"""Windows of a scene are what the whole scene shows there, at any size, and bounded in what they take."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from earthgptx.data.imagery import Scene
from earthgptx.errors import EmptyImagery, ImageTooLarge, UnreadableImagery
from earthgptx.geo import big_scene
from earthgptx.geo.big_scene import BigScene
from earthgptx.shapes import Box
from tests.fixtures.make_imagery import write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

RNG = np.random.default_rng(5)
ROTATED = Affine(0.5, 0.1, 600000.0, 0.1, -0.5, 5700000.0)
PLACED = {"crs": "EPSG:32631", "transform": ROTATED}


@pytest.fixture
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a small file is read by windows."""
    monkeypatch.setattr(big_scene, "HELD_PIXELS", 0)


def soft(count: int, height: int, width: int) -> np.ndarray:
    """(C, H, W) float of soft blobs."""
    coarse = RNG.uniform(200, 3000, (count, height // 20 + 1, width // 20 + 1))
    return coarse.repeat(20, axis=1).repeat(20, axis=2)[:, :height, :width]


def bytes_picture(path: Path) -> Path:
    return write_tiff(path, RNG.integers(0, 256, (3, 300, 400), dtype=np.uint8), **PLACED)


def test_a_small_scene_is_exactly_what_scene_open_shows(tmp_path: Path):
    path = write_tiff(tmp_path / "a.tif", soft(1, 200, 300).astype(np.uint16), **PLACED)
    whole, big = Scene.open(path, sensor="infrared"), BigScene.open(path, sensor="infrared")
    read = big.read(Box(0, 0, 300, 200), 1000)
    assert (read.pixels == whole.pixels).all()
    assert read.notes == whole.notes
    assert read.georeference.transform == pytest.approx(whole.georeference.transform)


@pytest.mark.parametrize("sensor", ["optical", "sar", "infrared"])
def test_windows_of_an_unheld_file_agree_with_the_whole(tmp_path: Path, nothing_held, sensor: str):
    values = soft(1, 250, 250).astype(np.uint16)  # smaller than one sample window: the limits are those of all pixels
    path = write_tiff(tmp_path / "a.tif", values, **PLACED)
    whole, big = Scene.open(path, sensor=sensor), BigScene.open(path, sensor=sensor)
    for x, y in ((0, 0), (37, 90), (130, 200)):
        read = big.read(Box(x, y, x + 100, y + 50), 1000)
        assert np.abs(read.pixels.astype(int) - whole.pixels[y : y + 50, x : x + 100]).max() <= 1


def test_neighbouring_windows_are_stretched_alike(tmp_path: Path, nothing_held):
    values = np.linspace(0, 60000, 3000 * 600).reshape(1, 3000, 600).astype(np.uint16)  # dark above, bright below
    big = BigScene.open(write_tiff(tmp_path / "a.tif", values, tiled=True), sensor="optical")
    upper, lower = big.read(Box(0, 1000, 600, 1100), 999), big.read(Box(0, 1050, 600, 1150), 999)
    assert (upper.pixels[50:] == lower.pixels[:50]).all()
    assert lower.pixels.mean() < big.read(Box(0, 2900, 600, 3000), 999).pixels.mean()


def test_eight_bit_windows_are_untouched(tmp_path: Path, nothing_held):
    path = bytes_picture(tmp_path / "a.tif")
    with rasterio.open(path) as dataset:
        values = np.moveaxis(dataset.read(), 0, -1)
    read = BigScene.open(path, sensor="optical").read(Box(20, 30, 120, 90), 1000)
    assert (read.pixels == values[30:90, 20:120]).all()
    assert read.valid is None


def test_a_window_knows_its_place_on_the_map(tmp_path: Path, nothing_held):
    big = BigScene.open(bytes_picture(tmp_path / "a.tif"), sensor="optical")
    read = big.read(Box(40, 100, 240, 200), 50)
    assert (read.width, read.height) == (50, 25)
    for x, y in ((0, 0), (50, 25), (10, 20)):
        assert read.georeference.to_map(x, y) == pytest.approx(big.georeference.to_map(40 + 4 * x, 100 + 4 * y))


def test_a_reduced_window_comes_from_the_overviews(tmp_path: Path, nothing_held):
    path = write_tiff(tmp_path / "a.tif", np.full((1, 512, 512), 9, np.uint8), tiled=True)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], rasterio.enums.Resampling.average)
    with rasterio.open(path, "r+", OVERVIEW_LEVEL=1) as overview:
        overview.write(np.full((128, 128), 200, np.uint8), 1)
    big = BigScene.open(path, sensor="optical")
    assert (big.read(Box(0, 0, 512, 512), 128).pixels == 200).all()
    assert (big.read(Box(0, 0, 512, 512), 512).pixels == 9).all()


def test_windows_reach_past_the_scene_but_not_outside(tmp_path: Path):
    big = BigScene.open(bytes_picture(tmp_path / "a.tif"), sensor="optical")
    assert big.covered(Box(-20.5, 10.2, 30.1, 999)) == Box(0, 10, 31, 300)
    with pytest.raises(EmptyImagery, match="400 x 300"):
        big.read(Box(400, 0, 500, 10), 100)


def test_nodata_and_padding_are_the_same_in_every_window(tmp_path: Path, nothing_held):
    values = soft(1, 600, 900).astype(np.float32)
    values[:, :, :300] = 0.0
    values[:, 100, 500] = np.nan
    big = BigScene.open(write_tiff(tmp_path / "a.tif", values), sensor="infrared")
    assert any("exactly zero" in note for note in big.notes)
    read = big.read(Box(250, 50, 550, 150), 1000)
    assert not read.valid[:, :50].any()
    assert not read.valid[50, 250]
    assert read.valid[:, 50:].sum() == 100 * 250 - 1
    assert (read.pixels[~read.valid] == 0).all()


def test_islands_of_data_are_found(tmp_path: Path, nothing_held):
    values = np.full((1, 3000, 3000), -9999.0, np.float32)
    values[0, 420:425, 430:436] = 7.0
    path = write_tiff(tmp_path / "a.tif", values, nodata=-9999.0, compress="deflate", tiled=True)
    assert BigScene.open(path, sensor="infrared").read(Box(400, 400, 500, 500), 100).valid.sum() == 30
    with pytest.raises(EmptyImagery, match="9,000,000"):
        BigScene.open(write_tiff(tmp_path / "b.tif", values * 0 - 9999.0, nodata=-9999.0), sensor="infrared")


def test_islands_in_a_sea_of_undeclared_zeros_are_found(tmp_path: Path, nothing_held):
    values = np.zeros((1, 3000, 3000), np.uint16)
    values[0, 420:440, 430:450] = RNG.integers(100, 200, (20, 20))
    big = BigScene.open(write_tiff(tmp_path / "a.tif", values, compress="deflate", tiled=True), sensor="infrared")
    read = big.read(Box(400, 400, 500, 500), 100)
    assert read.valid.sum() == 400
    assert np.ptp(read.pixels[read.valid]) > 200


def test_scattered_nan_does_not_empty_a_reduced_window(tmp_path: Path, nothing_held):
    values = soft(1, 600, 600).astype(np.float32)
    values[0][RNG.random((600, 600)) < 0.02] = np.nan
    for nodata in (None, np.nan):
        big = BigScene.open(write_tiff(tmp_path / "a.tif", values, nodata=nodata), sensor="infrared")
        for side in (600, 150, 50):
            assert big.read(Box(0, 0, 600, 600), side).valid.mean() > 0.95


def test_many_bands_that_lie_apart_are_read_by_three(tmp_path: Path, nothing_held, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(big_scene, "_LARGEST_BLOCK", 600_000)
    values = RNG.integers(0, 3000, (12, 256, 256), dtype=np.uint16)
    shape = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    apart = write_tiff(tmp_path / "a.tif", values, interleave="band", **shape)
    assert BigScene.open(apart, sensor="optical").read(Box(0, 0, 9, 9), 9).pixels.shape == (9, 9, 3)
    with pytest.raises(UnreadableImagery, match="1,572,864 bytes"):
        BigScene.open(write_tiff(tmp_path / "b.tif", values, interleave="pixel", **shape), sensor="optical")


def test_a_picture_that_cannot_be_read_by_windows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from PIL import Image

    monkeypatch.setattr(big_scene, "MOST_PICTURE_PIXELS", 1000)
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ImageTooLarge, match="1,600 pixels, over the limit 1,000"):
        BigScene.open(tmp_path / "a.png", sensor="optical")


def test_a_scene_goes_to_another_process(tmp_path: Path, nothing_held):
    big = BigScene.open(bytes_picture(tmp_path / "a.tif"), sensor="optical")
    # Ray and multiprocessing hand it over by pickle: our own object, made a line above, from no file.
    again = pickle.loads(pickle.dumps(big))
    assert (again.read(Box(0, 0, 50, 50), 50).pixels == big.read(Box(0, 0, 50, 50), 50).pixels).all()


def test_one_enormous_block_is_refused(tmp_path: Path, nothing_held, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(big_scene, "_LARGEST_BLOCK", 100_000)
    path = write_tiff(tmp_path / "a.tif", np.ones((1, 400, 500), np.uint8), compress="deflate", blockysize=400)
    with pytest.raises(UnreadableImagery, match=r"500 x 400 pixels \(200,000 bytes"):
        BigScene.open(path, sensor="optical")


def test_a_cut_off_file_is_refused_by_the_window_that_needs_it(tmp_path: Path, nothing_held):
    path = write_tiff(tmp_path / "a.tif", RNG.integers(0, 255, (1, 512, 512), dtype=np.uint8), tiled=True)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UnreadableImagery, match="damaged"):
        BigScene.open(path, sensor="optical").read(Box(0, 0, 512, 512), 512)


def test_a_large_turned_picture_is_refused(tmp_path: Path, nothing_held):
    from PIL import Image

    picture = Image.fromarray(RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(ImageTooLarge):
        BigScene.open(tmp_path / "a.jpg", sensor="optical")
