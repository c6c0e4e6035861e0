"""Checks labelled data before it is built or trained on, in one pass over its items.

In comes a folder of sources or a built corpus, out comes a `CheckReport`. Memory grows with the number of images by
some 1.5 kB each and with that of items by their ids, and not with the number of objects.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from earthgptx.data.checks.class_names_in_use import balance, like_names
from earthgptx.data.checks.geometry import misplaced, misplaced_in_sample, objects_of
from earthgptx.data.checks.look_alikes import HASH_DISTANCE, LEAST_LIKENESS, Look, PlacedLook, find_leaks, look_at
from earthgptx.data.checks.report import CheckReport, Counts, Problem, ProblemCount, ProblemKind
from earthgptx.data.checks.subjects import Subject, in_corpus, in_root
from earthgptx.data.corpus.embedded_image import with_image
from earthgptx.data.corpus.reader import Corpus
from earthgptx.data.datasets.class_names import CLASSES
from earthgptx.data.sample import LabelledImage, LabelledObject, check_sample
from earthgptx.errors import EarthGPTXError, MalformedDataset

OnProgress = Callable[[int], None]

EXAMPLES = 10  # kept of each kind of problem in a split of a source
_AT_ONCE = 64  # items handed to the threads together


@dataclass(frozen=True)
class Settings:
    """What is looked at, and what counts as one image seen twice.

    Attributes:
        only: names of sources; all that are there if empty.
        limit: items of each split of a source; None for all.
        hash_distance, least_likeness: see `look_alikes.find_leaks`.
        num_threads: images opened at a time.
    """

    only: tuple[str, ...] = ()
    limit: int | None = None
    hash_distance: int = HASH_DISTANCE
    least_likeness: float = LEAST_LIKENESS
    num_threads: int = 2


def check_root(root: Path, settings: Settings = Settings(), *, on_progress: OnProgress | None = None) -> CheckReport:
    """Checks the sources below a folder, before a corpus is built of them.

    Args:
        root: the folder that holds the sources' folders.
        settings: what is looked at.
        on_progress: told how many items are done.

    Raises:
        MalformedDataset: no source is there, or an annotation file is not what it should be as a whole.
    """
    return _check(str(root), in_root(root, settings.only, settings.limit), settings, on_progress)


def check_corpus(
    corpus: Corpus,
    settings: Settings = Settings(),
    *,
    image_folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> CheckReport:
    """Checks a built corpus: first its files' hashes, then what is in them.

    Args:
        corpus: an opened one.
        settings: what is looked at; `limit` counts samples.
        image_folder: what image paths are relative to, where images are not in the rows.
        on_progress: told how many samples are done.

    Raises:
        MalformedCorpus: a shard is missing or its bytes are not those that were built.
    """
    corpus.check_files()
    found = in_corpus(corpus, settings.only, settings.limit, image_folder)
    return _check(corpus.url, found, settings, on_progress)


class _Tally:
    """What is noted down of the items on the way."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], list[int]] = {}  # (source, split) to items, images, objects
        self.classes: dict[str, Counter[str]] = defaultdict(Counter)
        self.looks: list[PlacedLook] = []
        self._problems: dict[tuple[ProblemKind, str, str], list[Problem]] = defaultdict(list)
        self._num_problems: Counter[tuple[ProblemKind, str, str]] = Counter()
        self._ids: set[str] = set()
        self._images: set[tuple[str, ...]] = set()
        self._last: tuple[tuple[str, ...], set[LabelledObject]] = (
            (),
            set(),
        )  # an image and its objects, already counted

    def report(self, problem: Problem) -> None:
        """Counts a problem, and keeps it if it is among the first."""
        key = (problem.kind, problem.source, problem.split)
        self._num_problems[key] += 1
        if len(self._problems[key]) < EXAMPLES:
            self._problems[key].append(problem)

    def is_new_image(self, subject: Subject) -> bool:
        """Notes the subject's image; False where it was seen in this split before."""
        is_new = subject.image not in self._images
        self._images.add(subject.image)
        return is_new

    def note(self, subject: Subject) -> None:
        """Looks at all of a subject but its pixels."""
        source, split, item = subject.source, subject.split, subject.item
        counts = self.counts.setdefault((source, split), [0, 0, 0])
        counts[0] += 1
        if item.id in self._ids:
            self.report(Problem("repeated id", source, split, item.id, f"The id {item.id} was used before."))
        self._ids.add(item.id)
        if isinstance(item, LabelledImage):
            objects: Sequence[LabelledObject] = item.objects
        else:
            objects = objects_of(item)
            try:
                check_sample(item)
            except MalformedDataset as error:
                self.report(Problem("sample that does not parse", source, split, item.id, str(error)))
            for problem in misplaced_in_sample(item, source=source, split=split):
                self.report(problem)
        if self._last[0] != subject.image:  # the samples of an image come one after the other
            self._last = (subject.image, set())
        fresh = [found for found in objects if found not in self._last[1]]
        self._last[1].update(fresh)
        counts[2] += len(fresh)
        self.classes[source].update(found.label for found in fresh)
        for problem in misplaced(fresh, item.width, item.height, source=source, split=split, item=item.id):
            self.report(problem)

    def problems(self) -> tuple[ProblemCount, ...]:
        """Every kind of problem that was met, by kind, source and split."""
        return tuple(
            ProblemCount(*key, count=count, examples=tuple(self._problems[key]))
            for key, count in sorted(self._num_problems.items())
        )


