"""Where objects lie: boxes that leave their image, outlines that enclose no pixel, marks beside the image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from earthgptx.data.checks.report import Problem
from earthgptx.data.sample import LabelledObject, Sample
from earthgptx.shapes import Box, rasterise_polygons

TOLERANCE = 1.0  # pixels by which a box may reach past its image: labels are rounded up in many sets


def objects_of(sample: Sample) -> list[LabelledObject]:
    """Every object of a sample once: those under marks, then those of masks."""
    under_marks = [region.object for region in sample.regions if region.object is not None]
    return list(dict.fromkeys([*under_marks, *(item for target in sample.targets for item in target.objects)]))


def misplaced(
    objects: Iterable[LabelledObject], width: int, height: int, *, source: str, split: str, item: str
) -> Iterator[Problem]:
    """The objects whose box leaves the image or whose outline holds the centre of no pixel of it."""
    for number, found in enumerate(objects):
        box = found.box
        corners = (box.x0, box.y0, box.x1, box.y1)
        written = ", ".join(f"{edge:.6g}" for edge in corners)
        if not all(map(math.isfinite, corners)) or not _is_inside(box, width, height):
            detail = f"Object {number} ({found.label}) has the box {written} in an image of {width} x {height} pixels."
            yield Problem("box outside the image", source, split, item, detail)
        elif found.has_mask and not _shows(found, width, height):
            detail = f"The outline of object {number} ({found.label}) in the box {written} encloses no pixel's centre."
            yield Problem("empty mask", source, split, item, detail)


def misplaced_in_sample(sample: Sample, *, source: str, split: str) -> Iterator[Problem]:
    """Marks wholly beside the image, and masks of no object; objects themselves are `misplaced`'s."""
    for number, region in enumerate(sample.regions, start=1):
        bounds = region.mark.bounds()
        if bounds.x1 < 0 or bounds.y1 < 0 or bounds.x0 > sample.width or bounds.y0 > sample.height:
            detail = f"The mark of <Region {number}> lies beside the image of {sample.width} x {sample.height} pixels."
            yield Problem("box outside the image", source, split, sample.id, detail)
    for number, target in enumerate(sample.targets, start=1):
        if not target.objects:
            yield Problem("empty mask", source, split, sample.id, f"<pix> number {number} stands for no object.")


def _is_inside(box: Box, width: int, height: int) -> bool:
    return (
        box.area > 0
        and min(box.x0, box.y0) >= -TOLERANCE
        and box.x1 <= width + TOLERANCE
        and box.y1 <= height + TOLERANCE
    )


def _shows(item: LabelledObject, width: int, height: int) -> bool:
    """Whether the outline holds a pixel's centre; only the pixels around it are drawn."""
    bounds = [polygon.bounds() for polygon in item.polygons]
    x0, y0 = max(0, math.floor(min(b.x0 for b in bounds))), max(0, math.floor(min(b.y0 for b in bounds)))
    x1, y1 = min(width, math.ceil(max(b.x1 for b in bounds))), min(height, math.ceil(max(b.y1 for b in bounds)))
    if x1 <= x0 or y1 <= y0:
        return False
    rings = [polygon.points for polygon in item.polygons]
    return bool(rasterise_polygons(rings, Box(x0, y0, x1, y1), (y1 - y0, x1 - x0)).any())
