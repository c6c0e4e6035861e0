"""`earthgptx train` and `evaluate`: each calls the function that does the work."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from earthgptx import heap
from earthgptx.cli.speaking import refuse


def train(
    recipe: Annotated[Path, typer.Argument(help="A Python file that describes the run.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change one field; repeatable.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what it takes of each GPU's memory; train nothing.")
    ] = False,
    gpus: Annotated[int, typer.Option(help="GPUs to plan for.")] = 8,
    memory: Annotated[float, typer.Option(help="Memory of one of them in GiB.")] = 80.0,
) -> None:
    """Train a model as a recipe says; a run that was stopped goes on from its last checkpoint.

    Example: earthgptx train recipes/nano.py --set steps=200
    """
    from rich.progress import Progress

    from earthgptx.training.command import train as train_by_recipe

    if not recipe.is_file():
        refuse(f"There is no recipe {recipe}.")
    if plan:
        typer.echo(_plan(recipe, overrides or [], gpus, memory))
        return
    heap.keep_freed()
    speaks = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts, the first one alone
    logging.getLogger("earthgptx").setLevel(logging.INFO if speaks else logging.WARNING)
    with Progress(console=Console(stderr=True), transient=True, disable=not speaks) as progress:
        views = progress.add_task("views seen by the frozen towers", total=None)

        def show(done: int, total: int) -> None:
            progress.update(views, completed=done, total=total)
            if done >= total:
                progress.stop()  # the training's own bar comes next

        folder = train_by_recipe(recipe, overrides or [], on_views=show)
    if speaks:
        typer.echo(f"The trained model is in {folder}.")


def _plan(recipe: Path, overrides: list[str], gpus: int, memory: float) -> str:
    """The page that `--plan` prints."""
    from earthgptx.training.plan import plan
    from earthgptx.training.plan_table import page
    from earthgptx.training.recipe import load_recipe

    if not 0 < memory < float("inf"):
        refuse(f"--memory is {memory:g} GiB; it must be above 0.")
    return page(plan(load_recipe(recipe, overrides), gpus), memory)


def evaluate(ctx: typer.Context) -> None:
    """Measure a model on labelled imagery, or score a file of predictions; --list names the benchmarks.

    Example: earthgptx evaluate roc --data ../shared/data --split val --marks box --out report.json
    """
    from earthgptx.evaluation import command

    heap.keep_freed()
    inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    inner.command()(command.evaluate)
    report = typer.main.get_command(inner).main(args=ctx.args, prog_name="earthgptx evaluate", standalone_mode=False)
    if isinstance(report, int):  # what `--help` and Ctrl-C give instead of a report
        raise typer.Exit(report)
    typer.echo(report if isinstance(report, str) else report.to_markdown())
