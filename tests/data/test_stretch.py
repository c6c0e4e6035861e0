"""From raw numbers to grey levels, each file with a truth that is known before it is opened."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from earthgptx.data.imagery import Scene
from tests.fixtures.make_imagery import RAMP, assert_close, expected_grey, write_tiff

# The fabricated files mostly have no place on the map, which rasterio warns of while writing.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

RNG = np.random.default_rng(7)


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

    def test_a_gap_in_one_band_of_raw_values_spoils_no_percentile(self, tmp_path):
        layers = np.stack([RAMP + 100, RAMP[::-1] + 7, RAMP + 3]).astype(np.float32)
        layers[1, :10] = -9999
        scene = Scene.open(write_tiff(tmp_path / "a.tif", layers, nodata=-9999), sensor="optical")
        valid = np.ones(RAMP.shape, bool)
        valid[:10] = False
        assert (scene.valid == valid).all()
        grey = expected_grey(layers[1], "optical", valid)
        assert np.abs(scene.pixels[..., 1].astype(int) - grey).max() <= 1

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
        assert any("3.5 everywhere" in note for note in scene.notes)

    def test_a_few_bright_targets_survive_on_a_constant_ground(self):
        values = np.zeros((100, 100), np.float32)
        values[50, 50] = 9
        scene = Scene.from_array(values, sensor="infrared")
        assert scene.pixels[50, 50, 0] == 255
        assert scene.pixels.sum() == 3 * 255
