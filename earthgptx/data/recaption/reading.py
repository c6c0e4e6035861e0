"""What a run starts from: a folder of data sets, a built corpus, or a JSON Lines file of samples.

A path comes in, subjects go out. A folder of data sets is the best of the three: it has all labels of an image,
where samples have a few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from earthgptx.data import sample_file
from earthgptx.data.corpus.embedded_image import with_image
from earthgptx.data.corpus.tiling import Tiling, tile
from earthgptx.data.quarantine import BrokenItem, OnBroken
from earthgptx.data.recaption.subject import Subject, subject_of_image, subjects_of
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.errors import MalformedCorpus, MalformedDataset, MissingExtra
from earthgptx.shapes import Box

_ROWS_AT_ONCE = 2048


def read_subjects(
    path: Path,
    on_broken: OnBroken,
    *,
    extracted: Path,
    images: Path | None = None,
    split: str | None = None,
    only: Collection[str] = (),
    max_regions: int = 20,
) -> list[Subject]:
    """The images with labelled objects of a file, a corpus's folder, or a folder of data sets.

    Dialogues that lie among data sets are left out: their images have no labels of their own.

    Args:
        path: a folder with a manifest is a corpus, any other folder holds data sets.
        on_broken: told of what data sets hold that cannot be used.
        extracted: where images go that a corpus holds in itself.
        images: what relative image paths of samples are relative to; a file's own folder if None.
        split: only this split of data sets or of a corpus; all if None.
        only: only these data sets; all that are there if empty.
        max_regions: how many numbers one picture may carry.

    Raises:
        MalformedDataset: a line is not a sample; a data set is not known or not there; a file is asked for a part.
        MalformedCorpus: the corpus is broken, has no such part, or its images are not to be found.
        MissingExtra: a corpus is to be read, and pyarrow is not installed.
    """
    if path.is_dir() and not (path / "manifest.json").is_file():
        return list(_subjects_of_datasets(path, on_broken, split=split, only=only, max_regions=max_regions))
    if path.is_dir():
        samples = _samples_of_corpus(path, extracted, images, split=split, only=only)
        return subjects_of(samples, max_regions=max_regions)
    if split is not None or only:
        raise MalformedDataset(f"{path} is no folder: --split and --only choose from data sets or from a corpus.")
    return subjects_of(sample_file.read_samples(path, root=images), max_regions=max_regions)


def _subjects_of_datasets(
    root: Path, on_broken: OnBroken, *, split: str | None, only: Collection[str], max_regions: int
) -> Iterator[Subject]:
    """The labelled images below a folder, big ones cut as the builder cuts them."""
    from earthgptx.data.corpus.sources import find_sources  # with it come all data sets' readers
    from earthgptx.data.datasets import DATASETS

    found, absent = find_sources(root, tuple(only) or tuple(DATASETS))
    if only and absent:
        raise MalformedDataset(f"{root} does not hold {', '.join(absent)}.")
    chosen = [source for source in found if split in (None, source.split)]
    if not chosen:
        there = ", ".join(source.name for source in found) or "no data set that is known"
        raise MalformedDataset(f"{root} has nothing to caption in {split or 'any split'}; it holds {there}.")
    left_out: list[BrokenItem] = []  # since the last image

    def report(broken: BrokenItem) -> None:
        on_broken(broken)
        if not broken.is_empty:
            left_out.append(broken)

    tiling = Tiling()
    for source in chosen:
        left_out.clear()
        for item in source.read(report):
            # Readers report an image's annotations right before they give the image. Sets that label a part of what
            # is there serve no questions whose answer may be "no".
            is_counted = "vqa" in source.tasks and not left_out
            left_out.clear()
            if not isinstance(item, LabelledImage):
                continue
            for view in tile(item, tiling).images if tiling.cuts(item) else (item,):
                if view.objects:  # a window cuts objects off
                    yield subject_of_image(view, max_regions=max_regions, is_counted=is_counted and view is item)


def _samples_of_corpus(
    path: Path, extracted: Path, images: Path | None, *, split: str | None, only: Collection[str]
) -> Iterator[Sample]:
    try:
        from earthgptx.data.corpus.reader import open_corpus  # pyarrow takes a while to import
    except ModuleNotFoundError as error:
        raise MissingExtra(f"Reading a corpus needs {error.name}: pip install 'earthgptx[data]'.") from error

    corpus = open_corpus(path)
    known = {shard.source for shard in corpus.shards}
    chosen = [s for s in corpus.shards if split in (None, s.split) and (not only or s.source in only)]
    if not chosen or not known.issuperset(only):
        there = ", ".join(sorted({f"{shard.source}-{shard.split}" for shard in corpus.shards}))
        wanted = f"{', '.join(only) or 'any data set'} in {split or 'any split'}"
        raise MalformedCorpus(f"{path} has nothing of {wanted}; it has {there or 'no shard at all'}.")
    for shard in chosen:
        for start in range(0, shard.num_rows, _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, shard.num_rows)
            for row in corpus.rows(shard, start, stop, ("sample", "image_bytes")):
                sample = sample_file.parse(row["sample"], root=images, where=f"a row of {shard.path}")
                if row["image_bytes"] is not None:
                    yield _with_file(sample, row["image_bytes"], extracted)
                elif images is not None:
                    yield sample
                else:
                    raise MalformedCorpus(f"{path} was built without images in it: --images must say where they are.")


def _with_file(sample: Sample, image_bytes: bytes, folder: Path) -> Sample:
    """The sample with its image written to a file; one of a window still says that it is one, of all its pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    window = None if sample.window is None else Box(0.0, 0.0, float(sample.width), float(sample.height))
    return replace(with_image(sample, image_bytes, folder), window=window)
