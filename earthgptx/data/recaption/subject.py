"""What is captioned: an image with the labelled objects that all samples of it know of.

Samples come in, one subject an image goes out, in the order of first appearance. It knows no pixels; its counts
are those of the labels in the samples, which is all that an answer can be checked against.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earthgptx.data.sample import LabelledImage, LabelledObject, Sample
from earthgptx.shapes import Box


@dataclass(frozen=True)
class Subject:
    """One image to be described.

    Attributes:
        id: of the image, as in "ssdd/train/000012"; the samples' id up to its "#".
        image, sensor, width, height, window, orientation: as in `Sample`.
        objects: every labelled object that some sample of the image marks or masks.
        marked: indices in `objects` of those that get a number, in the order of their numbers; the answer speaks of
            all of these.
    """

    id: str
    image: Path
    sensor: str
    width: int
    height: int
    window: Box | None
    orientation: int
    objects: tuple[LabelledObject, ...]
    marked: tuple[int, ...]

    @property
    def source(self) -> str:
        """The name of the dataset, by which classes are gathered; "" where the id has no such part."""
        return self.id.partition("/")[0] if "/" in self.id else ""

    @property
    def numbered(self) -> tuple[LabelledObject, ...]:
        """The marked objects: the first has number 1."""
        return tuple(self.objects[index] for index in self.marked)

    @property
    def counts(self) -> Counter[str]:
        """How many objects of each class are labelled."""
        return Counter(item.label for item in self.objects)

    def labelled_image(self) -> LabelledImage:
        """The image and its objects, whose numbers are their indices, for marks that never change."""
        return LabelledImage(
            id=self.id,
            path=self.image,
            dataset=self.source,
            sensor=self.sensor,
            width=self.width,
            height=self.height,
            objects=self.objects,
            window=self.window,
            orientation=self.orientation,
        )


def subjects_of(samples: Iterable[Sample], *, max_regions: int) -> list[Subject]:
    """The images of the samples that have a labelled object.

    Objects are put in reading order, so that numbers run down the picture and do not depend on which sample came
    first. Where there are more than `max_regions`, the largest are marked; the counts still hold all.

    Args:
        samples: in any order; those of one image need not stand together.
        max_regions: how many numbers one picture may carry.
    """
    first: dict[tuple[Path, Box | None, int], Sample] = {}
    objects: dict[tuple[Path, Box | None, int], dict[LabelledObject, None]] = {}
    for sample in samples:
        key = (sample.image, sample.window, sample.orientation)
        first.setdefault(key, sample)
        known = objects.setdefault(key, {})
        known.update((region.object, None) for region in sample.regions if region.object is not None)
        known.update((item, None) for target in sample.targets for item in target.objects)
    subjects: list[Subject] = []
    taken: set[str] = set()
    for key, sample in first.items():
        if objects[key]:
            subject = _subject(sample, sorted(objects[key], key=_reading_order), max_regions, taken)
            taken.add(subject.id)
            subjects.append(subject)
    return subjects


def classes_by_source(subjects: Iterable[Subject]) -> Mapping[str, frozenset[str]]:
    """Every class that a source labels anywhere: the words that mean something where they are missing."""
    gathered: dict[str, set[str]] = {}
    for subject in subjects:
        gathered.setdefault(subject.source, set()).update(subject.counts)
    return {source: frozenset(labels) for source, labels in gathered.items()}


def _subject(sample: Sample, objects: Sequence[LabelledObject], max_regions: int, taken: set[str]) -> Subject:
    stem = sample.id.partition("#")[0]
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    largest = sorted(range(len(objects)), key=lambda index: -objects[index].box.area)[:max_regions]
    return Subject(
        id=next(name for name in names if name not in taken),  # two images of one stem, in a file written by hand
        image=sample.image,
        sensor=sample.sensor,
        width=sample.width,
        height=sample.height,
        window=sample.window,
        orientation=sample.orientation,
        objects=tuple(objects),
        marked=tuple(sorted(largest)),
    )


def _reading_order(item: LabelledObject) -> tuple[float, ...]:
    box = item.box
    return (box.y0, box.x0, box.y1, box.x1)
