"""Which bands of a raster file are shown, and where the file says it lies."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from earthgptx.data.georeference import Georeference
from earthgptx.data.imagery import Scene
from earthgptx.errors import UnreadableImagery
from tests.fixtures.make_imagery import write_tiff

# The fabricated files mostly have no place on the map, which rasterio warns of while writing.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

RNG = np.random.default_rng(7)


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
