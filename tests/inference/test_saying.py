"""Tokens become text one by one: the same text as all at once, and as many `<pix>` as there are masks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.inference.generation import Generated, Generator, Request, _Row
from tests.tiny_model import SMALL, picture, tiny_model, tiny_processor


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(tiny_model(), tiny_processor())


def said(generator: Generator, ids: list[int]) -> _Row:
    row = _Row()
    for token_id in ids:
        generator._say(row, token_id, 0.5)
    return row


def ids_of(generator: Generator, text: str) -> list[int]:
    return generator.processor.vocabulary.tokenizer.encode(text, add_special_tokens=False)


@given(st.text(st.characters(exclude_characters="<\ufffd", exclude_categories=["Cs"]), max_size=30))
def test_text_comes_out_as_it_went_in(generator: Generator, text: str):
    row = said(generator, ids_of(generator, text))
    assert "".join(row.texts) == text
    assert len(row.texts) == len(row.ids) == len(row.probabilities)


def test_a_pix_spelled_letter_by_letter_is_none(generator: Generator):
    spelled = [token_id for letter in "<pix>>> <pix>" for token_id in ids_of(generator, letter)]
    row = said(generator, [generator.processor.vocabulary.pix, *spelled, generator.processor.vocabulary.pix])
    text = "".join(row.texts)
    assert text.count("<pix>") == 2
    assert text.startswith("<pix>")
    assert text.endswith("<pix>")


def answer(generator: Generator, monkeypatch: pytest.MonkeyPatch, wanted: list[int]) -> Generated:
    """The answer of a model that likes placeholders most, and then the ids wanted, in turn."""
    vocabulary, script = generator.processor.vocabulary, iter([*wanted, generator.words.end])

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        values = torch.zeros(len(hidden), vocabulary.size)
        values[:, [vocabulary.image, vocabulary.region]] = 100.0
        values[:, next(script)] = 50.0
        return values

    monkeypatch.setattr(generator.model.language, "logits", logits)
    views = generator.look(Scene.from_array(picture(SMALL), sensor="optical"))
    request = Request(views=views, turns=(Turn("user", "What is this?"),), marks=())
    [generated] = generator.generate([request], max_new_tokens=40, temperature=0.0, seed=0, on_text=None)
    return generated


def test_placeholders_are_never_chosen_and_each_pix_token_has_a_mask(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
):
    spelled = [token_id for letter in "a <pix> " for token_id in ids_of(generator, letter)]
    generated = answer(generator, monkeypatch, [*spelled, generator.processor.vocabulary.pix])
    assert generated.text == "a <pix <pix>"
    assert len(generated.masks) == 1
