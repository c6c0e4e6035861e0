"""What a run starts from: a folder of data sets, a built corpus, or a JSON Lines file of samples.

A path comes in, subjects go out. A folder of data sets is the best of the three: it has all labels of an image,
where samples have a few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from earthgptx.data import sample_file
from earthgptx.data.corpus.embedded_image import with_image
from earthgptx.data.corpus.tiling import Tiling, tile
from earthgptx.data.quarantine import OnBroken
from earthgptx.data.recaption.subject import Subject, subjects_of, subjects_of_images
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.data.wording import listed
from earthgptx.errors import MalformedCorpus, MalformedDataset, MissingExtra

_ROWS_AT_ONCE = 2048
_COLUMNS = ("sample", "image_bytes")


@dataclass(frozen=True)
class Wanted:
    """What is wanted of an input.

    Attributes:
        images: what relative image paths of samples are relative to; the input's own folder if None.
        split: only this split of data sets or of a corpus; all if None. A file has no splits.
        only: only these data sets; all that are there if empty. Corpora and files are taken whole.
        extracted: where images go that a corpus holds in itself and that are on no disk.
        max_regions: how many numbers one picture may carry.
    """

    extracted: Path
    images: Path | None = None
    split: str | None = None
    only: tuple[str, ...] = ()
    max_regions: int = 20


def read_subjects(path: Path, wanted: Wanted, on_broken: OnBroken) -> list[Subject]:
    """The images with labelled objects of a file, a corpus's folder, or a folder of data sets.

    Args:
        path: a folder with a manifest is a corpus, any other folder holds data sets.
        wanted: which part of it, and how.
        on_broken: told of what data sets hold that cannot be used.

    Raises:
        MalformedDataset: a line is not a sample; a data set is not known, or none is there.
        MalformedCorpus: the corpus is broken, or has no such split.
        MissingExtra: a corpus is to be read, and pyarrow is not installed.
    """
    if path.is_dir() and not (path / "manifest.json").is_file():
        return subjects_of_images(_images(path, wanted, on_broken), max_regions=wanted.max_regions)
    if path.is_dir():
        return subjects_of(_samples_of_corpus(path, wanted), max_regions=wanted.max_regions)
    return subjects_of(sample_file.read_samples(path, root=wanted.images), max_regions=wanted.max_regions)


def _images(root: Path, wanted: Wanted, on_broken: OnBroken) -> Iterator[LabelledImage]:
    """The labelled images of the data sets below a folder, big ones cut as the builder cuts them."""
    from earthgptx.data.corpus.sources import find_sources  # with it come all data sets' readers
    from earthgptx.data.datasets import DATASETS

    found, _ = find_sources(root, wanted.only or tuple(DATASETS))
    chosen = [source for source in found if wanted.split in (None, source.split)]
    if not chosen:
        there = listed([source.name for source in found]) if found else "no data set that is known"
        raise MalformedDataset(f"{root} holds no corpus, and nothing of the split {wanted.split!r}; it has {there}.")
    tiling = Tiling()
    for source in chosen:
        for item in source.read(on_broken):
            if isinstance(item, LabelledImage):
                yield from tile(item, tiling).images if tiling.cuts(item) else (item,)


def _samples_of_corpus(path: Path, wanted: Wanted) -> Iterator[Sample]:
    try:
        from earthgptx.data.corpus.reader import open_corpus  # pyarrow takes a while to import
    except ModuleNotFoundError as error:
        raise MissingExtra(f"Reading a corpus needs {error.name}: pip install 'earthgptx[data]'.") from error

    corpus = open_corpus(path)
    chosen = [shard for shard in corpus.shards if wanted.split in (None, shard.split)]
    if not chosen:
        known = ", ".join(sorted({shard.split for shard in corpus.shards}))
        raise MalformedCorpus(f"{path} has no split {wanted.split!r}; it has {known or 'no shard at all'}.")
    root = path if wanted.images is None else wanted.images
    for shard in chosen:
        for start in range(0, shard.num_rows, _ROWS_AT_ONCE):
            for row in corpus.rows(shard, start, min(start + _ROWS_AT_ONCE, shard.num_rows), _COLUMNS):
                sample = sample_file.parse(row["sample"], root=root, where=f"a row of {shard.path}")
                yield _with_file(sample, row["image_bytes"], wanted.extracted)


def _with_file(sample: Sample, image_bytes: bytes | None, folder: Path) -> Sample:
    """The sample with an image file: its own, or one written from the bytes that came with it."""
    if image_bytes is None or sample.image.is_file():
        return sample
    folder.mkdir(parents=True, exist_ok=True)
    return with_image(sample, image_bytes, folder)
