"""Beam search gives what trying every answer gives, and its cache says what a full forward pass says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from earthgptx.data.overlap import overlap, runs_of
from earthgptx.inference.beam_search import Hypothesis, Steps, beam_search
from earthgptx.inference.generation import Generator
from earthgptx.inference.token_steps import TokenSteps
from earthgptx.model.language import Language
from tests.inference.test_generation import MARKS, generate, request
from tests.tiny_model import SMALL, tiny_model, tiny_processor

END, PIX = 0, 1
# Worst measured: 4e-6 for log-probabilities down to -12. The cache adds up in another order.
CLOSE = {"atol": 3e-5, "rtol": 1e-4}


class Chain:
    """A language whose next word hangs on the last one alone; its states are one-hot words."""

    def __init__(self, table: Tensor, first: int = 2) -> None:
        self.table = table
        self.hidden = torch.eye(len(table))[[first]]

    def logits(self) -> Tensor:
        return self.hidden @ self.table

    def keep(self, rows: Tensor) -> None:
        self.hidden = self.hidden[rows]

    def read(self, token_ids: Tensor) -> None:
        self.hidden = torch.eye(len(self.table))[token_ids]


def search(steps: Steps, never: Collection[int] = (), **settings: int) -> list[Hypothesis]:
    defaults = {"num_beams": 3, "max_new_tokens": 6, "end_id": END, "pix_id": PIX}
    return beam_search(steps, never=never, **{**defaults, **settings})


def search_words(
    language: Language, embeddings: Tensor, present: Tensor | None = None, **settings: Any
) -> list[Hypothesis]:
    present = torch.ones(embeddings.shape[:2], dtype=torch.bool) if present is None else present
    with torch.inference_mode():
        return search(TokenSteps(language, embeddings, present, room=6), **settings)


@given(st.integers(0, 10_000))
def test_with_beams_enough_it_gives_the_answer_of_least_risk_among_all(seed: int):
    words, length = 4, 3
    table = torch.randn(words, words, generator=torch.Generator().manual_seed(seed)) * 2
    shares = table.log_softmax(dim=-1).exp().tolist()
    answers = {}
    for n in range(length):
        for ids in itertools.product(range(1, words), repeat=n):
            steps = itertools.pairwise((2, *ids, END))
            answers[ids] = math.prod(shares[before][after] for before, after in steps)

    def expected(ids: tuple[int, ...]) -> float:
        return sum(share * overlap(runs_of(ids), runs_of(other)) for other, share in answers.items())

    [found] = search(Chain(table), num_beams=words**length, max_new_tokens=length)
    assert expected(found.ids) == pytest.approx(max(map(expected, answers)), rel=1e-4)
    assert math.exp(found.total) == pytest.approx(answers[found.ids], rel=1e-4)


def test_the_odd_one_out_is_not_given_though_it_is_the_likeliest():
    table = torch.full((8, 8), -20.0)
    for before, after, share in [
        (2, 3, 0.4),  # one answer: 3
        (2, 4, 0.6),  # two that are nearly one: 4 5 6 and 4 5 7
        (3, END, 1.0),
        (4, 5, 1.0),
        (5, 6, 0.5),
        (5, 7, 0.5),
        (6, END, 1.0),
        (7, END, 1.0),
    ]:
        table[before, after] = math.log(share)
    [found] = search(Chain(table), num_beams=4)
    assert found.ids in {(4, 5, 6), (4, 5, 7)}


@pytest.fixture(scope="module")
def language() -> Language:
    return tiny_model().language


@pytest.fixture(scope="module")
def prompts(language: Language) -> Tensor:
    ids = torch.randint(2, 200, (3, 7), generator=torch.Generator().manual_seed(1))
    return language.embed(ids).detach()


@pytest.mark.parametrize("num_beams", [2, 5])
def test_the_cache_says_what_a_full_forward_says(language: Language, prompts: Tensor, num_beams: int):
    pix = int(search_words(language, prompts, num_beams=num_beams)[0].ids[1])  # a word that is said
    for prompt, found in zip(prompts, search_words(language, prompts, num_beams=num_beams, pix_id=pix), strict=True):
        said = torch.tensor([found.ids])
        whole = torch.cat([prompt[None], language.embed(said)], dim=1)
        states = language(whole, torch.ones(whole.shape[:2], dtype=torch.bool))[0]
        shares = language.logits(states).log_softmax(dim=-1)
        expected = shares[len(prompt) - 1 : -1].gather(1, said.T)[:, 0]
        assert_close(torch.tensor(found.log_probabilities), expected.detach(), **CLOSE)
        at_pix = [len(prompt) + place for place, token_id in enumerate(found.ids) if token_id == pix]
        assert len(found.pix_states) == len(at_pix)
        for place, state in zip(at_pix, found.pix_states, strict=True):
            assert_close(state, states[place].detach(), **CLOSE)


def test_a_batch_and_its_padding_change_nothing(language: Language, prompts: Tensor):
    padded = torch.cat([torch.full_like(prompts[:, :3], 7.0), prompts], dim=1)
    present = torch.ones(padded.shape[:2], dtype=torch.bool)
    present[:, :3] = False
    for alone, prompt in zip(search_words(language, padded, present), prompts, strict=True):
        assert alone.ids == search_words(language, prompt[None])[0].ids


def test_words_that_are_never_said_are_never_said(language: Language, prompts: Tensor):
    first = search_words(language, prompts[:1])[0].ids
    [found] = search_words(language, prompts[:1], never=first)
    assert not set(first) & set(found.ids)


def test_a_searched_answer_is_told_whole_with_probabilities_of_its_words():
    generator = Generator(tiny_model(), tiny_processor())
    told: list[tuple[int, str]] = []
    asked = request(generator, SMALL, MARKS)
    [answer] = generate(generator, asked, num_beams=3, on_text=lambda place, text: told.append((place, text)))
    assert {place for place, _ in told} == {0}
    assert "".join(text for _, text in told) == answer.text
    assert len(answer.token_texts) == len(answer.token_probabilities)
    assert all(0 < probability <= 1 for probability in answer.token_probabilities)
    assert not any(math.isnan(probability) for probability in answer.token_probabilities)
