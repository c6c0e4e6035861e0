"""vLLM behind the seam: the same words, probabilities and states as the engine in this process.

vLLM itself needs a CUDA machine. Its part is played by what was recorded of it (recorded_vllm); where it is installed,
the record is compared with it.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from dataclasses import fields
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from earthgptx.data.imagery import Scene
from earthgptx.errors import BadSetting, MissingExtra
from earthgptx.inference.language_engine import Words, Writing
from earthgptx.inference.loading import load
from earthgptx.inference.torch_engine import TorchEngine
from earthgptx.inference.vllm_engine import VllmEngine
from earthgptx.model.language import Language
from earthgptx.model.weights.language_folder import save_language
from earthgptx.shapes import Box
from tests.inference import recorded_vllm
from tests.tiny_model import SMALL, picture, tiny_config, tiny_model

LENGTHS = (9, 5)
ENGINES: tuple[Literal["torch", "vllm"], ...] = ("torch", "vllm")
HAS_VLLM = importlib.util.find_spec("vllm") is not None


@pytest.fixture(scope="module")
def language() -> Language:
    """Its numbers are exact in bf16, as the folder holds them; it computes in fp32, where no two words tie."""
    box = tiny_model().language.to(torch.bfloat16).float()
    return box.requires_grad_(False)


@pytest.fixture(scope="module")
def folder(language: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_language(language, tmp_path_factory.mktemp("language"))


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in recorded_vllm.modules().items():
        monkeypatch.setitem(sys.modules, name, module)


def prompts(language: Language) -> tuple[Tensor, Tensor]:
    """Two prompts of unlike lengths, padded on the left."""
    ids = torch.randint(5, 500, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(3))
    present = torch.arange(max(LENGTHS))[None] >= max(LENGTHS) - torch.tensor(LENGTHS)[:, None]
    return language.embed(ids), present


def told(engine: TorchEngine | VllmEngine, language: Language, **writing: int):
    heard: list[list[tuple[int, float]]] = [[] for _ in LENGTHS]
    embeddings, present = prompts(language)
    written = engine.write(
        embeddings,
        present,
        Writing(**{"max_new_tokens": 7} | writing),
        on_token=lambda place, token_id, probability: heard[place].append((token_id, probability)),
    )
    return heard, written


@pytest.fixture(scope="module")
def words(language: Language) -> Words:
    """The end and the wanted state are words that the model does say, so that both happen."""
    config = tiny_config()
    free = Words(end=-1, state_wanted=-1, never=(config.image_token_id, config.region_token_id))
    heard, _ = told(TorchEngine(language, free), language)
    return Words(end=heard[0][5][0], state_wanted=heard[0][2][0], never=free.never)


@pytest.mark.usefixtures("recorded")
def test_it_says_what_the_engine_in_this_process_says(language: Language, words: Words, folder: Path):
    ours, our_states = told(TorchEngine(language, words), language)
    theirs, their_states = told(VllmEngine(language, words, folder=folder), language)
    assert [[token for token, _ in row] for row in theirs] == [[token for token, _ in row] for row in ours]
    assert len(theirs[0]) <= 5, "the end word ends an answer and is not told"
    for mine, other in zip(ours, theirs, strict=True):
        assert_close([p for _, p in other], [p for _, p in mine], atol=1e-4, rtol=1e-3)
    assert [len(one.states) for one in their_states] == [len(one.states) for one in our_states]
    assert len(our_states[0].states) >= 1
    for mine, other in zip(our_states, their_states, strict=True):
        for state, same in zip(mine.states, other.states, strict=True):
            assert_close(same, state, atol=1e-4, rtol=1e-3)


@pytest.mark.usefixtures("recorded")
def test_an_answer_that_nobody_waits_for_is_given_up(language: Language, words: Words, folder: Path):
    engine = VllmEngine(language, words, folder=folder)
    heard: list[int] = []
    embeddings, present = prompts(language)
    written = engine.write(
        embeddings,
        present,
        Writing(max_new_tokens=7),
        on_token=lambda place, *_: heard.append(place),
        is_stopped=lambda place: place == 0 and 0 in heard,
    )
    assert [one.is_stopped for one in written] == [True, False]
    assert heard.count(0) == 1
    assert engine._engine.aborted == ["answer-0"]


@pytest.mark.usefixtures("recorded")
def test_an_interrupted_batch_leaves_nothing_running(language: Language, words: Words, folder: Path):
    engine = VllmEngine(language, words, folder=folder)

    def be_interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    embeddings, present = prompts(language)
    with pytest.raises(KeyboardInterrupt):
        engine.write(embeddings, present, Writing(max_new_tokens=7), on_token=be_interrupted)
    assert not engine._engine.has_unfinished_requests()


@pytest.mark.usefixtures("recorded")
def test_beams_are_refused(language: Language, words: Words, folder: Path):
    with pytest.raises(BadSetting, match="3 beams were asked for; vLLM follows 1"):
        told(VllmEngine(language, words, folder=folder), language, num_beams=3)


@pytest.mark.usefixtures("recorded")
def test_a_loaded_model_answers_through_it(tmp_path: Path):
    tiny_model().save_pretrained(tmp_path)
    scene = Scene.from_array(picture(SMALL), sensor="optical")
    marks = [Box(20, 30, 44, 54)]
    first, second = (
        load(tmp_path, engine=engine).look(scene).ask("What is it?", marks, max_new_tokens=6) for engine in ENGINES
    )
    assert first.text[:2] == second.text[:2] != ""  # in bf16, so later words may differ


@pytest.mark.skipif(HAS_VLLM, reason="vLLM is here")
def test_without_vllm_the_extra_is_named(language: Language, words: Words, folder: Path):
    with pytest.raises(MissingExtra, match=r"earthgptx\[vllm\]"):
        VllmEngine(language, words, folder=folder)


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed: nothing to compare the record with")
def test_the_record_is_what_vllm_has():
    import vllm

    for mine in (recorded_vllm.EngineArgs, recorded_vllm.SamplingParams):
        known = set(inspect.signature(getattr(vllm, mine.__name__)).parameters)
        assert {field.name for field in fields(mine)} <= known
    for name in ("from_engine_args", "add_request", "has_unfinished_requests", "abort_request", "step"):
        known = set(inspect.signature(getattr(vllm.LLMEngine, name)).parameters)
        assert set(inspect.signature(getattr(recorded_vllm.LLMEngine, name)).parameters) <= known
