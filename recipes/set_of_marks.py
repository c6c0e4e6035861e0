"""Draws the plate of Set-of-Marks in docs/recaption.md: three made-up pictures with their numbers, at 448 px each.

A thermal night, a radar view of a harbor and a colour view of fields and roofs, all drawn by rule from a seed: no
photograph is in it. The pictures are marked at 896 px, as a run sends them, and reduced to 448.

    python recipes/set_of_marks.py --out docs/set_of_marks.webp
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from earthgptx.data.recaption.set_of_marks import READING_SIDE, draw_set_of_marks
from earthgptx.data.rendered_infrared import render_night
from earthgptx.data.sample import LabelledObject
from earthgptx.shapes import Box, Polygon

WIDTH, HEIGHT = 640, 512  # of every picture before it is marked
GAP = 8

Scene = tuple[NDArray[np.uint8], list[LabelledObject]]


def infrared(seed: int) -> Scene:
    """The parking lot at night: every hot or cold thing of the upper row and the kerb."""
    night = render_night(seed=seed)
    objects = [LabelledObject(box=box, label=label) for label, box in night.objects]
    return np.asarray(night.image.convert("RGB")), objects[::2][:18]


def radar(seed: int) -> Scene:
    """Ships on dark water before a bright shore with a jetty, under fully developed speckle of one look."""
    rng = np.random.default_rng(seed)
    reflected = Image.new("L", (WIDTH, HEIGHT), 14)
    pen = ImageDraw.Draw(reflected)
    pen.polygon([(0, 0), (WIDTH, 0), (WIDTH, 90), (430, 130), (200, 100), (0, 150)], fill=95)
    pen.polygon([(300, 90), (330, 90), (350, 300), (318, 300)], fill=110)
    objects = [LabelledObject(box=Box(300, 90, 350, 300), label="jetty")]
    for x, y, length, width, turn in (
        (120, 230, 70, 14, 0.3),
        (240, 190, 46, 11, 1.2),
        (380, 200, 60, 13, 1.5),
        (390, 280, 44, 10, 1.45),
        (520, 210, 90, 18, -0.4),
        (90, 400, 26, 8, 0.1),
        (130, 430, 22, 7, 0.9),
        (480, 400, 64, 14, 2.4),
        (600, 330, 30, 9, 0.8),
        (270, 460, 18, 6, 0.0),
    ):
        corners = _turned(x, y, length, width, turn)
        pen.polygon(corners, fill=235)
        objects.append(_outlined("ship", corners))
    blurred = np.asarray(reflected.filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float64)
    speckled = blurred * rng.rayleigh(0.8, blurred.shape)
    grey = np.clip(speckled, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2), objects


def optical(seed: int) -> Scene:
    """Roofs, tanks, a pool and a court among fields, from white to dark green."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (WIDTH, HEIGHT), (104, 128, 78))
    pen = ImageDraw.Draw(picture)
    for x0, y0, x1, y1, colour in (
        (0, 0, 260, 190, (176, 160, 110)),
        (260, 0, 640, 120, (70, 104, 58)),
        (0, 190, 200, 512, (128, 150, 92)),
        (430, 330, 640, 512, (196, 184, 150)),
    ):
        pen.rectangle((x0, y0, x1, y1), fill=colour)
    pen.polygon([(200, 0), (232, 0), (300, 512), (262, 512)], fill=(150, 150, 152))
    objects = []
    for x, y in ((470, 380), (540, 380), (470, 450), (540, 450), (605, 415)):
        pen.ellipse((x - 26, y - 26, x + 26, y + 26), fill=(236, 236, 232), outline=(150, 150, 150), width=2)
        objects.append(LabelledObject(box=Box(x - 26, y - 26, x + 26, y + 26), label="storage tank"))
    for x, y, length, width, turn, colour in (
        (340, 190, 90, 44, 0.15, (166, 84, 64)),
        (470, 190, 80, 44, 0.15, (240, 240, 236)),
        (360, 280, 70, 40, 0.1, (150, 76, 60)),
        (90, 90, 100, 60, -0.3, (232, 232, 226)),
        (550, 60, 70, 36, 0.5, (60, 66, 74)),
    ):
        corners = _turned(x, y, length, width, turn)
        pen.polygon(corners, fill=colour)
        objects.append(_outlined("building", corners))
    court = _turned(100, 350, 76, 40, 0.6)
    pen.polygon(court, fill=(44, 116, 92), outline=(240, 240, 240), width=2)
    objects.append(_outlined("tennis court", court))
    for x, y in ((222, 90), (250, 250), (268, 380), (283, 420)):
        pen.rectangle((x - 5, y - 9, x + 5, y + 9), fill=(200, 40, 40))
        objects.append(LabelledObject(box=Box(x - 5, y - 9, x + 5, y + 9), label="vehicle"))
    grain = rng.normal(0, 7, (HEIGHT, WIDTH, 1))
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), dtype=np.float64) + grain
    return np.clip(pixels, 0, 255).astype(np.uint8), objects


def plate(seed: int = 3) -> Image.Image:
    """The three pictures side by side, as they are read at 448 px."""
    panels = [_read(scene) for scene in (infrared(seed), radar(seed), optical(seed))]
    width, height = panels[0].size
    sheet = Image.new("RGB", (3 * width + 2 * GAP, height), (255, 255, 255))
    for place, panel in enumerate(panels):
        sheet.paste(panel, (place * (width + GAP), 0))
    return sheet


def _read(scene: Scene) -> Image.Image:
    """A picture marked as a run marks it, then reduced to the size at which it must still be read."""
    pixels, objects = scene
    marked = draw_set_of_marks(pixels, objects).image
    factor = READING_SIDE / max(marked.size)
    size = (round(marked.width * factor), round(marked.height * factor))
    return marked.resize(size, Image.Resampling.LANCZOS)


def _turned(x: float, y: float, length: float, width: float, turn: float) -> list[tuple[float, float]]:
    """Corners of a rectangle about (x, y), turned by so many radians."""
    cos, sin = np.cos(turn), np.sin(turn)
    halves = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    steps = [(a * length / 2, b * width / 2) for a, b in halves]
    return [(float(x + dx * cos - dy * sin), float(y + dx * sin + dy * cos)) for dx, dy in steps]


def _outlined(label: str, corners: list[tuple[float, float]]) -> LabelledObject:
    outline = Polygon(tuple(corners))
    return LabelledObject(box=outline.bounds(), label=label, polygons=(outline,))


def main() -> None:
    """Writes the plate."""
    parser = argparse.ArgumentParser(description="Draw the plate of Set-of-Marks.")
    parser.add_argument("--out", type=Path, default=Path("docs/set_of_marks.webp"), help="the picture to write")
    parser.add_argument("--seed", type=int, default=3)
    arguments = parser.parse_args()
    plate(arguments.seed).save(arguments.out, quality=82, method=6)
    print(f"The plate is in {arguments.out}, {arguments.out.stat().st_size:,} bytes.")


if __name__ == "__main__":
    main()
