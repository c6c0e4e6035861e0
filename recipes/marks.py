"""Draws simulated marks over the outlines of real objects and measures how well they cover them.

In comes a folder with an outlined dataset; out come a plate (SVG, vector outlines only, no image of the dataset) and
a table of quantiles. `docs/marks.md` shows both. Nothing is learned here.

    python recipes/marks.py --data ../shared/data --out docs/marks.svg
"""

from __future__ import annotations

import argparse
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earthgptx.data.datasets import DATASETS
from earthgptx.data.freeform import NOISES, fixed_mark, simulate
from earthgptx.data.sample import LabelledImage
from earthgptx.shapes import Box, Ellipse, Mark, Point

KINDS = ("point", "jittered box", "ellipse", "polygon", "scribble")
WITHOUT_NOISE = ("box", "point")
# One outline a row: things that are round, long, crooked, and a ring with a bare middle.
SHOWN = ("airplane", "ship", "ground track field", "bridge")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MARKS_A_CELL = 3
BINS = 20

CELL, GUTTER, TOP, LEFT = 168, 22, 34, 22
COLOURS = ("#c2410c", "#0f766e", "#6d28d9")
REACH = 2.6  # no mark is farther from the middle of its object than half of this times the longer side


@dataclass(frozen=True)
class Overlap:
    """How a mark covers its object.

    Attributes:
        iou: of the mark's pixels with the object's.
        precision: the share of the mark's pixels that are the object's.
        recall: the share of the object's pixels that are marked.
    """

    iou: float
    precision: float
    recall: float


def overlap(image: LabelledImage, index: int, mark: Mark) -> Overlap:
    """Compares a mark with its object's outline, pixel by pixel, at the image's own scale."""
    item = image.objects[index]
    (x, y), side = item.box.centre, math.ceil(REACH * max(item.box.width, item.box.height, 4))
    left, top = math.floor(x - side / 2), math.floor(y - side / 2)
    truth = item.mask_in(Box(left, top, left + side, top + side), side)
    drawn = mark.shifted(-left, -top).to_mask(side, side)
    both, either = int((truth & drawn).sum()), int((truth | drawn).sum())
    return Overlap(both / max(either, 1), both / max(int(drawn.sum()), 1), both / max(int(truth.sum()), 1))


def marks_of(image: LabelledImage, index: int, kind: str, noise: str, count: int = 1) -> list[Mark]:
    """Marks of an object that are the same in every run."""
    if kind == "point":  # as a corpus has them: drawn again until they are on the object
        return [fixed_mark(image, index, "point", seed=seed) for seed in range(count)]
    rng = random.Random(f"{image.id}/{index}/{kind}/{noise}")
    box = image.objects[index].box
    return [simulate(box, kind, image.width, image.height, rng, noise) for _ in range(count)]


def measure(images: Iterable[LabelledImage]) -> dict[tuple[str, str], list[Overlap]]:
    """One mark of each kind and noise for every outlined object."""
    found: dict[tuple[str, str], list[Overlap]] = defaultdict(list)
    for image in images:
        for index, item in enumerate(image.objects):
            if item.has_mask:
                for kind in ("box", *KINDS):
                    for noise in NOISES[:1] if kind in WITHOUT_NOISE else NOISES:
                        (mark,) = marks_of(image, index, kind, noise)
                        found[kind, noise].append(overlap(image, index, mark))
    return dict(found)


def table(found: dict[tuple[str, str], list[Overlap]]) -> str:
    """The measured quantiles as Markdown."""
    heads = " | ".join(f"{quantile:.0%}" for quantile in QUANTILES)
    lines = [
        f"| mark | noise | IoU with the object: {heads} | of the mark on the object | of the object marked |",
        f"|---|---|{'---:|' * (len(QUANTILES) + 2)}",
    ]
    for (kind, noise), overlaps in found.items():
        ious = np.quantile([one.iou for one in overlaps], QUANTILES)
        cells = ["-"] * len(ious) if kind == "point" else [f"{value:.2f}" for value in ious]
        precision, recall = (np.mean([getattr(one, name) for one in overlaps]) for name in ("precision", "recall"))
        marked = "-" if kind == "point" else f"{recall:.0%}"
        name, noise_name = ("exact box", "-") if kind == "box" else (kind, "-" if kind == "point" else noise)
        lines.append(f"| {name} | {noise_name} | {' | '.join(cells)} | {precision:.0%} | {marked} |")
    return "\n".join(lines)


