"""The language engine in this process: greedy, sampled or searched answers, with a cache of keys and values.

The state of each `<pix>` is kept as it is made, so that masks need no second pass over the text (LISA and its relatives
run without a cache for want of this).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from earthgptx.inference.beam_search import beam_search
from earthgptx.inference.language_engine import IsStopped, OnToken, Words, Writing, Written
from earthgptx.inference.packed_weights import MAX_ROWS_IN_FEWER_BITS, PackedLanguage, can_be_packed
from earthgptx.inference.token_steps import TokenSteps
from earthgptx.model.language import Language


@dataclass
class _Row:
    """How far one answer is.

    Attributes:
        states: kept so far.
        is_done: whether its end word came, or nobody waits for it.
        is_stopped: whether nobody waits for it.
        is_state_due: whether its last token is one whose state is wanted.
    """

    states: list[Tensor] = field(default_factory=list)
    is_done: bool = False
    is_stopped: bool = False
    is_state_due: bool = False


class TorchEngine:
    """Writes with the model's own language box, on its device and in its precision.

    Args:
        language: the box; its weights stay as they are from the first answer on.
        words: that it must know.
    """

    def __init__(self, language: Language, words: Words) -> None:
        self.language = language
        self.words = words
        self._packed: dict[bool, PackedLanguage] = {}  # by `few_rows`; made when first wanted

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
        packed = self._packed_for(len(embeddings) * writing.num_beams)
        steps = TokenSteps(
            self.language,
            embeddings,
            present,
            room=writing.max_new_tokens,
            products=None if packed is None else packed.products,
            logits=None if packed is None else packed.logits,
        )
        if writing.num_beams > 1:
            return self._search(steps, writing, on_token)
        rows = [_Row() for _ in range(len(embeddings))]
        sampler = torch.Generator(device=embeddings.device).manual_seed(writing.seed)
        for _ in range(writing.max_new_tokens):
            _stop(rows, is_stopped)
            if all(row.is_done for row in rows):
                break
            logits = steps.logits()
            logits[:, list(self.words.never)] = -torch.inf
            ids, probabilities = _choose(logits, writing.temperature, sampler)
            # One list, so that a GPU is waited for once a step; fp32 holds every id exactly.
            chosen = torch.stack([ids.float(), probabilities.float()], dim=1).tolist()
            for place, (row, (token_id, probability)) in enumerate(zip(rows, chosen, strict=True)):
                row.is_done = row.is_done or int(token_id) == self.words.end
                row.is_state_due = not row.is_done and int(token_id) == self.words.state_wanted
                if not row.is_done:
                    on_token(place, int(token_id), probability)
            if all(row.is_done for row in rows):
                break
            # A finished row goes on unheard until the last one is done.
            steps.read(ids)
            for place, row in enumerate(rows):
                if row.is_state_due:
                    row.states.append(steps.hidden[place])
        return [Written(tuple(row.states), row.is_stopped) for row in rows]

    def _packed_for(self, num_rows: int) -> PackedLanguage | None:
        """The weights in the form in which so many rows are written fastest; None where that is the model's own."""
        few_rows = num_rows <= MAX_ROWS_IN_FEWER_BITS
        if few_rows not in self._packed and can_be_packed(self.language, few_rows=few_rows):
            self._packed[few_rows] = PackedLanguage(self.language, few_rows=few_rows)
        return self._packed.get(few_rows)

    def _search(self, steps: TokenSteps, writing: Writing, on_token: OnToken) -> list[Written]:
        """Answers that agree most with all that were followed."""
        found = beam_search(
            steps,
            num_beams=writing.num_beams,
            max_new_tokens=writing.max_new_tokens,
            end_id=self.words.end,
            pix_id=self.words.state_wanted,
            never=self.words.never,
        )
        for place, hypothesis in enumerate(found):
            for token_id, log_probability in zip(hypothesis.ids, hypothesis.log_probabilities, strict=True):
                on_token(place, token_id, math.exp(log_probability))
        return [Written(hypothesis.pix_states) for hypothesis in found]


def _stop(rows: Sequence[_Row], is_stopped: IsStopped | None) -> None:
    """Ends the rows nobody waits for."""
    for place, row in enumerate(rows):
        if is_stopped is not None and not row.is_done and is_stopped(place):
            row.is_done = row.is_stopped = True


def _choose(logits: Tensor, temperature: float, sampler: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, vocabulary) -> chosen ids (B,) and their probabilities (B,)."""
    shares = torch.softmax(logits / temperature if temperature > 0 else logits, dim=-1)
    ids = torch.multinomial(shares, 1, generator=sampler)[:, 0] if temperature > 0 else shares.argmax(dim=-1)
    return ids, shares.gather(1, ids[:, None])[:, 0]
