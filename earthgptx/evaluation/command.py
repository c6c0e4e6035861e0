"""`earthgptx evaluate`: its options, and which of its jobs they ask for.

The function returns the report, or a sentence or list to show where nothing is measured; the command line prints it.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Literal

import typer

from earthgptx.errors import UnknownBenchmark
from earthgptx.evaluation import benchmarks, runs
from earthgptx.evaluation.benchmarks import BENCHMARKS
from earthgptx.evaluation.questions import Conditions
from earthgptx.evaluation.report import Report, checkpoint_hash
from earthgptx.inference.questions import MAX_MARKS

Name = Annotated[str | None, typer.Argument(help="What to measure; --list names them.")]
Data = Annotated[Path | None, typer.Option(help="Folder that holds vhr10/, ssdd/, hituav/, rsicd/, ...")]
Split = Annotated[str, typer.Option(help="Which part of each data set: train, val or test.")]
Marks = Annotated[
    Literal["box", "point", "freeform", "all"], typer.Option(help="How the regions are marked; all: each way once.")
]
Model = Annotated[str, typer.Option(help="Name of a model, or a folder with a checkpoint.")]
Out = Annotated[Path, typer.Option(help="Where the report goes; .md, .html and the answers lie beside it.")]
Datasets = Annotated[
    list[str] | None, typer.Option(help="Ask about this data set instead of the benchmark's own; repeatable.")
]
Seed = Annotated[int, typer.Option(help="Picks point and free-form marks, and with --limit the images.")]
Regions = Annotated[
    int,
    typer.Option(min=1, max=MAX_MARKS, help="Most regions marked in one question; 4 is what training mostly shows."),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Questions answered together.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Images of each data set; all if not given.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]
Features = Annotated[
    Path | None,
    typer.Option(
        help="Keep the towers' features in this folder, about 0.35 MB a view, so that later runs need not encode "
        "the same views again. Nothing is kept if not given.",
        show_default=False,
    ),
]
Plate = Annotated[Path | None, typer.Option(help="Draw cases of every sensor, right and wrong ones, chosen by rule.")]
Rescored = Annotated[Path | None, typer.Option(help="Score this file of predictions, any system's; no model is asked.")]
Against = Annotated[
    Path | None,
    typer.Option(help="Compare with these predictions of another system on the same questions (paired bootstrap)."),
]
Questions = Annotated[
    Path | None, typer.Option(help="Write the questions to this file for another system; nobody is asked.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Do not go on with an unfinished run.")]
Listing = Annotated[bool, typer.Option("--list", help="Name the benchmarks and what they need.")]


def evaluate(
    benchmark: Name = None,
    data: Data = None,
    split: Split = "val",
    marks: Marks = "box",
    model: Model = "nano",
    out: Out = Path("report.json"),
    dataset: Datasets = None,
    seed: Seed = 0,
    regions: Regions = 4,
    batch_size: BatchSize = 16,
    limit: Limit = None,
    device: Device = "cpu",
    features: Features = None,
    plate: Plate = None,
    rescore: Rescored = None,
    against: Against = None,
    questions: Questions = None,
    fresh: Fresh = False,
    listing: Listing = False,
) -> Report | str:
    """Measure a model on labelled imagery and write a report.

    A run that was stopped goes on where it was when the same command is given again. A data set that the
    folder does not hold is skipped, and the report says so. With --features the views of the images are encoded
    once for all runs, at about 0.35 MB of disk a view.

    Example: earthgptx evaluate roc --data ../shared/data --split val --marks point --out report.json
    """
    if listing:
        return list_of_benchmarks()
    places = runs.Places(out=out, plate=plate, against=against)
    if rescore is not None:
        return runs.rescore(benchmark, rescore, places, data=data)
    if benchmark is None:
        raise UnknownBenchmark(f"Name one of the benchmarks {', '.join(BENCHMARKS)}, or --list them.")
    wanted = benchmarks.find(benchmark)
    if data is None:
        raise typer.BadParameter(f"{benchmark} asks about images: give their folder with --data.")
    conditions = Conditions(
        data=data,
        split=split,
        marks=marks,
        seed=seed,
        regions_per_question=regions,
        batch_size=batch_size,
        limit=limit,
        datasets=tuple(dataset) if dataset else None,
    )
    if questions is not None:
        return runs.write_questions(wanted, conditions, questions)
    from earthgptx.inference.loading import checkpoint_folder, load

    return runs.ask_and_score(
        wanted,
        conditions,
        places,
        load=functools.partial(load, model, device=device, features=features),
        settings=lambda: {
            "model": model,
            "checkpoint_sha256": checkpoint_hash(checkpoint_folder(model)),
            "device": device,
        },
        fresh=fresh,
    )


def list_of_benchmarks() -> str:
    """One paragraph a benchmark: its names, data sets, and the labels that it needs."""
    lines = []
    for one in BENCHMARKS.values():
        names = f"{one.name} ({one.other_name})" if one.other_name else one.name
        lines += [names, f"    {one.about}", f"    data sets: {', '.join(one.datasets)}; needs {one.needs}"]
    return "\n".join(lines)
