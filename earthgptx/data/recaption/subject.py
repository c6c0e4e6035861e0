"""What is captioned: an image with its labelled objects, and how many there are of each class where that is known.

Labelled images or samples come in, one subject an image goes out, in the order of first appearance. Samples mark a
few objects each, and only some of their tasks tell how many there are in all.
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
        image: with every object at hand; one gathered from samples has the samples' id up to its "#".
        marked: indices in the image's objects of those that get a number, in the order of their numbers; the answer
            speaks of all of these.
        totals: how many objects of a class the image has in all, of the classes for which that is known; never fewer
            than are at hand.
    """

    image: LabelledImage
    marked: tuple[int, ...]
    totals: Mapping[str, int]

    @property
    def numbered(self) -> tuple[LabelledObject, ...]:
        """The marked objects: the first has number 1."""
        return tuple(self.image.objects[index] for index in self.marked)

    @property
    def counts(self) -> Counter[str]:
        """How many objects of each class are at hand; there may be more."""
        return Counter(item.label for item in self.image.objects)


def subject_of_image(image: LabelledImage, *, max_regions: int, is_counted: bool) -> Subject:
    """The subject of a data set's image.

    Numbers run down the picture in reading order. Where there are more than `max_regions` objects, the largest are
    marked, one of each class if there is room.

    Args:
        image: with at least one object.
        max_regions: how many numbers one picture may carry.
        is_counted: whether every object of the image's classes is labelled.
    """
    totals = Counter(item.label for item in image.objects) if is_counted else {}
    return Subject(image=image, marked=_marked(image.objects, max_regions), totals=dict(totals))


def subjects_of(samples: Iterable[Sample], *, max_regions: int) -> list[Subject]:
    """The images of the samples that have a labelled object, with the objects that any sample of them knows.

    Args:
        samples: in any order; those of one image need not stand together.
        max_regions: as in `subject_of_image`.
    """
    gathered: dict[tuple[str, Path, Box | None, int], _Gathered] = {}
    for sample in samples:
        key = (_dataset(sample), sample.image, sample.window, sample.orientation)
        gathered.setdefault(key, _Gathered(sample)).add(sample)
    subjects: list[Subject] = []
    taken: set[str] = set()
    for group in gathered.values():
        if group.objects:
            subject = group.subject(max_regions, taken)
            taken.add(subject.image.id)
            subjects.append(subject)
    return subjects


def classes_by_source(subjects: Iterable[Subject]) -> Mapping[str, frozenset[str]]:
    """Every class that a data set labels anywhere: the words that mean something where they are missing."""
    gathered: dict[str, set[str]] = {}
    for subject in subjects:
        gathered.setdefault(subject.image.dataset, set()).update(subject.counts)
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
        image = LabelledImage(
            id=next(name for name in names if name not in taken),  # two images of one stem, in a file written by hand
            path=sample.image,
            dataset=_dataset(sample),
            sensor=sample.sensor,
            width=sample.width,
            height=sample.height,
            objects=objects,
            window=sample.window,
            orientation=sample.orientation,
        )
        totals = self._totals(Counter(item.label for item in objects))
        return Subject(image=image, marked=_marked(objects, max_regions), totals=totals)

    def _totals(self, at_hand: Counter[str]) -> dict[str, int]:
        """Of the classes at hand; a total that the objects at hand deny is none, nor is one of a window."""
        if self.first.window is not None:
            return {}
        told = dict(self.whole_classes)
        for question, answer in self.counted:
            named = {mention.label for mention in mentions(question, at_hand)}
            told.update(dict.fromkeys(named, answer) if len(named) == 1 else {})
        return {label: told[label] for label in at_hand if told.get(label, 0) >= at_hand[label]}


def _dataset(sample: Sample) -> str:
    """By the sample's id, as in "ssdd/train/000012#count"; "" where it has no such part."""
    return sample.id.partition("/")[0] if "/" in sample.id else ""


def _marked(objects: Sequence[LabelledObject], at_most: int) -> tuple[int, ...]:
    """The places of the largest objects in reading order; the largest of each class goes before all others."""
    by_area = sorted(range(len(objects)), key=lambda index: -objects[index].box.area)
    of_class = {objects[index].label: index for index in reversed(by_area)}
    first = [index for index in by_area if of_class[objects[index].label] == index]
    chosen = list(dict.fromkeys([*first, *by_area]))[:at_most]
    return tuple(sorted(chosen, key=lambda index: _reading_order(objects[index])))


def _reading_order(item: LabelledObject) -> tuple[float, ...]:
    box = item.box
    return (box.y0, box.x0, box.y1, box.x1)
