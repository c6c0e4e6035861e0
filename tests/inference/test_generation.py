"""The generator with a real tiny model: what does not fit the language model's positions is refused."""

from __future__ import annotations

import pytest

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.errors import QuestionTooLong
from earthgptx.inference.generation import Generator, Request
from tests.tiny_model import SMALL, picture, tiny_model, tiny_processor


def test_a_dialogue_that_does_not_fit_is_refused_with_both_numbers():
    model = tiny_model()
    generator = Generator(model, tiny_processor())
    limit = model.language.llama.config.max_position_embeddings
    views = generator.look(Scene.from_array(picture(SMALL), sensor="optical"))

    def generate(turns: tuple[Turn, ...], max_new_tokens: int) -> None:
        request = Request(views=views, turns=turns, marks=())
        generator.generate([request], max_new_tokens=max_new_tokens, temperature=0.0, seed=0, on_text=None)

    question = Turn("user", "What is this?")
    generate((question,), 1)
    with pytest.raises(QuestionTooLong, match=rf"up to {limit:,}, more than the model's {limit:,}"):
        generate((question,), limit)
    long_talk = (Turn("user", "What? " * limit), Turn("model", "A ship."), question)
    with pytest.raises(QuestionTooLong, match=rf"take [0-9,]+ tokens .* {limit:,}"):
        generate(long_talk, 1)
