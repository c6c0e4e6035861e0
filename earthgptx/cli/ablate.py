"""`earthgptx ablate`: a study file becomes a table, row by row; what is done is not done again."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from earthgptx.cli.speaking import complain, refuse


def ablate(
    study: Annotated[Path, typer.Argument(help="A Python file that describes the rows, as recipes/ablations.py.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change one field of every row's recipe; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of results, answers, runs and the table.")] = Path("runs/ablations"),
    rows: Annotated[str, typer.Option(help="Rows to run, between commas; all if not given.")] = "",
    seeds: Annotated[str, typer.Option(help="Seeds to run, between commas; the study's own if not given.")] = "",
    show: Annotated[bool, typer.Option("--show", help="Only print the table of what is done.")] = False,
    names: Annotated[bool, typer.Option("--list", help="Only print the rows' names.")] = False,
) -> None:
    """Train every row of a study with every seed, ask each the same questions, and print the table.

    Stopped at any moment, the same command goes on where it was.

    Example: earthgptx ablate recipes/ablations.py --set data=../shared/data --rows base,cnn-only
    """
    from earthgptx.evaluation.ablation.run import results_of, run_study
    from earthgptx.evaluation.ablation.study import chosen_rows, load_study
    from earthgptx.evaluation.ablation.table import to_markdown

    if not study.is_file():
        refuse(f"There is no study {study}.")
    loaded = load_study(study, overrides or [])
    chosen = chosen_rows(loaded, [name for name in rows.split(",") if name])
    wanted = _seeds(seeds) or loaded.seeds
    if names:
        typer.echo("\n".join(row.name for row in chosen))
        return
    if not show:
        from earthgptx.evaluation.minilm import load_minilm

        logging.getLogger("earthgptx").setLevel(logging.INFO)
        started = time.monotonic()

        def tell(row: str, seed: int, done: int, total: int) -> None:
            minutes = (time.monotonic() - started) / 60
            what = f"{row}, seed {seed}" if row else "done"
            complain(f"{what}: {done} of {total} rows are finished, {minutes:.1f} minutes.")

        run_study(loaded, out, rows=chosen, seeds=wanted, load_embed=load_minilm, on_row=tell)
    table = to_markdown(loaded, results_of(loaded, out), _command())
    if not show:
        (out / "table.md").write_text(table, encoding="utf-8")
    typer.echo(table)


def _command() -> str:
    """What makes the results, whether it was just run or they are only shown."""
    return shlex.join(["earthgptx", *(word for word in sys.argv[1:] if word != "--show")])


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(seed) for seed in text.split(",") if seed)
    except ValueError:
        refuse(f"--seeds {text}: seeds are whole numbers between commas, such as 0,1.")
