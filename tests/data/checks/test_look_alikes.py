"""Images that two splits share are found through re-encoding and resizing; different ones and flat ones are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from earthgptx.data.checks.look_alikes import Look, PlacedLook, find_leaks, look_at
from earthgptx.data.sample import LabelledImage
from earthgptx.shapes import Box


def scene(seed: int) -> Image.Image:
    """A random landscape: smooth at large, rough at small."""
    rng = np.random.default_rng(seed)
    large = Image.fromarray(rng.integers(0, 256, (9, 9), dtype=np.uint8)).resize((160, 120), Image.Resampling.BICUBIC)
    pixels = np.asarray(large, dtype=float) + rng.normal(0, 8, (120, 160))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def placed(path, split, window=None, source="made"):
    item = LabelledImage(f"{source}/{split}/{path.name}", path, source, "sar", 160, 120, window=window)
    return PlacedLook(source, split, item.id, look_at(item))


def test_copies_and_look_alikes_are_found_and_others_are_not(tmp_path):
    looks = []
    for seed in range(12):
        path = tmp_path / f"{seed}.png"
        scene(seed).save(path)
        looks.append(placed(path, "train"))
    scene(3).save(tmp_path / "again.jpg", quality=60)
    scene(4).resize((320, 240)).save(tmp_path / "large.png")
    (tmp_path / "copy.png").write_bytes((tmp_path / "5.png").read_bytes())
    scene(99).save(tmp_path / "new.png")
    looks += [placed(tmp_path / name, "val") for name in ("again.jpg", "large.png", "copy.png", "new.png")]
    leaks = {leak.item.split("/")[-1]: leak for leak in find_leaks(looks)}
    assert {name: leak.other_item for name, leak in leaks.items()} == {
        "again.jpg": "made/train/3.png",
        "large.png": "made/train/4.png",
        "copy.png": "made/train/5.png",
    }
    assert [name for name, leak in leaks.items() if leak.is_copy] == ["copy.png"]
    assert all(leak.likeness >= 0.9 and leak.distance <= 6 for leak in leaks.values())


def test_images_that_show_nothing_are_alike_only_as_copies(tmp_path):
    for name, grey in (("a", 10), ("b", 12), ("c", 10)):
        Image.new("L", (50, 40), grey).save(tmp_path / f"{name}.png")
    looks = [placed(tmp_path / "a.png", "train"), placed(tmp_path / "b.png", "val"), placed(tmp_path / "c.png", "test")]
    (leak,) = find_leaks(looks)
    assert (leak.split, leak.other_split, leak.is_copy) == ("test", "train", True)


def test_windows_of_one_file_are_images_of_their_own(tmp_path):
    path = tmp_path / "big.png"
    wide = Image.new("L", (320, 120))
    wide.paste(scene(1), (0, 0))
    wide.paste(scene(2), (160, 0))
    wide.save(path)
    scene(2).save(tmp_path / "right.png")
    left, right = Box(0, 0, 160, 120), Box(160, 0, 320, 120)
    looks = [placed(path, "train", left), placed(path, "val", right), placed(tmp_path / "right.png", "test")]
    (leak,) = find_leaks(looks)
    assert (leak.split, leak.other_split, leak.is_copy) == ("test", "val", False)


def test_a_16_bit_raster_has_a_look(tmp_path):
    import rasterio

    path = tmp_path / "sar.tif"
    pixels = (np.asarray(scene(1)).astype(np.uint16) + 3) * 90
    with rasterio.open(path, "w", driver="GTiff", width=160, height=120, count=1, dtype="uint16") as raster:
        raster.write(pixels, 1)
    scene(1).save(tmp_path / "plain.png")
    (leak,) = find_leaks([placed(tmp_path / "plain.png", "train"), placed(path, "val")])
    assert leak.likeness > 0.95


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=8), st.integers(0, 8))
def test_hashes_within_the_distance_are_never_missed(hash_, flipped, distance):
    thumbnail = np.arange(1024).astype(np.uint8)
    other = hash_
    for bit in flipped:
        other ^= 1 << bit
    looks = [
        PlacedLook("made", "train", "one", Look(b"1", hash_, thumbnail)),
        PlacedLook("made", "val", "two", Look(b"2", other, thumbnail)),
    ]
    leaks = find_leaks(looks, hash_distance=distance)
    assert len(leaks) == (len(flipped) <= distance)
    assert all(leak.distance == len(flipped) for leak in leaks)


@pytest.mark.parametrize("looks", [[], [PlacedLook("made", "train", "one", Look(b"1", 5, np.zeros(1024, np.uint8)))]])
def test_one_split_leaks_nothing(looks):
    assert find_leaks(looks) == []
