"""Scenes from fabricated files of every kind, each with a truth that is known before it is opened."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from earthgptx.data.georeference import Georeference
from earthgptx.data.imagery import SENSORS, Scene
from earthgptx.data.stretch import PERCENTILES
from earthgptx.errors import EarthGPTXError, EmptyImagery, ImageTooLarge, UnknownSensor, UnreadableImagery

# The fabricated files mostly have no place on the map, which rasterio warns of while writing.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

RNG = np.random.default_rng(7)
RAMP = np.arange(40 * 50, dtype=np.float64).reshape(40, 50)  # every value once


def write_tiff(path, layers, *, colours=None, names=None, mask=None, palette=None, **profile):
    """Write (C, H, W) layers with rasterio."""
    layers = np.asarray(layers)
    shape = {"count": layers.shape[0], "height": layers.shape[1], "width": layers.shape[2]}
    dtype = profile.pop("dtype", layers.dtype)
    with rasterio.open(path, "w", driver="GTiff", dtype=dtype, **shape, **profile) as dataset:
        if colours:
            dataset.colorinterp = colours
        dataset.write(layers)
        if palette:
            dataset.write_colormap(1, palette)
        if names:
            dataset.descriptions = names
        if mask is not None:
            dataset.write_mask(mask)
    return path


def expected_grey(values, sensor, valid=None):
    """The stretch by hand: percentiles of the valid values, linear between them, black elsewhere."""
    valid = np.ones(values.shape, bool) if valid is None else valid
    low, high = np.percentile(values[valid], PERCENTILES[sensor])
    grey = np.rint(np.clip((values - low) / (high - low), 0, 1) * 255)
    return np.where(valid, grey, 0)


def assert_close(pixels, grey):
    """Equal up to one level of rounding, and the same in all three channels."""
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[..., :1]).all()
    assert np.abs(pixels[..., 0].astype(int) - grey).max() <= 1


class TestEightBitIsNeverTouched:
    @pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
    @pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
    def test_lossless_files_keep_their_values(self, tmp_path, ending, shape):
        pixels = RNG.integers(60, 120, shape, dtype=np.uint8)  # a narrow range, which a stretch would widen
        Image.fromarray(pixels).save(tmp_path / f"a.{ending}")
        scene = Scene.open(tmp_path / f"a.{ending}", sensor="optical")
        assert (scene.pixels == (pixels if pixels.ndim == 3 else pixels[..., None])).all()
        assert scene.pixels.shape == (40, 50, 3)
        assert (scene.width, scene.height) == (50, 40)
        assert scene.valid is None
        assert scene.georeference is None
        assert scene.ground_sample_distance is None

    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_jpeg_equals_its_decoder(self, tmp_path, mode):
        pixels = RNG.integers(0, 255, (40, 50) if mode == "L" else (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=90)
        scene = Scene.open(tmp_path / "a.jpg")
        assert (scene.pixels == np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB"))).all()

    def test_the_first_bytes_count_and_not_the_ending(self, tmp_path):
        pixels = RNG.integers(0, 255, (8, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.tif", format="PNG")
        assert (Scene.open(tmp_path / "a.tif").pixels == pixels).all()

    @pytest.mark.parametrize("ending", ["png", "tif"])
    def test_alpha_becomes_the_mask(self, tmp_path, ending):
        pixels = RNG.integers(1, 255, (20, 30, 4), dtype=np.uint8)
        pixels[..., 3] = 255
        pixels[:5, :, 3] = 0
        Image.fromarray(pixels).save(tmp_path / f"a.{ending}")
        scene = Scene.open(tmp_path / f"a.{ending}", sensor="optical")
        assert (scene.valid == (pixels[..., 3] > 0)).all()
        assert (scene.pixels[5:] == pixels[5:, :, :3]).all()

    def test_palettes_become_colours(self, tmp_path):
        colours = RNG.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        picture = Image.fromarray(colours).quantize(16)
        picture.save(tmp_path / "a.png")
        indices = RNG.integers(0, 3, (1, 8, 9), dtype=np.uint8)
        palette = {0: (255, 0, 0, 255), 1: (0, 200, 0, 255), 2: (9, 8, 7, 255)}
        write_tiff(tmp_path / "b.tif", indices, palette=palette)
        assert (Scene.open(tmp_path / "a.png").pixels == np.asarray(picture.convert("RGB"))).all()
        table = np.array([palette[index][:3] for index in range(3)], dtype=np.uint8)
        scene = Scene.open(tmp_path / "b.tif")
        assert (scene.pixels == table[indices[0]]).all()
        assert any("palette" in note for note in scene.notes)

    def test_one_bit_pictures_are_black_and_white(self, tmp_path):
        bits = RNG.integers(0, 2, (12, 16), dtype=np.uint8)
        Image.fromarray(bits * 255).convert("1").save(tmp_path / "a.png")
        write_tiff(tmp_path / "b.tif", bits[None], nbits=1)
        for name in ("a.png", "b.tif"):
            assert (Scene.open(tmp_path / name).pixels[..., 0] == bits * 255).all()

    def test_nodata_of_an_eight_bit_file_masks_and_does_not_stretch(self, tmp_path):
        band = RNG.integers(50, 90, (1, 20, 30), dtype=np.uint8)
        band[0, :, :4] = 0
        scene = Scene.open(write_tiff(tmp_path / "a.tif", band, nodata=0))
        assert (scene.pixels[..., 0] == band[0]).all()
        assert (scene.valid == (band[0] != 0)).all()

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_is_applied(self, tmp_path, orientation):
        upright = np.zeros((32, 48, 3), dtype=np.uint8)
        upright[:16, :24] = (250, 10, 10)  # a red top left quarter
        undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposition that stores it turned
        picture = Image.fromarray(upright)
        if orientation > 1:
            picture = picture.transpose(Image.Transpose(undo[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(tmp_path / "a.png", exif=exif)
        picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
        assert (Scene.open(tmp_path / "a.png").pixels == upright).all()
        scene = Scene.open(tmp_path / "a.jpg")
        assert (scene.width, scene.height) == (48, 32)
        assert scene.pixels[4, 4, 0] > 200
        assert scene.pixels[28, 44, 0] < 60
        assert any("upright" in note for note in scene.notes) == (orientation > 1)


class TestStretch:
    @pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32", "float32", "float64"])
    @pytest.mark.parametrize("sensor", ["optical", "infrared"])
    def test_percentiles_of_every_type(self, tmp_path, dtype, sensor):
        values = (RAMP + 100).astype(dtype)
        scene = Scene.open(write_tiff(tmp_path / "a.tif", values[None]), sensor=sensor)
        assert_close(scene.pixels, expected_grey(values, sensor))
        assert any("stretched" in note for note in scene.notes)

    def test_sixteen_bit_png_is_not_cut_to_eight(self, tmp_path):
        values = (RAMP * 30).astype(np.uint16)
        Image.fromarray(values).save(tmp_path / "a.png")
        assert_close(Scene.open(tmp_path / "a.png", sensor="infrared").pixels, expected_grey(values, "infrared"))

    def test_nodata_stays_out_of_the_percentiles(self, tmp_path):
        values = (RAMP + 100).astype(np.float32)
        valid = np.ones(values.shape, bool)
        valid[:10] = False
        filled = np.where(valid, values, np.float32(-9999))
        scene = Scene.open(write_tiff(tmp_path / "a.tif", filled[None], nodata=-9999), sensor="infrared")
        assert (scene.valid == valid).all()
        assert_close(scene.pixels, expected_grey(values, "infrared", valid))
        assert any("25.0%" in note for note in scene.notes)

    def test_nan_and_infinity_are_nodata(self, tmp_path):
        values = (RAMP + 100).astype(np.float32)
        values[0, 0], values[1, :] = np.inf, np.nan
        valid = np.isfinite(values)
        scene = Scene.open(write_tiff(tmp_path / "a.tif", values[None]), sensor="optical")
        assert (scene.valid == valid).all()
        assert_close(scene.pixels, expected_grey(np.nan_to_num(values, posinf=0), "optical", valid))

    def test_a_mask_band_is_obeyed(self, tmp_path):
        valid = np.ones((40, 50), bool)
        valid[:, 25:] = False
        path = write_tiff(tmp_path / "a.tif", (RAMP + 5)[None].astype(np.uint16), mask=valid)
        assert (Scene.open(path, sensor="optical").valid == valid).all()

    def test_undeclared_zero_borders_are_nodata(self, tmp_path):
        values = (RAMP + 100).astype(np.uint16)
        values[:8] = 0
        scene = Scene.open(write_tiff(tmp_path / "a.tif", values[None]), sensor="optical")
        assert (scene.valid == (values > 0)).all()
        assert_close(scene.pixels, expected_grey(values.astype(float), "optical", values > 0))
        assert any("exactly zero" in note for note in scene.notes)

    def test_complex_radar_is_shown_by_the_amplitude_in_decibels(self, tmp_path):
        amplitude = RNG.rayleigh(50, (40, 50))
        phase = RNG.uniform(0, 2 * np.pi, (40, 50))
        values = (amplitude * np.exp(1j * phase)).astype(np.complex64)
        scene = Scene.open(write_tiff(tmp_path / "a.tif", values[None]))
        assert scene.sensor == "sar"
        assert any("complex" in note for note in scene.notes)
        assert_close(scene.pixels, expected_grey(20 * np.log10(np.abs(values)), "sar"))

    def test_amplitude_and_its_decibels_look_the_same(self, tmp_path):
        amplitude = RNG.rayleigh(0.2, (40, 50)).astype(np.float32)
        first = Scene.open(write_tiff(tmp_path / "a.tif", amplitude[None]), sensor="sar")
        decibels = (20 * np.log10(amplitude)).astype(np.float32)
        second = Scene.open(write_tiff(tmp_path / "b.tif", decibels[None]), sensor="sar")
        assert np.abs(first.pixels.astype(int) - second.pixels).max() <= 1

    def test_a_constant_picture_is_middle_grey(self, tmp_path):
        scene = Scene.open(write_tiff(tmp_path / "a.tif", np.full((1, 9, 9), 3.5, np.float32)), sensor="optical")
        assert (scene.pixels == 128).all()

    def test_a_few_bright_targets_survive_on_a_constant_ground(self):
        values = np.zeros((100, 100), np.float32)
        values[50, 50] = 9
        scene = Scene.from_array(values, sensor="infrared")
        assert scene.pixels[50, 50, 0] == 255
        assert scene.pixels.sum() == 3 * 255


class TestBands:
    def layers(self, count):
        """Bands that can be told apart after any stretch: each is bright in a stripe of its own."""
        layers = RNG.integers(100, 140, (count, 30, 4 * count)).astype(np.uint16)
        for band in range(count):
            layers[band, :, 4 * band : 4 * band + 4] += 3000
        return layers

    def shown(self, scene):
        """Which band (from 1) each channel shows."""
        return tuple(int(scene.pixels[..., k].mean(axis=0).argmax()) // 4 + 1 for k in range(3))

    @pytest.mark.parametrize(
        ("count", "bands"),
        [(1, (1, 1, 1)), (2, (1, 1, 1)), (3, (1, 2, 3)), (4, (3, 2, 1)), (8, (5, 3, 2)), (13, (4, 3, 2))],
    )
    def test_unnamed_optical_bands(self, tmp_path, count, bands):
        scene = Scene.open(write_tiff(tmp_path / "a.tif", self.layers(count)), sensor="optical")
        assert self.shown(scene) == bands

    def test_names_and_colours_win(self, tmp_path):
        named = write_tiff(tmp_path / "a.tif", self.layers(5), names=("NIR", "blue", "Red", "x", "green"))
        colours = [ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red]
        coloured = write_tiff(tmp_path / "b.tif", self.layers(4), photometric="MINISBLACK", colours=colours)
        assert self.shown(Scene.open(named, sensor="optical")) == (3, 5, 2)
        assert self.shown(Scene.open(coloured, sensor="optical")) == (4, 3, 2)

    def test_chosen_bands(self, tmp_path):
        path = write_tiff(tmp_path / "a.tif", self.layers(6))
        assert self.shown(Scene.open(path, sensor="optical", bands=(6, 1, 2))) == (6, 1, 2)
        assert self.shown(Scene.open(path, sensor="sar", bands=(4,))) == (4, 4, 4)

    @pytest.mark.parametrize("sensor", ["sar", "infrared"])
    def test_other_sensors_show_the_first_band_in_grey(self, tmp_path, sensor):
        scene = Scene.open(write_tiff(tmp_path / "a.tif", self.layers(4)), sensor=sensor)
        assert self.shown(scene) == (1, 1, 1)
        assert any("Band 1 of 4" in note for note in scene.notes)

    @pytest.mark.parametrize("bands", [(1, 2), (0,), (7,), (1, 2, 9)])
    def test_bands_that_are_not_there(self, tmp_path, bands):
        path = write_tiff(tmp_path / "a.tif", self.layers(6))
        with pytest.raises(UnreadableImagery, match=r"Band \d was asked|One or three bands"):
            Scene.open(path, sensor="optical", bands=bands)


class TestSensor:
    def speckle(self):
        return np.clip(RNG.rayleigh(40, (96, 96)), 0, 255).astype(np.uint8)

    def thermal(self):
        coarse = Image.fromarray(RNG.normal(128, 18, (8, 8)).astype(np.float32))
        return np.asarray(coarse.resize((96, 96), Image.Resampling.BICUBIC)).astype(np.uint8)

    def streets(self):
        blocks = np.kron(RNG.integers(60, 200, (32, 32)), np.ones((3, 3)))
        return np.clip(blocks + RNG.normal(0, 4, blocks.shape), 0, 255).astype(np.uint8)

    @pytest.mark.parametrize(("kind", "sensor"), [("speckle", "sar"), ("thermal", "infrared"), ("streets", "optical")])
    def test_grey_pictures_are_told_apart_by_their_texture(self, tmp_path, kind, sensor):
        Image.fromarray(getattr(self, kind)()).save(tmp_path / "a.png")
        scene = Scene.open(tmp_path / "a.png")
        assert scene.sensor == sensor
        assert any(f"guessed to be {sensor}" in note for note in scene.notes)

    def test_colour_is_optical(self, tmp_path):
        Image.fromarray(RNG.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(tmp_path / "a.png")
        assert Scene.open(tmp_path / "a.png").sensor == "optical"

    def test_decibels_are_radar(self, tmp_path):
        decibels = RNG.normal(-14, 4, (1, 40, 40)).astype(np.float32)
        assert Scene.open(write_tiff(tmp_path / "a.tif", decibels)).sensor == "sar"

    @pytest.mark.parametrize(
        ("name", "sensor"), [("port_VV.tif", "sar"), ("flir-0001.tif", "infrared"), ("pan1.tif", "optical")]
    )
    def test_names_tell(self, tmp_path, name, sensor):
        values = RNG.integers(1, 5000, (1, 40, 40)).astype(np.uint16)
        scene = Scene.open(write_tiff(tmp_path / name, values))
        assert scene.sensor == sensor
        assert any("from the word" in note for note in scene.notes)

    def test_what_is_said_is_not_guessed(self, tmp_path):
        Image.fromarray(self.speckle()).save(tmp_path / "sar.png")
        for sensor in SENSORS:
            scene = Scene.open(tmp_path / "sar.png", sensor=sensor)
            assert scene.sensor == sensor
            assert not any("guessed" in note for note in scene.notes)

    def test_unknown_sensors_are_refused(self, tmp_path):
        with pytest.raises(UnknownSensor, match="lidar"):
            Scene.open(tmp_path / "a.png", sensor="lidar")
        with pytest.raises(UnknownSensor):
            Scene.from_array(np.zeros((4, 4), np.uint8), sensor="lidar")


class TestPlace:
    WHERE = Affine(4.5, 0, 592317.0, 0, -4.5, 5750102.0)

    def test_a_geotiff_knows_its_place(self, tmp_path):
        band = RNG.integers(0, 255, (3, 40, 50), dtype=np.uint8)
        scene = Scene.open(write_tiff(tmp_path / "a.tif", band, crs="EPSG:32631", transform=self.WHERE))
        assert isinstance(scene.georeference, Georeference)
        assert scene.georeference.to_map(10, 20) == pytest.approx((592317.0 + 45, 5750102.0 - 90))
        assert scene.ground_sample_distance == pytest.approx(4.5, rel=1e-3)

    def test_a_transform_without_a_system_is_no_place(self, tmp_path):
        path = write_tiff(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8), transform=self.WHERE)
        assert Scene.open(path, sensor="optical").georeference is None

    def test_ground_control_points_are_fitted(self, tmp_path):
        corners = [(0, 0), (0, 50), (40, 0), (40, 50)]
        points = []
        for row, column in corners:
            x, y = self.WHERE @ (column, row)
            points.append(rasterio.control.GroundControlPoint(row=row, col=column, x=x, y=y))
        path = write_tiff(tmp_path / "a.tif", np.ones((1, 40, 50), np.uint8), gcps=points, crs="EPSG:32631")
        scene = Scene.open(path, sensor="sar")
        assert scene.georeference is not None
        assert scene.georeference.to_map(10, 20) == pytest.approx((592317.0 + 45, 5750102.0 - 90), abs=0.01)
        assert any("4 ground control points" in note for note in scene.notes)

    def test_a_picture_with_a_side_file(self, tmp_path):
        Image.fromarray(RNG.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(tmp_path / "a.png")
        with rasterio.open(tmp_path / "a.png") as dataset:
            meta = dataset.profile
        assert meta["driver"] == "PNG"
        wkt = rasterio.crs.CRS.from_epsg(32631).to_wkt()
        transform = ", ".join(str(value) for value in self.WHERE.to_gdal())
        (tmp_path / "a.png.aux.xml").write_text(
            f"<PAMDataset><SRS>{wkt.replace('&', '&amp;')}</SRS><GeoTransform>{transform}</GeoTransform></PAMDataset>"
        )
        scene = Scene.open(tmp_path / "a.png")
        assert scene.georeference is not None
        assert scene.georeference.to_map(0, 0) == pytest.approx((592317.0, 5750102.0))


class TestArrays:
    def test_bytes_are_kept_and_others_are_stretched(self):
        pixels = RNG.integers(60, 120, (10, 12, 3), dtype=np.uint8)
        assert (Scene.from_array(pixels, sensor="optical").pixels == pixels).all()
        assert_close(Scene.from_array(RAMP, sensor="infrared").pixels, expected_grey(RAMP, "infrared"))

    def test_the_mask_is_obeyed(self):
        valid = np.ones(RAMP.shape, bool)
        valid[0] = False
        scene = Scene.from_array(RAMP + 1, sensor="optical", valid=valid)
        assert (scene.valid == valid).all()

    @pytest.mark.parametrize("shape", [(5,), (5, 5, 2), (5, 5, 4), (2, 5, 5, 3), (0, 5)])
    def test_other_shapes_are_refused(self, shape):
        with pytest.raises(UnreadableImagery, match="shape"):
            Scene.from_array(np.zeros(shape, np.uint8), sensor="optical")


def png_header(width, height, depth=8):
    """A PNG that claims a size and holds hardly any data."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


