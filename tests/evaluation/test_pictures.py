from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from earthgptx.evaluation.cases import judge, spread
from earthgptx.evaluation.page import to_html
from earthgptx.evaluation.pictures import SIDE, case_picture, draw, plate, words_of
from earthgptx.evaluation.predictions import PhraseMask, Prediction, RegionPrediction
from earthgptx.evaluation.report import Report, Scores
from earthgptx.shapes import Box, Mask, Point

GREY = np.full((60, 80, 3), 90, dtype=np.uint8)


def mask(rows: slice, columns: slice) -> Mask:
    array = np.zeros((60, 80), dtype=bool)
    array[rows, columns] = True
    return Mask.from_array(array)


def prediction(key: str = "a", label: str | None = "ship", **more: object) -> Prediction:
    region = RegionPrediction(0, "ship", label, 0.9, mark=Box(10, 10, 30, 30))
    return Prediction(key, "ssdd", "sar", "", (region,), image="ssdd/a.png", size=(60, 80), **more)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "ssdd").mkdir()
    Image.fromarray(GREY).save(tmp_path / "ssdd" / "a.png")
    return tmp_path


def test_a_mark_and_its_words_are_drawn():
    picture = np.asarray(draw(prediction(), GREY))
    assert max(picture.shape[:2]) == SIDE
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10
    assert (picture != np.asarray(draw(prediction(label=None), GREY))).any()


def test_a_predicted_mask_is_filled_and_the_true_one_is_a_white_line():
    region = RegionPrediction(0, "ship", None, 0.9, mask=mask(slice(10, 20), slice(10, 20)), true_mask=None)
    tinted = np.asarray(draw(Prediction("a", "d", "sar", "", (region,)), GREY)).reshape(-1, 3)
    assert not (tinted == 255).all(axis=1).any()
    region = RegionPrediction(0, "ship", None, 0.0, true_mask=mask(slice(10, 20), slice(10, 20)))
    lined = np.asarray(draw(Prediction("a", "d", "sar", "", (region,)), GREY)).reshape(-1, 3)
    white = (lined == 255).all(axis=1).mean()
    assert 0 < white < 0.05


def test_small_objects_are_magnified_and_the_window_stays_inside():
    point = RegionPrediction(0, "ship", None, 0.0, mark=Point(995, 2))
    big = np.zeros((1000, 1000, 3), dtype=np.uint8)
    big[0:10, 990:1000] = 200
    picture = np.asarray(draw(Prediction("a", "d", "sar", "", (point,)), big))
    assert picture.shape[:2] == (SIDE, SIDE)
    assert (picture[:30, -30:] >= 190).mean() > 0.2


def test_masks_of_another_size_are_left_out():
    wrong = Mask.from_array(np.ones((5, 5), dtype=bool))
    phrases = (PhraseMask("a ship", wrong), PhraseMask("a port", mask(slice(0, 9), slice(0, 9))))
    picture = draw(Prediction("a", "d", "sar", "", phrases=phrases), GREY)
    assert (np.asarray(picture) != 90).any()


def test_an_image_that_is_not_there_has_no_picture(data: Path):
    (case,) = judge("classes", [prediction()])
    assert case_picture(case, data) is not None
    assert case_picture(case, data / "elsewhere") is None
    (data / "ssdd" / "a.png").write_bytes(b"no picture")
    assert case_picture(case, data) is None


def test_only_images_below_the_folder_are_drawn(data: Path):
    inner = data / "inner"
    inner.mkdir()
    for image in ("../ssdd/a.png", str(data / "ssdd" / "a.png")):
        (case,) = judge("classes", [replace(prediction(), image=image)])
        assert case_picture(case, inner) is None


def test_a_wrong_mask_far_from_the_true_one_is_in_the_picture():
    big = np.full((1000, 1000, 3), 90, dtype=np.uint8)
    here, there = np.zeros((2, 1000, 1000), dtype=bool)
    here[0:10, 0:10], there[900:990, 900:990] = True, True
    region = RegionPrediction(0, "ship", None, 0.9, mask=Mask.from_array(there), true_mask=Mask.from_array(here))
    picture = np.asarray(draw(Prediction("a", "d", "sar", "", (region,)), big))
    assert (picture[-60:, -60:] != 90).any(axis=-1).mean() > 0.3


def test_words_say_what_is_right_and_what_is_true():
    (right,), (wrong,) = (judge("classes", [prediction(label=label)]) for label in ("Ship", None))
    assert words_of(right) == [("1: Ship", True)]
    assert words_of(wrong) == [("1: (none)  (true: ship)", False)]
    (answer,) = judge("short answers", [Prediction("a", "d", "s", "3", references=("2",), question="How many?")])
    assert words_of(answer) == [("Asked: How many?", None), ("Answer: 3", False), ("Truth: 2", None)]


def test_a_plate_has_a_row_a_sensor(data: Path):
    cases = judge("classes", [prediction(str(number), label) for number, label in enumerate(["ship", "car", None])])
    one = plate(spread(cases, 2), data, "title")
    three = plate({"sar": cases, "optical": cases[:1]}, data, "title")
    assert one is not None
    assert three is not None
    assert three.width > one.width
    assert three.height > 1.5 * one.height
    assert plate(spread(cases, 2), data / "elsewhere", "title") is None


def test_the_page_needs_nothing_else(data: Path):
    confusion = {"<ship>": {"<ship>": 3, "car": 1}}
    scores = Scores({"ss": 97.0}, {"sar": {"ss": 97.0}}, {}, confusion=confusion, notes=("Skipped: <x>.",))
    report = Report("roc", scores, {"model": "a & b"})
    cases = judge("classes", [prediction(), prediction("b", "<script>")])
    page = to_html(report, worst=cases[1:], best=cases[:1], data=data, pictures_note="By rule.")
    assert page.count('src="data:image/webp;base64,') == 2
    for absent in ("http", "<script", 'src="/', "@import", "url("):
        assert absent not in page
    for present in ("97.00", "a &amp; b", "&lt;ship&gt;", "Skipped: &lt;x&gt;.", "Worst answers", "By rule."):
        assert present in page
    assert "<img" not in to_html(report, worst=cases, best=(), data=None)
    assert len(page) < 200_000
