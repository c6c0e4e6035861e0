"""Builds a corpus: every source below a folder becomes image - mark - text triples in Parquet files.

In come folders as their publishers pack them, out come shards, a manifest and a list of all that was left out, with
the reason. The same sources and settings give the same bytes, with any number of processes and however often the
build was ended on the way.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path

from earthgptx.data.corpus.conversion import Batch, Conversion, Converted, convert_batch
from earthgptx.data.corpus.folder import PROGRESS, SAMPLES, check_settings, held, versions, write_whole
from earthgptx.data.corpus.manifest import FORMAT, MANIFEST, BuiltSplit, Count, Manifest, Settings, Shard
from earthgptx.data.corpus.progress import Broken, Record, SplitProgress, fingerprint
from earthgptx.data.corpus.shards import Row, write_shard
from earthgptx.data.corpus.sources import SourceSplit, find_sources, own_splits
from earthgptx.data.corpus.steps import batches_of, steps_of
from earthgptx.data.corpus.tiling import Tiling
from earthgptx.data.corpus.workers import Workers
from earthgptx.data.datasets import DATASETS
from earthgptx.data.formats.detect import OwnDataset
from earthgptx.data.instructions import TASKS
from earthgptx.data.quarantine import BrokenItem
from earthgptx.errors import MalformedCorpus, MalformedDataset

QUARANTINE = "quarantine.jsonl"
ROWS_A_SHARD = 4096  # a shard ends with the item that fills it
STEPS_A_SHARD = 8192  # where items give few rows or none
BYTES_A_SHARD = 64 * 2**20  # of images in rows, which are in memory until their shard is written


@dataclass(frozen=True)
class BuildProgress:
    """How far a split is: items read (windows of big images count one each), samples made, and whether that is all."""

    source: str
    split: str
    num_items: int
    num_samples: int
    is_done: bool


OnProgress = Callable[[BuildProgress], None]


def build(
    root: Path,
    out: Path,
    *,
    only: Sequence[str] | None = None,
    own: OwnDataset | None = None,
    limit: int | None = None,
    seed: int = 0,
    noise: str = "gaussian",
    embed: bool = False,
    tiling: Tiling | None = None,
    num_workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Manifest:
    """Builds the corpus, or goes on with it, or finds that there is nothing left to do.

    Shards that are there and whole are kept, unless a file of their source changed since. Sources may be added to a
    corpus; other settings need another folder. A source that cannot be read at all is in the quarantine, and is
    tried again the next time.

    Args:
        root: the folder that holds the sources' folders.
        out: the corpus's folder; made where missing.
        only: names in `DATASETS`; None for all.
        own: labels from elsewhere, which must lie below the root.
        limit: read so many images or dialogues of each split of each source.
        seed: of objects, marks and wording.
        noise: one of `freeform.NOISES`, how free-form marks miss their objects.
        embed: put the images' bytes into the rows.
        tiling: how big images are cut; None for the defaults.
        num_workers: processes that convert; None for one a core. It changes nothing but the time.
        on_progress: told after every few items.

    Raises:
        MalformedDataset: the root is no folder, or none of the sources lies there, or a name is unknown.
        MalformedCorpus: `out` is no folder, or holds something else, or nothing at all could be made.
        FolderInUse: another build writes there.
        WorkerLost: a process was ended from outside; what was finished is kept.
    """
    # Without links followed: "a/../b" is b, or images that are told from b would lie elsewhere.
    root, out = Path(os.path.abspath(root)), Path(os.path.abspath(out))
    tiling = tiling or Tiling()
    if not root.is_dir():
        raise MalformedDataset(f"The root {root} is not a folder.")
    splits, missing = find_sources(root, tuple(DATASETS) if only is None else only)
    splits += [] if own is None else own_splits(own, root)
    if not splits:
        raise MalformedDataset(f"{root} holds none of the sources {', '.join(missing) or 'that were asked for'}.")
    settings = Settings(
        seed=seed,
        noise=noise,
        embed=embed,
        limit=limit,
        tile_size=tiling.size,
        tile_overlap=tiling.overlap,
        largest_whole=tiling.largest_whole,
        visibility=tiling.visibility,
    )
    with held(out):
        check_settings(out, settings, {split.name for split in splits})
        with Workers(num_workers) as workers:
            for split in splits:
                _build_split(_Site(root, out, settings, tiling, on_progress), split, workers)
        return _conclude(root, out, settings, splits, missing)


@dataclass(frozen=True)
class _Site:
    """What a build has at hand for every split."""

    root: Path
    out: Path
    settings: Settings
    tiling: Tiling
    on_progress: OnProgress | None

    def progress_of(self, split: SourceSplit) -> SplitProgress:
        return SplitProgress(self.out / PROGRESS / f"{split.name}.jsonl")


class _Stretch:
    """The rows that wait for their shard, and what else belongs to its record."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.broken: list[BrokenItem] = []
        self.num_steps = self.num_items = self.num_used = self.num_bytes = 0

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= ROWS_A_SHARD or self.num_steps >= STEPS_A_SHARD or self.num_bytes >= BYTES_A_SHARD

    def add(self, converted: Converted) -> None:
        self.rows += converted.rows
        self.broken += converted.broken
        self.num_steps += 1
        self.num_items += converted.num_items
        self.num_used += bool(converted.rows)
        # The rows of an item share the bytes of its image.
        self.num_bytes += len(converted.rows[0].image_bytes or b"") if converted.rows else 0

    def written(self, split: SourceSplit, number: int, root: Path, out: Path, *, is_last: bool) -> Record:
        """Writes the rows to the split's shard of this number, and gives the record of it."""
        shard = None
        if self.rows:
            path = f"{SAMPLES}/{split.name}-{number:05d}.parquet"
            digest = write_shard(out / path, self.rows)
            shard = Shard(path, split.source, split.split, len(self.rows), digest)
        counts = Counter((row.sensor, row.task, row.mark_kinds) for row in self.rows)
        return Record(
            shard=shard,
            num_steps=self.num_steps,
            num_items=self.num_items,
            num_used=self.num_used,
            counts=tuple((*key, num) for key, num in counts.items()),
            broken=tuple(_below_root(split, item, root) for item in self.broken),
            is_last=is_last,
        )


