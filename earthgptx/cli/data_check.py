"""`earthgptx data check`: what is wrong with labelled data, in tables and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from earthgptx.cli.speaking import check_outputs

if TYPE_CHECKING:
    from earthgptx.data.checks.report import CheckReport

EXIT_SERIOUS = 1
EXAMPLES_SHOWN = 3  # of each kind, in the terminal; --json has more


def check_data(
    where: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder of sources, or a corpus (folder or URL).")],
    data: Annotated[
        Path | None, typer.Option(help="The images of a corpus that was built without them are below this folder.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this source; repeatable.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Items of each split of a source.")] = None,
    distance: Annotated[int, typer.Option(min=0, max=16, help="Bits of 64 in which look-alikes may differ.")] = 6,
    likeness: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least correlation of look-alikes.")] = 0.9,
    threads: Annotated[int, typer.Option(min=1, help="Images opened at a time.")] = 2,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report here.")] = None,
) -> None:
    """Find images in two splits, boxes outside, empty masks, misspelt and rare classes, before or after building.

    The exit code is 1 where something would spoil training or measuring, 0 where there are at most remarks.

    Example: earthgptx data check ../shared/data --json report.json
    """
    from earthgptx.data.checks.check import Settings, check_corpus, check_root
    from earthgptx.data.corpus.manifest import MANIFEST
    from earthgptx.data.corpus.reader import open_corpus

    check_outputs(geojson=json_file)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        shown = progress.add_task("looking at the first items")

        def show(num_done: int) -> None:
            progress.update(shown, description=f"{num_done:,} items looked at")

        settings = Settings(tuple(only or ()), limit, distance, likeness, threads)
        if "://" in where or (Path(where) / MANIFEST).is_file():
            report = check_corpus(open_corpus(where), settings, image_folder=data, on_progress=show)
        else:
            report = check_root(Path(where), settings, on_progress=show)
    _show(report)
    if json_file is not None:
        json_file.write_text(json.dumps(report.to_json(), indent=1, allow_nan=False), encoding="utf-8")
    if report.is_serious:
        raise typer.Exit(EXIT_SERIOUS)


def _show(report: CheckReport) -> None:
    """One table a question; those with nothing to say are one line."""
    console = Console(markup=False, highlight=False)
    looked_at = _table("Looked at", "source", "split", "items", "images", "objects")
    for row in report.counts:
        numbers = (row.num_items, row.num_images, row.num_objects)
        looked_at.add_row(row.source, row.split, *(f"{number:,}" for number in numbers))
    console.print(looked_at)
    _show_leaks(report, console)
    _show_problems(report, console)
    _show_names(report, console)
    _show_balance(report, console)
    console.print("Something here would spoil training or measuring." if report.is_serious else "Nothing serious.")


def _show_leaks(report: CheckReport, console: Console) -> None:
    if not report.leaks:
        console.print("No image is in two splits.")
        return
    table = _table(
        "Images seen in an earlier split too", "image of", "is like one of", "images", "same file", "example"
    )
    table.caption = f"hashes within {report.hash_distance} of 64 bits, likeness at least {report.least_likeness:g}"
    for (source, split, other_source, other_split), (number, copies) in report.leaks_by_split().items():
        pair = next(
            leak
            for leak in report.leaks
            if (leak.source, leak.split, leak.other_source, leak.other_split)
            == (source, split, other_source, other_split)
        )
        example = f"{pair.item}\n{pair.other_item}"
        table.add_row(f"{source} {split}", f"{other_source} {other_split}", f"{number:,}", f"{copies:,}", example)
    console.print(table)


def _show_problems(report: CheckReport, console: Console) -> None:
    if not report.problems:
        console.print("No broken label, box outside, empty mask, repeated id, or image that cannot be opened.")
        return
    table = _table("Mistakes", "what", "source", "split", "number", "for example")
    for row in report.problems:
        examples = "\n".join(f"{one.item}: {one.detail}" for one in row.examples[:EXAMPLES_SHOWN])
        table.add_row(row.kind, row.source, row.split, f"{row.count:,}", examples)
    console.print(table)


def _show_names(report: CheckReport, console: Console) -> None:
    if not report.like_names:
        console.print("No two class names look like one.")
        return
    table = _table("Names that may be one class", "source", "name", "objects", "is near", "objects", "differs in")
    for pair in report.like_names:
        counts = (f"{pair.count:,}", f"{pair.other_count:,}")
        table.add_row(pair.source, pair.name, counts[0], pair.other_name, counts[1], pair.difference)
    console.print(table)


def _show_balance(report: CheckReport, console: Console) -> None:
    unbalanced = [one for one in report.balances if one.is_unbalanced]
    if not unbalanced:
        console.print("No source has very unbalanced classes.")
        return
    table = _table("Unbalanced classes", "source", "classes", "most", "", "rarest", "", "ratio")
    for one in unbalanced:
        most, least = f"{one.most_count:,}", f"{one.least_count:,}"
        table.add_row(one.source, f"{one.num_classes:,}", one.most, most, one.least, least, f"{one.ratio:,.0f}")
    console.print(table)


def _table(title: str, *columns: str) -> Table:
    """An empty table that breaks long words rather than cutting them short."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
