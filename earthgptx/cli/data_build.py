"""`earthgptx data build` and `data describe`: sources become a corpus, and a corpus says what is in it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from earthgptx.cli.speaking import complain, refuse

if TYPE_CHECKING:
    from rich.progress import TaskID

    from earthgptx.data.corpus.build import BuildProgress
    from earthgptx.data.corpus.manifest import Manifest
    from earthgptx.data.corpus.manifest import Table as Counted
    from earthgptx.data.formats.detect import OwnDataset

CORPORA = ("mrsvp",)


def build_corpus(
    name: Annotated[str, typer.Argument(help="What to build; there is mrsvp.")],
    out: Annotated[Path, typer.Option(help="The corpus's folder; a build that was ended goes on in it.")],
    root: Annotated[Path | None, typer.Option(help="Folder that holds the sources; see docs/sources.md.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this source; repeatable.")] = None,
    own: Annotated[Path | None, typer.Option(help="Your own labels: COCO, VOC, YOLO, DOTA, LabelMe, ...")] = None,
    own_sensor: Annotated[str | None, typer.Option(help="The sensor of your own images.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Images of each split of each source at most.")] = None,
    seed: Annotated[int, typer.Option(help="Of objects, marks and wording.")] = 0,
    noise: Annotated[
        str, typer.Option(help="How free-form marks miss their objects: gaussian or uniform.")
    ] = "gaussian",
    embed: Annotated[bool, typer.Option("--embed", help="Put the images into the rows.")] = False,
    tile_size: Annotated[int, typer.Option(min=64, help="Side of the windows of big images, in pixels.")] = 1024,
    tile_overlap: Annotated[int, typer.Option(min=0, help="What neighbouring windows share.")] = 256,
    tile_above: Annotated[int, typer.Option(min=64, help="Images of longer sides are cut.")] = 1280,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a core if not given.")] = None,
) -> None:
    """Build the corpus of every source that lies in a folder, with a list of what was left out and why.

    Example: earthgptx data build mrsvp --root ../shared/data --out ../mrsvp
    """
    from earthgptx.data.corpus.build import build
    from earthgptx.data.corpus.tiling import Tiling
    from earthgptx.data.freeform import NOISES

    if name not in CORPORA:
        refuse(f"There is no corpus {name!r} to build; there is {', '.join(CORPORA)}.")
    if noise not in NOISES:
        refuse(f"There is no noise {noise!r}; choose {' or '.join(NOISES)}.")
    if root is None and own is None:
        refuse("Say where the sources lie with --root, or where your own labels lie with --own.")
    mine = None if own is None else _own(own, own_sensor)
    if mine is not None and root is None:
        root, only = mine.path if mine.path.is_dir() else mine.path.parent, []
    assert root is not None
    with _Bars() as bars:
        manifest = build(
            root,
            out,
            only=only,
            own=mine,
            limit=limit,
            seed=seed,
            noise=noise,
            embed=embed,
            tiling=Tiling(size=tile_size, overlap=tile_overlap, largest_whole=tile_above),
            num_workers=workers,
            on_progress=bars.show,
        )
    _report(manifest, out)


def describe_corpus(
    corpus: Annotated[Path, typer.Argument(help="A folder that `data build` wrote.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest and nothing else.")] = False,
) -> None:
    """Show what a corpus holds: its sources, and its samples by task, kind of mark and sensor.

    Example: earthgptx data describe ../mrsvp
    """
    from earthgptx.data.corpus.manifest import read_manifest

    manifest = read_manifest(corpus)
    if as_json:
        typer.echo(manifest.to_json(), nl=False)
        return
    if markdown:
        typer.echo("\n\n".join(table.to_markdown() for table in manifest.tables()))
        return
    for table in manifest.tables():
        _print(table)
    settings = manifest.settings
    typer.echo(
        f"Seed {settings.seed}, {settings.noise} noise, {len(manifest.shards):,} shards, format {manifest.format}."
    )


def _print(table: Counted) -> None:
    """A table whose numbers are never cut short: long headings are folded, and if need be lines are longer."""
    shown = Table(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    needed = 0
    for place, column in enumerate(table.columns):
        cells = [row[place] for row in table.rows]
        heading = column.replace("_", " ")
        widest = max(len(text) for text in (*heading.split(), *map(_cell, cells)))
        is_number = any(isinstance(cell, int) for cell in cells)
        shown.add_column(heading, justify="right" if is_number else "left", overflow="fold", min_width=widest)
        needed += widest + 2
    for row in table.rows:
        shown.add_row(*map(_cell, row))
    console = Console(markup=False)
    console.print(shown, width=max(console.width, needed), crop=False)


def _cell(cell: str | int) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell


class _Bars:
    """A line on stderr for every split that is being read: items, samples, time."""

    def __init__(self) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(finished_text="done"),
            TextColumn("{task.description}"),
            TextColumn("{task.completed:,.0f} items"),
            TextColumn("{task.fields[samples]:,} samples"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, told: BuildProgress) -> None:
        """Moves the line of a split."""
        key = (told.source, told.split)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(f"{told.source} {told.split}", total=None, samples=0)
        total = told.num_items if told.is_done else None
        self._progress.update(self._tasks[key], completed=told.num_items, samples=told.num_samples, total=total)


def _own(path: Path, sensor: str | None) -> OwnDataset:
    """The user's own labels, under a name that can be a file's."""
    from earthgptx.data.formats.detect import own_dataset

    if sensor is None:
        refuse("Say what took your own images with --own-sensor: optical, sar or infrared.")
    path = Path(os.path.abspath(path))
    name = re.sub(r"\W+", "_", path.stem if path.is_file() else path.name).strip("_").lower()
    return own_dataset(path, sensor=sensor, name=name or "own")


def _report(manifest: Manifest, out: Path) -> None:
    """What was built, what was left out, and where what is missing comes from."""
    from earthgptx.data.datasets.about import about

    for missing in manifest.missing:
        complain(f"{missing} is not there. Home: {about(missing).home}")
    num_broken = sum(split.num_broken for split in manifest.splits)
    if num_broken:
        what = "item or annotation was" if num_broken == 1 else "items or annotations were"
        complain(f"{num_broken:,} {what} left out; {out}/quarantine.jsonl says why.")
    typer.echo(f"{manifest.num_samples:,} samples of {len(manifest.splits):,} splits are in {out}.")
