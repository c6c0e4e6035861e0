"""Beam search: several answers are followed at once, and the one that agrees most with all of them is given.

Prompts that were read come in, token ids with the state at each `<pix>` go out. It knows no scene, no mark, no text and
no model.
Greedy decoding commits to its first words, and the likeliest answer is often a short or an odd one. What is given is
the answer of least expected risk (Kumar and Byrne 2004): its overlap with the others found, each weighted by its
probability.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from earthgptx.data.overlap import overlap, runs_of


class Steps(Protocol):
    """Rows of text that grow by a token a step, as `token_steps.TokenSteps`."""

    hidden: Tensor  # (R, D) state of each row's last token

    def logits(self) -> Tensor:
        """(R, vocabulary) of each row's next word."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Goes on with these rows, in this order."""
        ...

    def read(self, token_ids: Tensor) -> None:
        """One more token a row."""
        ...


@dataclass(frozen=True)
class Hypothesis:
    """An answer, whole or under way.

    Attributes:
        ids: its tokens, without the end word.
        log_probabilities: of each.
        total: their sum, the end word's included once it has come.
        pix_states: (D,) states at each `<pix>`.
    """

    ids: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()
    total: float = 0.0
    pix_states: tuple[Tensor, ...] = ()

    @property
    def score(self) -> float:
        """Mean log-probability of a token: a search that compared sums would end before long answers are whole."""
        return self.total / max(len(self.ids), 1)

    def grown(self, token_id: int, log_probability: float) -> Hypothesis:
        """With one more token."""
        return Hypothesis(
            (*self.ids, token_id),
            (*self.log_probabilities, log_probability),
            self.total + log_probability,
            self.pix_states,
        )


@dataclass
class _Search:
    """One prompt's beams."""

    beams: list[Hypothesis] = field(default_factory=lambda: [Hypothesis()])
    whole: list[Hypothesis] = field(default_factory=list)

    def is_over(self, num_beams: int) -> bool:
        """Whether enough answers are whole, and none under way is likelier than the best of them is."""
        best = max((one.score for one in self.whole), default=-float("inf"))
        return len(self.whole) >= num_beams and best >= max((one.score for one in self.beams), default=best)

    def best(self) -> Hypothesis:
        """The whole answer of least expected risk; the likeliest cut-off one where none has ended."""
        if not self.whole:
            return max(self.beams, key=lambda one: one.score)
        runs = [runs_of(one.ids) for one in self.whole]
        likeliest = max(one.total for one in self.whole)
        weights = [math.exp(one.total - likeliest) for one in self.whole]
        expected = [sum(w * overlap(own, other) for w, other in zip(weights, runs, strict=True)) for own in runs]
        return self.whole[max(range(len(expected)), key=expected.__getitem__)]


@torch.inference_mode()
def beam_search(
    steps: Steps,
    *,
    num_beams: int,
    max_new_tokens: int,
    end_id: int,
    pix_id: int,
    never: Collection[int],
) -> list[Hypothesis]:
    """The best answer found to each prompt.

    Args:
        steps: the prompts as they were read, a row each, with room for `max_new_tokens`.
        num_beams: answers followed at once, at least 2: one is greedy decoding, which needs no search.
        max_new_tokens: where an answer that does not end is cut.
        end_id: the word that ends an answer.
        pix_id: the word whose state draws a mask.
        never: words that are never said.

    Returns:
        One hypothesis a prompt.
    """
    searches = [_Search() for _ in range(len(steps.hidden))]
    rows = list(range(len(searches)))  # the prompt that each row of the batch belongs to
    for _ in range(max_new_tokens):
        log_probabilities = _log_probabilities(steps.logits(), never)
        # One of the candidates of a beam may be the end word, so one more than the beams may need.
        values, ids = log_probabilities.topk(min(num_beams + 1, log_probabilities.shape[-1]), dim=-1)
        parents = _step(searches, rows, values.tolist(), ids.tolist(), num_beams, end_id)
        if not parents:
            break
        rows = [rows[parent] for parent in parents]
        steps.keep(torch.tensor(parents, device=steps.hidden.device))
        said = [beam.ids[-1] for search in _running(searches, num_beams) for beam in search.beams]
        steps.read(torch.tensor(said, device=steps.hidden.device))
        _keep_pix_states(_running(searches, num_beams), steps.hidden, pix_id)
    return [search.best() for search in searches]


def _log_probabilities(logits: Tensor, never: Collection[int]) -> Tensor:
    logits[:, list(never)] = -torch.inf
    return torch.log_softmax(logits, dim=-1)


def _running(searches: list[_Search], num_beams: int) -> list[_Search]:
    return [search for search in searches if not search.is_over(num_beams)]


def _step(
    searches: list[_Search],
    rows: list[int],
    values: list[list[float]],
    ids: list[list[int]],
    num_beams: int,
    end_id: int,
) -> list[int]:
    """Grows every search that runs by one token; returns the row that each beam kept goes on from."""
    first_row = {prompt: rows.index(prompt) for prompt in dict.fromkeys(rows)}
    parents: list[int] = []
    for prompt, first in first_row.items():
        search = searches[prompt]
        candidates = [
            (beam.total + value, place, token_id, value)
            for place, beam in enumerate(search.beams)
            for value, token_id in zip(values[first + place], ids[first + place], strict=True)
        ]
        candidates.sort(key=lambda one: -one[0])
        kept: list[tuple[int, Hypothesis]] = []
        for rank, (total, place, token_id, value) in enumerate(candidates):
            beam = search.beams[place]
            if token_id != end_id:
                kept.append((first + place, beam.grown(token_id, value)))
            elif rank < num_beams:
                search.whole.append(Hypothesis(beam.ids, beam.log_probabilities, total, beam.pix_states))
            if len(kept) == num_beams:
                break
        search.beams = [beam for _, beam in kept]
        if not search.is_over(num_beams):
            parents.extend(row for row, _ in kept)
    return parents


def _keep_pix_states(searches: list[_Search], hidden: Tensor, pix_id: int) -> None:
    row = 0
    for search in searches:
        for place, beam in enumerate(search.beams):
            if beam.ids[-1] == pix_id:
                states = (*beam.pix_states, hidden[row])
                search.beams[place] = Hypothesis(beam.ids, beam.log_probabilities, beam.total, states)
            row += 1
