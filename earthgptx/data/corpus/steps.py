"""What the reader of a split comes to, one thing after the other: items, windows of big images, reports.

In comes a split, out come steps that any process can convert. Which steps there are depends on the source and the
settings alone, so that a build that was ended can count them off again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from earthgptx.data.corpus.conversion import Step, image_fault
from earthgptx.data.corpus.sources import SourceSplit
from earthgptx.data.corpus.tiling import Tiling, tile
from earthgptx.data.quarantine import BrokenItem, OnBroken
from earthgptx.data.sample import ANYTHING, LabelledImage, Sample

_STEPS_A_BATCH = 16
_REPORTS_A_STEP = 256  # so that a source that is broken from end to end does not pile up


def steps_of(split: SourceSplit, limit: int | None, tiling: Tiling, root: Path) -> Iterator[Step]:
    """The items of a split, big images in windows, each with what was reported since the one before.

    Readers report what is wrong with an image's labels before they give the image. Reports of other images that were
    left out come at the same place, so that an image may be said to have gaps that has none.
    """
    waiting: list[BrokenItem] = []

    def report(broken: BrokenItem) -> None:
        waiting.append(broken)

    for item in islice(split.read(report), limit):
        if waiting and isinstance(item, LabelledImage):
            item = replace(item, gaps=(*item.gaps, ANYTHING))
        for view in _views(item, tiling, root, report):
            yield Step(view, tuple(waiting))
            waiting.clear()
        while len(waiting) > _REPORTS_A_STEP:
            yield Step(None, tuple(waiting[:_REPORTS_A_STEP]))
            del waiting[:_REPORTS_A_STEP]
    if waiting:
        yield Step(None, tuple(waiting))


def _views(
    item: LabelledImage | Sample, tiling: Tiling, root: Path, on_broken: OnBroken
) -> Iterator[LabelledImage | Sample]:
    """An item as it is; of a big image its windows, and the whole for its captions and its scene."""
    is_cut = isinstance(item, LabelledImage) and item.window is None and tiling.cuts(item)
    if not is_cut or not isinstance(item, LabelledImage) or not item.objects or image_fault(item, root) is not None:
        yield item  # also what cannot be cut: its conversion says why
        return
    if item.captions or item.scene is not None:
        yield replace(item, objects=(), relations=())
    tiles = tile(item, tiling)
    for number in tiles.lost:
        reason = (
            f"No window of {tiling.size} pixels holds {tiling.visibility:.0%} of this {item.objects[number].label}."
        )
        on_broken(BrokenItem(item.dataset, f"{item.id} object {number}", reason))
    yield from tiles.images


def batches_of(steps: Iterator[Step]) -> Iterator[tuple[Step, ...]]:
    """Steps in groups that are worth the way to another process."""
    while group := tuple(islice(steps, _STEPS_A_BATCH)):
        yield group
