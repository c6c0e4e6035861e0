"""What `earthgptx evaluate` does: ask and score, score a file, write questions down; then the report's files.

A run leaves ``report.predictions.jsonl``, ``report.json``, ``report.md`` and ``report.html`` beside each other. This
module prints nothing but the progress bar, which goes to stderr.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from earthgptx.errors import MalformedPredictions, MissingExtra, UnknownBenchmark, UnwritableReport
from earthgptx.evaluation import benchmarks, questions
from earthgptx.evaluation.benchmarks import Benchmark
from earthgptx.evaluation.cases import Case, extremes, judge, spread
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.metrics.similarity import Embed
from earthgptx.evaluation.minilm import load_minilm
from earthgptx.evaluation.page import to_html
from earthgptx.evaluation.pairs import differences
from earthgptx.evaluation.pictures import plate
from earthgptx.evaluation.prediction_files import PredictionFile, Settings, read_predictions, write_form, write_whole
from earthgptx.evaluation.predictions import Prediction
from earthgptx.evaluation.published import ComparedRow, own_row, published
from earthgptx.evaluation.questions import Answerer, Conditions
from earthgptx.evaluation.report import Report, Scores
from earthgptx.evaluation.scoring import KINDS, score
from earthgptx.provenance import git_commit, machine

logger = logging.getLogger(__name__)

CASES_A_SENSOR = 4  # of the worst and of the best, on the page
PLATE_COLUMNS = 6
PLATE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Places:
    """Where a run's files go.

    Attributes:
        out: the JSON report; the Markdown and the HTML report and the predictions lie beside it.
        plate: a picture of cases; None for none.
        against: predictions of another system on the same questions, to be compared with; None for none.
    """

    out: Path
    plate: Path | None = None
    against: Path | None = None

    def check(self) -> None:
        """Refuses places that would fail after hours of answers; makes their folders.

        Raises:
            UnwritableReport: a place is a folder, its folder cannot be made or written in, or its ending is another
                file's.
        """
        if self.out.suffix in (".md", ".html", ".jsonl"):
            raise UnwritableReport(f"{self.out} would be two files at once; --out names the JSON report.")
        if self.plate is not None and self.plate.suffix.lower() not in PLATE_ENDINGS:
            raise UnwritableReport(f"The plate {self.plate} must end in one of {', '.join(PLATE_ENDINGS)}.")
        for path in (self.out, self.plate):
            if path is not None:
                _check_place(path)


def ask_and_score(
    benchmark: Benchmark,
    conditions: Conditions,
    places: Places,
    *,
    load: Callable[[], Answerer],
    settings: Callable[[], Settings],
    fresh: bool = False,
) -> Report:
    """Runs a benchmark and writes its report; a run that was stopped goes on where it was.

    Args:
        benchmark: what is asked.
        conditions: of which data, how.
        places: where the files go.
        load: gives the model, once everything else is known to be there.
        settings: what changes an answer besides the conditions, asked for after `load`: the model, its hash, the
            device.
        fresh: do not go on with an unfinished run.

    Raises:
        EarthGPTXError: something that was asked for is not there.
    """
    places.check()
    _check_extra(benchmark)
    against = _other_system(benchmark, places.against)
    started = time.monotonic()
    asked = benchmarks.pose(benchmark, conditions)  # before the model is loaded and earlier answers are moved away
    embed = _embedding(benchmark)  # a missing model should not show itself after the last question
    assistant = load()
    # Everything that changes an answer. Limit and batch size do not: they may differ when a run is resumed.
    whole: dict[str, str | int | float | None] = {
        "benchmark": benchmark.name,
        "data": str(conditions.data.resolve()),
        "split": conditions.split,
        "marks": conditions.marks if benchmark.is_marked else "",
        **settings(),
        "seed": conditions.seed,
        "regions_per_question": conditions.regions_per_question,
        "num_beams": benchmark.num_beams,
        "git_commit": git_commit(Path(__file__).parent),
    }
    answers = places.out.with_suffix(".predictions.jsonl")
    with Journal.open(answers, whole, fresh=fresh, num_questions=len(asked.questions)) as journal:
        predictions = _ask(benchmark, assistant, asked, journal, conditions)
        counts = benchmarks.counts(asked, journal)
        scores = score(benchmark.kind, predictions, embed, counts=counts, notes=asked.notes)
        scores = _beside(benchmark, scores, predictions, against, embed)
        whole |= {
            "data": str(conditions.data),  # as it was typed: a report may be published, the machine's folders need not
            "batch_size": conditions.batch_size,
            "limit": conditions.limit,
            "command": shlex.join(["earthgptx", *sys.argv[1:]]),
            "machine": machine(),
            "seconds": round(time.monotonic() - started, 1),
        }
        report = _report(benchmark, scores, whole)
        _write(report, benchmark, predictions, places, conditions.data)
        journal.finish()  # after the report: if that cannot be written, the same command needs no second look
    return report


def rescore(name: str | None, file: Path, places: Places, *, data: Path | None) -> Report:
    """Scores a file of predictions, whoever wrote it; no model is loaded.

    Args:
        name: the benchmark that was answered; the file's own settings say it if None.
        file: as docs/evaluation.md describes it.
        places: where the report goes.
        data: the folder of the data sets, for pictures; without it the report has none.

    Raises:
        MalformedPredictions: the file cannot be read, or says that it answers another benchmark.
        UnknownBenchmark: neither the name nor the file says which one it answers.
        UnwritableReport: as `Places.check`.
    """
    found = read_predictions(file)
    said = found.settings.get("benchmark")
    if name is None and not isinstance(said, str):
        raise UnknownBenchmark(f"{file} does not say which benchmark it answers: name it before --rescore.")
    benchmark = benchmarks.find(str(name or said))
    _check_benchmark(benchmark, found, file)
    places.check()
    if places.plate is not None and data is None:
        raise UnwritableReport(f"The plate {places.plate} needs the images: give their folder with --data.")
    _check_extra(benchmark)
    against, embed = _other_system(benchmark, places.against), _embedding(benchmark)
    counts = {"questions": len(found.predictions)}
    scores = score(benchmark.kind, found.predictions, embed, counts=counts, notes=_notes_on(found))
    scores = _beside(benchmark, scores, found.predictions, against, embed)
    settings: dict[str, str | int | float | None] = {
        **found.settings,
        "rescored": file.name,
        "scored_at_commit": git_commit(Path(__file__).parent),
        "command": shlex.join(["earthgptx", *sys.argv[1:]]),
    }
    settings.pop("data", None)  # a folder of the machine that asked
    report = _report(benchmark, scores, settings)
    _write(report, benchmark, found.predictions, places, data)
    return report


def _check_benchmark(benchmark: Benchmark, found: PredictionFile, file: Path) -> None:
    said = found.settings.get("benchmark")
    if isinstance(said, str) and benchmarks.find(said) != benchmark:
        raise MalformedPredictions(f"{file} answers {said}, not {benchmark.name}.")


def _other_system(benchmark: Benchmark, file: Path | None) -> PredictionFile | None:
    if file is None:
        return None
    found = read_predictions(file)
    _check_benchmark(benchmark, found, file)
    return found


def _beside(
    benchmark: Benchmark,
    scores: Scores,
    predictions: Sequence[Prediction],
    other: PredictionFile | None,
    embed: Embed | None,
) -> Scores:
    """The scores with their differences to another system's, if one was named."""
    if other is None:
        return scores
    found, note = differences(benchmark.kind, predictions, other.predictions, embed)
    return replace(scores, differences=found, notes=(*scores.notes, f"The other system: {_name_of(other)}. {note}"))


