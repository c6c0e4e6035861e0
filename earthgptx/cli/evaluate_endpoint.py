"""`earthgptx evaluate-endpoint`: a general vision model, asked and scored as EarthGPT-X is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from earthgptx.cli.speaking import complain, refuse

if TYPE_CHECKING:
    from earthgptx.data.recaption.client import Patience
    from earthgptx.evaluation.endpoint import Manner
    from earthgptx.evaluation.questions import Conditions

_PRICE = "Money per million tokens"


def evaluate_endpoint(
    benchmark: Annotated[str, typer.Argument(help="A benchmark of words; `earthgptx evaluate --list` names them all.")],
    data: Annotated[Path, typer.Option(help="Folder that holds vhr10/, ssdd/, hituav/, rsicd/, ...")],
    endpoint: Annotated[str, typer.Option(metavar="URL", help="As in http://127.0.0.1:8000/v1.")],
    model: Annotated[str, typer.Option(help="Its name at the endpoint.")],
    way: Annotated[
        Literal["marks", "coordinates"],
        typer.Option(help="Draw and number the marks in the picture, or write their coordinates into the words."),
    ] = "marks",
    split: Annotated[str, typer.Option(help="Which part of each data set: train, val or test.")] = "val",
    marks: Annotated[
        Literal["box", "point", "freeform", "all"], typer.Option(help="How the regions are marked.")
    ] = "box",
    out: Annotated[Path, typer.Option(help="Where the report goes; the answers lie beside it.")] = Path("report.json"),
    dataset: Annotated[list[str] | None, typer.Option(help="Ask about this data set instead; repeatable.")] = None,
    classes: Annotated[str, typer.Option(help="Names to choose from, between commas; free words if not given.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Images of each data set; all if not given.")] = None,
    regions: Annotated[int, typer.Option(min=1, max=64, help="Most regions marked in one question.")] = 4,
    seed: Annotated[int, typer.Option(help="Picks the point and free-form marks.")] = 0,
    price_in: Annotated[float, typer.Option(min=0, max=1e9, help=f"{_PRICE} read.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, max=1e9, help=f"{_PRICE} written.")] = 0.0,
    budget: Annotated[float | None, typer.Option(min=0, max=1e9, help="Stop before this is passed.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Questions in flight at once.")] = 8,
    attempts: Annotated[int, typer.Option(min=1, help="For one question, where the trouble passes.")] = 6,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for one attempt.")] = 180.0,
    side: Annotated[int, typer.Option(min=224, max=4096, help="The picture's longer side in pixels.")] = 896,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not go on with an unfinished run.")] = False,
) -> None:
    """Ask any OpenAI-compatible vision endpoint a benchmark's questions, and score its answers by the same code.

    The key is in OPENAI_API_KEY, never an argument. Stopped, the same command goes on; what was paid for is kept.

    Example: earthgptx evaluate-endpoint roc --data ../shared/data --endpoint http://127.0.0.1:8000/v1 --model my-model
    """
    from earthgptx.data.recaption.client import Patience
    from earthgptx.data.recaption.cost import Prices
    from earthgptx.evaluation.endpoint import Manner
    from earthgptx.evaluation.questions import Conditions

    names = tuple(name.strip() for name in classes.split(",") if name.strip())
    prices = Prices(price_in, price_out)
    conditions = Conditions(
        data=data,
        split=split,
        marks=marks,
        seed=seed,
        regions_per_question=regions,
        batch_size=2 * concurrency,
        limit=limit,
        datasets=tuple(dataset) if dataset else None,
    )
    _measure(
        benchmark,
        conditions,
        Manner(way=way, side=side, classes=names, concurrency=concurrency, prices=prices, budget=budget),
        Address(endpoint, model, Patience(attempts=attempts, timeout=timeout)),
        out,
        fresh=fresh,
    )


@dataclass(frozen=True)
class Address:
    """Which model is asked, where, and for how long."""

    url: str
    model: str
    patience: Patience


def _measure(
    benchmark: str, conditions: Conditions, manner: Manner, address: Address, out: Path, *, fresh: bool
) -> None:
    """Asks, scores, prints, and says what it cost, however it ends."""
    from earthgptx.data.recaption.client import ChatEndpoint
    from earthgptx.evaluation import benchmarks, runs
    from earthgptx.evaluation.endpoint import EndpointAnswerer

    wanted = benchmarks.find(benchmark)
    if "mask" in wanted.kind or "ground" in wanted.kind:
        refuse(f"{benchmark} asks for masks, and chat completions give none; choose a benchmark of words.")
    chat = ChatEndpoint(address.url, os.environ.get("OPENAI_API_KEY"), patience=address.patience)
    answerer = EndpointAnswerer(chat, address.model, manner, out.with_suffix(".answers"))
    about: dict[str, str | int | float | None] = {
        "model": address.model,
        "way": manner.way,
        "picture_side": manner.side,
        "classes": ", ".join(manner.classes),
    }
    try:
        report = runs.ask_and_score(
            wanted, conditions, runs.Places(out=out), load=lambda: answerer, settings=lambda: about, fresh=fresh
        )
    finally:
        spent = answerer.spent
        complain(
            f"{spent.answers:,} answers were paid for: {spent.tokens_in:,} tokens read, {spent.tokens_out:,} written, "
            f"cost {spent.cost:.4f}; {answerer.num_unanswered:,} questions got none."
        )
    typer.echo(report.to_markdown())
