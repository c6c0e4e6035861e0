"""A generator that says what it is told to, and remembers what it was asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from earthgptx.data.imagery import Scene
from earthgptx.inference.generation import Generated, Request
from earthgptx.processing.answers import render

TOKEN = re.compile(r"<[^>]*>|\s*\w+|\s|.", re.DOTALL)


def generated(text: str, *, size: tuple[int, int] = (40, 60), probability: float = 0.5) -> Generated:
    """A text as the real generator gives it: tokens that make it up, and a mask a <pix>.

    The k-th mask is the column k. `size` is (height, width).
    """
    tokens = tuple(TOKEN.findall(text))
    assert "".join(tokens) == text
    masks = []
    for column in range(text.count("<pix>")):
        mask = np.zeros(size, dtype=bool)
        mask[:, column] = True
        masks.append(mask)
    return Generated(
        text=text,
        token_texts=tokens,
        token_probabilities=(probability,) * len(tokens),
        masks=tuple(masks),
        mask_scores=(0.75,) * len(masks),
    )


class FakeGenerator:
    """Answers with `texts` in turn; without them, names the kind of every mark."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self.texts = list(texts)
        self.requests: list[Request] = []
        self.settings: list[tuple[int, float, int]] = []
        self.num_looks = 0

    def look(self, scene: Scene) -> Scene:
        self.num_looks += 1
        return scene

    def generate(
        self,
        requests: Sequence[Request],
        *,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        on_text: Callable[[int, str], None] | None,
        is_stopped: Callable[[int], bool] | None = None,
        num_beams: int = 1,
    ) -> list[Generated]:
        self.requests.extend(requests)
        self.settings.append((max_new_tokens, temperature, seed))
        replies = []
        for index, request in enumerate(requests):
            text = self.texts.pop(0) if self.texts else render([f"the {mark.kind}" for mark in request.marks])
            reply = generated(text, size=request.views.pixels.shape[:2])
            for piece in reply.token_texts if on_text else ():
                on_text(index, piece)
            replies.append(reply)
        return replies
