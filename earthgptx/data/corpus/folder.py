"""The folder that a corpus is built in: held by one build at a time, and by one choice of settings.

In come the folder and the settings; what is in its files is not known here.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from earthgptx.data.corpus.manifest import Settings
from earthgptx.errors import FolderInUse, MalformedCorpus

SAMPLES = "samples"
PROGRESS = "progress"


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Makes the corpus's folders and keeps other builds out of them.

    Raises:
        MalformedCorpus: `out` is no folder, or there is something in it that is no corpus.
        FolderInUse: another build has it.
    """
    if out.exists() and not out.is_dir():
        raise MalformedCorpus(f"{out} is a file; a corpus needs a folder of its own.")
    if out.is_dir() and any(out.iterdir()) and not (out / PROGRESS).is_dir():
        raise MalformedCorpus(f"{out} holds something else than a corpus; choose an empty folder or a new one.")
    for folder in (out / SAMPLES, out / PROGRESS):
        folder.mkdir(parents=True, exist_ok=True)
    held = os.open(out / PROGRESS, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(f"Another build writes into {out}; wait for it or choose another folder.") from error
        yield
    finally:
        os.close(held)


def check_settings(out: Path, settings: Settings, names: Collection[str]) -> None:
    """Compares with what the folder's corpus was begun with, or notes it down if this is the beginning.

    Args:
        out: the corpus's folder, held.
        settings: what is asked for.
        names: of the splits that are asked for; a corpus may grow by some, and lose none.

    Raises:
        MalformedCorpus: a setting or a version is another one, or a split of it is not asked for any more.
    """
    path = out / PROGRESS / "settings.json"
    wanted = {**asdict(settings), **versions()}
    if path.is_file():
        begun = json.loads(path.read_text(encoding="utf-8"))
        differences = [
            f"{name} {begun.get(name)} and not {value}" for name, value in wanted.items() if begun.get(name) != value
        ]
        if differences:
            raise MalformedCorpus(
                f"{out} holds another corpus, built with {', '.join(differences)}; choose another folder."
            )
    others = sorted(found.stem for found in (out / PROGRESS).glob("*.jsonl") if found.stem not in names)
    if others:
        raise MalformedCorpus(
            f"{out} holds another corpus, with {', '.join(others)}, which is not asked for; choose another folder."
        )
    write_whole(path, json.dumps(wanted, indent=1) + "\n")


def versions() -> dict[str, str]:
    """Of what may decide the bytes."""
    major, minor, _ = platform.python_version_tuple()
    return {
        "python": f"{major}.{minor}",
        **{name: version(name) for name in ("earthgptx", "numpy", "pillow", "pyarrow")},
    }


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is either the old one or the new one, never a half."""
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())  # a name must not outlive a power cut without its content
    unfinished.replace(path)
