"""A plan is carried out: batch by batch into the journal, and then into the file.

It can be stopped at any moment; the same call goes on with the first batch that is not in the journal. Whether regions
or cells of a grid are asked about, the plan alone knows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from earthgptx.errors import OutputExists
from earthgptx.geo.asking import Answerer
from earthgptx.geo.journal import Journal, Settings, journal_of
from earthgptx.geo.output_file import Annotated, about_of, check_output, write_features
from earthgptx.geo.placing import Coordinates

Progress = Callable[[int, int], None]
"""Called with (regions or cells done, all of them), at the start and after every batch."""


class Plan(Protocol):
    """What is to be asked, in batches."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many regions or cells each batch has."""
        ...

    def answer(self, batch: int, assistant: Answerer) -> list[dict[str, Any]]:
        """Asks about a batch; the records are plain values."""
        ...

    def finish(self, records: Iterable[dict[str, Any]], target: Coordinates) -> list[Annotated]:
        """All features, from the records of all batches."""
        ...

    def problems_of(self, records: Iterable[dict[str, Any]]) -> list[str]:
        """One sentence each on what could not be asked about."""
        ...


@dataclass(frozen=True)
class Summary:
    """How a run went.

    Attributes:
        num_features: written.
        problems: one sentence a feature that could not be asked about.
        num_resumed: regions or cells whose answers were there already.
        was_complete: nothing was left to do: the file was there, made by the same run.
    """

    num_features: int
    problems: tuple[str, ...]
    num_resumed: int = 0
    was_complete: bool = False


def is_complete(out: Path, settings: Settings) -> bool:
    """Whether the output is there and was made with these settings; then there is nothing to do.

    Raises:
        MalformedRegions: its ending names no format.
        MissingExtra: the format's package is not installed.
        OutputExists: there is another file in its place.
    """
    check_output(out)
    if not out.exists():
        return False
    about = about_of(out)
    if about is None or about.get("settings") != json.loads(json.dumps(dict(settings))):
        raise OutputExists(f"{out} exists and was made otherwise: give --overwrite to replace it.")
    return True


def annotate(
    plan: Plan,
    *,
    load: Callable[[], Answerer],
    out: Path,
    target: Coordinates,
    settings: Settings,
    progress: Progress | None = None,
    is_new: bool = False,
) -> Summary:
    """Asks what is not in the journal yet, then writes the file and removes the journal.

    Args:
        plan: what is asked.
        load: gives the assistant; not called where nothing is left to ask.
        out: written when all is answered.
        target: the coordinates to be written.
        settings: plain values; all that the answers and the file depend on.
        progress: told how far it is.
        is_new: answers of an unfinished run are dropped.

    Raises:
        FolderInUse: another process does the same.
        OutputExists: an unfinished run with other settings left its journal.
    """
    sizes = plan.sizes
    # Another version may batch otherwise; the batches of the one are not those of the other.
    begun = {**settings, "batches": hashlib.sha256(json.dumps(sizes).encode()).hexdigest()[:8]}
    with Journal(journal_of(out), begun, is_new=is_new) as journal:
        num_done = num_resumed = sum(size for batch, size in enumerate(sizes) if batch in journal.batches)
        if progress is not None:
            progress(num_done, sum(sizes))
        missing = [batch for batch in range(len(sizes)) if batch not in journal.batches]
        assistant = load() if missing else None
        for batch in missing:
            assert assistant is not None
            journal.add(batch, plan.answer(batch, assistant))
            num_done += sizes[batch]
            if progress is not None:
                progress(num_done, sum(sizes))
        records = [record for batch in range(len(sizes)) for record in journal.batches[batch]]
        features, problems = plan.finish(records, target), tuple(plan.problems_of(records))
        about = {"settings": dict(settings), "features": len(features), "problems": len(problems)}
        write_features(out, features, crs=target.crs, about=about)
        journal.remove()
    return Summary(len(features), problems, num_resumed)
