"""Beam search finds what trying every answer finds, and its cache says what a full forward pass says."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from earthgptx.inference.beam_search import Hypothesis, beam_search
from earthgptx.inference.generation import Generator
from earthgptx.model.language import Language
from tests.inference.test_generation import MARKS, generate, request
from tests.tiny_model import SMALL, tiny_model, tiny_processor

END, PIX = 0, 1
# Worst measured: 4e-6 for log-probabilities down to -12. The cache adds up in another order.
CLOSE = {"atol": 3e-5, "rtol": 1e-4}


class Chain:
    """A language whose next word hangs on the last one alone; its states are one-hot words."""

    def __init__(self, table: Tensor) -> None:
        self.table = table

    def __call__(self, embeddings: Tensor, present: Tensor, cache: object) -> Tensor:
        return embeddings

    def embed(self, token_ids: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(token_ids, len(self.table)).float()

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden @ self.table


def search(
    language: Chain | Language, embeddings: Tensor, present: Tensor | None = None, **settings: int
) -> list[Hypothesis]:
    present = torch.ones(embeddings.shape[:2], dtype=torch.bool) if present is None else present
    defaults = {"num_beams": 3, "max_new_tokens": 6, "end_id": END, "pix_id": PIX}
    return beam_search(language, embeddings, present, never=(), **{**defaults, **settings})


@given(st.integers(0, 10_000))
def test_with_beams_enough_it_finds_the_likeliest_of_all_answers(seed: int):
    words, length = 4, 3
    table = torch.randn(words, words, generator=torch.Generator().manual_seed(seed)) * 2
    shares = table.log_softmax(dim=-1).tolist()
    [found] = search(Chain(table), torch.eye(words)[None, 2:3], num_beams=words**length, max_new_tokens=length)
    answers = []
    for ids in itertools.product(range(words), repeat=length):
        said = ids[: ids.index(END) + 1] if END in ids else ids
        total = sum(shares[before][after] for before, after in itertools.pairwise((2, *said)))
        whole = said[-1] == END
        answers.append((whole, total / max(len(said) - whole, 1), said[:-1] if whole else said))
    ended = [answer for answer in answers if answer[0]]
    _, score, _ = max(ended)
    assert found.score == pytest.approx(score, abs=1e-5)


@pytest.fixture(scope="module")
def language() -> Language:
    return tiny_model().language


@pytest.fixture(scope="module")
def prompts(language: Language) -> Tensor:
    ids = torch.randint(2, 200, (3, 7), generator=torch.Generator().manual_seed(1))
    return language.embed(ids).detach()


@pytest.mark.parametrize("num_beams", [2, 5])
def test_the_cache_says_what_a_full_forward_says(language: Language, prompts: Tensor, num_beams: int):
    pix = int(search(language, prompts, num_beams=num_beams)[0].ids[1])  # a word that is said
    for prompt, found in zip(prompts, search(language, prompts, num_beams=num_beams, pix_id=pix), strict=True):
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
    for alone, prompt in zip(search(language, padded, present), prompts, strict=True):
        assert alone.ids == search(language, prompt[None])[0].ids


def test_what_is_found_is_at_least_as_likely_as_a_narrower_search(language: Language, prompts: Tensor):
    for narrow, wide in zip(search(language, prompts), search(language, prompts, num_beams=64), strict=True):
        assert wide.score >= narrow.score - 1e-6


def test_words_that_are_never_said_are_never_said(language: Language, prompts: Tensor):
    first = search(language, prompts[:1])[0].ids
    present = torch.ones(prompts[:1].shape[:2], dtype=torch.bool)
    [found] = beam_search(
        language, prompts[:1], present, num_beams=3, max_new_tokens=6, end_id=END, pix_id=PIX, never=first
    )
    assert not set(first) & set(found.ids)


def test_a_searched_answer_is_told_whole_with_probabilities_of_its_words():
    generator = Generator(tiny_model(), tiny_processor())
    told: list[tuple[int, str]] = []
    asked = request(generator, SMALL, MARKS)
    [answer] = generate(generator, asked, num_beams=3, on_text=lambda place, text: told.append((place, text)))
    assert told == [(0, answer.text)]
    assert len(answer.token_texts) == len(answer.token_probabilities)
    assert all(0 < probability <= 1 for probability in answer.token_probabilities)
    assert not any(math.isnan(probability) for probability in answer.token_probabilities)
