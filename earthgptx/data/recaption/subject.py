"""What is captioned: an image with its labelled objects, and how many there are of each class where that is known.

Labelled images or samples come in, one subject an image goes out, in the order of first appearance. A dataset's own
labels are all there; samples mark a few objects, and only some of their tasks tell how many there are in all.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earthgptx.data.recaption.spoken_counts import mentions
from earthgptx.data.sample import LabelledImage, LabelledObject, Sample
from earthgptx.shapes import Box

# Their masks hold every object of the classes that they name.
_WHOLE_CLASS_TASKS = ("segment_class", "grounded_caption")


@dataclass(frozen=True)
class Subject:
    """One image to be described.

    Attributes:
        id: of the image, as in "ssdd/train/000012"; the samples' id up to its "#".
        image, sensor, width, height, window, orientation: as in `Sample`.
        objects: every labelled object that some sample of the image marks or masks.
        marked: indices in `objects` of those that get a number, in the order of their numbers; the answer speaks of
            all of these.
        known_totals: (class, how many the image has in all) of the classes for which that is known; never fewer
            than are in `objects`.
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
    known_totals: tuple[tuple[str, int], ...]

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
        """How many objects of each class are at hand; there may be more."""
        return Counter(item.label for item in self.objects)

    @property
    def totals(self) -> dict[str, int]:
        """How many objects of a class there are in all, of the classes for which that is known."""
        return dict(self.known_totals)

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


def subjects_of_images(images: Iterable[LabelledImage], *, max_regions: int) -> list[Subject]:
    """The labelled images that have an object; all totals are known, but for windows, which cut objects off.

    Objects are put in reading order, so that numbers run down the picture. Where there are more than `max_regions`,
    the largest are marked, one of each class at least; the totals still hold all.

    Args:
        images: with ids of their own.
        max_regions: how many numbers one picture may carry.
    """
    return [
        Subject(
            id=image.id,
            image=image.path,
            sensor=image.sensor,
            width=image.width,
            height=image.height,
            window=image.window,
            orientation=image.orientation,
            objects=(objects := tuple(sorted(image.objects, key=_reading_order))),
            marked=_largest(objects, max_regions),
            known_totals=_whole_totals(objects) if image.window is None else (),
        )
        for image in images
        if image.objects
    ]


def subjects_of(samples: Iterable[Sample], *, max_regions: int) -> list[Subject]:
    """The images of the samples that have a labelled object, with the objects that any sample of them knows.

    Args:
        samples: in any order; those of one image need not stand together.
        max_regions: as in `subjects_of_images`.
    """
    gathered: dict[tuple[Path, Box | None, int], _Gathered] = {}
    for sample in samples:
        key = (sample.image, sample.window, sample.orientation)
        gathered.setdefault(key, _Gathered(sample)).add(sample)
    subjects: list[Subject] = []
    taken: set[str] = set()
    for group in gathered.values():
        if group.objects:
            subject = group.subject(max_regions, taken)
            taken.add(subject.id)
            subjects.append(subject)
    return subjects


def classes_by_source(subjects: Iterable[Subject]) -> Mapping[str, frozenset[str]]:
    """Every class that a source labels anywhere: the words that mean something where they are missing."""
    gathered: dict[str, set[str]] = {}
    for subject in subjects:
        gathered.setdefault(subject.source, set()).update(subject.counts)
    return {source: frozenset(labels) for source, labels in gathered.items()}


class _Gathered:
    """What the samples of one image know of it, so far."""

    def __init__(self, first: Sample) -> None:
        self.first = first
        self.objects: dict[LabelledObject, None] = {}
        self.counted: list[tuple[str, int]] = []  # questions of the task "count", and their answers
        self.whole_classes: dict[str, int] = {}

    def add(self, sample: Sample) -> None:
        masked = [item for target in sample.targets for item in target.objects]
        self.objects.update((region.object, None) for region in sample.regions if region.object is not None)
        self.objects.update((item, None) for item in masked)
        if sample.task in _WHOLE_CLASS_TASKS:
            self.whole_classes.update(Counter(item.label for item in dict.fromkeys(masked)))
        answer = sample.turns[1].text.strip()
        if sample.task == "count" and answer.isdecimal():
            self.counted.append((sample.turns[0].text, int(answer)))

    def subject(self, max_regions: int, taken: Container[str]) -> Subject:
        sample = self.first
        stem = sample.id.partition("#")[0]
        names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
        objects = tuple(sorted(self.objects, key=_reading_order))
        return Subject(
            id=next(name for name in names if name not in taken),  # two images of one stem, in a file written by hand
            image=sample.image,
            sensor=sample.sensor,
            width=sample.width,
            height=sample.height,
            window=sample.window,
            orientation=sample.orientation,
            objects=objects,
            marked=_largest(objects, max_regions),
            known_totals=self._totals(Counter(item.label for item in objects)),
        )

    def _totals(self, at_hand: Counter[str]) -> tuple[tuple[str, int], ...]:
        """Of the classes at hand; a total that the objects at hand deny is none, nor is one of a window."""
        if self.first.window is not None:
            return ()
        told = dict(self.whole_classes)
        for question, answer in self.counted:
            named = {mention.label for mention in mentions(question, at_hand)}
            told.update(dict.fromkeys(named, answer) if len(named) == 1 else {})
        return tuple(sorted((label, told[label]) for label in at_hand if told.get(label, 0) >= at_hand[label]))


def _whole_totals(objects: Sequence[LabelledObject]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(item.label for item in objects).items()))


def _largest(objects: Sequence[LabelledObject], at_most: int) -> tuple[int, ...]:
    """The places of the largest objects, in order; the largest of each class goes before all others."""
    by_area = sorted(range(len(objects)), key=lambda index: -objects[index].box.area)
    of_class = {objects[index].label: index for index in reversed(by_area)}
    first = [index for index in by_area if of_class[objects[index].label] == index]
    return tuple(sorted(list(dict.fromkeys([*first, *by_area]))[:at_most]))


def _reading_order(item: LabelledObject) -> tuple[float, ...]:
    box = item.box
    return (box.y0, box.x0, box.y1, box.x1)
