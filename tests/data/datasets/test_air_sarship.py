"""AIR-SARShip-2.0: 16-bit images, rings of points as boxes, and the draw of splits."""

from __future__ import annotations

import pytest

from earthgptx.data.datasets import air_sarship
from earthgptx.data.pixels import pixels_of
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_air_sarship import NUM_IMAGES, make_air_sarship


def test_a_ring_is_an_upright_or_a_turned_box(tmp_path):
    make_air_sarship(tmp_path)
    image = next(iter(air_sarship.read(tmp_path, "train")))
    assert (image.width, image.height, image.sensor) == (160, 120, "sar")
    upright, turned = image.objects
    assert (upright.label, upright.box, upright.rotated) == ("ship", Box(20, 30, 60, 50), None)
    assert turned.box == Box(80, 40, 120, 80)
    assert turned.rotated.points == ((100, 40), (120, 60), (100, 80), (80, 60))
    assert not upright.has_mask
    assert not turned.has_mask


def test_sixteen_bits_come_out_as_eight_with_the_ship_bright(tmp_path):
    make_air_sarship(tmp_path)
    pixels = pixels_of(next(iter(air_sarship.read(tmp_path, "train"))))
    assert pixels.shape == (120, 160, 3)
    assert pixels[40, 40, 0] > pixels[10, 10, 0]


def test_every_image_is_in_exactly_one_split(tmp_path):
    make_air_sarship(tmp_path)
    names = [image.path.stem for split in ("train", "val", "test") for image in air_sarship.read(tmp_path, split)]
    assert sorted(names, key=int) == [str(number) for number in range(1, NUM_IMAGES + 1)]


def test_what_is_broken_is_said_and_the_rest_goes_on(tmp_path):
    make_air_sarship(tmp_path)
    folder = tmp_path / "AIR-SARShip-2.0" / "AIR-SARShip-2.0-xml"
    path = folder / "2.xml"
    path.write_text(path.read_text().replace("60.000000, 50.000000", "60.0"))
    (folder / "3.xml").write_text("<annotation>")
    (tmp_path / "AIR-SARShip-2.0" / "AIR-SARShip-2.0-data" / "4.tiff").unlink()
    broken = []
    images = {image.path.stem: image for image in air_sarship.read(tmp_path, "train", broken.append)}
    assert len(images["2"].objects) == 1
    assert not images.keys() & {"3", "4"}
    assert [item.item.rsplit("/", 1)[1] for item in broken] == ["2.xml object 1", "3.xml", "4.xml"]
    with pytest.raises(MalformedDataset, match=r"2\.xml object 1"):
        list(air_sarship.read(tmp_path, "train"))