def _name_of(other: PredictionFile) -> str:
    return str(other.settings.get("model") or "not named")


def _notes_on(found: PredictionFile) -> tuple[str, ...]:
    """Sentences on what a file lacks, or has too much."""
    held, total = len(found.predictions), found.num_questions
    notes = ["The file's last line was cut off and is not counted."] if found.was_cut else []
    if total is not None and held < total:
        notes.append(f"The file holds {held} of {total} answers; the others are not counted.")
    elif total is not None and held > total:
        notes.append(f"The file holds {held} answers where {total} questions were asked last; all of them are counted.")
    elif found.is_finished is False:
        notes.append("The run that wrote this file did not come to its end.")
    return tuple(notes)


def write_questions(benchmark: Benchmark, conditions: Conditions, file: Path) -> str:
    """Writes a benchmark's questions and truths, for another system to fill in; says so in a sentence."""
    _check_place(file)
    asked = benchmarks.pose(benchmark, conditions)
    settings: Settings = {
        "benchmark": benchmark.name,
        "split": conditions.split,
        "marks": conditions.marks if benchmark.is_marked else "",
        "seed": conditions.seed,
        "regions_per_question": conditions.regions_per_question,
    }
    blanks = (benchmarks.blank(benchmark, question, conditions) for question in asked.questions)
    number = write_form(file, blanks, settings)
    return f"{number} questions of {benchmark.name} are in {file}; nobody was asked."


