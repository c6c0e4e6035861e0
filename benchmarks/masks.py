"""Seconds of a grounding answer with one mask and with ten, about a scene of 1024 x 1024 pixels.

The answer names ten objects, a line each; one of them has a mask, or all ten have. Its words are dictated, as many in
each case, and written as any are, a step of the language model each; what an answer without masks takes is not the
masks' part. Encoding the scene, which is done once for all its questions, is said beside it.

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
from earthgptx import heap
from earthgptx.data.sample import Turn
from earthgptx.inference.generation import Generator, Request
from earthgptx.provenance import git_commit

SIDE = 1024
NUM_OBJECTS = 10
TEXT = "\n".join(f"Ship {k + 1}: <pix>" for k in range(NUM_OBJECTS))
TARGET = 2.0  # times the time of one mask, for ten


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of which the median is reported")
    runs = parser.parse_args().runs
    heap.keep_freed()  # as the command line does
    loaded = egx.load("nano").generator
    generator = Generator(loaded.model, loaded.processor, engine=lambda words: Dictated(loaded.model.language, words))
    engine = generator.engine
    assert isinstance(engine, Dictated)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    scene = egx.Scene.from_array(pixels, sensor="optical")
    seconds: dict[str, list[float]] = {"look": [], "0": [], "1": [], "10": []}
    unsaid: dict[str, list[float]] = {"0": [], "1": [], "10": []}  # what is left without the words
    vocabulary = loaded.processor.vocabulary
    text = vocabulary.tokenizer.encode(TEXT, add_special_tokens=False)
    pix, other = vocabulary.pix, text[0]  # another word stands where a mask is not wanted
    for _ in range(runs + 1):
        started = time.perf_counter()
        views = generator.look(scene)
        seconds["look"].append(time.perf_counter() - started)
        request = Request(views=views, turns=(Turn("user", "Please segment all ships in the image."),), marks=())
        for num_masks in (0, 1, NUM_OBJECTS):
            left = iter(range(NUM_OBJECTS))
            engine.ids = [other if token_id == pix and next(left) >= num_masks else token_id for token_id in text]
            started = time.perf_counter()
            (answer,) = generator.generate([request], max_new_tokens=256, temperature=0.0, seed=0, on_text=None)
            seconds[str(num_masks)].append(time.perf_counter() - started)
            unsaid[str(num_masks)].append(seconds[str(num_masks)][-1] - engine.seconds)
            assert len(answer.masks) == num_masks
    look, one, ten = (median(seconds[key][1:]) for key in ("look", "1", "10"))  # the first of each warms up
    none, one_alone, ten_alone = (median(found[1:]) for found in unsaid.values())
    rows = {
        "answer, scene encoded before": (one, ten),
        "answer and encoding": (look + one, look + ten),
        "masks alone": (one_alone - none, ten_alone - none),
    }
    print(f"{'seconds':<30}{'1 mask':>10}{'10 masks':>10}{'times':>8}")
    for name, (of_one, of_ten) in rows.items():
        print(f"{name:<30}{of_one:>10.3f}{of_ten:>10.3f}{of_ten / of_one:>8.1f}")
    print(f"Target: an answer with ten takes at most {TARGET:g} times as long as one with one.")
    result = {name: {"1": round(of_one, 4), "10": round(of_ten, 4)} for name, (of_one, of_ten) in rows.items()}
    print(json.dumps({"seconds": result, "words": len(text), "commit": git_commit(Path(__file__).parent)}))


if __name__ == "__main__":
    main()
