"""What a check walks over: the items of sources on disk, or the rows of a built corpus, one after the other.

In comes a folder or a corpus, out come `Subject`s, and `Problem`s for items that cannot be read at all. What can be
wrong with an item that can be read is not known here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earthgptx.data import sample_file
from earthgptx.data.checks.report import Problem
from earthgptx.data.corpus.reader import Corpus
from earthgptx.data.corpus.sources import find_sources
from earthgptx.data.datasets import DATASETS
from earthgptx.data.quarantine import BrokenItem
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.errors import EarthGPTXError, MalformedCorpus, MalformedDataset

_ROWS_AT_ONCE = 256
_COLUMNS = ("id", "image", "sample", "image_bytes")


@dataclass(frozen=True)
class Subject:
    """One item, where it belongs, and its image's file if that came with it.

    Attributes:
        source, split: the dataset's name, and its split.
        item: what was read.
        image_name: what a person looks its image up by.
        image_bytes: see `corpus.shards.Row`.
    """

    source: str
    split: str
    item: LabelledImage | Sample
    image_name: str
    image_bytes: bytes | None = None

    @property
    def image(self) -> tuple[str, str, str, str]:
        """Tells its image from others, in another split from itself."""
        path = self.item.path if isinstance(self.item, LabelledImage) else self.item.image
        return self.source, self.split, str(path), repr(self.item.window)


def in_root(root: Path, only: Sequence[str] = (), limit: int | None = None) -> Iterator[Subject | Problem]:
    """Every item of every split of the sources below a folder.

    Args:
        root: the folder that holds the sources' folders.
        only: names of sources; all that are there if empty.
        limit: items of each split of a source.

    Raises:
        MalformedDataset: no source is there, or a named one is unknown or not there, or its annotation file is
            not what it should be as a whole.
    """
    splits, absent = find_sources(root, only or tuple(DATASETS))
    if not splits or (only and absent):
        raise MalformedDataset(f"{root} holds no split of {absent[0] if only else 'any known source'}.")
    for split in splits:
        broken: list[BrokenItem] = []
        for item in itertools.islice(split.read(broken.append), limit):
            yield from _as_problems(broken, split.split)
            yield Subject(split.source, split.split, item, item.id)
        yield from _as_problems(broken, split.split)


def in_corpus(
    corpus: Corpus, only: Sequence[str] = (), limit: int | None = None, image_folder: Path | None = None
) -> Iterator[Subject | Problem]:
    """Every sample of a corpus.

    Args:
        corpus: an opened one.
        only: names of sources; all if empty.
        limit: samples of each split of a source.
        image_folder: what image paths are relative to, where images are not in the rows.

    Raises:
        MalformedCorpus: a shard is missing or not what the manifest says, or a named source is not in it, or
            images are neither in the rows nor in a folder that is given.
    """
    sources = sorted({shard.source for shard in corpus.shards})
    unknown = [name for name in only if name not in sources]
    if unknown:
        raise MalformedCorpus(f"{corpus.url} has no source {unknown[0]!r}; it has {', '.join(sources)}.")
    taken: dict[tuple[str, str], int] = {}
    for shard in corpus.shards:
        if only and shard.source not in only:
            continue
        key = (shard.source, shard.split)
        stop = shard.num_rows if limit is None else min(shard.num_rows, limit - taken.get(key, 0))
        taken[key] = taken.get(key, 0) + max(0, stop)
        for start in range(0, stop, _ROWS_AT_ONCE):
            for row in corpus.rows(shard, start, min(start + _ROWS_AT_ONCE, stop), _COLUMNS):
                try:
                    sample = sample_file.parse(row["sample"], root=image_folder, where=f"The row {row['id']}")
                except EarthGPTXError as error:
                    yield Problem("sample that does not parse", *key, str(row["id"]), str(error))
                    continue
                if row["image_bytes"] is None and image_folder is None:
                    raise MalformedCorpus(
                        f"{corpus.url} was built without images in it: say in which folder they are (--data)."
                    )
                yield Subject(*key, sample, _with_window(row["image"], sample), row["image_bytes"])


def _with_window(image: str, sample: Sample) -> str:
    """The image's path, and where in the file it is if it is a part of it."""
    window = sample.window
    return image if window is None else f"{image} at {window.x0:g}, {window.y0:g}"


def _as_problems(broken: list[BrokenItem], split: str) -> Iterator[Problem]:
    """Hands on what a reader reported, and forgets it."""
    for item in broken:
        yield Problem("broken label", item.source, split, item.item, item.reason)
    broken.clear()