def _build_split(site: _Site, split: SourceSplit, workers: Workers) -> None:
    """Makes what is not there yet of a split's shards; one that cannot be read leaves only a record of why."""
    settings = site.settings
    progress = site.progress_of(split)
    finished = progress.resume(site.out, fingerprint(split.folder, passed_over=site.out))
    conversion = Conversion(
        root=site.root,
        source=split.source,
        domain=split.domain,
        split=split.split,
        tasks=split.tasks,
        seed=settings.seed,
        noise=settings.noise,
        embed=settings.embed,
    )
    number = finished.num_shards
    stretch = _Stretch()
    num_items = num_samples = 0

    def tell(*, is_done: bool) -> None:
        if site.on_progress is not None:
            site.on_progress(BuildProgress(split.source, split.split, num_items, num_samples, is_done))

    if not finished.is_complete:
        steps = islice(steps_of(split, settings.limit, site.tiling, site.root), finished.num_steps, None)
        batches = (Batch(conversion, group) for group in batches_of(steps))
        try:
            for results in workers.map(convert_batch, batches):
                for converted in results:
                    stretch.add(converted)
                    num_items += converted.num_items
                    num_samples += len(converted.rows)
                    if stretch.is_full:
                        progress.append(stretch.written(split, number, site.root, site.out, is_last=False))
                        number += stretch.rows != []
                        stretch = _Stretch()
                tell(is_done=False)
            progress.append(stretch.written(split, number, site.root, site.out, is_last=True))
        except MalformedDataset as error:
            # All of a split or nothing: a part of it would be taken for the whole.
            item = BrokenItem(split.source, split.folder.name, f"The {split.split} split cannot be read. {error}")
            progress.restart(_below_root(split, item, site.root))
    tell(is_done=True)


def _below_root(split: SourceSplit, item: BrokenItem, root: Path) -> Broken:
    """The report without the folder of this machine in it."""
    item_name, reason = (text.replace(f"{root}{os.sep}", "") for text in (item.item, item.reason))
    return Broken(split.source, split.split, item_name, reason)


def _conclude(
    root: Path, out: Path, settings: Settings, splits: Sequence[SourceSplit], missing: tuple[str, ...]
) -> Manifest:
    """Writes the quarantine and the manifest from the records of all splits, and removes shards that are in none."""
    built: list[BuiltSplit] = []
    shards: list[Shard] = []
    counts: list[Count] = []
    first_reason = ""
    unfinished = out / f"{QUARANTINE}.part"
    with unfinished.open("w", encoding="utf-8") as quarantine:
        for split in splits:
            totals: Counter[str] = Counter()
            by_kind: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
            for record in SplitProgress(out / PROGRESS / f"{split.name}.jsonl").records():
                for broken in record.broken:
                    quarantine.write(json.dumps(asdict(broken), ensure_ascii=False) + "\n")
                    first_reason = first_reason or f"{broken.item}: {broken.reason}"
                shards += [] if record.shard is None else [record.shard]
                for sensor, task, kinds, num in record.counts:
                    by_kind[sensor, task, kinds] += num
                totals.update(items=record.num_items, used=record.num_used, broken=len(record.broken))
            counts += _counts(split, by_kind)
            built.append(
                BuiltSplit(
                    source=split.source,
                    domain=split.domain,
                    sensor=split.sensor,
                    split=split.split,
                    num_items=totals["items"],
                    num_used=totals["used"],
                    num_broken=totals["broken"],
                    num_samples=by_kind.total(),
                )
            )
    unfinished.replace(out / QUARANTINE)
    if not shards:
        reason = first_reason or "the sources are empty."
        raise MalformedCorpus(f"Nothing could be made of {root}: {reason}")
    manifest = Manifest(
        name="mrsvp",
        format=FORMAT,
        settings=settings,
        versions=versions(),
        missing=missing,
        splits=tuple(built),
        shards=tuple(shards),
        counts=tuple(counts),
    )
    kept = {out / shard.path for shard in shards}
    for path in (out / SAMPLES).iterdir():
        if path not in kept:
            path.unlink()  # of a source that changed, or cut off while it was written
    write_whole(out / MANIFEST, manifest.to_json())
    return manifest


def _counts(split: SourceSplit, by_kind: Counter[tuple[str, str, tuple[str, ...]]]) -> Iterator[Count]:
    """The counts of a split in the order of tasks."""
    order = {task: place for place, task in enumerate(chain(TASKS, ("dialogue",)))}
    for sensor, task, kinds in sorted(by_kind, key=lambda key: (key[0], order.get(key[1], len(order)), key)):
        num = by_kind[sensor, task, kinds]
        yield Count(split.source, split.split, split.domain, sensor, task, kinds, num)
