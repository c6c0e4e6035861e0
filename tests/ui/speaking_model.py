"""A model's stand-in that always has something to say: words that stream, and a mask inside every mark."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

import numpy as np

from earthgptx.data.imagery import Scene
from earthgptx.inference.generation import Generated, Request

TOKEN = re.compile(r"<[^>]*>|\s*\w+|\s|.", re.DOTALL)


class SpeakingModel:
    """Names and segments every marked region; without marks it describes the scene with one mask.

    Args:
        seconds_a_word: so that a person, or a test, sees words come.
    """

    def __init__(self, seconds_a_word: float = 0.02) -> None:
        self.seconds_a_word = seconds_a_word
        self.questions: list[str] = []

    def look(self, scene: Scene) -> Scene:
        """What is seen is the scene itself."""
        return scene

    def num_bytes(self, views: Scene) -> int:
        """Nothing is kept."""
        return 0

    def forget_zooms(self, views: Scene, keep: int) -> None:
        """Nothing is kept."""

    def generate(
        self,
        requests: Sequence[Request],
        *,
        on_text: Callable[[int, str], None] | None = None,
        is_stopped: Callable[[int], bool] | None = None,
        **_: object,
    ) -> list[Generated]:
        """One answer a request, token by token."""
        return [self._answer(index, request, on_text, is_stopped) for index, request in enumerate(requests)]

    def _answer(
        self,
        index: int,
        request: Request,
        on_text: Callable[[int, str], None] | None,
        is_stopped: Callable[[int], bool] | None,
    ) -> Generated:
        self.questions.append(request.turns[-1].text)
        height, width = request.views.pixels.shape[:2]
        if request.marks:
            text = "\n".join(f"<Region {k}>: ship <pix>" for k in range(1, len(request.marks) + 1))
            masks = tuple(mark.to_mask(height, width) for mark in request.marks)
        else:
            text = "The scene shows <p>a harbour</p> <pix> with ships at a quay."
            half = np.zeros((height, width), dtype=bool)
            half[height // 4 : height // 2, width // 4 : width // 2] = True
            masks = (half,)
        tokens = tuple(TOKEN.findall(text))
        for token in tokens:
            if is_stopped is not None and is_stopped(index):
                break
            if on_text is not None:
                on_text(index, token)
            time.sleep(self.seconds_a_word)
        probabilities = tuple(0.97 for _ in tokens)
        return Generated(text, tokens, probabilities, masks=masks, mask_scores=(0.91,) * len(masks))
