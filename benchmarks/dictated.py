"""An engine that writes what it is told, as slowly as any words are written: for measuring what follows from them."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from earthgptx.inference.language_engine import IsStopped, OnToken, Words, Writing, Written
from earthgptx.inference.packed_weights import PackedLanguage
from earthgptx.inference.token_steps import TokenSteps
from earthgptx.model.language import Language


class Dictated:
    """A `LanguageEngine` for one answer at a time.

    Args:
        language: that takes the steps; in bf16 on a CPU.
        words: that it must know.

    Attributes:
        ids: of the next answer, its end left out.
        seconds: that the last one took to write.
    """

    def __init__(self, language: Language, words: Words) -> None:
        self.language = language
        self.words = words
        self.ids: list[int] = []
        self.seconds = 0.0
        self._packed = PackedLanguage(language, few_rows=True)

    @torch.inference_mode()
    def write(
        self,
        embeddings: Tensor,
        present: Tensor,
        writing: Writing,
        *,
        on_token: OnToken,
        is_stopped: IsStopped | None = None,
    ) -> list[Written]:
        """As `LanguageEngine.write`."""
        started = time.perf_counter()
        steps = TokenSteps(
            self.language,
            embeddings,
            present,
            room=writing.max_new_tokens,
            products=self._packed.products,
            logits=self._packed.logits,
        )
        states = []
        for token_id in self.ids:
            steps.logits()  # its choice is not asked for, its time is taken
            on_token(0, token_id, 1.0)
            steps.read(torch.tensor([token_id]))
            if token_id == self.words.state_wanted:
                states.append(steps.hidden[0])
        self.seconds = time.perf_counter() - started
        return [Written(tuple(states))]
