"""Runs a study: trains each row with each seed, asks it, writes a line of results; what is done is not done again.

`results.jsonl` holds a line a row and seed, written when the row is finished. A run that was killed begins its row
again, or goes on from the row's last checkpoint; the rows before it are skipped.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from earthgptx.errors import TrainingDiverged
from earthgptx.evaluation.ablation import measures
from earthgptx.evaluation.ablation.measures import Asked, Measured
from earthgptx.evaluation.ablation.study import Questions, Row, Study
from earthgptx.evaluation.metrics.similarity import Embed
from earthgptx.evaluation.prediction_files import write_predictions
from earthgptx.evaluation.predictions import Prediction
from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.model.feature_store import FeatureStore
from earthgptx.model.weights.checkpoint import TRAINED
from earthgptx.provenance import git_commit, machine
from earthgptx.training.caching import fill_store, wanted_windows
from earthgptx.training.command import export, trained
from earthgptx.training.loop import Trainer
from earthgptx.training.recipe import TrainingRecipe

logger = logging.getLogger(__name__)

RESULTS = "results.jsonl"
OnRow = Callable[[str, int, int, int], None]
"""Told (row, seed, rows done, rows in all) when a row begins, and once more with "" when all are done."""


@dataclass(frozen=True)
class Exam:
    """The questions that all rows are asked."""

    labels: tuple[Asked, ...]
    freeform: tuple[Asked, ...]
    masks: tuple[Asked, ...]
    nearest: tuple[Asked, ...]

    @classmethod
    def of(cls, data: Path, questions: Questions) -> Exam:
        """Chosen by the questions' own seed from the labelled images of a folder."""
        return cls(
            labels=tuple(measures.choose(data, questions.regions, questions, "box")),
            freeform=tuple(measures.choose(data, questions.regions, questions, "freeform")),
            masks=tuple(measures.choose(data, questions.mask_regions, questions, "box", outlined=True)),
            nearest=tuple(measures.choose(data, questions.nearest_regions, questions, "box")),
        )


def run_study(
    study: Study,
    out: Path,
    *,
    rows: Sequence[Row],
    seeds: Sequence[int],
    load_embed: Callable[[], Embed],
    on_row: OnRow = lambda row, seed, done, total: None,
) -> None:
    """Runs what is not done yet, seed by seed, so that a study that is cut short still has whole tables of one seed.

    A row whose training diverges is noted in the results and tried again at the next start.

    Args:
        study: what to run.
        out: folder of results, answers, runs and features.
        rows, seeds: which part of it.
        load_embed: sentence embeddings for SS, asked for once if there is anything to do.
        on_row: told as rows begin.
    """
    wanted = [(row, seed) for seed in seeds for row in rows]
    finished = results_of(study, out)
    left = [(row, seed) for row, seed in wanted if seed not in {entry["seed"] for entry in finished[row.name]}]
    if left:
        exam, embed = Exam.of(Path(study.base.data), study.questions), load_embed()
        for place, (row, seed) in enumerate(left, start=len(wanted) - len(left)):
            on_row(row.name, seed, place, len(wanted))
            try:
                result = _run_row(study, row, seed, out, exam, embed)
            except TrainingDiverged as problem:
                logger.warning("%s, seed %d: %s", row.name, seed, problem)
                result = {"problem": str(problem)}
            about = {"row": row.name, "seed": seed, "fingerprint": study.fingerprint(row, seed)}
            _append(out / RESULTS, about | result)
    on_row("", 0, len(wanted), len(wanted))


def read_results(out: Path) -> list[dict[str, Any]]:
    """All results of a folder, oldest first; a line that a kill cut short is left out."""
    path = out / RESULTS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def results_of(study: Study, out: Path) -> dict[str, list[dict[str, Any]]]:
    """The newest result of each seed of each row, by row; only of the study as it is now."""
    newest = {(entry["row"], entry["seed"]): entry for entry in read_results(out) if "measures" in entry}
    found: dict[str, list[dict[str, Any]]] = {row.name: [] for row in study.rows}
    rows = {row.name: row for row in study.rows}
    for (name, seed), entry in sorted(newest.items()):
        if name in rows and study.is_of(entry, rows[name], seed):
            found[name].append(entry)
    return found


