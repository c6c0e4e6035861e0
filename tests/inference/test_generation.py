"""The generator with a real tiny model: the cache says what a full forward pass says, masks included.

Texts are dictated where `<pix>` must be written at all; everything but the choice of the words is the generator's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.errors import QuestionTooLong
from earthgptx.inference import generation, torch_engine
from earthgptx.inference.assistant import Assistant, Question
from earthgptx.inference.generation import VIEWS_AT_ONCE, Generated, Generator, Request
from earthgptx.model.earthgptx import Output
from earthgptx.model.feature_store import FeatureStore
from earthgptx.shapes import Box, Ellipse, Mark, Point
from tests.tiny_model import LARGE, SMALL, picture, tiny_config, tiny_model, tiny_processor

MARKS: tuple[Mark, ...] = (Box(20, 30, 44, 54), Ellipse(150, 100, 30, 20))
# Worst measured: 7.9e-6 for logits up to 9. The cache adds up in another order.
CLOSE = {"atol": 2e-5, "rtol": 1e-4}


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(tiny_model(), tiny_processor())


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """In fp32: under bf16 two orders of summation differ in the third digit, and random words change."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())


def scene(size: tuple[int, int], seed: int = 0) -> Scene:
    return Scene.from_array(picture(size, seed), sensor="optical")


def request(generator: Generator, size: tuple[int, int], marks: tuple[Mark, ...] = (), *history: str) -> Request:
    """A question after some history, user and model in turn."""
    texts = (*history, "What is it?")
    turns = tuple(Turn("model" if place % 2 else "user", text) for place, text in enumerate(texts))
    return Request(views=generator.look(scene(size)), turns=turns, marks=marks)


def generate(generator: Generator, *requests: Request, **settings: Any) -> list[Generated]:
    defaults = {"max_new_tokens": 10, "temperature": 0.0, "seed": 0, "on_text": None}
    return generator.generate(requests, **{**defaults, **settings})


def dictate(monkeypatch: pytest.MonkeyPatch, generator: Generator, *texts: str) -> list[Tensor]:
    """Makes the model say these texts, one a request; gives the logits that it would have chosen from, step by step."""
    encode = generator.processor.vocabulary.tokenizer.encode
    scripts = [[*encode(text, add_special_tokens=False), generator.words.end] for text in texts]
    steps: list[Tensor] = []

    def choose(logits: Tensor, temperature: float, sampler: torch.Generator) -> tuple[Tensor, Tensor]:
        ids = torch.tensor([script[min(len(steps), len(script) - 1)] for script in scripts])
        steps.append(logits.clone())
        return ids, logits.softmax(dim=-1).gather(1, ids[:, None])[:, 0]

    monkeypatch.setattr(torch_engine, "_choose", choose)
    return steps


def full_forward(generator: Generator, asked: Request, text: str) -> Output:
    """The whole dialogue with its answer in one pass, without a cache."""
    processor = generator.processor
    encoded = processor.encode_parts(
        sample_id="scene",
        size=(asked.views.scene.width, asked.views.scene.height),
        sensor="optical",
        turns=(*asked.turns, Turn("model", text)),
        marks=asked.marks,
    )
    views = processor.render(asked.views.scene.pixels, encoded.windows)
    large = [processor.render_large(asked.views.scene.pixels)] if processor.masks.large_image else []
    with torch.no_grad():
        return generator.model(processor.collate([encoded], views=[views], large_images=large))


