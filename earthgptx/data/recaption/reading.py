"""The samples that a run starts from: a JSON Lines file, or a built corpus, whole or one split of it.

A path comes in, samples with image files that exist go out as a stream. What they are for is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data import sample_file
from earthgptx.data.corpus.embedded_image import with_image
from earthgptx.data.sample import Sample
from earthgptx.errors import MalformedCorpus

_ROWS_AT_ONCE = 2048
_COLUMNS = ("sample", "image_bytes")


def read_input(path: Path, *, images: Path | None, split: str | None, extracted: Path) -> Iterator[Sample]:
    """Yields the samples of a file, or of a corpus's folder.

    Args:
        path: a JSON Lines file, or a folder with a manifest.
        images: what relative image paths are relative to; the file's or the corpus's own folder if None.
        split: only this split of a corpus; all if None. A file has no splits.
        extracted: where images go that a corpus holds in itself and that are on no disk.

    Raises:
        MalformedDataset: a line is not a sample.
        MalformedCorpus: the folder is no corpus, or has no such split.
    """
    if not path.is_dir():
        yield from sample_file.read_samples(path, root=images)
        return
    from earthgptx.data.corpus.reader import open_corpus  # pyarrow takes a while to import

    corpus = open_corpus(path)
    wanted = [shard for shard in corpus.shards if split in (None, shard.split)]
    if not wanted:
        known = ", ".join(sorted({shard.split for shard in corpus.shards}))
        raise MalformedCorpus(f"{path} has no split {split!r}; it has {known or 'no shard at all'}.")
    root = path if images is None else images
    for shard in wanted:
        for start in range(0, shard.num_rows, _ROWS_AT_ONCE):
            rows = corpus.rows(shard, start, min(start + _ROWS_AT_ONCE, shard.num_rows), _COLUMNS)
            for row in rows:
                sample = sample_file.parse(row["sample"], root=root, where=f"a row of {shard.path}")
                yield _with_file(sample, row["image_bytes"], extracted)


def _with_file(sample: Sample, image_bytes: bytes | None, folder: Path) -> Sample:
    """The sample with an image file: its own, or one written from the bytes that came with it."""
    if image_bytes is None or sample.image.is_file():
        return sample
    folder.mkdir(parents=True, exist_ok=True)
    return with_image(sample, image_bytes, folder)
