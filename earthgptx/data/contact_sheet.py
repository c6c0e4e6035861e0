"""A picture of many samples: each image with its marks, its masks and what is said about it.

Regions keep one colour everywhere: in the mark, in the mask that answers it, and in the words that name it.
This is for people who look at data; nothing else reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from earthgptx.data.drawing import Colour, Label, colour_of, draw_labels, draw_mark, tinted
from earthgptx.data.pixels import pixels_of
from earthgptx.data.sample import Sample
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box, Point

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

CELL_WIDTH = 460
PICTURE_HEIGHT = 400
MARGIN = 14
OVERSAMPLING = 2  # lines are drawn twice as large and shrunk, because PIL's have no smooth edges
LINE_WIDTH = 2  # of a mark, in the picture's pixels
POINT_RADIUS = 3 * LINE_WIDTH  # of its dot
FONT_SIZE = 14
LINE_HEIGHT = 19
MAX_MAGNIFICATION = 4.0

_BACKGROUND: Colour = (22, 24, 29)
_CARD: Colour = (34, 37, 44)
_WORDS: Colour = (232, 234, 238)
_QUIET: Colour = (150, 156, 168)
_BLACK: Colour = (0, 0, 0)

_PIECES = re.compile(r"<Region \d+>|<pix>|</?p>|\n|[^\s<]+|<")
_REGION = re.compile(r"<Region (\d+)>")
_REGION_OR_PIX = re.compile(r"<Region (\d+)>:|<pix>|\n")


def contact_sheet(samples: Sequence[Sample], columns: int = 3) -> Image.Image:
    """Draws samples side by side, row by row in the order given.

    Args:
        samples: what to show; their image files are opened.
        columns: cells a row.

    Returns:
        An RGB image, `columns` cells wide (fewer if there are fewer samples); rows are as high as they need.

    Raises:
        MalformedDataset: there is no sample to show.
        UnreadableImagery: an image cannot be opened.
    """
    if not samples or columns < 1:
        raise MalformedDataset(f"A contact sheet needs samples and columns; got {len(samples)} and {columns}.")
    cells = [sample_picture(sample) for sample in samples]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) for row in rows]
    width = MARGIN + min(columns, len(cells)) * (CELL_WIDTH + MARGIN)
    sheet = Image.new("RGB", (width, MARGIN + sum(height + MARGIN for height in heights)), _BACKGROUND)
    top = MARGIN
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            left = MARGIN + column * (CELL_WIDTH + MARGIN)
            sheet.paste(_CARD, (left, top, left + CELL_WIDTH, top + height))
            sheet.paste(cell, (left, top))
        top += height + MARGIN
    return sheet


def sample_picture(sample: Sample) -> Image.Image:
    """One cell: the image with masks and marks, then the words; `CELL_WIDTH` wide."""
    picture = _picture(sample)
    font, small = ImageFont.load_default(FONT_SIZE), ImageFont.load_default(FONT_SIZE - 3)
    lines = _laid_out(sample, font)
    height = picture.height + 2 * MARGIN + LINE_HEIGHT * (len(lines) + 1)
    cell = Image.new("RGB", (CELL_WIDTH, height), _CARD)
    cell.paste(picture, (0, 0))
    draw = ImageDraw.Draw(cell)
    y = picture.height + MARGIN // 2
    title = f"{sample.task}  ·  {sample.sensor}  ·  {sample.width} x {sample.height}  ·  {sample.id}"
    draw.text((MARGIN, y), _shortened(title, small, CELL_WIDTH - 2 * MARGIN), fill=_QUIET, font=small)
    for line in lines:
        y += LINE_HEIGHT
        for x, word, colour in line:
            if word == "<pix>":
                draw.rectangle((x, y + 3, x + 11, y + 14), fill=colour)
            else:
                draw.text((x, y), word, fill=colour, font=font)
    return cell


def region_colour(number: int) -> Colour:
    """The colour of ``<Region number>``, counted from 1."""
    return colour_of(number - 1)


def mask_colours(sample: Sample) -> list[Colour]:
    """The colour of each ``<pix>``: that of the region it answers, else the next one no region has."""
    colours: list[Colour] = []
    unused = len(sample.regions)
    for turn in sample.turns:
        region: int | None = None
        for found in _REGION_OR_PIX.finditer(turn.text if turn.role == "model" else ""):
            if found.group() == "<pix>":
                unused += region is None
                colours.append(region_colour(unused if region is None else region))
            else:
                region = int(found.group(1)) if found.group(1) else None
    return colours


def _picture(sample: Sample) -> Image.Image:
    """The image in the middle of a cell-wide strip, masks below marks below numbers."""
    pixels = pixels_of(sample)
    height, width = pixels.shape[:2]
    factor = min(CELL_WIDTH / width, PICTURE_HEIGHT / height, MAX_MAGNIFICATION)
    shown = (max(1, round(width * factor)), max(1, round(height * factor)))
    large = (shown[0] * OVERSAMPLING, shown[1] * OVERSAMPLING)
    image = Image.fromarray(pixels).resize(large, Image.Resampling.LANCZOS)
    for target, colour in zip(sample.targets, mask_colours(sample), strict=True):
        raster = Image.fromarray(target.mask_in(Box(0, 0, width, height), max(large)))
        image = tinted(image, np.asarray(raster.resize(large, Image.Resampling.NEAREST)), colour, OVERSAMPLING)
    draw = ImageDraw.Draw(image)
    marks = [region.mark.scaled(large[0] / width, large[1] / height) for region in sample.regions]
    for number, mark in enumerate(marks, start=1):
        draw_mark(draw, mark, region_colour(number), LINE_WIDTH * OVERSAMPLING)
    image = image.resize(shown, Image.Resampling.LANCZOS)
    badges = []
    for number, mark in enumerate(marks, start=1):
        bounds = mark.bounds().scaled(1 / OVERSAMPLING, 1 / OVERSAMPLING)
        if isinstance(mark, Point):  # leave its dot in sight
            bounds = Box(bounds.x0, bounds.y0 - POINT_RADIUS, bounds.x1, bounds.y1 + POINT_RADIUS)
        anchor = (bounds.x0, bounds.y0, bounds.x1, bounds.y1)
        badges.append(Label(anchor, str(number), region_colour(number)))
    draw_labels(ImageDraw.Draw(image), badges, image.size)
    strip = Image.new("RGB", (CELL_WIDTH, shown[1]), _BLACK)
    strip.paste(image, ((CELL_WIDTH - shown[0]) // 2, 0))
    return strip


def _laid_out(sample: Sample, font: Font) -> list[list[tuple[float, str, Colour]]]:
    """The dialogue as lines of (x, word, colour) that fit the cell; the user's words are quiet."""
    colours = iter(mask_colours(sample))
    lines: list[list[tuple[float, str, Colour]]] = []
    for turn in sample.turns:
        words = _coloured(turn.text, _WORDS if turn.role == "model" else _QUIET, colours)
        lines.append([])
        x = float(MARGIN)
        for word, colour in words:
            width = 12.0 if word == "<pix>" else font.getlength(word)
            if word == "\n" or (x + width > CELL_WIDTH - MARGIN and lines[-1]):
                lines.append([])
                x = float(MARGIN)
            if word != "\n":
                glued = word in ".,:;?!"
                x -= 4 if glued and lines[-1] else 0
                lines[-1].append((x, word, colour))
                x += width + 4
    return lines


def _coloured(text: str, plain: Colour, pix_colours: Iterator[Colour]) -> list[tuple[str, Colour]]:
    """Words and their colours: regions and masks have their own, a phrase that of the ``<pix>`` after it."""
    words: list[tuple[str, Colour]] = []
    phrase_start: int | None = None
    for piece in _PIECES.findall(text):
        region = _REGION.fullmatch(piece)
        if piece == "<p>":
            phrase_start = len(words)
        elif region:
            words.append((piece, region_colour(int(region.group(1)))))
        elif piece == "<pix>":
            colour = next(pix_colours, plain)
            if phrase_start is not None:
                words[phrase_start:] = [(word, colour) for word, _ in words[phrase_start:]]
                phrase_start = None
            words.append((piece, colour))
        elif piece != "</p>":
            words.append((piece, plain))
    return words


def _shortened(text: str, font: Font, width: float) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
