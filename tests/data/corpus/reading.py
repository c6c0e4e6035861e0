"""What tests look at in a corpus on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.corpus.manifest import read_manifest
from earthgptx.data.corpus.shards import Row, read_shard


def content(out: Path) -> dict[str, str]:
    """Every file of a corpus with the hash of its bytes."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(out: Path) -> Iterator[Row]:
    for shard in read_manifest(out).shards:
        yield from read_shard(out / shard.path)


def quarantine(out: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