def _check(
    where: str,
    found: Iterable[Subject | Problem],
    settings: Settings,
    on_progress: OnProgress | None,
) -> CheckReport:
    """One pass: labels are looked at here, images in threads."""
    tally = _Tally()
    num_done = 0
    with ThreadPoolExecutor(max_workers=settings.num_threads) as threads:
        for together in _batches(found, _AT_ONCE):
            unseen = []
            for subject in together:
                if isinstance(subject, Problem):
                    tally.report(subject)
                    continue
                tally.note(subject)
                if tally.is_new_image(subject):
                    unseen.append(subject)
            for subject, look in zip(unseen, threads.map(_look, unseen), strict=True):
                if isinstance(look, Problem):
                    tally.report(look)
                else:
                    tally.looks.append(PlacedLook(subject.source, subject.split, subject.image_name, look))
                tally.counts[subject.source, subject.split][1] += 1
            num_done += len(together)
            if on_progress is not None:
                on_progress(num_done)
    known = {name.label for name in CLASSES}
    return CheckReport(
        where=where,
        counts=tuple(Counts(*key, *counts) for key, counts in sorted(tally.counts.items())),
        problems=tally.problems(),
        leaks=tuple(
            find_leaks(tally.looks, hash_distance=settings.hash_distance, least_likeness=settings.least_likeness)
        ),
        like_names=tuple(
            pair for source, names in sorted(tally.classes.items()) for pair in like_names(source, names, known)
        ),
        balances=tuple(balance(source, names) for source, names in sorted(tally.classes.items()) if names),
        hash_distance=settings.hash_distance,
        least_likeness=settings.least_likeness,
    )


def _look(subject: Subject) -> Look | Problem:
    """The look of a subject's image, or why it has none."""
    try:
        if subject.image_bytes is None or isinstance(subject.item, LabelledImage):
            return look_at(subject.item)
        with TemporaryDirectory() as folder:
            return look_at(with_image(subject.item, subject.image_bytes, Path(folder)))
    except (EarthGPTXError, OSError, SyntaxError, ValueError) as error:  # all that Pillow and rasterio raise
        kind: ProblemKind = "image that cannot be opened"
        return Problem(kind, subject.source, subject.split, subject.item.id, f"{type(error).__name__}: {error}")


def _batches(found: Iterable[Subject | Problem], size: int) -> Iterator[list[Subject | Problem]]:
    stream = iter(found)
    while together := list(itertools.islice(stream, size)):
        yield together