def _write(
    report: Report, benchmark: Benchmark, predictions: Sequence[Prediction], places: Places, data: Path | None
) -> None:
    cases = judge(benchmark.kind, predictions)
    worst, best = extremes(cases, CASES_A_SENSOR)
    note = f"Cases are chosen by rule: of each sensor the {CASES_A_SENSOR} lowest and highest by {cases[0].measure}."
    if data is None:
        note += " No picture is drawn, because the images' folder was not given (--data)."
    html = to_html(report, worst=worst, best=best, data=data, pictures_note=note)
    write_whole(places.out.with_suffix(".md"), [report.to_markdown()])
    write_whole(places.out.with_suffix(".html"), [html])
    report.write(places.out)
    if places.plate is not None and data is not None:
        _write_plate(report, spread(cases, PLATE_COLUMNS), places.plate, data)


def _write_plate(report: Report, rows: dict[str, list[Case]], path: Path, data: Path) -> None:
    who = report.settings.get("model") or "predictions"
    measure = next(case.measure for row in rows.values() for case in row)
    rule = f"wrong answers first, then as many right ones, both at evenly spaced quantiles of {measure}"
    picture = plate(rows, data, f"{report.benchmark}, {who}: {rule}. Filled: predicted mask; white line: true one.")
    if picture is None:
        raise UnwritableReport(f"The plate {path} cannot be drawn: {data} holds none of the predictions' images.")
    picture.save(path)


def _report(benchmark: Benchmark, scores: Scores, settings: Settings) -> Report:
    return Report(benchmark.name, scores, settings, _comparison(benchmark, scores, settings))


def _comparison(benchmark: Benchmark, scores: Scores, settings: Settings) -> tuple[ComparedRow, ...]:
    if not benchmark.table:
        return ()
    items = scores.counts.get("regions", scores.counts.get("captions", 0))
    measured_on = f"{', '.join(scores.by_dataset)} {settings.get('split', '')}".strip() + f", {items:,} regions"
    system = str(settings.get("model") or "this system")
    by_marks = scores.by_marks or {str(settings.get("marks", "")): scores.metrics}
    own = [own_row(system, prompt, numbers, measured_on) for prompt, numbers in by_marks.items()]
    return (*published(benchmark.table), *own)


def _check_extra(benchmark: Benchmark) -> None:
    if KINDS[benchmark.kind].scores_captions and find_spec("pycocoevalcap") is None:
        raise MissingExtra("Captions are scored by pycocoevalcap: pip install 'earthgptx[eval]'.")


def _embedding(benchmark: Benchmark) -> Embed | None:
    return load_minilm() if KINDS[benchmark.kind].needs_embedding else None


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise UnwritableReport(f"{path} is a folder; a file is to be written there.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableReport(f"The folder {path.parent} of {path.name} cannot be made: {error.strerror}.") from error
    if not os.access(path.parent, os.W_OK):
        raise UnwritableReport(f"Nothing may be written in {path.parent}, where {path.name} should go.")


def _ask(
    benchmark: Benchmark,
    assistant: Answerer,
    asked: benchmarks.QuestionSet,
    journal: Journal,
    conditions: Conditions,
) -> list[Prediction]:
    """Asks under a progress bar; if it is interrupted, says where the answers are."""
    try:
        with _progress_bar(benchmark.name) as progress:
            return benchmarks.ask(benchmark, assistant, asked, journal, conditions, progress=progress)
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
