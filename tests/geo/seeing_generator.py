"""A generator that says and draws what is really there: bright blobs on a dark scene, named by their colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from earthgptx.data.imagery import Scene
from earthgptx.inference.generation import Generated, Request
from earthgptx.shapes import Mark
from tests.inference.fake_generator import TOKEN

BRIGHT = 100


class SeeingGenerator:
    """Knows red, green and blue; `dies_after` answers it is interrupted, as by Ctrl-C."""

    def __init__(self, dies_after: int | None = None, die: Callable[[], None] | None = None) -> None:
        self.requests: list[Request] = []
        self.num_looks = 0
        self.sizes: list[tuple[int, int]] = []
        self._dies_after, self._die = dies_after, die

    def look(self, scene: Scene) -> Scene:
        self.num_looks += 1
        self.sizes.append((scene.width, scene.height))
        return scene

    def generate(self, requests: Sequence[Request], **_: object) -> list[Generated]:
        if self._dies_after is not None and len(self.requests) >= self._dies_after:
            if self._die is not None:
                self._die()
            raise KeyboardInterrupt
        self.requests.extend(requests)
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Generated:
        pixels = request.views.pixels
        question = request.turns[-1].text.lower()
        masks: list[np.ndarray] = []
        lines = []
        for number, mark in enumerate(request.marks, start=1):
            words = colour_at(pixels, mark)
            if "segment" in question:
                masks.append(bright(pixels) & inside(mark, pixels.shape[:2]))
                words = "<pix>"
            elif "caption" in question:
                words = f"a {words} blob of {pixels.shape[1]} pixels"
            lines.append(f"<Region {number}>: {words}")
        if not request.marks and "segment" in question:
            masks = [bright(pixels)]
            lines = ["All blobs: <pix>"]
        elif not request.marks:
            lines = [f"{int(bright(pixels).any())} kinds of blobs"]
        text = "\n".join(lines)
        tokens = tuple(TOKEN.findall(text))
        scores = (0.75,) * len(masks)
        return Generated(text, tokens, (0.5,) * len(tokens), tuple(masks), scores)


def bright(pixels: np.ndarray) -> np.ndarray:
    return pixels.max(axis=2) > BRIGHT


def inside(mark: Mark, size: tuple[int, int]) -> np.ndarray:
    """A little more than the mark's bounds, as a careless hand would have it."""
    bounds = mark.bounds()
    height, width = size
    array = np.zeros(size, bool)
    rows = slice(max(int(bounds.y0) - 8, 0), min(int(bounds.y1) + 9, height))
    columns = slice(max(int(bounds.x0) - 8, 0), min(int(bounds.x1) + 9, width))
    array[rows, columns] = True
    return array


def colour_at(pixels: np.ndarray, mark: Mark) -> str:
    x, y = mark.bounds().centre
    row, column = (min(max(int(v), 0), n - 1) for v, n in ((y, pixels.shape[0]), (x, pixels.shape[1])))
    return ("red", "green", "blue")[int(pixels[row, column].argmax())]
