"""The rows of a corpus on disk: Parquet files of a few thousand rows each.

In go rows, out come files that are either whole or not there. The same rows give the same bytes: nothing in a file
says when or where it was written. What a row's sample means is not known here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, TypeAlias

from earthgptx.errors import MalformedCorpus, MissingExtra

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise MissingExtra(f"The files of a corpus need {error.name}: pip install 'earthgptx[data]'.") from error

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
Footer: TypeAlias = pq.FileMetaData


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


def read_rows(
    stream: BufferedIOBase, start: int, stop: int, columns: Sequence[str], footer: Footer | None = None
) -> tuple[list[dict[str, Any]], Footer]:
    """Some rows of a shard, decoding only the groups that they lie in.

    Args:
        stream: the opened shard, which may be far away.
        start, stop: the rows, half open.
        columns: those of COLUMNS that are wanted.
        footer: as an earlier call on the same shard gave it, which saves reading it again.

    Returns:
        A dictionary a row, and the shard's footer. Rows with the same image share its bytes.

    Raises:
        MalformedCorpus: the stream is no shard of a corpus.
    """
    try:
        file = pq.ParquetFile(stream, metadata=footer, pre_buffer=True)
        groups, before = _groups_of(file.metadata, start, stop)
        table = file.read_row_groups(groups, columns=list(columns), use_threads=False)
    except (pa.ArrowException, OSError) as error:  # pyarrow says OSError for pages that are damaged
        reason = str(error).rstrip(".")
        raise MalformedCorpus(f"it is no shard of a corpus ({reason}).") from error
    absent = sorted(set(columns) - set(table.column_names))
    if absent:
        raise MalformedCorpus(f"it has no column {', '.join(absent)}.")
    return _as_dictionaries(table.slice(start - before, stop - start)), file.metadata


def hash_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _groups_of(footer: Footer, start: int, stop: int) -> tuple[list[int], int]:
    """The groups that hold rows start to stop, and the first row of the first of them."""
    groups: list[int] = []
    first = before = 0
    for group in range(footer.num_row_groups):
        size = footer.row_group(group).num_rows
        if first < stop and first + size > start:
            before = before if groups else first
            groups.append(group)
        first += size
    return groups, before


def _as_dictionaries(table: pa.Table) -> list[dict[str, Any]]:
    columns = {name: _values(table.column(name)) for name in table.column_names}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """A column's values, each entry of a dictionary made once: `to_pylist` copies an image into every row."""
    if not pa.types.is_dictionary(column.type):
        found: list[Any] = column.to_pylist()
        return found
    values: list[Any] = []
    for chunk in column.chunks:
        places = chunk.indices.to_pylist()
        used = sorted({place for place in places if place is not None})
        entries = {place: chunk.dictionary[place].as_py() for place in used}
        values += (None if place is None else entries[place] for place in places)
    return values


def _table(rows: Sequence[Row]) -> pa.Table:
    """A group of rows, with every image in it once."""
    places: dict[bytes, int] = {}
    indices = [None if row.image_bytes is None else places.setdefault(row.image_bytes, len(places)) for row in rows]
    images = pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(list(places), pa.binary()))
    columns = [pa.array([getattr(row, name) for row in rows], _SCHEMA.field(name).type) for name in COLUMNS[:-1]]
    return pa.Table.from_arrays([*columns, images], schema=_SCHEMA)
