"""Seconds of an answer with one mask and with ten, about a scene of 1024 x 1024 pixels.

The words are dictated by an engine that writes `<pix>` so many times and nothing else, so what an answer without masks
takes is what is not the masks' part. A table comes first, then a JSON line.

    python benchmarks/masks.py [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median

import numpy as np
import torch
from torch import Tensor

import earthgptx as egx
from earthgptx import heap
from earthgptx.data.sample import Turn
from earthgptx.inference.generation import Generator, Request
from earthgptx.inference.language_engine import Words, Writing, Written

SIDE = 1024
TARGET = 2.0  # times the time of one mask, for ten


class Dictated:
    """Writes `<pix>` so many times, each with a random state."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.num_masks = 0

    def write(self, embeddings: Tensor, present: Tensor, writing: Writing, **told: object) -> list[Written]:
        """As `LanguageEngine.write`."""
        for _ in range(self.num_masks):
            told["on_token"](0, self.words.state_wanted, 1.0)  # type: ignore[operator]
        states = torch.randn(self.num_masks, embeddings.shape[-1], generator=torch.Generator().manual_seed(0))
        return [Written(tuple(states.to(embeddings.dtype)))]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="of which the median is reported")
    runs = parser.parse_args().runs
    heap.keep_freed()  # as the command line does
    loaded = egx.load("nano").generator
    generator = Generator(loaded.model, loaded.processor, engine=Dictated)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    views = generator.look(egx.Scene.from_array(pixels, sensor="optical"))
    request = Request(views=views, turns=(Turn("user", "Segment all ships."),), marks=())
    seconds: dict[int, list[float]] = {0: [], 1: [], 10: []}
    for _ in range(runs + 1):
        for number, found in seconds.items():
            generator.engine.num_masks = number  # type: ignore[attr-defined]
            started = time.perf_counter()
            generator.generate([request], max_new_tokens=16, temperature=0.0, seed=0, on_text=None)
            found.append(time.perf_counter() - started)
    none, one, ten = (median(found[1:]) for found in seconds.values())  # the first of each warms up
    print(f"{'masks':<8}{'answer, s':>12}{'masks alone, s':>16}")
    for number, taken in ((1, one), (10, ten)):
        print(f"{number:<8}{taken:>12.3f}{taken - none:>16.3f}")
    print(f"Ten take {(ten - none) / (one - none):.1f} times as long as one; target: at most {TARGET:g}.")
    print(json.dumps({"none": none, "one": one, "ten": ten}))


if __name__ == "__main__":
    main()