def shown_objects(images: Sequence[LabelledImage]) -> list[tuple[LabelledImage, int]]:
    """For each class of the plate the object whose area is the median of its class, wholly inside its image."""
    chosen = []
    for label in SHOWN:
        candidates = [
            (item.box.area, image.id, index, image)
            for image in images
            for index, item in enumerate(image.objects)
            if item.label == label and item.has_mask and _has_room(item.box, image)
        ]
        if candidates:
            _, _, index, image = sorted(candidates, key=lambda entry: entry[:3])[len(candidates) // 2]
            chosen.append((image, index))
    return chosen


def _has_room(box: Box, image: LabelledImage) -> bool:
    """Whether a mark may reach half an extent past the box and stay in the image."""
    room_x, room_y = box.width / 2, box.height / 2
    return box.x0 >= room_x and box.y0 >= room_y and box.x1 + room_x <= image.width and box.y1 + room_y <= image.height


def plate(images: Sequence[LabelledImage], found: dict[tuple[str, str], list[Overlap]]) -> str:
    """The plate: a row an object, a column a kind of mark, the distribution of the overlap under each column."""
    objects = shown_objects(images)
    width = LEFT * 2 + len(KINDS) * CELL + (len(KINDS) - 1) * GUTTER
    height = TOP + (len(objects) + 1) * (CELL + GUTTER) + 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for column, kind in enumerate(KINDS):
        x = LEFT + column * (CELL + GUTTER)
        parts.append(f'<text x="{x + CELL / 2}" y="22" text-anchor="middle" font-weight="bold">{kind}</text>')
        for row, (image, index) in enumerate(objects):
            parts.append(_cell(image, index, kind, x, TOP + row * (CELL + GUTTER), is_first=column == 0))
        y = TOP + len(objects) * (CELL + GUTTER)
        parts.append(_histogram(kind, found, x, y))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _cell(image: LabelledImage, index: int, kind: str, x: float, y: float, *, is_first: bool) -> str:
    """One object with a few marks of a kind, each in its colour. The outline is written once and used again."""
    item = image.objects[index]
    scale = CELL / (1.75 * max(item.box.width, item.box.height))
    middle_x, middle_y = item.box.centre
    dx, dy = CELL / (2 * scale) - middle_x, CELL / (2 * scale) - middle_y
    outline = ""
    name = f"{item.label.replace(' ', '-')}"
    if is_first:
        rings = [
            "M" + "L".join(_pairs(polygon.shifted(dx, dy).scaled(scale, scale).points)) + "Z"
            for polygon in item.polygons
        ]
        outline = f'<defs><path id="{name}" d="{"".join(rings)}" fill="#d6d3d1" stroke="#78716c"/></defs>'
    marks = marks_of(image, index, kind, NOISES[0], MARKS_A_CELL)
    drawn = [
        _shape(mark.shifted(dx, dy).scaled(scale, scale), colour) for mark, colour in zip(marks, COLOURS, strict=True)
    ]
    frame = f'<rect width="{CELL}" height="{CELL}" fill="none" stroke="#e7e5e4"/>'
    return f'<g transform="translate({x} {y})">{outline}{frame}<use href="#{name}"/>{"".join(drawn)}</g>'


def _pairs(points: Iterable[tuple[float, float]]) -> list[str]:
    return [f"{x:.1f} {y:.1f}" for x, y in points]


def _shape(mark: Mark, colour: str) -> str:
    style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round" stroke-linecap="round"'
    if isinstance(mark, Point):
        return f'<circle cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="4" fill="{colour}"/>'
    if isinstance(mark, Ellipse):
        centre = f'cx="{mark.x:.1f}" cy="{mark.y:.1f}"'
        return f'<ellipse {centre} rx="{mark.radius_x:.1f}" ry="{mark.radius_y:.1f}" {style}/>'
    closing = "" if mark.kind == "scribble" else "Z"
    return f'<path d="M{"L".join(_pairs(mark.outline()))}{closing}" {style}/>'


def _histogram(kind: str, found: dict[tuple[str, str], list[Overlap]], x: float, y: float) -> str:
    """How often the overlap has each value from 0 to 1: Gaussian noise as bars, uniform noise as a line."""
    what = "IoU with the object"
    if kind == "point":
        values = {"gaussian": [one.precision for one in found[kind, NOISES[0]]]}
        what = "share of points on the object"
    elif kind == "scribble":
        values = {noise: [one.precision for one in found[kind, noise]] for noise in NOISES}
        what = "share of the stroke on the object"
    else:
        values = {noise: [one.iou for one in found[kind, noise]] for noise in NOISES}
    counts = {noise: np.histogram(some, bins=BINS, range=(0, 1))[0] for noise, some in values.items()}
    tallest = max(int(one.max()) for one in counts.values())
    heights = {noise: one / max(tallest, 1) * (CELL - 20) for noise, one in counts.items()}
    step = CELL / BINS
    parts = [
        f'<rect x="{k * step:.1f}" y="{CELL - tall:.1f}" width="{step - 1:.1f}" height="{tall:.1f}" fill="#a8a29e"/>'
        for k, tall in enumerate(heights["gaussian"])
        if tall
    ]
    if "uniform" in heights:
        steps = "L".join(f"{(k + 0.5) * step:.1f} {CELL - tall:.1f}" for k, tall in enumerate(heights["uniform"]))
        parts.append(f'<path d="M{steps}" fill="none" stroke="#0369a1" stroke-width="1.5"/>')
    parts.append(f'<path d="M0 {CELL}H{CELL}" stroke="#44403c"/>')
    parts += [_label(str(place), place * CELL, CELL + 15) for place in (0, 0.5, 1)]
    parts.append(_label(what, CELL / 2, CELL + 32))
    return f'<g transform="translate({x} {y})">{"".join(parts)}</g>'


def _label(text: str, x: float, y: float) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" font-size="11">{text}</text>'


def main() -> None:
    """Reads, measures, writes the plate and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds the dataset")
    parser.add_argument("--dataset", default="vhr10", help="one with outlines")
    parser.add_argument("--split", default="train", help="train or val")
    parser.add_argument("--out", type=Path, default=Path("docs/marks.svg"), help="the plate")
    given = parser.parse_args()
    source = DATASETS[given.dataset]
    images = [item for item in source.read(given.data, given.split) if isinstance(item, LabelledImage)]
    found = measure(images)
    given.out.write_text(plate(images, found), encoding="utf-8")
    num_objects = len(found["box", NOISES[0]])
    print(f"{num_objects} outlined objects in {len(images)} images of {given.dataset}, {given.split} split.\n")
    print(table(found))
    print(f"\n{given.out}: {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
