"""A language model's weights once more, as a CPU writes with them fastest.

Every step of writing reads every weight once, and a CPU's memory is what it waits for: few rows are written with four
and eight bits a weight. `docs/decisions/0011` says which weights are packed how, and how often an answer changes by it.
More rows are written with the weights as they are, in the order in which the processor multiplies them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from earthgptx.inference.token_steps import Product, Products
from earthgptx.model.language import Language

GROUP = 32  # weights that share a scale and an offset: that of GGUF's Q4_1, in which SmolLM2 is published
ROWS_OF_FOUR_BITS = 64  # torch's four-bit product takes so many rows of a matrix at a time
LIKELY_WORDS = 64  # whose logits are made from the weights themselves
MAX_ROWS_IN_FEWER_BITS = 4  # at four rows both kinds take as long
ROWS_OF_BLOCKS = (
    8  # for which oneDNN chooses its blocks, the batches of evaluation and server; other numbers are right, too
)
MAX_BYTES_IN_BLOCKS = 1 << 30  # of a second copy in bf16; nano's is 0.27 GB


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


class Blocked:
    """A matrix in bf16 in oneDNN's blocks; as rows it would be put into blocks for each product anew.

    Args:
        weight: (m, n) in bf16.
    """

    def __init__(self, weight: Tensor) -> None:
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS_OF_BLOCKS)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, n) -> (B, m)."""
        made: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._blocks, None, "none", [], "")
        return made


Kind = Callable[[Tensor], Product]  # a matrix (m, n) to the product with it


class PackedLanguage:
    """What `TokenSteps` needs of a language model in place of its own products.

    Args:
        language: in bf16 on a CPU; `can_be_packed` says whether it can be.
        few_rows: True packs four and eight bits a weight, for up to `MAX_ROWS_IN_FEWER_BITS` rows; False packs blocks.

    Attributes:
        products: of each layer.
    """

    def __init__(self, language: Language, *, few_rows: bool) -> None:
        self._language = language
        self._few_rows = few_rows
        of_attention: Kind = EightBits if few_rows else Blocked
        of_others: Kind = FourBits if few_rows else Blocked
        self.products = [_packed_products(layer, of_attention, of_others) for layer in language.llama.model.layers]
        self._words = of_others(language.llama.lm_head.weight)

    def logits(self, hidden: Tensor) -> Tensor:
        """(B, D) -> (B, vocabulary) in fp32: those of bf16; in few bits only the likeliest words' are."""
        base = self._words(hidden)
        ours = hidden @ self._language.new_words.to(hidden.dtype).T
        logits = torch.cat([base, ours], dim=-1).float()
        if self._few_rows:
            weight = self._language.llama.lm_head.weight
            likely = base.topk(min(LIKELY_WORDS, base.shape[-1]), dim=-1).indices
            logits.scatter_(1, likely, torch.bmm(weight[likely], hidden[:, :, None])[..., 0].float())
        return logits


def knows_blocks() -> bool:
    """Whether this torch and this processor multiply blocks of bf16."""
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def can_be_packed(language: Language, *, few_rows: bool) -> bool:
    """Whether the packed products can take these weights: in bf16 on a CPU and without biases.

    Four bits want sizes that divide; blocks want oneDNN, a processor for which it has bf16 (AVX-512, AVX-NE-CONVERT;
    elsewhere it raises), and a model so small that a copy of it does no harm.
    """
    layer = language.llama.model.layers[0]
    linear = [part for part in layer.modules() if isinstance(part, nn.Linear)] + [language.llama.lm_head]
    if any(
        part.bias is not None or part.weight.device.type != "cpu" or part.weight.dtype != torch.bfloat16
        for part in linear
    ):
        return False
    if not few_rows:
        num_bytes = sum(weight.nbytes for weight in language.llama.parameters())
        return knows_blocks() and num_bytes <= MAX_BYTES_IN_BLOCKS
    in_four_bits = [layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj, language.llama.lm_head]
    return all(part.out_features % ROWS_OF_FOUR_BITS == 0 and part.in_features % GROUP == 0 for part in in_four_bits)


def _packed_products(layer: LlamaDecoderLayer, of_attention: Kind, of_feed_forward: Kind) -> Products:
    attention, feed_forward = layer.self_attn, layer.mlp
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    rise = of_feed_forward(torch.cat([feed_forward.gate_proj.weight, feed_forward.up_proj.weight]))
    fall = of_feed_forward(feed_forward.down_proj.weight)

    def fed_forward(x: Tensor) -> Tensor:
        gate, up = rise(x).chunk(2, dim=-1)
        return fall(feed_forward.act_fn(gate) * up)

    return Products(
        query_key_value=of_attention(torch.cat([part.weight for part in parts])),
        attended=of_attention(attention.o_proj.weight),
        feed_forward=fed_forward,
    )
