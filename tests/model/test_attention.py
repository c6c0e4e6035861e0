"""What a CPU learns attention by: torch's own numbers, and gradients that are right but for bf16's rounding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from earthgptx.model.attention import attend_and_learn, let_llama_learn_on_a_cpu
from tests.tiny_model import tiny_model

EXAMPLES, HEADS, QUERIES, KEYS, WIDTH = 5, 3, 7, 11, 16


def drawn(number: int, *size: int) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(number)).bfloat16()


def hiding(bias: Tensor) -> Tensor:
    """With the last keys hidden."""
    return bias.index_fill(-1, torch.tensor([KEYS - 1, KEYS - 2]), -torch.inf)


BIASES = {
    "none": None,
    "for all": drawn(4, 1, 1, QUERIES, KEYS),
    "an example": hiding(drawn(4, EXAMPLES, 1, 1, KEYS)),
    "a head": drawn(4, EXAMPLES, HEADS, 1, KEYS),
}


@pytest.mark.parametrize("key_heads", [1, HEADS])
@pytest.mark.parametrize("bias", BIASES)
def test_answers_are_torch_s_and_gradients_right(bias: str, key_heads: int):
    of_keys = (drawn(n, EXAMPLES, key_heads, KEYS, WIDTH) for n in (2, 3))
    given = [drawn(1, EXAMPLES, HEADS, QUERIES, WIDTH), *of_keys]
    if BIASES[bias] is not None:
        given.append(BIASES[bias])
    wanted = drawn(5, EXAMPLES, HEADS, QUERIES, WIDTH)

    def learned(attending, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
        leaves = [one.to(dtype).clone().requires_grad_() for one in given]
        attended = attending(*leaves)
        attended.backward(wanted.to(dtype))
        return attended.detach(), [leaf.grad.double() for leaf in leaves]

    def by_torch(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
        return scaled_dot_product_attention(q, k, v, attn_mask=bias, enable_gqa=True)

    _, exact = learned(by_torch, torch.float64)
    theirs, _ = learned(by_torch, torch.bfloat16)
    ours, gradients = learned(attend_and_learn, torch.bfloat16)
    assert torch.equal(ours, theirs)
    for one, true in zip(gradients, exact, strict=True):
        # The worst that was measured is 0.0061; torch's own in bf16 has 0.0019.
        assert float((one - true).norm() / true.norm()) < 0.01


def test_without_examples_nothing_is_learned():
    leaves = [torch.empty(0, HEADS, QUERIES, WIDTH, dtype=torch.bfloat16).requires_grad_() for _ in range(3)]
    attend_and_learn(*leaves).sum().backward()
    assert all(leaf.grad.shape == leaf.shape for leaf in leaves)


def test_in_fp32_gradients_are_torch_s():
    q, k, v = (drawn(n, 1, 1, 4, 8).float().requires_grad_() for n in range(3))
    assert "ProductByProduct" not in type(attend_and_learn(q, k, v).grad_fn).__name__


PRESENT = {
    "all": torch.ones(2, 6, dtype=torch.bool),
    "right": torch.arange(6) < torch.tensor([[6], [4]]),
    "left": torch.arange(6) >= torch.tensor([[0], [2]]),  # whose padding sees nothing at all
}


@pytest.mark.parametrize("padding", PRESENT)
def test_a_language_model_reads_as_before(padding: str):
    present = PRESENT[padding]
    language = tiny_model().language
    embeddings = torch.randn(2, 6, language.llama.config.hidden_size, generator=torch.Generator().manual_seed(0))
    found = []
    for learns in (False, True):
        if learns:
            let_llama_learn_on_a_cpu(language.llama)
        given = embeddings.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            hidden = language(given, present)
        hidden[present].float().square().sum().backward()
        found.append((hidden[present].detach().float(), given.grad))
    (theirs, their_gradient), (ours, our_gradient) = found
    assert torch.equal(ours, theirs)
    # The worst that was measured is 0.0055.
    assert float((our_gradient - their_gradient).norm() / their_gradient.norm()) < 0.02
    assert not our_gradient[~present].any()
