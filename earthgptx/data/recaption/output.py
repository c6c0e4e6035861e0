"""The folder that a run writes: new samples, refused items, and the bill.

A file gets its name when it is whole, so that a reader never meets half a line; a run that starts again writes
all of them anew from the kept answers.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from earthgptx.data.corpus.folder import write_whole
from earthgptx.data.sample import Sample
from earthgptx.data.sample_file import render
from earthgptx.errors import FolderInUse

SAMPLES = "samples.jsonl"
REJECTS = "rejects.jsonl"
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Reject:
    """One line of the refused items.

    Attributes:
        id: of the image, or where in a data set's own files it stands.
        stage: where it failed: "labels" (a data set's own file), "image" (its picture), "request" (no answer came)
            or "answer".
        reasons: a sentence each.
        image: the image file.
        labels: how many objects of each class are at hand.
        answer: the refused answer as it came.
        key: the name of the kept answer's file.
    """

    id: str
    stage: str
    reasons: tuple[str, ...]
    image: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)
    answer: str = ""
    key: str = ""


class OutputFolder:
    """Writes samples and refused items as they come; `close` gives the files their names.

    Args:
        folder: exists, and is written by nobody else; see `held`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.num_samples = 0
        self._files = {name: (folder / f"{name}.part").open("w", encoding="utf-8") for name in (SAMPLES, REJECTS)}

    def add(self, sample: Sample) -> None:
        """Writes a sample; its image's path becomes relative to the folder."""
        relative = Path(os.path.relpath(sample.image.absolute(), self.folder.absolute()))
        self._files[SAMPLES].write(render(replace(sample, image=relative)) + "\n")
        self.num_samples += 1

    def reject(self, reject: Reject) -> None:
        """Writes one refused item."""
        self._files[REJECTS].write(json.dumps(asdict(reject)) + "\n")

    def close(self, summary: Mapping[str, Any]) -> None:
        """Gives the files their names, in place of those of an earlier run, and writes the summary."""
        for name, opened in self._files.items():
            with opened:
                opened.flush()
                os.fsync(opened.fileno())
            Path(opened.name).replace(self.folder / name)
        write_whole(self.folder / SUMMARY, json.dumps(summary, indent=2) + "\n")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes the folder and keeps other runs out of it meanwhile; they would pay for the same questions.

    Raises:
        FolderInUse: another run has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(f"Another run writes into {folder}; wait for it or choose another folder.") from error
        yield
