"""`earthgptx data ...`: what labelled imagery there is, and how it looks.

Each verb that needs more than a few lines has a file beside this one and is named here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from earthgptx.cli import data_build, data_check, data_show, recaption
from earthgptx.cli.data_show import present
from earthgptx.cli.speaking import complain

app = typer.Typer(help="Look at the labelled imagery that models are trained and measured on.", no_args_is_help=True)
app.command("build")(data_build.build_corpus)
app.command("describe")(data_build.describe_corpus)
app.command()(recaption.recaption)
app.command("check")(data_check.check_data)
app.command("show")(data_show.show_data)

_SplitOption = Annotated[str, typer.Option(help="train, val or test.")]
_Listed = dict[str, str | int | list[str]]  # one row, by column


@app.command("list")
def list_data(
    data: Annotated[
        Path | None, typer.Option("--data", "--root", help="Folder of data sets: count what is there.")
    ] = None,
    split: _SplitOption = "val",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/sources.md and nothing else.")] = False,
) -> None:
    """List the data sets that are known; with a folder, those in it with their images, objects and captions.

    Example: earthgptx data list --data ../shared/data --split val
    """
    from earthgptx.data.datasets.about import sources_page

    if as_markdown:
        typer.echo(sources_page(), nl=False)
        return
    rows, absent = _known() if data is None else _counted(data, split)
    if as_json:
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    table = Table()
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(markup=False).print(table)
    for sentence in absent:
        complain(sentence)


def _known() -> tuple[list[_Listed], tuple[str, ...]]:
    """Every source of the table, and where it comes from."""
    from earthgptx.data.datasets import DATASETS
    from earthgptx.data.datasets.about import about

    rows: list[_Listed] = [
        {
            "name": source.name,
            "title": about(source.name).title,
            "domain": source.domain,
            "sensor": source.sensor,
            "tasks": list(source.tasks),
            "home": about(source.name).home,
        }
        for source in DATASETS.values()
    ]
    return rows, ()


def _counted(data: Path, split: str) -> tuple[list[_Listed], tuple[str, ...]]:
    """What the folder holds of a split, and a sentence for each source that it does not hold."""
    from earthgptx.data.datasets import DATASETS, available, missing

    absent = missing(data, split)
    images = available(data, split, names=present(data, split))
    rows: list[_Listed] = []
    for name, source in DATASETS.items():
        own = [image for image in images if image.dataset == name]
        if own:
            rows.append(
                {
                    "data set": name,
                    "sensor": source.sensor,
                    "images": len(own),
                    "objects": sum(len(image.objects) for image in own),
                    "captions": sum(len(image.captions) for image in own),
                    "tasks": list(source.tasks),
                }
            )
    return rows, absent


def _cell(value: str | int | list[str]) -> str:
    return ", ".join(value) if isinstance(value, list) else value if isinstance(value, str) else f"{value:,}"