DICTATED = {
    "<Region 1>: <pix> among all: <pix>.": (SMALL, MARKS[:1]),
    "<Region 2>: <pix>\n<Region 1>: a ship <pix>\n<p>quay</p> <pix>": (LARGE, MARKS),
    "All ships: <pix>": (LARGE, ()),
    "yes": (SMALL, ()),
    "again <pix>": (SMALL, MARKS[:1], "Segment <Region 1>.", "<Region 1>: <pix>, <pix>"),
}


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("encoder", ["towers", "sam"])
def test_the_cache_says_what_a_full_forward_says(monkeypatch: pytest.MonkeyPatch, encoder: str):
    config = tiny_config(encoder=encoder)
    generator = Generator(tiny_model(config), tiny_processor(config))
    requests = [request(generator, *situation) for situation in DICTATED.values()]
    steps = dictate(monkeypatch, generator, *DICTATED)
    drawn: list[Tensor] = []
    at_scene_size = generation.mask_at_scene_size
    monkeypatch.setattr(
        generation,
        "mask_at_scene_size",
        lambda logits, *frame: (drawn.append(logits), at_scene_size(logits, *frame))[1],
    )
    answers = generate(generator, *requests, max_new_tokens=100)
    words = torch.ones(config.base_vocabulary_size + config.num_new_tokens, dtype=torch.bool)
    words[[config.image_token_id, config.region_token_id]] = False  # never chosen
    for row, (text, asked) in enumerate(zip(DICTATED, requests, strict=True)):
        output = full_forward(generator, asked, text)
        assert answers[row].text == text
        stepwise = torch.stack([step[row] for step in steps[: len(answers[row].token_texts) + 1]])
        expected = output.answer_logits[-len(stepwise) :]  # an earlier answer of the same dialogue comes first
        assert_close(stepwise[:, words], expected[:, words], **CLOSE)
        own = len(answers[row].masks)
        assert own == text.count("<pix>")
        for place in range(own):
            logits = drawn.pop(0)
            assert_close(logits, output.masks[len(output.masks) - own + place], **CLOSE)
            assert answers[row].masks[place].shape == asked.views.scene.pixels.shape[:2]
    assert not drawn


