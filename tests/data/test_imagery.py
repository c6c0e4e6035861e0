"""Scenes of ordinary pictures and arrays, and the files that are refused."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from PIL import Image

from earthgptx.data.imagery import Scene
from earthgptx.errors import EarthGPTXError, EmptyImagery, ImageTooLarge, UnreadableImagery
from tests.fixtures.make_imagery import RAMP, assert_close, expected_grey, png_header, write_tiff

# The fabricated files mostly have no place on the map, which rasterio warns of while writing.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

RNG = np.random.default_rng(7)


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

    @pytest.mark.parametrize("ending", ["png", "jpg"])
    @pytest.mark.parametrize(
        "damage", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
    )
    def test_damaged_exif_leaves_the_picture_as_it_is(self, tmp_path, ending, damage):
        Image.new("L", (50, 40), 90).save(tmp_path / f"a.{ending}", exif=damage)
        scene = Scene.open(tmp_path / f"a.{ending}")
        assert (scene.width, scene.height) == (50, 40)
        assert (scene.pixels == 90).all()

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
