"""One labelled image, or one dialogue, to the rows of a corpus: every task it can serve, under every family of marks.

The result depends on the item and the settings alone, never on what came before or on which process does it. What
cannot be used comes back with its reason.
"""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from earthgptx.data import sample_file
from earthgptx.data.annotation_file import image_size
from earthgptx.data.corpus.shards import Row
from earthgptx.data.instructions import MARK_FAMILIES, MARKED_TASKS, make_sample
from earthgptx.data.pixels import LARGEST_SOURCE, pixels_of
from earthgptx.data.quarantine import BrokenItem, OnBroken
from earthgptx.data.sample import LabelledImage, LabelledObject, Sample, check_sample
from earthgptx.errors import EarthGPTXError
from earthgptx.shapes import MARK_KINDS, Box

_LEAST_COMPRESSION = 1  # of PNG: twice as fast as the default at a tenth more bytes


@dataclass(frozen=True)
class Conversion:
    """What is the same for all items of a split.

    Attributes:
        root: the folder of the sources; image paths are written relative to it.
        source, domain, split: as in `Row`.
        tasks: those that the source's labels can answer.
        seed: of all chance.
        noise: one of `freeform.NOISES`.
        embed: whether rows hold the image's bytes.
    """

    root: Path
    source: str
    domain: str
    split: str
    tasks: tuple[str, ...]
    seed: int
    noise: str
    embed: bool


