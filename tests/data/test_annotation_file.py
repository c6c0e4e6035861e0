"""Text in any encoding, JSON of any kind, and sizes of images from their headers, as the pixels are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from earthgptx.data.annotation_file import decoded, extent, image_size, read_json, text_of
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb2312"])
def test_chinese_names_are_read_in_whichever_encoding(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("飞机\r\n油罐".encode(encoding))
    assert text_of(tmp_path / "a.txt").splitlines() == ["飞机", "油罐"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_names_of_western_europe_are_read_in_whichever_encoding(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("Gebäude, café, naïve".encode(encoding))
    assert text_of(tmp_path / "a.txt") == "Gebäude, café, naïve"


@given(st.binary(max_size=40))
def test_any_bytes_are_text_or_told_to_be_none(content):
    try:
        decoded(content, Path("a.txt")).encode()
    except MalformedDataset as error:
        assert "is no text" in str(error)  # noqa: PT017 - both ends are right


def test_what_cannot_be_read_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "missing.txt"):
        with pytest.raises(MalformedDataset, match="does not exist"):
            text_of(path)
    (tmp_path / "a.txt").write_bytes(b"\x00\x01")
    with pytest.raises(MalformedDataset, match="is no text"):
        text_of(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON"), ("", "is not JSON"), ("9" * 5000, "is not JSON"), ("[" * 100_000, "nested too deeply")],
)
def test_what_is_no_json_is_told(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(MalformedDataset, match=message):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_with_a_mark_is_json(tmp_path, encoding):
    (tmp_path / "a.json").write_bytes('{"ä": 1}'.encode(encoding))
    assert read_json(tmp_path / "a.json") == {"ä": 1}


@pytest.mark.parametrize("value", [640, 640.0])
def test_a_size_may_be_written_with_a_point(value):
    assert str(extent({"width": value}, "width", Path("a.json"))) == "640"


@pytest.mark.parametrize("value", [0, -1, 0.0, 640.5, True, "640", None, float("nan"), float("inf"), [640]])
def test_what_is_no_size_is_told(value):
    with pytest.raises(MalformedDataset, match="width must be a whole number above 0"):
        extent({"width": value}, "width", Path("a.json"))
