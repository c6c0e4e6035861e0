"""Answered questions as pictures: the image with marks, answers and masks, one by one or many on a plate.

A predicted mask is filled, the true one is a white line; a region keeps one colour in mark, mask and words. Small
objects are shown in their surroundings, magnified. Nothing here decides which cases are shown.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from earthgptx.data.drawing import Colour, Label, colour_of, draw_labels, draw_mark, tinted
from earthgptx.data.imagery import Scene
from earthgptx.errors import EarthGPTXError
from earthgptx.evaluation.cases import Case
from earthgptx.evaluation.metrics.labels import clean_label
from earthgptx.evaluation.predictions import Prediction, RegionPrediction
from earthgptx.shapes import Box

SIDE = 480  # pixels of a case's picture
LINE = 3
HEADING = 26
LEAST_WINDOW = 96  # pixels of the image that a picture shows at least, each way
SURROUNDINGS = 3.0  # how much wider than its objects a picture is
MARGIN = 16
WORDS_SIZE = 19
WORDS_COLUMNS = 48
WORDS_LINES = 4
LINE_HEIGHT = 24

_BACKGROUND: Colour = (250, 250, 248)
_INK: Colour = (28, 30, 36)
_RIGHT: Colour = (22, 120, 60)
_WRONG: Colour = (186, 32, 32)
_TRUTH: Colour = (255, 255, 255)


def case_picture(case: Case, data: Path) -> Image.Image | None:
    """The image of a case, at most `SIDE` pixels each way; None where its file is not below the folder."""
    one = case.prediction
    path = data / one.image
    # A file of another system may name any path; what lies elsewhere is not put on a page that is handed on.
    if not one.image or ".." in path.parts or not path.is_relative_to(data) or not path.is_file():
        return None
    try:
        scene = Scene.open(path, sensor=one.sensor)
    except EarthGPTXError:
        return None
    return draw(one, scene.pixels)


def draw(one: Prediction, pixels: NDArray[np.uint8]) -> Image.Image:
    """A prediction's marks, words and masks on its image.

    Args:
        one: marks and masks in pixels of the image.
        pixels: (H, W, 3).
    """
    height, width = pixels.shape[:2]
    window = _window(one, width, height)
    scale = SIDE / max(window.width, window.height)
    size = (max(1, round(window.width * scale)), max(1, round(window.height * scale)))
    crop = pixels[int(window.y0) : int(window.y1), int(window.x0) : int(window.x1)]
    canvas = Image.fromarray(np.ascontiguousarray(crop)).resize(size, Image.Resampling.LANCZOS)
    said, true = _masks(one, (height, width))
    for place, mask in said:
        canvas = tinted(canvas, _seen(mask, window, size), colour_of(place), 1)
    for mask in true:
        canvas = _lined(canvas, _seen(mask, window, size))
    pen = ImageDraw.Draw(canvas)
    labels = []
    for place, region in enumerate(one.regions):
        if region.mark is None:
            continue
        mark = region.mark.shifted(-window.x0, -window.y0).scaled(scale, scale)
        draw_mark(pen, mark, colour_of(place), LINE)
        bounds = mark.bounds()
        words = _region_words(place + 1, region)
        labels.append(Label((bounds.x0, bounds.y0, bounds.x1, bounds.y1), words, colour_of(place)))
    draw_labels(pen, labels, size)
    return canvas


def words_of(case: Case) -> list[tuple[str, bool | None]]:
    """What stands under a case's picture: lines of text, and whether each is right (None: neither)."""
    one = case.prediction
    lines: list[tuple[str, bool | None]] = []
    if one.question and (one.references or any(region.mark is None for region in one.regions)):
        lines.append((f"Asked: {one.question}", None))
    if one.references:
        lines.append((f"Answer: {one.text or '(none)'}", case.is_right))
        lines.append((f"Truth: {one.references[0]}", None))
    for number, region in enumerate(one.regions, start=1):
        if region.references:
            lines.append((f"{number}: {region.label or '(none)'}  (true: {region.references[0]})", case.is_right))
        elif region.overlap is not None:
            is_right = region.overlap.iou >= 0.5
            lines.append((f"{number}: {region.truth}, IoU {region.overlap.iou:.2f}", is_right))
        elif not one.references:
            is_right = clean_label(region.label or "") == clean_label(region.truth)
            truth = "" if is_right else f"  (true: {region.truth})"
            lines.append((f"{number}: {region.label or '(none)'}{truth}", is_right))
    return lines


