"""A step at a time says what a full forward pass says; packed weights say nearly so, and only where they serve."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from earthgptx.inference import packed_weights, torch_engine
from earthgptx.inference.language_engine import Words, Writing
from earthgptx.inference.packed_weights import Blocked, EightBits, FourBits, PackedLanguage, can_be_packed, knows_blocks
from earthgptx.inference.token_steps import TokenSteps, own_products
from earthgptx.inference.torch_engine import TorchEngine
from earthgptx.model.language import Language
from tests.tiny_model import tiny_model

CLOSE = {"atol": 2e-5, "rtol": 1e-4}  # worst measured: 6e-6; the cache adds up in another order
needs_blocks = pytest.mark.skipif(not knows_blocks(), reason="oneDNN has no blocks of bf16 for this processor")
WORDS = Words(end=0, state_wanted=7, never=(512, 513))


def language(dtype: torch.dtype = torch.float32) -> Language:
    return tiny_model().language.to(dtype)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def some_ids(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(2, 500, shape, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def test_rows_that_are_reordered_repeated_and_padded_say_what_a_full_forward_says():
    model = language()
    prompts, follow = [some_ids(n, seed=n) for n in (3, 9, 6)], some_ids(3, 4)
    length = max(map(len, prompts))
    padded = torch.stack([torch.cat([torch.ones(length - len(p), dtype=torch.long), p]) for p in prompts])
    present = torch.stack([torch.arange(length) >= length - len(p) for p in prompts])
    steps = TokenSteps(model, model.embed(padded), present, room=4)
    rows = torch.tensor([2, 0, 2, 1])
    for place in range(4):
        if place == 2:
            steps.keep(rows)
        steps.read(follow[:, place] if place < 2 else follow[rows, place])
    for hidden, logits, row in zip(steps.hidden, steps.logits(), rows.tolist(), strict=True):
        whole = model.embed(torch.cat([prompts[row], follow[row]])[None])
        state = model(whole, torch.ones(whole.shape[:2], dtype=torch.bool))[0, -1]
        assert_close(hidden, state, **CLOSE)
        assert_close(logits, model.logits(state), **CLOSE)


def test_four_bits_give_back_what_was_published_in_four_bits():
    scale = drawn(64, 3, 1).abs() + 0.1
    low = -scale * (7.5 + drawn(64, 3, 1, seed=1))
    levels = torch.randint(0, 16, (64, 3, 32), generator=torch.Generator().manual_seed(2)).float()
    levels[..., 0], levels[..., 1] = 0, 15  # as the format makes them: both ends are used
    published = (low + scale * levels).flatten(1)
    weight, x = published.bfloat16(), drawn(2, 96, seed=3).bfloat16()
    expected = x.float() @ published.T
    error = (FourBits(weight)(x).float() - expected).abs().max()
    assert error <= 2 * ((x @ weight.T).float() - expected).abs().max()  # of the order of what bf16 had lost


def test_eight_bits_are_within_half_a_step_of_each_weight():
    weight = drawn(64, 96).bfloat16()
    made = EightBits(weight)(torch.eye(96).bfloat16()).float().T
    step = weight.float().abs().amax(dim=1, keepdim=True) / 127
    assert ((made - weight.float()).abs() <= 0.5 * step + 2**-7 * weight.float().abs() + 1e-6).all()


def test_zeros_can_be_packed():
    x = drawn(2, 96).bfloat16()
    for kind in (FourBits, EightBits):
        assert not kind(torch.zeros(64, 96, dtype=torch.bfloat16))(x).any()


@pytest.mark.parametrize(
    ("few_rows", "tolerance"),
    [(True, 0.2), pytest.param(False, 2**-7, marks=needs_blocks)],  # worst measured: 0.14 and 0
)
@torch.inference_mode()
def test_packed_products_are_those_of_the_layer(few_rows: bool, tolerance: float):
    model = language(torch.bfloat16)
    layers = model.llama.model.layers
    for layer, packed in zip(layers, PackedLanguage(model, few_rows=few_rows).products, strict=True):
        own = own_products(layer)
        for name, width in (
            ("query_key_value", 64),
            ("attended", layer.self_attn.o_proj.in_features),
            ("feed_forward", 64),
        ):
            x = drawn(3 if few_rows else 8, width).bfloat16()
            expected, made = getattr(own, name)(x).float(), getattr(packed, name)(x).float()
            error = float((made - expected).norm() / expected.norm())
            assert error < tolerance, name


@torch.inference_mode()
def test_likely_words_have_the_logits_of_the_weights_themselves():
    model = language(torch.bfloat16)
    hidden = drawn(3, 64).bfloat16()
    expected, packed = model.logits(hidden), PackedLanguage(model, few_rows=True).logits(hidden)
    assert packed.dtype == torch.float32
    likely = expected.topk(8).indices
    assert_close(packed.gather(1, likely), expected.gather(1, likely), atol=0.0, rtol=2**-7)
    assert_close(packed[:, 512:], expected[:, 512:], atol=0.0, rtol=2**-7)
    assert float((packed - expected).abs().max()) < 0.1 * float(expected.std()) * 8


def write(engine: TorchEngine, num_rows: int, **settings: int) -> list[list[tuple[int, float]]]:
    told: list[list[tuple[int, float]]] = [[] for _ in range(num_rows)]
    embeddings = engine.language.embed(some_ids(num_rows, 5))
    present = torch.ones(num_rows, 5, dtype=torch.bool)
    engine.write(
        embeddings,
        present,
        Writing(max_new_tokens=6, **settings),
        on_token=lambda row, token_id, probability: told[row].append((token_id, probability)),
    )
    return told


@needs_blocks
@torch.inference_mode()
def test_blocks_make_the_same_products():
    weight, x = drawn(96, 64).bfloat16(), drawn(11, 64, seed=1).bfloat16()
    assert_close(Blocked(weight)(x), x @ weight.T, atol=0.0, rtol=2**-7)  # two roundings of one sum in fp32
    model, hidden = language(torch.bfloat16), drawn(8, 64, seed=2).bfloat16()
    assert_close(PackedLanguage(model, few_rows=False).logits(hidden), model.logits(hidden), atol=2**-8, rtol=2**-7)


@needs_blocks
def test_few_rows_are_written_in_fewer_bits_than_many(monkeypatch: pytest.MonkeyPatch):
    made: list[bool] = []

    class Counted(PackedLanguage):
        def __init__(self, packed: Language, *, few_rows: bool) -> None:
            made.append(few_rows)
            super().__init__(packed, few_rows=few_rows)

    monkeypatch.setattr(torch_engine, "PackedLanguage", Counted)
    engine = TorchEngine(language(torch.bfloat16), WORDS)
    first, again = write(engine, 4), write(engine, 4)
    assert first == again
    assert made == [True]  # once
    write(engine, 5)
    write(engine, 2, num_beams=3)
    assert made == [True, False]


@pytest.mark.parametrize("few_rows", [True, pytest.param(False, marks=needs_blocks)])
def test_weights_that_cannot_be_packed_are_used_as_they_are(few_rows: bool):
    assert can_be_packed(language(torch.bfloat16), few_rows=few_rows)
    assert not can_be_packed(language(), few_rows=few_rows)  # fp32
    on_meta = language(torch.bfloat16).to("meta")  # stands for any other device
    assert not can_be_packed(on_meta, few_rows=few_rows)
    assert len(write(TorchEngine(language(), WORDS), 1 if few_rows else 5)[0]) == 6


def test_four_bits_want_sizes_that_divide_and_blocks_a_small_model(monkeypatch: pytest.MonkeyPatch):
    model = language(torch.bfloat16)
    monkeypatch.setattr(packed_weights, "MAX_BYTES_IN_BLOCKS", 1000)
    assert not can_be_packed(model, few_rows=False)
    model.llama.lm_head.out_features = 500
    assert not can_be_packed(model, few_rows=True)
