"""Seconds of a grounding answer with one mask and with ten, about a scene of 1024 x 1024 pixels.

The answer names ten objects, a line each; one of them has a mask, or all ten have. Its words are dictated, as many in
each case, and written as any are, a step of the language model each; what an answer without masks takes is not the
masks' part. Beside it stand encoding the scene, which is done once for all its questions, and an answer of one line
with one mask, which leaves out the words of nine more, too.

A table comes first, then a JSON line.

    python -m benchmarks.masks [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

import numpy as np

import earthgptx as egx
from benchmarks.dictated import Dictated
from earthgptx.data.sample import Turn
from earthgptx.inference.generation import Generator, Request
from earthgptx.processing.vocabulary import Vocabulary
from earthgptx.provenance import git_commit

SIDE = 1024
NUM_OBJECTS = 10
CASES = ((1, 1), (NUM_OBJECTS, 0), (NUM_OBJECTS, 1), (NUM_OBJECTS, NUM_OBJECTS))  # lines, masks
TARGET = 2.0  # times the time of one mask, for ten


def lines(vocabulary: Vocabulary, num_lines: int, num_masks: int) -> list[int]:
    """Ids of an answer of so many lines, the first of them with masks; another word stands where a mask is left out."""
    text = "\n".join(f"Ship {number}: <pix>" for number in range(1, num_lines + 1))
    ids = vocabulary.tokenizer.encode(text, add_special_tokens=False)
    places = [place for place, token_id in enumerate(ids) if token_id == vocabulary.pix]
    for place in places[num_masks:]:
        ids[place] = ids[0]
    return ids


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of which the median is reported")
    runs = parser.parse_args().runs
    loaded = egx.load("nano").generator
    generator = Generator(loaded.model, loaded.processor, engine=lambda words: Dictated(loaded.model.language, words))
    engine = generator.engine
    assert isinstance(engine, Dictated)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    scene = egx.Scene.from_array(pixels, sensor="optical")
    answers = {(num_lines, num): lines(loaded.processor.vocabulary, num_lines, num) for num_lines, num in CASES}
    looks: list[float] = []
    seconds: dict[tuple[int, int], list[float]] = {case: [] for case in CASES}
    unsaid: dict[tuple[int, int], list[float]] = {case: [] for case in CASES}  # what is left without the words
    for _ in range(runs + 1):
        started = time.perf_counter()
        views = generator.look(scene)
        looks.append(time.perf_counter() - started)
        request = Request(views=views, turns=(Turn("user", "Please segment all ships in the image."),), marks=())
        for case, ids in answers.items():
            engine.ids = ids
            started = time.perf_counter()
            (answer,) = generator.generate([request], max_new_tokens=256, temperature=0.0, seed=0, on_text=None)
            seconds[case].append(time.perf_counter() - started)
            unsaid[case].append(seconds[case][-1] - engine.seconds)
            assert len(answer.masks) == case[1]
    look = median(looks[1:])  # the first of each warms up
    line, _, one, ten = (median(found[1:]) for found in seconds.values())
    _, none, one_alone, ten_alone = (median(found[1:]) for found in unsaid.values())
    rows = {
        "answer, scene encoded before": (one, ten),
        "answer and encoding": (look + one, look + ten),
        "masks alone": (one_alone - none, ten_alone - none),
        "one line against ten": (line, ten),
    }
    print(f"{'seconds':<30}{'1 mask':>10}{'10 masks':>10}{'times':>8}")
    for name, (of_one, of_ten) in rows.items():
        print(f"{name:<30}{of_one:>10.3f}{of_ten:>10.3f}{of_ten / of_one:>8.1f}")
    print(f"Target: an answer with ten takes at most {TARGET:g} times as long as one with one.")
    result = {name: {"1": round(of_one, 4), "10": round(of_ten, 4)} for name, (of_one, of_ten) in rows.items()}
    words = len(answers[CASES[-1]])
    print(json.dumps({"seconds": result, "words": words, "commit": git_commit(Path(__file__).parent)}))


if __name__ == "__main__":
    main()