def _run_row(study: Study, row: Row, seed: int, out: Path, exam: Exam, embed: Embed) -> dict[str, Any]:
    recipes = study.recipes(row, seed, out / "runs")
    started = time.monotonic()
    for recipe in recipes[:-1]:
        _export_stage(recipe)
    trainer = trained(recipes[-1])
    try:
        trained_at = time.monotonic()
        measured, answers = _measure(trainer, row, study.questions, exam, embed)
        for name, predictions in answers.items():
            path = out / "answers" / f"{row.name}-{seed}-{name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_predictions(path, predictions, {"row": row.name, "seed": seed, "study": study.name})
        steps = [recipe.warm_steps + recipe.steps for recipe in recipes]
        result = {
            "measures": {name: asdict(one) for name, one in measured.items()},
            "steps": steps,
            "seconds": {
                "training": round(trained_at - started, 1),
                "steps": round(_seconds_of_steps(recipes), 1),
                "evaluation": round(time.monotonic() - trained_at, 1),
            },
            "parameters": sum(parameter.numel() for parameter in trainer.parameters.values()),
            "git_commit": git_commit(Path(__file__).parent),
            "machine": machine(),
            "recipes": [asdict(recipe) for recipe in recipes],
        }
    finally:
        trainer.corpus.close()
    for recipe in recipes:  # states are large and a finished row needs none
        folder = Path(recipe.runs) / recipe.name
        for state in folder.glob("state-*"):
            shutil.rmtree(state)
        shutil.rmtree(folder / "model", ignore_errors=True)
    return result


def _export_stage(recipe: TrainingRecipe) -> None:
    """Trains a stage that another one follows, unless it is done."""
    folder = Path(recipe.runs) / recipe.name / "model"
    if (folder / TRAINED).is_file():
        return
    trainer = trained(recipe)
    trainer.corpus.close()
    unfinished = folder.with_name("model.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    export(recipe, trainer.model, unfinished)
    os.replace(unfinished, folder)


def _measure(
    trainer: Trainer, row: Row, questions: Questions, exam: Exam, embed: Embed
) -> tuple[dict[str, Measured], dict[str, list[Prediction]]]:
    trainer.optimizer.zero_grad(set_to_none=True)
    model, corpus = trainer.model, trainer.corpus
    images = {one.image.id: one.image for one in exam.nearest}
    wanted = [wanted_windows(image, corpus.processor, questions.seed, ("box",)) for image in images.values()]
    store = corpus.store if isinstance(corpus.store, FeatureStore) else None
    if store is not None:
        fill_store(store, list(images.values()), wanted, model, corpus.processor)
    measured = {"nearest": measures.nearest_classes(trainer, exam.nearest)} if exam.nearest else {}
    model.language.to(torch.bfloat16)  # as a checkpoint is loaded
    model.requires_grad_(False)
    assistant = Assistant(Generator(model, corpus.processor, store))
    answers: dict[str, list[Prediction]] = {}
    if exam.labels:
        answers["labels"] = measures.ask_labels(assistant, exam.labels, questions)
        measured["labels"] = measures.score_labels(answers["labels"], embed)
    if exam.freeform and row.freeform:
        answers["freeform"] = measures.ask_labels(assistant, exam.freeform, questions)
        measured["freeform"] = measures.score_labels(answers["freeform"], embed)
    if exam.masks and row.masks:
        answers["masks"] = measures.ask_masks(assistant, exam.masks, questions)
        measured["masks"] = measures.score_masks(answers["masks"])
    return measured, answers


def _seconds_of_steps(recipes: Sequence[TrainingRecipe]) -> float:
    """What the steps alone took, without loading and saving."""
    journals = [Path(recipe.runs) / recipe.name / "losses.jsonl" for recipe in recipes]
    return sum(float(json.loads(line)["seconds"]) for journal in journals for line in journal.read_text().splitlines())


def _append(path: Path, entry: dict[str, Any]) -> None:
    """One more line, on disk before this returns, in the place of one that a kill cut short."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(entry).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
