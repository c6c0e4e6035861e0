"""The plate of simulated marks: overlaps that are right, a picture that is well formed and the same every time."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from earthgptx.data.freeform import NOISES
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Box, Polygon
from recipes import marks


def image(label: str, number: int) -> LabelledImage:
    box = Box(100, 80, 160, 120)
    outline = Polygon(((100, 80), (160, 80), (160, 120), (100, 120)))
    return LabelledImage(
        f"vhr10/train/{number}",
        Path(f"{number}.jpg"),
        "vhr10",
        "optical",
        300,
        200,
        (LabelledObject(box, label, (outline,)), LabelledObject(Box(0, 0, 9, 9), "harbor")),
    )


IMAGES = [image(label, number) for number, label in enumerate(marks.SHOWN)]


def test_overlaps_are_counted_in_pixels():
    exact = marks.overlap(IMAGES[0], 0, Box(100, 80, 160, 120))
    assert (exact.iou, exact.precision, exact.recall) == (1, 1, 1)
    half = marks.overlap(IMAGES[0], 0, Box(100, 80, 130, 120))
    assert (half.iou, half.precision, half.recall) == (0.5, 1, 0.5)
    beside = marks.overlap(IMAGES[0], 0, Box(130, 80, 190, 120))
    assert beside.iou == pytest.approx(1 / 3)


def test_only_outlined_objects_are_measured_and_the_table_has_a_row_a_kind():
    found = marks.measure(IMAGES)
    assert {len(overlaps) for overlaps in found.values()} == {len(marks.SHOWN)}
    rows = marks.table(found).split("\n")
    assert len(rows) == 2 + 2 + 4 * len(NOISES)
    assert len({row.count("|") for row in rows}) == 1
    assert rows[2].startswith("| exact box | - | 1.00 ")


def test_the_plate_is_well_formed_small_and_repeatable(tmp_path: Path):
    found = marks.measure(IMAGES)
    drawn = marks.plate(IMAGES, found)
    assert drawn == marks.plate(IMAGES, marks.measure(IMAGES))
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert not re.search(r"<image|data:|href=\"http", drawn)  # outlines only
    assert drawn.count("<use ") == len(marks.SHOWN) * len(marks.KINDS)
    assert len(drawn) < 150_000


def test_the_committed_plate_holds_no_picture():
    committed = Path(__file__).parents[2] / "docs" / "marks.svg"
    text = committed.read_text(encoding="utf-8")
    assert committed.stat().st_size < 150_000
    assert not re.search(r"<image|data:", text)
    ElementTree.fromstring(text)


def test_the_command_says_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setattr(
        marks, "DATASETS", {"vhr10": type("Source", (), {"read": staticmethod(lambda root, split: IMAGES)})}
    )
    monkeypatch.setattr(sys, "argv", ["marks.py", "--out", str(tmp_path / "plate.svg")])
    marks.main()
    said = capsys.readouterr().out
    assert "4 outlined objects in 4 images of vhr10, train split." in said
    assert (tmp_path / "plate.svg").read_text(encoding="utf-8").startswith("<svg")