@pytest.mark.usefixtures("exact")
def test_a_mask_lies_in_the_frame_of_its_mark(monkeypatch: pytest.MonkeyPatch, generator: Generator):
    def everything(pix_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        return tuple(torch.full((64, 64), 3.0) for _ in pix_states)

    monkeypatch.setattr(generator.model, "draw", everything)
    dictate(monkeypatch, generator, "<Region 1>: <pix> of <pix>\n<p>all</p> <pix>")
    asked = request(generator, LARGE, MARKS[:1])
    [answer] = generate(generator, asked, max_new_tokens=100)
    window = generator.processor.windows(LARGE, MARKS[:1])[0][-1]
    near = np.zeros(LARGE[::-1], bool)
    near[int(window.y0) : int(window.y1), int(window.x0) : int(window.x1)] = True
    assert [np.array_equal(mask, near) for mask in answer.masks] == [True, True, False]
    assert answer.masks[2].all()
    assert answer.mask_scores == pytest.approx((0.9526,) * 3, abs=1e-3)


@pytest.mark.usefixtures("exact")
def test_a_batch_says_what_each_request_says_alone(generator: Generator):
    requests = [
        request(generator, SMALL, MARKS[:1]),
        request(generator, LARGE),
        request(generator, LARGE, (*MARKS, Point(300, 300))),
        request(generator, SMALL, MARKS, "Is it a ship?", "no"),
    ]
    together = generate(generator, *requests)
    for one, asked in zip(together, requests, strict=True):
        [alone] = generate(generator, asked)
        assert one.token_texts == alone.token_texts
        assert one.token_probabilities == pytest.approx(alone.token_probabilities, abs=1e-4)
        assert len(one.masks) == len(alone.masks)


@pytest.mark.usefixtures("exact")
def test_masks_of_a_batch_are_those_of_each_request_alone(monkeypatch: pytest.MonkeyPatch, generator: Generator):
    requests = [request(generator, *situation) for situation in DICTATED.values()]
    dictate(monkeypatch, generator, *DICTATED)
    together = generate(generator, *requests, max_new_tokens=100)
    for text, asked, one in zip(DICTATED, requests, together, strict=True):
        dictate(monkeypatch, generator, text)
        [alone] = generate(generator, asked, max_new_tokens=100)
        assert one.mask_scores == pytest.approx(alone.mask_scores, abs=1e-4)
        for mask, expected in zip(one.masks, alone.masks, strict=True):
            assert float((mask != expected).mean()) < 1e-3  # pixels on the very edge


def test_the_same_seed_says_the_same(generator: Generator):
    asked = request(generator, SMALL, MARKS[:1])
    texts = [generate(generator, asked, temperature=1.0, seed=seed, max_new_tokens=20)[0].text for seed in (1, 1, 2, 3)]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3


def test_greedy_ignores_the_seed(generator: Generator):
    asked = request(generator, SMALL)
    first, second = (generate(generator, asked, seed=seed)[0] for seed in (1, 2))
    assert first.token_texts == second.token_texts


def test_probabilities_are_those_of_the_chosen_words(generator: Generator):
    [answer] = generate(generator, request(generator, SMALL, MARKS))
    assert len(answer.token_probabilities) == len(answer.token_texts)
    assert all(0 < probability <= 1 for probability in answer.token_probabilities)
    assert min(answer.token_probabilities) > 1 / 517  # the likeliest of 517


def test_streamed_pieces_join_to_the_text(monkeypatch: pytest.MonkeyPatch, generator: Generator):
    texts = ("Größe: <pix> und 船, fin", "<Region 1>: ship <pix>")
    dictate(monkeypatch, generator, *texts)
    pieces: dict[int, list[str]] = {0: [], 1: []}
    requests = [request(generator, SMALL), request(generator, LARGE, MARKS[:1])]
    answers = generate(
        generator, *requests, max_new_tokens=100, on_text=lambda place, piece: pieces[place].append(piece)
    )
    for place, (answer, text) in enumerate(zip(answers, texts, strict=True)):
        assert answer.text == text
        assert "".join(pieces[place]) == text
        assert "".join(answer.token_texts) == text
        assert all(piece and "\ufffd" not in piece for piece in pieces[place])


def test_an_answer_that_does_not_end_is_cut_and_keeps_its_masks(monkeypatch: pytest.MonkeyPatch, generator: Generator):
    dictate(monkeypatch, generator, "<pix><pix><pix><pix><pix>")
    [answer] = generate(generator, request(generator, SMALL), max_new_tokens=3)
    assert answer.text == "<pix><pix><pix>"
    assert len(answer.masks) == 3


def test_a_row_nobody_waits_for_ends_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch, generator: Generator):
    dictate(monkeypatch, generator, "a <pix> that nobody hears to its end", "<Region 1>: ship <pix>")
    pieces: dict[int, str] = {0: "", 1: ""}

    def hear(place: int, piece: str) -> None:
        pieces[place] += piece

    requests = [request(generator, SMALL), request(generator, SMALL, MARKS[:1])]
    stopped, whole = generate(
        generator,
        *requests,
        max_new_tokens=100,
        on_text=hear,
        is_stopped=lambda place: place == 0 and "<pix> " in pieces[0],
    )
    assert stopped.text == "a  "  # its mask is not worth drawing any more
    assert stopped.masks == ()
    assert whole.text == pieces[1] == "<Region 1>: ship <pix>"
    assert len(whole.masks) == 1


def test_a_batch_nobody_waits_for_ends_at_once(monkeypatch: pytest.MonkeyPatch, generator: Generator):
    steps = dictate(monkeypatch, generator, "one two three", "four five six")
    answers = generate(generator, request(generator, SMALL), request(generator, LARGE), is_stopped=lambda place: True)
    assert [answer.text for answer in answers] == ["", ""]
    assert steps == []


@pytest.fixture
def seen(generator: Generator) -> Iterator[list[int]]:
    """How many views the towers encoded, call by call."""
    counts: list[int] = []
    handle = generator.model.vision.register_forward_pre_hook(lambda module, args: counts.append(len(args[0])))
    yield counts
    handle.remove()


