"""A language model's weights once more, in four and eight bits, as a CPU reads them fastest when it writes few rows.

Every step of writing reads every weight once, and a CPU's memory is what it waits for. `docs/decisions/0011` says which
weights are packed how, and how often an answer changes by it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from earthgptx.inference.token_steps import Products
from earthgptx.model.language import Language

GROUP = 32  # weights that share a scale and an offset: that of GGUF's Q4_1, in which SmolLM2 is published
ROWS = 64  # torch's four-bit product takes so many rows of a matrix at a time
LIKELY_WORDS = 64  # whose logits are made from the weights themselves


class FourBits:
    """A matrix in groups of four-bit numbers, each group with a scale and an offset.

    What was published in such groups comes back as it was, but for the rounding of scale and offset.

    Args:
        weight: (m, n) in bf16; m a multiple of 64, n of 32.
    """

    def __init__(self, weight: Tensor) -> None:
        num_rows, num_columns = weight.shape
        groups = weight.float().view(num_rows, num_columns // GROUP, GROUP)
        low, high = groups.aminmax(dim=-1)
        scale = ((high - low) / 15).clamp(min=torch.finfo(torch.float32).tiny)
        levels = ((groups - low[..., None]) / scale[..., None]).round().to(torch.int32)
        self._packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels.view(num_rows, num_columns), 1)
        # (groups, m, 2); the product counts its levels from 8.
        self._scales = torch.stack([scale, low + 8 * scale], dim=-1).transpose(0, 1).to(weight.dtype).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        """(B, n) -> (B, m)."""
        made: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(x, self._packed, GROUP, self._scales)
        return made


class EightBits:
    """A matrix in eight-bit numbers, each row with a scale.

    Args:
        weight: (m, n) in bf16.
    """

    def __init__(self, weight: Tensor) -> None:
        scale = (weight.abs().amax(dim=1).float() / 127).clamp(min=torch.finfo(torch.float32).tiny)
        self._packed = (weight / scale[:, None]).round().to(torch.int8)
        self._scales = scale.to(weight.dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, n) -> (B, m)."""
        made: Tensor = torch.ops.aten._weight_int8pack_mm(x, self._packed, self._scales)
        return made


class PackedLanguage:
    """What `TokenSteps` needs of a language model in place of its own products.

    Args:
        language: in bf16 on a CPU, of a width that `can_be_packed` allows.

    Attributes:
        products: of each layer.
    """

    def __init__(self, language: Language) -> None:
        self._language = language
        self.products = [_packed_products(layer) for layer in language.llama.model.layers]
        self._words = FourBits(language.llama.lm_head.weight)

    def logits(self, hidden: Tensor) -> Tensor:
        """(B, D) -> (B, vocabulary) in fp32: of the likeliest words as the model says, of the others roughly."""
        weight = self._language.llama.lm_head.weight
        base = self._words(hidden)
        likely = base.topk(min(LIKELY_WORDS, base.shape[-1]), dim=-1).indices
        base.scatter_(1, likely, torch.bmm(weight[likely], hidden[:, :, None])[..., 0])
        ours = hidden @ self._language.new_words.to(hidden.dtype).T
        return torch.cat([base, ours], dim=-1).float()


def can_be_packed(language: Language) -> bool:
    """Whether the packed products can take these weights: in bf16 on a CPU, without biases, in sizes that divide."""
    layer = language.llama.model.layers[0]
    linear = [part for part in layer.modules() if isinstance(part, nn.Linear)] + [language.llama.lm_head]
    in_four_bits = [layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj, language.llama.lm_head]
    return all(
        part.bias is None and part.weight.device.type == "cpu" and part.weight.dtype == torch.bfloat16
        for part in linear
    ) and all(part.out_features % ROWS == 0 and part.in_features % GROUP == 0 for part in in_four_bits)


def _packed_products(layer: LlamaDecoderLayer) -> Products:
    attention, feed_forward = layer.self_attn, layer.mlp
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    rise = FourBits(torch.cat([feed_forward.gate_proj.weight, feed_forward.up_proj.weight]))
    fall = FourBits(feed_forward.down_proj.weight)

    def fed_forward(x: Tensor) -> Tensor:
        gate, up = rise(x).chunk(2, dim=-1)
        return fall(feed_forward.act_fn(gate) * up)

    return Products(
        query_key_value=EightBits(torch.cat([part.weight for part in parts])),
        attended=EightBits(attention.o_proj.weight),
        feed_forward=fed_forward,
    )
