"""Opens a built corpus anywhere that fsspec reaches, and reads rows of its shards.

In comes a folder or a URL (``/data/mrsvp``, ``memory://mrsvp``, ``s3://bucket/mrsvp``), out go the manifest and rows
as dictionaries of the columns asked for. What a sample is, and in which order rows are wanted, is not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from earthgptx.data.corpus.manifest import MANIFEST, Manifest, Shard, parse_manifest
from earthgptx.data.corpus.shards import Footer, read_rows
from earthgptx.errors import MalformedCorpus, MissingExtra

try:
    import fsspec
    from fsspec.core import url_to_fs
except ModuleNotFoundError as error:
    raise MissingExtra(f"Corpora are opened by {error.name}: pip install 'earthgptx[data]'.") from error


@dataclass(frozen=True)
class Corpus:
    """A corpus that was found to be there; `open_corpus` makes one.

    Attributes:
        url: as it was given.
        manifest: what it says of itself.
        fingerprint: tells this corpus from any other, and from itself built anew of other data.
    """

    url: str
    manifest: Manifest
    fingerprint: str
    _filesystem: fsspec.AbstractFileSystem
    _folder: str
    _footers: dict[str, Footer] = field(default_factory=dict, compare=False, repr=False)

    @property
    def shards(self) -> tuple[Shard, ...]:
        """All files of samples, in the manifest's order."""
        return self.manifest.shards

    def rows(self, shard: Shard, start: int, stop: int, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of a shard, half open, as dictionaries of the columns.

        Raises:
            MalformedCorpus: the shard is missing, or is no shard of a corpus.
        """
        with self._opened(shard) as stream:
            try:
                rows, footer = read_rows(stream, start, stop, columns, self._footers.get(shard.path))
            except MalformedCorpus as error:
                raise MalformedCorpus(f"{self.url}: {shard.path} cannot be read: {error}") from error
        self._footers[shard.path] = footer
        return rows

    def check_files(self) -> None:
        """Reads every shard and compares its hash with the manifest's.

        Raises:
            MalformedCorpus: a shard is missing, or its bytes are not those that were written.
        """
        for shard in self.shards:
            with self._opened(shard) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest != shard.sha256:
                raise MalformedCorpus(
                    f"{self.url}: {shard.path} is not the file that was built: its SHA-256 begins {digest[:12]}, "
                    f"the manifest says {shard.sha256[:12]}."
                )

    @contextmanager
    def _opened(self, shard: Shard) -> Iterator[BufferedIOBase]:
        try:
            opened = self._filesystem.open(f"{self._folder}/{shard.path}", "rb")
        except FileNotFoundError as error:
            raise MalformedCorpus(f"{self.url}: the shard {shard.path} of the manifest is missing.") from error
        with opened:
            yield opened


def open_corpus(url: str | Path) -> Corpus:
    """Opens a corpus by its folder or URL; only the manifest is read.

    Raises:
        MalformedCorpus: there is no manifest, or it is not one, or the URL is of a kind that cannot be opened here.
    """
    try:
        filesystem, folder = url_to_fs(str(url))
    except (ValueError, ImportError) as error:  # a scheme that fsspec does not know, or whose package is not there
        raise MalformedCorpus(f"{url} cannot be opened: {error}.") from error
    try:
        content = filesystem.cat_file(f"{folder}/{MANIFEST}")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MalformedCorpus(f"{url} holds no corpus: there is no {MANIFEST} in it.") from error
    return Corpus(
        url=str(url),
        manifest=parse_manifest(content, where=f"{url}/{MANIFEST}"),
        fingerprint=hashlib.sha256(content).hexdigest()[:16],
        _filesystem=filesystem,
        _folder=folder.rstrip("/"),
    )
