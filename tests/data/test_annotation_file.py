"""Sizes of images come from their headers, of any format and of any size, as the pixels are shown."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from earthgptx.data.annotation_file import image_size
from earthgptx.data.imagery import Scene
from earthgptx.errors import MalformedDataset
from tests.fixtures.make_imagery import png_header, write_tiff


def test_a_picture_too_large_to_decode(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png_header(29_000, 27_000))  # as DOTA's largest
    assert image_size(path) == (29_000, 27_000)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_rasters_of_any_kind(tmp_path, dtype, bands):
    path = write_tiff(tmp_path / "a.tif", np.zeros((bands, 7, 9), dtype=dtype))
    assert image_size(path) == (9, 7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_on_its_side_has_the_size_that_is_shown(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.jpg", "a.png"):
        Image.new("RGB", (30, 20)).save(tmp_path / name, exif=exif)
        scene = Scene.open(tmp_path / name, sensor="optical")
        assert image_size(tmp_path / name) == (scene.width, scene.height)


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0"])
def test_what_is_no_image_is_said(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(MalformedDataset, match=r"a\.jpg cannot be read"):
        image_size(path)
    with pytest.raises(MalformedDataset, match="cannot be read"):
        image_size(tmp_path / "missing.jpg")