class TestBadFiles:
    def refused(self, path, error=UnreadableImagery, **options):
        """Opening fails with this error and one sentence that names the file."""
        with pytest.raises(error) as caught:
            Scene.open(path, **options)
        sentence = str(caught.value)
        assert isinstance(caught.value, EarthGPTXError)
        assert path.name in sentence
        assert "\n" not in sentence
        assert sentence.endswith(".")
        return sentence

    def test_no_file_a_folder_and_an_empty_file(self, tmp_path):
        (tmp_path / "empty.png").touch()
        assert "no file" in self.refused(tmp_path / "nothing.png")
        assert "folder" in self.refused(tmp_path)
        assert "0 bytes" in self.refused(tmp_path / "empty.png")

    @pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.txt"])
    def test_text_is_not_an_image(self, tmp_path, name):
        (tmp_path / name).write_text("these are words, grüße\n" * 40)
        assert "text" in self.refused(tmp_path / name)

    def test_a_recipe_for_other_files_is_not_followed(self, tmp_path):
        Image.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / "secret.png")
        (tmp_path / "a.tif").write_text(
            '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
            f"<SourceFilename>{tmp_path / 'secret.png'}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
        )
        assert "text" in self.refused(tmp_path / "a.tif")

    def test_noise_is_not_an_image(self, tmp_path):
        (tmp_path / "a.png").write_bytes(bytes(RNG.integers(0, 9, 4000, dtype=np.uint8)))
        assert "format" in self.refused(tmp_path / "a.png")

    @pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "deep.png"])
    @pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
    def test_truncated_files(self, tmp_path, name, share):
        pixels = RNG.integers(0, 255, (120, 120, 3), dtype=np.uint8)
        picture = Image.fromarray((RAMP * 30).astype(np.uint16) if name == "deep.png" else pixels)
        picture.save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: max(30, int(share * len(content)))])
        assert "damaged" in self.refused(tmp_path / name, sensor="optical")

    @pytest.mark.parametrize("depth", [8, 16])
    def test_a_bomb_is_refused_by_its_header(self, tmp_path, depth):
        (tmp_path / "bomb.png").write_bytes(png_header(60_000, 60_000, depth))
        sentence = self.refused(tmp_path / "bomb.png", ImageTooLarge)
        assert "3,600,000,000" in sentence
        assert "200,000,000" in sentence
        assert sentence.count(".") == 2  # the ending's and the full stop: one sentence

    def test_a_sparse_tiff_bomb_is_refused_by_its_header(self, tmp_path):
        shape = {"count": 1, "height": 60_000, "width": 60_000, "dtype": "uint8"}
        with rasterio.open(tmp_path / "bomb.tif", "w", driver="GTiff", sparse_ok=True, tiled=True, **shape):
            pass
        assert "3,600,000,000" in self.refused(tmp_path / "bomb.tif", ImageTooLarge)

    def test_the_limit_is_the_callers(self, tmp_path):
        Image.fromarray(np.zeros((10, 11), np.uint8)).save(tmp_path / "a.png")
        assert Scene.open(tmp_path / "a.png", max_pixels=110).width == 11
        sentence = self.refused(tmp_path / "a.png", ImageTooLarge, max_pixels=109)
        assert "110" in sentence
        assert "109" in sentence

    @pytest.mark.parametrize("value", [np.nan, -9999.0])
    def test_nothing_but_nodata(self, tmp_path, value):
        path = write_tiff(tmp_path / "a.tif", np.full((1, 20, 20), value, np.float32), nodata=-9999.0)
        sentence = self.refused(path, EmptyImagery, sensor="optical")
        assert "0 of its 400" in sentence
        assert "0 of its 400" in self.refused(path, EmptyImagery)  # guessing the sensor does not trip over it either

    def test_nothing_but_transparency(self, tmp_path):
        Image.fromarray(np.zeros((5, 5, 4), np.uint8)).save(tmp_path / "a.png")
        self.refused(tmp_path / "a.png", EmptyImagery)

    def test_an_array_of_nan(self):
        with pytest.raises(EmptyImagery, match="0 of its 16"):
            Scene.from_array(np.full((4, 4), np.nan), sensor="optical")
