"""Regions a second of `earthgptx evaluate roc`, against asking about one region after the other in Python.

Both ask about the same regions of the same images, greedily, in this order: one by one, each image looked at once and
each region a question of its own; then as the benchmark does, several regions a question and several questions a
batch, longest first. Reading labels and loading the model are not timed; opening and encoding images is. A table comes
first, then a JSON line.

    python benchmarks/evaluation_speed.py --data ../shared/data [--model nano] [--limit 2] [--batch-size 8]
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import earthgptx as egx
from earthgptx.evaluation import benchmarks
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.metrics.labels import clean_label
from earthgptx.evaluation.questions import Answerer, Conditions
from earthgptx.inference.assistant import Assistant, Question
from earthgptx.provenance import git_commit

TARGET = 3.0  # times the regions a second of one by one
QUESTION = "Please identify the object category of the marked region in the image."


def one_by_one(assistant: Assistant, asked: benchmarks.QuestionSet) -> dict[tuple[str, int], str]:
    """The label of every region, by image and object, each asked for by itself."""
    labels: dict[tuple[str, int], str] = {}
    session, looked_at = None, ""
    for question in asked.questions:
        if session is None or looked_at != question.image.id:
            session = assistant.look(egx.Scene.open(question.image.path, sensor=question.image.sensor))
            looked_at = question.image.id
        for index, mark in zip(question.objects, question.marks, strict=True):
            alone = Question(session=session, text=QUESTION, marks=(mark,))
            (answer,) = assistant.answer([alone], max_new_tokens=benchmarks.LEAST_ANSWER_TOKENS)
            labels[looked_at, index] = answer.regions[0].label
    return labels


def batched(assistant: Answerer, asked: benchmarks.QuestionSet, conditions: Conditions) -> dict[tuple[str, int], str]:
    """The same labels as `earthgptx evaluate roc` gets them, its journal included."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder) / "answers.jsonl", {}) as journal,
    ):
        found = benchmarks.ask(benchmarks.find("roc"), assistant, asked, journal, conditions)
    return {
        (question.image.id, region.index): region.label or ""
        for question, one in zip(asked.questions, found, strict=True)
        for region in one.regions
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--limit", type=int, default=2, help="images of each data set")
    parser.add_argument("--batch-size", type=int, default=8)
    arguments = parser.parse_args()
    conditions = Conditions(data=arguments.data, limit=arguments.limit, batch_size=arguments.batch_size)
    asked = benchmarks.pose(benchmarks.find("roc"), conditions)
    assistant = egx.load(arguments.model)
    started = time.perf_counter()
    alone = one_by_one(assistant, asked)
    between = time.perf_counter()
    together = batched(assistant, asked, conditions)
    ended = time.perf_counter()
    regions = len(alone)
    rates = {"one by one": regions / (between - started), "batched": regions / (ended - between)}
    ratio = rates["batched"] / rates["one by one"]
    same = sum(clean_label(alone[name]) == clean_label(together[name]) for name in alone)
    for name, rate in rates.items():
        print(f"{name:12}  {rate:8.2f} regions/s")
    print(f"{ratio:.2f} times as many regions a second (target {TARGET:g}); {same} of {regions} labels are the same")
    result = {
        "regions": regions,
        "questions": len(asked.questions),
        "batch_size": arguments.batch_size,
        "one_by_one_regions_per_second": round(rates["one by one"], 3),
        "batched_regions_per_second": round(rates["batched"], 3),
        "ratio": round(ratio, 2),
        "target": TARGET,
        "same_labels": same,
        "commit": git_commit(Path(__file__).parent),
        "python": platform.python_version(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
