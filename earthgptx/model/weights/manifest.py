"""A folder that is built once and verified ever after.

Building happens in a temporary folder beside the final one, which appears by renaming: a killed process
leaves no half a folder. `manifest.json` in it names every file with its SHA-256, and where the contents
came from.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from earthgptx.errors import BrokenCheckpoint, HashMismatch
from earthgptx.wheels import sha256_of

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Source:
    """Where a part came from.

    Attributes:
        part: what it is here ("language").
        package, version, sha256: the pinned package that carries it.
        licence: what the package states of itself.
        fetched_from: the place it was really taken from, in words.
    """

    part: str
    package: str
    version: str
    sha256: str
    licence: str
    fetched_from: str


@dataclass(frozen=True)
class Manifest:
    """What lies in a built folder.

    Attributes:
        sources: one for each part.
        files: path inside the folder, with "/" -> SHA-256.
    """

    sources: tuple[Source, ...]
    files: dict[str, str]


def build_once(folder: Path, build: Callable[[Path], tuple[Source, ...]]) -> Manifest:
    """Return the verified manifest of `folder`, building it first where it is absent.

    Two processes may build at the same time: the first to finish wins, the other's work is thrown away.

    Args:
        folder: the final place.
        build: fills an empty folder and says where its contents came from.

    Raises:
        HashMismatch, BrokenCheckpoint: as `verify`.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
            draft = Path(temporary) / folder.name
            draft.mkdir()
            sources = build(draft)
            files = {path.relative_to(draft).as_posix(): sha256_of(path) for path in _files_of(draft)}
            content = {"sources": [vars(source) for source in sources], "files": files}
            (draft / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            try:
                draft.rename(folder)
            except OSError:
                if not folder.exists():  # then it is not another process that was faster
                    raise
                logger.info("%s was built by another process meanwhile", folder)
    return verify(folder)


def verify(folder: Path) -> Manifest:
    """Return the manifest of a built folder after comparing every file with it.

    Raises:
        BrokenCheckpoint: if the manifest or a file is missing or unreadable.
        HashMismatch: if a file is not the one that was built.
    """
    again = f"delete the folder {folder} to have it built again"
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(sources=tuple(Source(**row) for row in content["sources"]), files=dict(content["files"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenCheckpoint(f"{folder / MANIFEST} is missing or unreadable; {again}") from error
    for name, wanted in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise BrokenCheckpoint(f"{path} is missing; {again}")
        found = sha256_of(path)
        if found != wanted:
            raise HashMismatch(f"{path} has SHA-256 {found}, but {wanted} was written; {again}")
    return manifest


def _files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
