"""Regions a second of `earthgptx evaluate roc`, against asking about one region after the other.

All ask about the same regions of the same images, greedily, in this order: as `earthgptx ask` does, which looks at the
image for each question; one by one in Python, each image looked at once; then as the benchmark does, several regions a
question and several questions a batch, longest first. Reading labels, loading the model and first questions (weights
are packed with them) are not timed; opening and encoding images is. A table comes first, then a JSON line.

    python benchmarks/evaluation_speed.py --data ../shared/data [--model nano] [--limit 2] [--batch-size 16]
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import earthgptx as egx
from earthgptx import heap
from earthgptx.evaluation import benchmarks
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.metrics.labels import clean_label
from earthgptx.evaluation.questions import Answerer, Conditions
from earthgptx.inference.assistant import Assistant, Question
from earthgptx.provenance import git_commit

TARGET = 3.0  # times the regions a second of ask
QUESTION = "Please identify the object category of the marked region in the image."


def one_by_one(assistant: Assistant, asked: benchmarks.QuestionSet, *, look_once: bool) -> dict[tuple[str, int], str]:
    """The label of every region, by image and object, each asked for by itself."""
    labels: dict[tuple[str, int], str] = {}
    session, looked_at = None, ""
    for question in asked.questions:
        for index, mark in zip(question.objects, question.marks, strict=True):
            if session is None or not look_once or looked_at != question.image.id:
                session = assistant.look(egx.Scene.open(question.image.path, sensor=question.image.sensor))
                looked_at = question.image.id
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
    parser.add_argument("--batch-size", type=int, default=16)
    arguments = parser.parse_args()
    heap.keep_freed()  # as `earthgptx evaluate` does
    conditions = Conditions(data=arguments.data, limit=arguments.limit, batch_size=arguments.batch_size)
    asked = benchmarks.pose(benchmarks.find("roc"), conditions)
    assistant = egx.load(arguments.model)
    sides: dict[str, Callable[[], dict[tuple[str, int], str]]] = {
        "ask": lambda: one_by_one(assistant, asked, look_once=False),
        "one by one": lambda: one_by_one(assistant, asked, look_once=True),
        "batched": lambda: batched(assistant, asked, conditions),
    }
    first = benchmarks.QuestionSet(asked.questions[: arguments.batch_size])
    one_by_one(assistant, first, look_once=True)
    batched(assistant, first, conditions)
    labels, seconds = {}, {}
    for name, side in sides.items():
        started = time.perf_counter()
        labels[name] = side()
        seconds[name] = time.perf_counter() - started
    together = labels["batched"]
    same = sum(clean_label(label) == clean_label(together[name]) for name, label in labels["ask"].items())
    print(f"{'':12}{'regions/s':>12}{'batched is faster':>20}")
    for name in sides:
        ratio = f"{seconds[name] / seconds['batched']:.2f} times"
        print(f"{name:12}{len(together) / seconds[name]:>12.2f}{ratio:>20}")
    print(f"Target: {TARGET:g} times as fast as ask. {same} of {len(together)} labels are the same.")
    result = {
        "regions": len(together),
        "questions": len(asked.questions),
        "batch_size": arguments.batch_size,
        "regions_per_second": {name: round(len(together) / taken, 3) for name, taken in seconds.items()},
        "times_as_fast_as": {name: round(seconds[name] / seconds["batched"], 2) for name in ("ask", "one by one")},
        "target": TARGET,
        "same_labels": same,
        "commit": git_commit(Path(__file__).parent),
        "python": platform.python_version(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
