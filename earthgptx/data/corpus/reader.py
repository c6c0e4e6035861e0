"""Opens a built corpus anywhere that fsspec reaches, and reads rows of its shards.

In comes a folder or a URL (``/data/mrsvp``, ``memory://mrsvp``, ``s3://bucket/mrsvp``), out go the manifest's facts
and rows as dictionaries of the columns asked for. What a sample is, and in which order rows are wanted, is not
known here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
from fsspec.core import url_to_fs

from earthgptx.errors import MalformedCorpus

MANIFEST = "manifest.json"
_CHUNK = 1 << 20  # bytes hashed at a time


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a corpus, as the manifest has it.

    Attributes:
        path: below the corpus's folder, with slashes.
        source, split: whose rows it holds.
        num_rows: how many.
        sha256: of the file's bytes, in hexadecimal.
    """

    path: str
    source: str
    split: str
    num_rows: int
    sha256: str


@dataclass(frozen=True)
class Corpus:
    """A corpus that was found to be there; `open_corpus` makes one.

    Attributes:
        url: as it was given.
        manifest: the whole of manifest.json.
        fingerprint: tells this corpus from any other, and from itself built anew of other data.
        shards: all files of samples, in the manifest's order.
    """

    url: str
    manifest: dict[str, Any]
    fingerprint: str
    shards: tuple[Shard, ...]
    _filesystem: fsspec.AbstractFileSystem
    _folder: str
    _footers: dict[str, pq.FileMetaData] = field(default_factory=dict, compare=False, repr=False)

    def rows(self, shard: Shard, start: int, stop: int, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of a shard, half open, as dictionaries of the columns; only the row groups they lie in are read.

        Raises:
            MalformedCorpus: the shard is missing, is no Parquet file, or lacks a column.
        """
        where = f"{self._folder}/{shard.path}"
        try:
            with self._filesystem.open(where, "rb") as opened:
                file = pq.ParquetFile(opened, metadata=self._footers.get(shard.path), pre_buffer=True)
                self._footers[shard.path] = file.metadata
                groups, before = _groups_of(file.metadata, start, stop)
                table = file.read_row_groups(groups, columns=list(columns), use_threads=False)
        except FileNotFoundError as error:
            raise MalformedCorpus(f"{self.url}: the shard {shard.path} of the manifest is missing.") from error
        except (OSError, ValueError) as error:  # pyarrow's own errors are subclasses of these
            raise MalformedCorpus(f"{self.url}: {shard.path} cannot be read as Parquet: {error}.") from error
        absent = sorted(set(columns) - set(table.column_names))
        if absent:
            raise MalformedCorpus(f"{self.url}: {shard.path} has no column {', '.join(absent)}.")
        rows: list[dict[str, Any]] = table.slice(start - before, stop - start).to_pylist()
        return rows

    def check_files(self) -> None:
        """Reads every shard and compares its hash with the manifest's.

        Raises:
            MalformedCorpus: a shard is missing, or its bytes are not those that were written.
        """
        for shard in self.shards:
            digest = hashlib.sha256()
            try:
                with self._filesystem.open(f"{self._folder}/{shard.path}", "rb") as opened:
                    while chunk := opened.read(_CHUNK):
                        digest.update(chunk)
            except FileNotFoundError as error:
                raise MalformedCorpus(f"{self.url}: the shard {shard.path} of the manifest is missing.") from error
            if digest.hexdigest() != shard.sha256:
                raise MalformedCorpus(
                    f"{self.url}: {shard.path} is not the file that was built: its SHA-256 begins "
                    f"{digest.hexdigest()[:12]}, the manifest says {shard.sha256[:12]}."
                )


def open_corpus(url: str | Path) -> Corpus:
    """Opens a corpus by its folder or URL; only the manifest is read.

    Raises:
        MalformedCorpus: there is no manifest, or it is not one.
    """
    try:
        filesystem, folder = url_to_fs(str(url))
        content = filesystem.cat_file(f"{folder}/{MANIFEST}")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MalformedCorpus(f"{url} holds no corpus: there is no {MANIFEST} in it.") from error
    except (ValueError, ImportError) as error:  # a scheme that fsspec does not know, or whose package is not there
        raise MalformedCorpus(f"{url} cannot be opened: {error}.") from error
    try:
        manifest = json.loads(content)
        shards = tuple(
            Shard(
                path=str(row["path"]),
                source=str(row["source"]),
                split=str(row["split"]),
                num_rows=int(row["num_rows"]),
                sha256=str(row["sha256"]),
            )
            for row in manifest["shards"]
        )
    except (ValueError, TypeError, KeyError) as error:
        raise MalformedCorpus(f"{url}: {MANIFEST} is not a corpus's manifest: {error!r}.") from error
    return Corpus(
        url=str(url),
        manifest=manifest,
        fingerprint=hashlib.sha256(content).hexdigest()[:16],
        shards=shards,
        _filesystem=filesystem,
        _folder=folder.rstrip("/"),
    )


def _groups_of(footer: pq.FileMetaData, start: int, stop: int) -> tuple[list[int], int]:
    """The row groups that hold rows start to stop, and the first row of the first of them."""
    groups: list[int] = []
    first, before = 0, 0
    for group in range(footer.num_row_groups):
        size = footer.row_group(group).num_rows
        if first < stop and first + size > start:
            before = before if groups else first
            groups.append(group)
        first += size
    return groups, before