@dataclass(frozen=True)
class Step:
    """What the reader of a split came to: an item, and what it had to leave out on the way there.

    Attributes:
        item: an image, a window of one, or a dialogue; None where there was only something to report.
        broken: reported since the last step.
    """

    item: LabelledImage | Sample | None
    broken: tuple[BrokenItem, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Some steps of a split, to be converted by one process."""

    conversion: Conversion
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Converted:
    """What became of one step.

    Attributes:
        num_items: 1, or 0 where the step was only a report.
        rows: none where the item is of no use.
        broken: what was left out, the step's own reports first.
    """

    num_items: int
    rows: tuple[Row, ...]
    broken: tuple[BrokenItem, ...]


def convert_batch(batch: Batch) -> list[Converted]:
    """What became of every step of a batch, in order."""
    converted = []
    for step in batch.steps:
        if step.item is None:
            converted.append(Converted(0, (), step.broken))
            continue
        broken = list(step.broken)
        try:
            rows = convert(step.item, batch.conversion, broken.append)
        except EarthGPTXError as error:
            rows = ()
            broken.append(BrokenItem(batch.conversion.source, step.item.id, str(error)))
        except Exception as error:  # a defect of ours: it ends the build, and says where
            error.add_note(f"This happened in {step.item.id}.")
            raise
        converted.append(Converted(1, rows, tuple(broken)))
    return converted


def convert(item: LabelledImage | Sample, conversion: Conversion, on_broken: OnBroken) -> tuple[Row, ...]:
    """The rows of one item; none where it is of no use, which is then reported.

    Raises:
        EarthGPTXError: something is wrong with the item that shows only now.
    """
    path = item.path if isinstance(item, LabelledImage) else item.image
    fault = image_fault(item, conversion.root)
    if fault is not None:
        on_broken(BrokenItem(conversion.source, item.id, fault))
        return ()
    if isinstance(item, Sample):
        samples = [item]
    else:
        item = without_empty_outlines(item, on_broken)
        samples = samples_of(item, conversion)
        if not samples:
            reason = f"None of the tasks {', '.join(conversion.tasks)} can be made of its {_contents(item)}."
            on_broken(BrokenItem(conversion.source, item.id, reason))
            return ()
    content = _content(item, path) if conversion.embed else None
    return tuple(_row(sample, conversion, content) for sample in samples)


def samples_of(image: LabelledImage, conversion: Conversion) -> list[Sample]:
    """One sample a task; of tasks with marked objects, one a family of marks.

    Raises:
        MalformedDataset: a word of the labels would be taken for a sign of regions or masks.
    """
    samples = []
    for task in conversion.tasks:
        for family in MARK_FAMILIES if task in MARKED_TASKS else (None,):
            name = f"{image.id}#{task}" if family is None else f"{image.id}#{task}-{family}"
            # A text seeds the same numbers in every process, whatever was drawn before.
            rng = random.Random(f"{conversion.seed}/{name}")
            sample = make_sample(image, task, rng, conversion.seed, marks=family, noise=conversion.noise)
            samples += [] if sample is None else [check_sample(replace(sample, id=name))]
    return samples


def image_fault(item: LabelledImage | Sample, root: Path) -> str | None:
    """What is wrong with an item's image file, by its place below the root and its header; None if nothing is."""
    path = item.path if isinstance(item, LabelledImage) else item.image
    if not path.is_relative_to(root):
        return f"The image {path} does not lie below {root}, so that no relative path leads to it."
    if not path.is_file():
        return f"The image {path} does not exist."
    try:
        width, height = image_size(path)
    except EarthGPTXError as error:
        return str(error)
    if width * height > LARGEST_SOURCE:
        return f"The image {path} has {width * height:,} pixels, more than the {LARGEST_SOURCE:,} that can be read."
    if item.window is not None:
        needed = (item.window.x1, item.window.y1)
        if needed[0] > width or needed[1] > height:
            return f"The image {path} has {width} x {height} pixels, and its window reaches to {needed}."
        return None
    labelled = (item.height, item.width) if item.orientation & 4 else (item.width, item.height)
    if (width, height) != labelled:
        return f"The image {path} has {width} x {height} pixels, but its labels are for {labelled[0]} x {labelled[1]}."
    return None


def without_empty_outlines(image: LabelledImage, on_broken: OnBroken) -> LabelledImage:
    """The image with only boxes where an outline covers no pixel; each of these is reported."""
    objects = list(image.objects)
    for number, item in enumerate(objects):
        if item.has_mask and not covers_a_pixel(item, image):
            size = f"{image.width} x {image.height}"
            reason = f"The outline of this {item.label} covers no pixel of the {size}; only its box is used."
            on_broken(BrokenItem(image.dataset, f"{image.id} object {number}", reason, is_empty=True))
            objects[number] = replace(item, polygons=())
    return replace(image, objects=tuple(objects)) if objects != list(image.objects) else image


def covers_a_pixel(item: LabelledObject, image: LabelledImage) -> bool:
    """Whether the object's mask would have a pixel, drawn only where that is in doubt.

    The number of grid points in a closed curve differs from its area by less than its length (Jarnik's inequality),
    so an outline of more square pixels than pixels of length holds the centre of one for certain.
    """
    for polygon in item.polygons:
        bounds = polygon.bounds()
        is_inside = bounds.x0 >= 0 and bounds.y0 >= 0 and bounds.x1 <= image.width and bounds.y1 <= image.height
        ahead = polygon.points[1:] + polygon.points[:1]
        if is_inside and polygon.area > sum(map(math.dist, polygon.points, ahead)):
            return True
    for polygon in item.polygons:
        bounds = polygon.bounds().clipped(image.width, image.height)
        left, top = math.floor(bounds.x0), math.floor(bounds.y0)
        num_columns, num_rows = math.ceil(bounds.x1) - left, math.ceil(bounds.y1) - top
        side = max(num_columns, num_rows)
        drawn = item.mask_in(Box(left, top, left + side, top + side), side)
        if drawn[:num_rows, :num_columns].any():
            return True
    return False


def _content(item: LabelledImage | Sample, path: Path) -> bytes:
    """The image's file as it is; of a window a PNG of what it shows, not turned yet."""
    if item.window is None:
        return path.read_bytes()
    stream = io.BytesIO()
    Image.fromarray(pixels_of(replace(item, orientation=0))).save(stream, "PNG", compress_level=_LEAST_COMPRESSION)
    return stream.getvalue()


def _row(sample: Sample, conversion: Conversion, content: bytes | None) -> Row:
    kinds = {region.mark.kind for region in sample.regions}
    return Row(
        id=sample.id,
        source=conversion.source,
        domain=conversion.domain,
        split=conversion.split,
        sensor=sample.sensor,
        task=sample.task,
        mark_kinds=tuple(kind for kind in MARK_KINDS if kind in kinds),
        image=sample.image.relative_to(conversion.root).as_posix(),
        sample=sample_file.render(sample, root=conversion.root),
        image_bytes=content,
    )


def _contents(image: LabelledImage) -> str:
    """What the image's labels hold, in numbers."""
    scene = "no scene" if image.scene is None else "a scene"
    return f"{len(image.objects)} objects, {len(image.captions)} captions and {scene}"
