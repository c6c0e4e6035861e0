"""Compiled layers say what the others say, for any batch; and where nothing can be compiled, training goes on."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor

from earthgptx.model.language import Language
from earthgptx.training import compiling
from earthgptx.training.compiling import compile_layers
from tests.tiny_model import tiny_model

WORST = 0.02  # of a gradient's length; the worst that was measured is 0.0067, of bf16's rounding


def learned(language: Language, batch_size: int, length: int) -> tuple[Tensor, Tensor]:
    """Hidden states of a batch whose last example is one token short, and the gradient of what was read."""
    present = torch.ones(batch_size, length, dtype=torch.bool)
    present[-1, -1] = False
    size = (batch_size, length, language.llama.config.hidden_size)
    given = torch.randn(size, generator=torch.Generator().manual_seed(length)).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        hidden = language(given, present)
    wanted = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0))
    (hidden.float() * wanted)[present].sum().backward()
    assert given.grad is not None
    return hidden[present].detach().float(), given.grad


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.mark.skipif(compiling._missing(torch.device("cpu")) is not None, reason="torch finds no compiler here")
def test_compiled_layers_are_right_for_any_batch_and_length_and_compiled_once():
    language = tiny_model().language
    shapes = [(3, 5), (2, 9), (4, 7)]
    plain = [learned(language, *shape) for shape in shapes]
    compile_layers(language.llama)
    first = learned(language, *shapes[0])
    with torch.compiler.set_stance("fail_on_recompile"):
        others = [learned(language, *shape) for shape in shapes[1:]]
    for (hidden, gradient), (plain_hidden, plain_gradient) in zip([first, *others], plain, strict=True):
        assert distance(hidden, plain_hidden) < WORST
        assert distance(gradient, plain_gradient) < WORST


def test_without_a_compiler_layers_stay_and_a_warning_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def nothing_compiles(*_: object, **__: object) -> None:
        raise RuntimeError("\nNo working C++ compiler found.\nA long story follows.")

    monkeypatch.setattr(torch, "compile", nothing_compiles)
    llama = tiny_model().language.llama
    with caplog.at_level(logging.WARNING):
        compile_layers(llama)
    assert not any("forward" in vars(layer) for layer in llama.model.layers)
    assert [record.getMessage() for record in caplog.records] == [
        "Layers are not compiled, which makes training slower: No working C++ compiler found."
    ]
