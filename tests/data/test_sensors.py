"""The guess of the sensor, and what it says of itself."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from earthgptx.data.imagery import SENSORS, Scene
from earthgptx.errors import UnknownSensor
from tests.fixtures.make_imagery import write_tiff

# The fabricated files mostly have no place on the map, which rasterio warns of while writing.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

RNG = np.random.default_rng(7)


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
