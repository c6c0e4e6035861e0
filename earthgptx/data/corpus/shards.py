"""The rows of a corpus on disk: Parquet files of a few thousand rows each.

In go rows, out come files that are either whole or not there. The same rows give the same bytes: nothing in a file
says when or where it was written. What a row's sample means is not known here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from earthgptx.errors import MalformedCorpus

ROWS_A_GROUP = 128  # what a reader has to decode at once to get at one row
_CHUNK = 1 << 20  # bytes hashed at a time
_DICTIONARY_LIMIT = 1 << 30  # bytes; with the usual 1 MiB an image would be written again in every row

# The rows of an image follow each other and share its bytes, which a dictionary holds once a group.
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("sensor", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("mark_kinds", pa.list_(pa.string()), nullable=False),
        pa.field("image", pa.string(), nullable=False),
        pa.field("sample", pa.string(), nullable=False),
        pa.field("image_bytes", pa.dictionary(pa.int32(), pa.binary())),
    ]
)
COLUMNS = tuple(_SCHEMA.names)


@dataclass(frozen=True)
class Row:
    """One image - mark - text triple of a corpus.

    Attributes:
        id: of the sample.
        source, domain, split: the dataset's name, its domain, and the split that it gave the image to.
        sensor, task: the sample's.
        mark_kinds: the kinds of the sample's marks, each once, in the order of `shapes.MARK_KINDS`.
        image: the image file's path below the folder of the sources, with slashes.
        sample: the line that `sample_file.render` wrote.
        image_bytes: the image file itself, or a PNG of the window where the image is a part of a file; None in a
            corpus without images in it.
    """

    id: str
    source: str
    domain: str
    split: str
    sensor: str
    task: str
    mark_kinds: tuple[str, ...]
    image: str
    sample: str
    image_bytes: bytes | None = None


def write_shard(path: Path, rows: Sequence[Row]) -> str:
    """Writes rows to a file that appears only when it is whole.

    Args:
        path: the file; its folder must exist.
        rows: at least one.

    Returns:
        The SHA-256 of the file's bytes, in hexadecimal.
    """
    unfinished = path.with_name(f"{path.name}.part")
    with pq.ParquetWriter(
        unfinished, _SCHEMA, compression="zstd", use_dictionary=True, dictionary_pagesize_limit=_DICTIONARY_LIMIT
    ) as writer:
        for start in range(0, len(rows), ROWS_A_GROUP):
            writer.write_table(_table(rows[start : start + ROWS_A_GROUP]))
    with unfinished.open("rb+") as written:
        os.fsync(written.fileno())  # a name must not outlive a power cut without its content
    digest = hash_of(unfinished)
    unfinished.replace(path)
    return digest


def read_shard(path: Path) -> Iterator[Row]:
    """The rows of one file in their order, a group of them in memory at a time.

    Raises:
        MalformedCorpus: the file is missing, or is no shard of a corpus.
    """
    if not path.is_file():
        raise MalformedCorpus(f"The shard {path} does not exist.")
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                for values in file.read_row_group(group, columns=list(COLUMNS), use_threads=False).to_pylist():
                    yield Row(**{**values, "mark_kinds": tuple(values["mark_kinds"])})
    except (pa.ArrowInvalid, TypeError) as error:
        raise MalformedCorpus(f"{path} is not a shard of a corpus: {error}.") from error


def hash_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _table(rows: Sequence[Row]) -> pa.Table:
    """A group of rows, with every image in it once."""
    places: dict[bytes, int] = {}
    indices = [None if row.image_bytes is None else places.setdefault(row.image_bytes, len(places)) for row in rows]
    images = pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(list(places), pa.binary()))
    columns = [pa.array([getattr(row, name) for row in rows], _SCHEMA.field(name).type) for name in COLUMNS[:-1]]
    return pa.Table.from_arrays([*columns, images], schema=_SCHEMA)
