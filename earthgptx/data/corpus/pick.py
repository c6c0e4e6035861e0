"""Takes a few samples out of a corpus by chance, to be looked at.

In come a corpus and what is wanted, out come samples whose images can be opened. Only the rows that were taken are read
whole.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Collection
from pathlib import Path

from earthgptx.data import sample_file
from earthgptx.data.corpus.embedded_image import with_image
from earthgptx.data.corpus.manifest import Shard
from earthgptx.data.corpus.reader import Corpus
from earthgptx.data.sample import Sample
from earthgptx.errors import MalformedCorpus


def pick_samples(
    corpus: Corpus,
    *,
    split: str,
    task: str,
    count: int,
    rng: random.Random,
    sources: Collection[str] = (),
    image_folder: Path | None,
    written_to: Path,
) -> list[Sample]:
    """Up to `count` samples of a task, each as likely as any other.

    Args:
        corpus: an opened one.
        split: "train", "val" or "test".
        task: one of `instructions.TASKS`, or "dialogue".
        count: how many are wanted.
        rng: decides which.
        sources: names of sources; all if empty.
        image_folder: what image paths are relative to, where images are not in the rows.
        written_to: a folder for images that are.

    Raises:
        MalformedCorpus: the corpus has no such split or source, or nothing of the task in it; or its images are
            neither in the rows nor in a folder that is given.
    """
    _check(corpus, "split", {shard.split for shard in corpus.shards}, (split,))
    _check(corpus, "source", {shard.source for shard in corpus.shards}, sources)
    places = [
        (rng.random(), number, place)
        for number, shard in enumerate(corpus.shards)
        if shard.split == split and (not sources or shard.source in sources)
        for place, row in enumerate(corpus.rows(shard, 0, shard.num_rows, ("task",)))
        if row["task"] == task
    ]
    if not places:
        tasks = sorted({found.task for found in corpus.manifest.counts if found.split == split})
        raise MalformedCorpus(
            f"{corpus.url} has no {task!r} in its {split} split; it has {', '.join(tasks) or 'none'}."
        )
    taken = heapq.nsmallest(count, places)
    return [_sample(corpus, corpus.shards[number], place, image_folder, written_to) for _, number, place in taken]


def _sample(corpus: Corpus, shard: Shard, place: int, image_folder: Path | None, written_to: Path) -> Sample:
    (row,) = corpus.rows(shard, place, place + 1, ("sample", "image_bytes"))
    sample = sample_file.parse(row["sample"], root=image_folder, where=f"Row {place} of {shard.path}")
    if row["image_bytes"] is not None:
        return with_image(sample, row["image_bytes"], written_to)
    if image_folder is None:
        raise MalformedCorpus(f"{corpus.url} was built without images in it: say in which folder they are (--data).")
    return sample


def _check(corpus: Corpus, what: str, known: Collection[str], wanted: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            raise MalformedCorpus(f"{corpus.url} has no {what} {name!r}; it has {', '.join(sorted(known))}.")
