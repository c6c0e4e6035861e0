"""What the reader of a split comes to: every item, every report, and big images in windows and as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from earthgptx.data.corpus.conversion import Batch, Conversion, Step, convert, convert_batch, covers_a_pixel
from earthgptx.data.corpus.embedded_image import with_image
from earthgptx.data.corpus.sources import SourceSplit
from earthgptx.data.corpus.steps import steps_of
from earthgptx.data.corpus.tiling import Tiling
from earthgptx.data.instructions import TASKS
from earthgptx.data.pixels import pixels_of
from earthgptx.data.quarantine import BrokenItem, OnBroken
from earthgptx.data.sample import ANYTHING, LabelledImage, LabelledObject, Sample, Turn
from earthgptx.shapes import Box, Polygon

TILING = Tiling(size=100, overlap=30, largest_whole=120)


def split_of(read) -> SourceSplit:
    return SourceSplit("mine", "optical", "optical", "train", Path("mine"), TASKS, read)


def broken(number: int) -> BrokenItem:
    return BrokenItem("mine", f"item {number}", "no reason")


def image(path: Path, width: int, height: int, *objects: LabelledObject) -> LabelledImage:
    if not path.exists():
        Image.new("L", (width, height), 9).save(path)
    return LabelledImage(f"mine/train/{path.stem}", path, "mine", "optical", width, height, objects)


def test_reports_go_with_the_next_step_and_none_is_lost(tmp_path):
    item = image(tmp_path / "a.png", 50, 50)

    def read(on_broken: OnBroken) -> Iterable[LabelledImage]:
        yield item
        on_broken(broken(0))
        yield item
        for number in range(1, 1000):
            on_broken(broken(number))
        yield item
        on_broken(broken(1000))

    steps = list(steps_of(split_of(read), None, TILING, tmp_path))
    doubtful = replace(item, gaps=(ANYTHING,))  # what is reported before an image may be its own
    assert [one.item for one in steps if one.item is not None] == [item, doubtful, doubtful]
    assert [each for one in steps for each in one.broken] == [broken(number) for number in range(1001)]
    assert steps[:2] == [Step(item), Step(doubtful, (broken(0),))]
    assert len(list(steps_of(split_of(read), 1, TILING, tmp_path))) == 1


def test_a_big_image_is_cut_and_its_captions_stay_with_the_whole(tmp_path):
    ships = [LabelledObject(Box(x, 5, x + 20, 15), "ship") for x in (5, 250)]
    whale = LabelledObject(Box(0, 0, 300, 300), "whale")
    big = replace(image(tmp_path / "big.png", 300, 300, *ships, whale), captions=("Two ships.",), scene="port")
    steps = list(steps_of(split_of(lambda _: [big]), None, TILING, tmp_path))
    items = [one.item for one in steps if isinstance(one.item, LabelledImage)]
    assert items[0] == replace(big, objects=())
    assert all(item.window is not None and not item.captions for item in items[1:])
    assert len(items) >= 3
    reports = [each for one in steps for each in one.broken]
    assert [each.item for each in reports] == ["mine/train/big object 2"]
    assert "whale" in reports[0].reason


def test_a_big_image_that_is_not_there_is_one_step(tmp_path):
    gone = LabelledImage("mine/train/gone", tmp_path / "gone.png", "mine", "optical", 300, 300)
    gone = replace(gone, objects=(LabelledObject(Box(5, 5, 9, 9), "ship"),))
    assert list(steps_of(split_of(lambda _: [gone]), None, TILING, tmp_path)) == [Step(gone)]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (((10.6, 10.6), (10.9, 10.6), (10.9, 10.9)), False),  # between the centres of pixels
        (((10.4, 10.4), (10.7, 10.4), (10.7, 10.7), (10.4, 10.7)), True),
        (((5, 10.6), (40, 10.6), (40, 10.9), (5, 10.9)), False),  # long and thin
        (((5, 10.4), (40, 10.4), (40, 10.6), (5, 10.6)), True),
        (((5, 5), (40, 5), (40, 40), (5, 40)), True),
        (((60, 5), (90, 5), (90, 40), (60, 40)), False),  # outside
    ],
)
def test_whether_an_outline_covers_a_pixel(points, expected, tmp_path):
    outline = Polygon(points)
    item = LabelledObject(outline.bounds(), "ship", (outline,))
    whole = image(tmp_path / "a.png", 50, 50, item)
    assert covers_a_pixel(item, whole) is expected
    assert item.mask(50, 50).any() == expected


def test_a_defect_of_ours_says_in_which_item(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("earthgptx.data.corpus.conversion.make_sample", fail)
    item = image(tmp_path / "a.png", 50, 50, LabelledObject(Box(5, 5, 9, 9), "ship"))
    conversion = Conversion(tmp_path, "mine", "optical", "train", TASKS, seed=0, noise="gaussian", embed=False)
    with pytest.raises(ZeroDivisionError) as caught:
        convert_batch(Batch(conversion, (Step(item),)))
    assert "mine/train/a" in caught.value.__notes__[0]


def test_a_turned_window_in_a_row_is_turned_once(tmp_path):
    """As a dialogue of somebody's own file may have it."""
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    turns = (Turn("user", "What is it?"), Turn("model", "a ship"))
    window = Box(10, 5, 30, 15)
    sample = Sample("a", tmp_path / "a.png", "optical", 10, 20, (), turns, (), "dialogue", window, orientation=5)
    conversion = Conversion(tmp_path, "mine", "optical", "train", TASKS, seed=0, noise="gaussian", embed=True)
    (row,) = convert(sample, conversion, lambda broken: None)
    (tmp_path / "out").mkdir()
    assert row.image_bytes is not None
    unpacked = with_image(sample, row.image_bytes, tmp_path / "out")
    assert np.array_equal(pixels_of(unpacked), pixels_of(sample))
    assert pixels_of(unpacked).shape == (20, 10, 3)


def test_a_class_that_is_called_like_a_sign_costs_its_image_and_no_more(tmp_path):
    items = [image(tmp_path / "a.png", 50, 50, LabelledObject(Box(5, 5, 9, 9), name)) for name in ("<pix>", "ship")]
    conversion = Conversion(tmp_path, "mine", "optical", "train", TASKS, seed=0, noise="gaussian", embed=False)
    bad, good = convert_batch(Batch(conversion, tuple(map(Step, items))))
    assert bad.rows == ()
    assert "<pix> in the text but 0 masks" in bad.broken[0].reason
    assert good.rows


def test_an_image_outside_the_root_is_told(tmp_path):
    (tmp_path / "root").mkdir()
    item = image(tmp_path / "a.png", 50, 50, LabelledObject(Box(5, 5, 9, 9), "ship"))
    conversion = Conversion(tmp_path / "root", "mine", "optical", "train", TASKS, seed=0, noise="gaussian", embed=False)
    (result,) = convert_batch(Batch(conversion, (Step(item),)))
    assert result.rows == ()
    assert "does not lie below" in result.broken[0].reason