def test_a_scene_is_encoded_once_however_often_it_is_asked_about(generator: Generator, seen: list[int]):
    session = Assistant(generator).look(scene(LARGE))
    assert seen == [5]
    session.ask("What is it?", max_new_tokens=2)
    assert seen == [5]
    session.ask("What is <Region 1>?", MARKS, max_new_tokens=2)
    assert seen == [5, 2]  # a zoom view a mark
    session.ask("And <Region 2>?", max_new_tokens=2)
    session.ask("Are they alike?", (*MARKS, MARKS[0]), max_new_tokens=2)
    assert seen == [5, 2]
    session.ask("And this one?", (Box(300, 300, 320, 320),), max_new_tokens=2)
    assert seen == [5, 2, 1]


def test_zooms_that_were_forgotten_are_seen_again_and_say_the_same(generator: Generator, seen: list[int]):
    session = Assistant(generator).look(scene(LARGE))
    first = session.ask("What is <Region 1>?", MARKS, max_new_tokens=4)
    seen.clear()
    session.forget_zooms(1)
    assert len(session.views.near) == 5 + 1
    session.reset()
    assert session.ask("What is <Region 1>?", MARKS, max_new_tokens=4).text == first.text
    assert seen == [1]
    session.forget_zooms(9)
    assert len(session.views.near) == 5 + 2


def test_a_store_spares_another_process_the_towers(tmp_path: Path, generator: Generator, seen: list[int]):
    model, processor = generator.model, generator.processor
    store = FeatureStore(tmp_path, model.vision.feature_shapes())
    seen.clear()
    first = Assistant(Generator(model, processor, store))
    before = first.answer([Question(first.look(scene(LARGE)), "What?", MARKS)], max_new_tokens=5)
    assert sum(seen) == 7
    seen.clear()
    second = Assistant(Generator(model, processor, store))
    after = second.answer([Question(second.look(scene(LARGE)), "What?", MARKS)], max_new_tokens=5)
    assert seen == []
    assert [answer.text for answer in after] == [answer.text for answer in before]
    second.look(scene(LARGE, seed=1))
    assert seen == [5]  # another picture of the same size
    twins = [Question(second.look(scene(LARGE, seed=2), now=False), "What?") for _ in range(2)]
    second.answer(twins, max_new_tokens=1)
    assert store.num_records == 7 + 5 + 5  # of two equal pictures, one is kept


def test_scenes_left_to_their_first_question_are_encoded_together(generator: Generator, seen: list[int]):
    assistant = Assistant(generator)
    texts = []
    for now in (True, False):
        seen.clear()
        sessions = [assistant.look(scene(LARGE, seed=seed), now=now) for seed in range(2)]
        questions = [Question(one, "What?", MARKS) for one in (*sessions, sessions[0])]
        answers = assistant.answer(questions, max_new_tokens=5)
        texts.append([answer.text for answer in answers])
        assert seen == ([5, 5, 4] if now else [VIEWS_AT_ONCE, 14 - VIEWS_AT_ONCE])  # 5 and 2 for marks, each scene
    assert texts[0] == texts[1]


def test_a_dialogue_that_does_not_fit_is_refused_with_both_numbers(generator: Generator):
    limit = generator.model.language.llama.config.max_position_embeddings
    views = generator.look(scene(SMALL))

    def ask(*turns: Turn, max_new_tokens: int) -> None:
        generate(generator, Request(views=views, turns=turns, marks=()), max_new_tokens=max_new_tokens)

    question = Turn("user", "What is this?")
    ask(question, max_new_tokens=1)
    with pytest.raises(QuestionTooLong, match=rf"up to {limit:,}, more than the model's {limit:,}"):
        ask(question, max_new_tokens=limit)
    with pytest.raises(QuestionTooLong, match=rf"take [0-9,]+ tokens .* {limit:,}"):
        ask(Turn("user", "What? " * limit), Turn("model", "A ship."), question, max_new_tokens=1)
