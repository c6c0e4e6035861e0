"""What a corpus holds, in numbers: its settings, its files with their hashes, and counts of samples.

In come records of what was built, out go ``manifest.json`` and tables. The same corpus has the same manifest: no
time, no machine and no absolute path is in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from earthgptx.errors import MalformedCorpus
from earthgptx.shapes import MARK_KINDS

FORMAT = 1  # of the manifest and of the rows
MANIFEST = "manifest.json"
NO_MARK = "no mark"


@dataclass(frozen=True)
class Settings:
    """What decides a corpus's bytes, besides its sources.

    Attributes:
        seed: of objects, marks and wording.
        noise: one of `freeform.NOISES`.
        embed: whether rows hold the images' bytes.
        limit: images or dialogues of each split of each source at most; None for all.
        tile_size, tile_overlap, largest_whole, visibility: as in `tiling.Tiling`.
    """

    seed: int
    noise: str
    embed: bool
    limit: int | None
    tile_size: int
    tile_overlap: int
    largest_whole: int
    visibility: float


@dataclass(frozen=True)
class BuiltSplit:
    """One split of one source.

    Attributes:
        source, domain, sensor, split: as in `DatasetSource`.
        num_items: images or dialogues that were read, and windows of images that were cut.
        num_used: those of which samples were made.
        num_broken: entries in the quarantine.
        num_samples: rows.
    """

    source: str
    domain: str
    sensor: str
    split: str
    num_items: int
    num_used: int
    num_broken: int
    num_samples: int


@dataclass(frozen=True)
class Shard:
    """One Parquet file: its path below the corpus's folder, whose rows, how many, and the SHA-256 of its bytes."""

    path: str
    source: str
    split: str
    num_rows: int
    sha256: str


@dataclass(frozen=True)
class Count:
    """How many samples of a split share sensor, task and kinds of marks."""

    source: str
    split: str
    domain: str
    sensor: str
    task: str
    mark_kinds: tuple[str, ...]
    num_samples: int


@dataclass(frozen=True)
class Table:
    """Numbers to be shown: a title, names of columns, and rows of a cell each; numbers are whole."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]

    def to_markdown(self) -> str:
        """The table as GitHub's Markdown has it, numbers to the right."""
        numeric = [any(isinstance(row[place], int) for row in self.rows) for place in range(len(self.columns))]
        lines = [self.columns, tuple("---:" if is_number else "---" for is_number in numeric)]
        lines += [tuple(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) for row in self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


@dataclass(frozen=True)
class Manifest:
    """A corpus's own account of itself.

    Attributes:
        name: what it is called.
        format: of rows and manifest; another number is read otherwise.
        settings: what it was built with.
        versions: of the packages that may decide its bytes.
        missing: the known sources that were wanted and did not lie under the root.
        splits: what was read, in the order of the sources.
        shards: the files, in the order of the splits.
        counts: the samples, each in one count.
    """

    name: str
    format: int
    settings: Settings
    versions: dict[str, str]
    missing: tuple[str, ...]
    splits: tuple[BuiltSplit, ...]
    shards: tuple[Shard, ...]
    counts: tuple[Count, ...]

    @property
    def num_samples(self) -> int:
        """Rows of the whole corpus."""
        return sum(shard.num_rows for shard in self.shards)

    def to_json(self) -> str:
        """The content of ``manifest.json``."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def tables(self) -> tuple[Table, ...]:
        """The splits; then samples by source and task, source and kind of mark, and sensor and task.

        A sample with marks of two kinds counts in both columns, so that these may sum to more than the last one.
        """
        tasks = list(dict.fromkeys(count.task for count in self.counts))
        kinds = [kind for kind in (NO_MARK, *MARK_KINDS) if any(kind in _kinds(count) for count in self.counts)]
        return (
            self._splits(),
            _crossed("samples by source and task", "source", self.counts, lambda c: c.source, tasks, _task),
            _crossed("samples by source and mark", "source", self.counts, lambda c: c.source, kinds, _kinds),
            _crossed("samples by task and mark", "task", self.counts, lambda c: c.task, kinds, _kinds),
            _crossed("samples by sensor and task", "sensor", self.counts, lambda c: c.sensor, tasks, _task),
        )

    def _splits(self) -> Table:
        rows: list[tuple[str | int, ...]] = [
            (s.source, s.domain, s.sensor, s.split, s.num_items, s.num_used, s.num_broken, s.num_samples)
            for s in self.splits
        ]
        totals = (sum(column) for column in zip(*(row[4:] for row in rows), strict=True))
        return Table(
            "splits",
            ("source", "domain", "sensor", "split", "items", "used", "broken", "samples"),
            (*rows, ("all", "", "", "", *totals)),
        )


def read_manifest(out: Path) -> Manifest:
    """The manifest of the corpus in a folder.

    Raises:
        MalformedCorpus: there is none, or it is none, or it is of another format.
    """
    path = out / MANIFEST
    if not path.is_file():
        raise MalformedCorpus(f"{out} holds no corpus: there is no {MANIFEST} in it.")
    return parse_manifest(path.read_bytes(), where=str(path))


def parse_manifest(content: bytes, *, where: str) -> Manifest:
    """The manifest that `Manifest.to_json` wrote.

    Args:
        content: of ``manifest.json``.
        where: names the file in error messages.

    Raises:
        MalformedCorpus: it is none, or it is of another format.
    """
    try:
        written = json.loads(content)
        if written["format"] != FORMAT:
            raise MalformedCorpus(f"{where} has the format {written['format']}; this version reads {FORMAT}.")
        return Manifest(
            name=written["name"],
            format=written["format"],
            settings=Settings(**written["settings"]),
            versions=dict(written["versions"]),
            missing=tuple(written["missing"]),
            splits=tuple(BuiltSplit(**row) for row in written["splits"]),
            shards=tuple(Shard(**row) for row in written["shards"]),
            counts=tuple(Count(**{**row, "mark_kinds": tuple(row["mark_kinds"])}) for row in written["counts"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise MalformedCorpus(f"{where} is not a corpus's manifest: {error!r}.") from error


def _task(count: Count) -> tuple[str, ...]:
    return (count.task,)


def _kinds(count: Count) -> tuple[str, ...]:
    return count.mark_kinds or (NO_MARK,)


def _crossed(
    title: str,
    what: str,
    counts: Iterable[Count],
    row_of: Callable[[Count], str],
    columns: Sequence[str],
    columns_of: Callable[[Count], tuple[str, ...]],
) -> Table:
    """Samples by one property down and one across, with sums of samples at the right and at the bottom."""
    cells: dict[str, Counter[str]] = {}
    totals: Counter[str] = Counter()
    for count in counts:
        row = cells.setdefault(row_of(count), Counter())
        for name in (*columns_of(count), "all"):
            row[name] += count.num_samples
            totals[name] += count.num_samples
    names = (*columns, "all")
    lines: list[tuple[str | int, ...]] = [(name, *(row[column] for column in names)) for name, row in cells.items()]
    return Table(title, (what, *names), (*lines, ("all", *(totals[column] for column in names))))
