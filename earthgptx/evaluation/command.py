"""`earthgptx evaluate`: loads a model, runs one benchmark on a folder of data sets, writes the report.

The function returns the report and prints nothing but the progress bar, which goes to stderr; the command
line prints the table. The answers lie beside the report in ``<out>.predictions.jsonl`` from the first batch
on.
"""

from __future__ import annotations

import functools
import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from earthgptx.errors import MissingExtra, UnknownBenchmark, UnwritableReport
from earthgptx.evaluation import questions
from earthgptx.evaluation.benchmarks import BENCHMARKS, pose
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.minilm import load_minilm
from earthgptx.evaluation.questions import Conditions
from earthgptx.evaluation.report import Report, Scores, checkpoint_hash
from earthgptx.inference.questions import MAX_MARKS
from earthgptx.provenance import git_commit, machine

logger = logging.getLogger(__name__)


def evaluate(
    benchmark: Annotated[str, typer.Argument(help="roc, grounding or captioning.")],
    data: Annotated[Path, typer.Option(help="Folder that holds vhr10/, ssdd/, hituav/, rsicd/, ...")],
    split: Annotated[str, typer.Option(help="Which part of each data set: train, val or test.")] = "val",
    marks: Annotated[Literal["box", "point", "freeform"], typer.Option(help="How the regions are marked.")] = "box",
    model: Annotated[str, typer.Option(help="Name of a model, or a folder with a checkpoint.")] = "nano",
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("report.json"),
    seed: Annotated[int, typer.Option(help="Picks the point and free-form marks.")] = 0,
    regions: Annotated[
        int,
        typer.Option(
            min=1, max=MAX_MARKS, help="Most regions marked in one question; 4 is what training mostly shows."
        ),
    ] = 4,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions answered together.")] = 8,
    limit: Annotated[int | None, typer.Option(min=1, help="Images of each data set; all if not given.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    features: Annotated[
        Path | None,
        typer.Option(
            help="Keep the towers' features in this folder, about 0.35 MB a view, so that later runs need not encode "
            "the same views again. Nothing is kept if not given.",
            show_default=False,
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not go on with an unfinished run.")] = False,
) -> Report:
    """Measure a model on labelled imagery and write a report.

    A run that was stopped goes on where it was when the same command is given again. A data set that the
    folder does not hold is skipped, and the report says so. With --features the views of the images are encoded
    once for all runs, at about 0.35 MB of disk a view.

    Example: earthgptx evaluate roc --data ../shared/data --split val --marks point --out report.json
    """
    _check(benchmark)
    _check_out(out)
    from earthgptx.inference.loading import checkpoint_folder, load

    conditions = Conditions(
        data=data,
        split=split,
        marks=marks,
        seed=seed,
        regions_per_question=regions,
        batch_size=batch_size,
        limit=limit,
    )
    started = time.monotonic()
    asked = pose(benchmark, conditions)  # before the model is loaded and an earlier run's answers are moved away
    run = _benchmark(benchmark)
    assistant = load(model, device=device, features=features)
    # Everything that changes an answer. Limit and batch size do not: they may differ when a run is resumed.
    settings: dict[str, str | int | float | None] = {
        "benchmark": benchmark,
        "data": str(data.resolve()),
        "split": split,
        "marks": marks,
        "model": model,
        "checkpoint_sha256": checkpoint_hash(checkpoint_folder(model)),
        "seed": seed,
        "regions_per_question": regions,
        "device": device,  # and the code: another kernel or another prompt may turn a close call
        "git_commit": git_commit(Path(__file__).parent),
    }
    with Journal.open(out.with_suffix(".predictions.jsonl"), settings, fresh=fresh) as journal:
        scores = _ask(functools.partial(run, assistant, asked, journal, batch_size=batch_size), benchmark, journal)
        settings |= {
            "data": str(data),  # as it was typed: a report may be published, the machine's folders need not be
            "batch_size": batch_size,
            "limit": limit,
            "command": shlex.join(["earthgptx", *sys.argv[1:]]),
            "machine": machine(),
            "seconds": round(time.monotonic() - started, 1),
        }
        report = Report(benchmark=benchmark, scores=scores, settings=settings)
        report.write(out)
        journal.finish()  # after the report: if that cannot be written, the same command needs no second look
    return report


def _check(benchmark: str) -> None:
    """Refuses what can be seen to fail before a model is loaded."""
    if benchmark not in BENCHMARKS:
        raise UnknownBenchmark(f"There is no benchmark {benchmark!r}; choose one of {', '.join(BENCHMARKS)}.")
    if benchmark == "captioning" and find_spec("pycocoevalcap") is None:
        raise MissingExtra("Captions are scored by pycocoevalcap: pip install 'earthgptx[eval]'.")


def _benchmark(name: str) -> Callable[..., Scores]:
    """The benchmark, its embeddings loaded: a missing model should not show itself after the last question."""
    return functools.partial(BENCHMARKS[name], embed=load_minilm()) if name == "roc" else BENCHMARKS[name]


def _check_out(out: Path) -> None:
    """Refuses a report's place that would fail after hours of answers; makes its folder."""
    if out.is_dir():
        raise UnwritableReport(f"{out} is a folder; --out names the file that the report is written to.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableReport(f"The folder {out.parent} of the report cannot be made: {error.strerror}.") from error
    if not os.access(out.parent, os.W_OK):
        raise UnwritableReport(f"Nothing may be written in {out.parent}, where the report should go.")


def _ask(run: Callable[..., Scores], title: str, journal: Journal) -> Scores:
    """Runs a benchmark under a progress bar; if it is interrupted, says where its answers are."""
    try:
        with _progress_bar(title) as progress:
            return run(progress=progress)
    except KeyboardInterrupt:
        logger.warning(
            "Stopped: %d answers are kept in %s; the same command goes on from there.",
            len(journal.predictions),
            journal.path,
        )
        raise


@contextmanager
def _progress_bar(title: str) -> Iterator[questions.Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