def plate(rows: Mapping[str, Sequence[Case]], data: Path, title: str) -> Image.Image | None:
    """Cases side by side, a row a sensor, each with its words below; None where no image can be opened.

    Args:
        rows: what to show, by sensor.
        data: the folder of the data sets.
        title: a line at the top.
    """
    drawn = {
        sensor: [(case, picture) for case in cases if (picture := case_picture(case, data)) is not None]
        for sensor, cases in rows.items()
    }
    drawn = {sensor: cells for sensor, cells in drawn.items() if cells}
    if not drawn:
        return None
    columns = max(map(len, drawn.values()))
    row_height = HEADING + MARGIN + SIDE + LINE_HEIGHT * (WORDS_LINES + 1) + MARGIN
    heading = ImageFont.load_default(HEADING)
    size = (MARGIN + columns * (SIDE + MARGIN), 2 * MARGIN + HEADING + len(drawn) * row_height)
    sheet = Image.new("RGB", size, _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, fill=_INK, font=heading)
    top = 2 * MARGIN + HEADING
    for sensor, cells in drawn.items():
        pen.text((MARGIN, top), sensor, fill=_INK, font=heading)
        for column, (case, picture) in enumerate(cells):
            left = MARGIN + column * (SIDE + MARGIN)
            above = top + HEADING + MARGIN
            sheet.paste(picture, (left + (SIDE - picture.width) // 2, above + (SIDE - picture.height) // 2))
            _write(pen, case, left, above + SIDE + 6)
        top += row_height
    return sheet


def _write(pen: ImageDraw.ImageDraw, case: Case, left: int, top: int) -> None:
    font = ImageFont.load_default(WORDS_SIZE)
    colours = {True: _RIGHT, False: _WRONG, None: _INK}
    num_lines = 0
    for text, is_right in words_of(case):
        for line in textwrap.wrap(text, WORDS_COLUMNS):
            if num_lines < WORDS_LINES:
                pen.text((left, top + LINE_HEIGHT * num_lines), line, fill=colours[is_right], font=font)
            num_lines += 1
    if num_lines > WORDS_LINES:
        pen.text((left, top + LINE_HEIGHT * WORDS_LINES), "...", fill=_INK, font=font)


def _region_words(number: int, region: RegionPrediction) -> str:
    if region.overlap is not None:
        return str(number)
    return f"{number} {region.label or ''}".rstrip()


def _masks(
    one: Prediction, size: tuple[int, int]
) -> tuple[list[tuple[int, NDArray[np.bool_]]], list[NDArray[np.bool_]]]:
    """The predicted masks with the places of their colours, and the true ones; those of another size are left out."""
    pairs = [(place, region.mask) for place, region in enumerate(one.regions)]
    pairs += [(len(one.regions) + place, phrase.mask) for place, phrase in enumerate(one.phrases)]
    true = [region.true_mask for region in one.regions] + [phrase.mask for phrase in one.true_phrases]
    said = [(place, mask.to_array()) for place, mask in pairs if mask and (mask.height, mask.width) == size]
    return said, [mask.to_array() for mask in true if mask and (mask.height, mask.width) == size]


def _window(one: Prediction, width: int, height: int) -> Box:
    """What of the image is shown: the marked regions and true masks in their surroundings, or all of it.

    Where words said what to find, a wrong mask may lie anywhere, so that the answer's mask is in the picture, too.
    """
    boxes = [region.mark.bounds() for region in one.regions if region.mark is not None]
    boxes += [region.true_mask.bounds() for region in one.regions if region.true_mask is not None]
    boxes += [region.mask.bounds() for region in one.regions if region.mask is not None and region.mark is None]
    boxes = [box for box in boxes if box.x1 >= box.x0 and box.y1 >= box.y0]
    if not boxes:
        return Box(0, 0, width, height)
    x0, y0 = min(box.x0 for box in boxes), min(box.y0 for box in boxes)
    x1, y1 = max(box.x1 for box in boxes), max(box.y1 for box in boxes)
    side = max(SURROUNDINGS * max(x1 - x0, y1 - y0), LEAST_WINDOW)

    def extent(low: float, high: float, limit: int) -> tuple[int, int]:
        length = min(round(side), limit)
        start = min(max(round((low + high - length) / 2), 0), limit - length)
        return start, start + length

    (left, right), (top, bottom) = extent(x0, x1, width), extent(y0, y1, height)
    return Box(left, top, right, bottom)


def _lined(picture: Image.Image, mask: NDArray[np.bool_]) -> Image.Image:
    """The picture with the mask's outermost pixels in the truth's colour, two pixels wide."""
    inner = np.pad(mask, 2)
    for _ in range(2):
        inner[1:-1, 1:-1] &= inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
    pixels = np.array(picture)
    pixels[mask & ~inner[2:-2, 2:-2]] = _TRUTH
    return Image.fromarray(pixels)


def _seen(mask: NDArray[np.bool_], window: Box, size: tuple[int, int]) -> NDArray[np.bool_]:
    crop = mask[int(window.y0) : int(window.y1), int(window.x0) : int(window.x1)]
    resized = Image.fromarray(np.ascontiguousarray(crop)).resize(size, Image.Resampling.NEAREST)
    return np.asarray(resized, dtype=bool)
