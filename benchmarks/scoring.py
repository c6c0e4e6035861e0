"""How long SS, S-IoU and accuracy of many answers take, and what encoding one answer at a time would cost.

Answers are made of class names in a hundred spellings, with wrong and missing ones among them, so that about a fifth
of all strings differ. The sentence encoder is loaded first, and timed by itself. A table comes first, then a JSON line.

    python benchmarks/scoring.py [--answers 10000] [--cache DIR] [--one-by-one 200]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from earthgptx.evaluation.metrics import labels
from earthgptx.evaluation.metrics.bootstrap import interval, mean_of
from earthgptx.evaluation.metrics.labels import LabelPair
from earthgptx.evaluation.metrics.similarity import Embed, semantic_similarities
from earthgptx.evaluation.minilm import load_minilm

TARGET = 20.0  # seconds for 10,000 answers
CLASSES = (
    "airplane", "airport", "baseball field", "basketball court", "bridge", "chimney", "dam", "golf field",
    "expressway toll station", "ground track field", "harbor", "overpass", "ship", "stadium", "storage tank",
    "tennis court", "train station", "vehicle", "windmill", "expressway service area",
)  # fmt: skip
QUALITIES = ("small", "large", "white", "grey", "red", "long", "round", "distant", "parked", "docked")


def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    pairs = made_answers(arguments.answers)
    load_seconds, embed = timed(lambda: load_minilm(arguments.cache))
    seconds, _ = timed(lambda: score(pairs, embed))
    few = pairs[: arguments.one_by_one]
    alone, _ = timed(lambda: [embed([text]) for pair in few for text in (pair.prediction or "", pair.truth)])
    means = [labels.semantic_iou(pair.prediction, pair.truth) for pair in pairs]
    resampling, _ = timed(lambda: interval(mean_of(means), len(means)))
    num_different = len({labels.clean_label(text or "") for pair in pairs for text in (pair.prediction, pair.truth)})
    result = {
        "num_answers": len(pairs),
        "num_different_strings": num_different,
        "encoder_load_seconds": round(load_seconds, 2),
        "scoring_seconds": round(seconds, 2),
        "one_by_one_seconds_extrapolated": round(alone * len(pairs) / len(few), 1),
        "interval_of_1000_resamples_seconds": round(resampling, 2),
        "machine": machine(),
    }
    show(result)
    print(json.dumps(result))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--cache", type=Path, help="folder of converted weights")
    parser.add_argument("--one-by-one", type=int, default=200, help="answers that are also encoded one at a time")
    return parser.parse_args()


def made_answers(count: int) -> list[LabelPair]:
    """Answers of which some six in ten name the class, in several spellings; one in fifty is missing."""
    draw = random.Random(0)
    pairs = []
    for _ in range(count):
        truth = draw.choice(CLASSES)
        said = truth if draw.random() < 0.6 else draw.choice(CLASSES)
        said = " ".join([*draw.sample(QUALITIES, draw.choice([0, 0, 0, 1, 2])), said])
        spelled = draw.choice([said, said.capitalize() + ".", said.replace(" ", "_"), f"a {said}"])
        pairs.append(LabelPair(None if draw.random() < 0.02 else spelled, truth))
    return pairs


def score(pairs: list[LabelPair], embed: Embed) -> dict[str, float]:
    """The three numbers of a report."""
    similarities = [one for one in semantic_similarities(pairs, embed) if one is not None]
    return {
        "ss": sum(similarities) / len(similarities),
        "s_iou": labels.mean_semantic_iou(pairs),
        "accuracy": labels.accuracy(pairs),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that something takes, and what it gives."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def show(result: dict[str, Any]) -> None:
    """The table for people."""
    print(f"{result['num_answers']:,} answers, {result['num_different_strings']:,} different strings")
    print(f"{'load the encoder':<44}{result['encoder_load_seconds']:>8.2f} s")
    print(f"{'SS, S-IoU and accuracy':<44}{result['scoring_seconds']:>8.2f} s  (10,000 in at most {TARGET:g} s)")
    print(f"{'SS one by one, extrapolated':<44}{result['one_by_one_seconds_extrapolated']:>8.1f} s")
    print(f"{'an interval of 1,000 resamples':<44}{result['interval_of_1000_resamples_seconds']:>8.2f} s")


def machine() -> str:
    """Processor, cores, system and Python; not the host's name."""
    cores = os.cpu_count()
    return f"{platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
