"""`earthgptx data recaption`: longer captions from a vision-language model, checked against the labels."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from earthgptx.cli.speaking import complain, refuse

if TYPE_CHECKING:
    from earthgptx.data.quarantine import BrokenItem
    from earthgptx.data.recaption.client import ChatEndpoint
    from earthgptx.data.recaption.plan import Forecast, Settings
    from earthgptx.data.recaption.run import Summary
    from earthgptx.data.recaption.subject import Subject

_PRICE = "Money per million tokens"


def recaption(
    samples: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="A folder of data sets, a corpus's folder, or a .jsonl file."),
    ],
    endpoint: Annotated[str, typer.Option(metavar="URL", help="As in http://127.0.0.1:8000/v1.")],
    model: Annotated[str, typer.Option(help="Its name at the endpoint.")],
    out: Annotated[Path, typer.Option(help="The folder to write; a run that was stopped goes on in it.")],
    images: Annotated[
        Path | None, typer.Option(help="What relative image paths start from; else a file's folder.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split of data sets or a corpus.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this data set of a folder or a corpus; repeatable.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many images.")] = None,
    price_in: Annotated[float, typer.Option(min=0, help=f"{_PRICE} read.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help=f"{_PRICE} written.")] = 0.0,
    budget: Annotated[
        float | None, typer.Option(min=0, help="Stop before this is passed, earlier runs included.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Questions in flight at once.")] = 8,
    attempts: Annotated[int, typer.Option(min=1, help="For one question, where the trouble passes.")] = 6,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for one attempt.")] = 180.0,
    max_regions: Annotated[int, typer.Option(min=1, max=99, help="Numbers on one picture; the largest objects.")] = 20,
    side: Annotated[int, typer.Option(min=224, max=4096, help="The picture's longer side in pixels.")] = 896,
    max_output_tokens: Annotated[int, typer.Option(min=64, help="Where an answer is cut.")] = 3000,
    temperature: Annotated[float | None, typer.Option(min=0, help="The endpoint's own if not given.")] = None,
    response_format: Annotated[
        Literal["json_schema", "json_object", "text"], typer.Option(help="What the endpoint can be asked for.")
    ] = "json_schema",
    seed: Annotated[int, typer.Option(help="Of marks and wording.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost, and send nothing.")] = False,
) -> None:
    """Ask a vision-language model for detailed captions, region descriptions and relations of labelled images.

    The labelled objects are outlined and numbered on the picture; an answer that misses one, or that names classes
    or counts which the labels deny, is refused and listed in rejects.jsonl. The key is never an argument.

    Example: earthgptx data recaption ../shared/data --split train --endpoint https://api.openai.com/v1 --model gpt-4o
    --out recaptions --price-in 2.5 --price-out 10 --budget 20 --dry-run
    """
    from earthgptx.data.recaption.cost import Prices
    from earthgptx.data.recaption.plan import Settings, forecast
    from earthgptx.data.recaption.reading import read_subjects
    from earthgptx.data.recaption.request import Parameters

    _check_money(price_in, price_out, budget)
    settings = Settings(
        parameters=Parameters(model, max_output_tokens, temperature, response_format, side),
        out=out,
        concurrency=concurrency,
        prices=Prices(price_in, price_out),
        budget=budget,
        seed=seed,
    )
    broken: list[BrokenItem] = []
    subjects = read_subjects(
        samples,
        broken.append,
        extracted=out / "images",
        images=images,
        split=split,
        only=only or (),
        max_regions=max_regions,
    )[:limit]
    if not subjects:
        refuse(f"{samples} holds no image with a labelled object.")
    if broken:
        complain(f"{len(broken):,} labels or images of the data sets cannot be used; the first: {broken[0].item}.")
    if dry_run:
        _show_forecast(forecast(subjects, settings), budget)
        return

    from earthgptx.data.recaption.client import ChatEndpoint, Patience

    patience = Patience(attempts=attempts, timeout=timeout)
    chat = ChatEndpoint(endpoint, os.environ.get("OPENAI_API_KEY"), patience=patience)
    _show_summary(_with_progress(subjects, chat, settings, broken), out)


def _check_money(price_in: float, price_out: float, budget: float | None) -> None:
    for name, value in (("--price-in", price_in), ("--price-out", price_out), ("--budget", budget)):
        if value is not None and not math.isfinite(value):
            refuse(f"{name} must be a number, not {value}.")
    if budget is not None and price_in == 0 and price_out == 0:
        refuse(f"A budget of {budget:g} means nothing without prices: give --price-in and --price-out.")


def _with_progress(
    subjects: list[Subject], chat: ChatEndpoint, settings: Settings, broken: list[BrokenItem]
) -> Summary:
    """The run, with a bar on stderr: images, accepted, refused, tokens and cost so far."""
    from earthgptx.data.recaption.run import recaption as run

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("images", total=len(subjects), state="")

        def show(summary: Summary) -> None:
            spending = summary.spending
            state = (
                f"{summary.accepted:,} kept, {summary.rejected:,} refused, "
                f"{spending.tokens_in + spending.tokens_out:,} tokens, {summary.total_cost:.2f} spent"
            )
            progress.update(bar, completed=summary.accepted + summary.rejected, state=state)

        return run(subjects, chat, settings, show, broken=broken)


def _show_forecast(forecast: Forecast, budget: float | None) -> None:
    """The dry run's table on stdout."""
    table = Table("what", "usual", "at most")
    table.add_row("images with labelled objects", f"{forecast.images:,}", "")
    table.add_row("questions to send", f"{forecast.questions:,}", "")
    table.add_row("tokens read", f"{forecast.tokens_in:,}", "")
    table.add_row("tokens written", f"{forecast.usual_tokens_out:,}", f"{forecast.most_tokens_out:,}")
    table.add_row("cost", f"{forecast.usual_cost:.2f}", f"{forecast.most_cost:.2f}")
    table.add_row("spent before", f"{forecast.earlier_cost:.2f}", "")
    Console().print(table)
    if forecast.unreadable:
        complain(f"{forecast.unreadable:,} images cannot be read and would be refused.")
    if budget is not None and forecast.earlier_cost + forecast.usual_cost > budget:
        complain(f"The budget of {budget:g} would not last for all of them.")


def _show_summary(summary: Summary, out: Path) -> None:
    typer.echo(f"{summary.samples:,} samples of {summary.accepted:,} images are in {out}.")
    if summary.rejected:
        complain(f"{summary.rejected:,} images were refused; {out / 'rejects.jsonl'} says why.")
    spending = summary.spending
    complain(
        f"This run paid for {spending.answers:,} answers: {spending.tokens_in:,} tokens read, "
        f"{spending.tokens_out:,} written, cost {spending.cost:.4f}; in all {summary.total_cost:.4f}."
    )
    if spending.lost:
        complain(f"{spending.lost:,} answers were lost on the way and counted as paid in full.")
