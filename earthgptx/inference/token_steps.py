"""Dialogues that grow by a token at a time: keys and values of the past are kept, one row a dialogue.

Embedded prompts come in and are read by the language box; then ids come in, a step at a time, and states go out.
`transformers` spends more time between the matrix products of such a step than on them, for a small model; here they
follow one another with little between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad, rms_norm, scaled_dot_product_attention
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm

from earthgptx.model.language import Language

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Products:
    """The matrix products of one layer: (B, n) -> (B, m) each.

    Attributes:
        query_key_value: a normalised state to queries, keys and values, side by side.
        attended: what was attended to, to the state's width.
        feed_forward: the whole of it.
    """

    query_key_value: Product
    attended: Product
    feed_forward: Product


class TokenSteps:
    """Rows of dialogues under way.

    Args:
        language: the model.
        embeddings: (B, T, D) of the prompts, padded on the left.
        present: (B, T) booleans, False where there is only padding.
        room: tokens that may follow a prompt.
        products: of each layer, where others than the model's own are used.
        logits: states (B, D) to words (B, vocabulary) in fp32, where it is another than the model's own.

    Attributes:
        hidden: (B, D) state of each row's last token, after the last norm.
    """

    def __init__(
        self,
        language: Language,
        embeddings: Tensor,
        present: Tensor,
        *,
        room: int,
        products: list[Products] | None = None,
        logits: Product | None = None,
    ) -> None:
        self._language = language
        self._model = language.llama.model
        self._products = products or [own_products(layer) for layer in self._model.layers]
        self._logits = logits or language.logits
        cache = DynamicCache()
        self.hidden = language(embeddings, present, cache)[:, -1].contiguous()
        self._length = present.shape[1]
        self._past = _past_of(cache, room)  # each step fills one of the places that have room
        self._positions = present.long().sum(dim=1, keepdim=True)
        self._bias: Tensor | None = None  # added to the logits of attention: -inf hides padding
        if not bool(present.all()):
            hidden = torch.zeros_like(present, dtype=embeddings.dtype).masked_fill_(~present, -torch.inf)
            self._bias = pad(hidden, (0, room))[:, None, None]

    def logits(self) -> Tensor:
        """(B, vocabulary) in fp32 of each row's next word."""
        return self._logits(self.hidden)

    def keep(self, rows: Tensor) -> None:
        """Goes on with these rows (R,), in this order; one may be named more than once."""
        self.hidden = self.hidden[rows]
        self._positions = self._positions[rows]
        self._past = self._past[:, rows]
        self._bias = None if self._bias is None else self._bias[rows]

    def read(self, token_ids: Tensor) -> None:
        """One more token a row, (B,) ids."""
        place = self._length
        self._length += 1
        embedded = self._language.embed(token_ids[:, None])
        x = embedded[:, 0]
        num_rows, num_key_heads, width = self._past.shape[1], self._past.shape[2] // 2, self._past.shape[-1]
        cosine, sine = self._turn(embedded)
        bias = None if self._bias is None else self._bias[..., : self._length]
        places = self._past.select(3, place).unbind()
        seen = self._past.narrow(3, 0, self._length)
        keys, values = (half.unbind() for half in seen.chunk(2, dim=2))
        for number, (layer, products) in enumerate(zip(self._model.layers, self._products, strict=True)):
            made = products.query_key_value(_normed(x, layer.input_layernorm)).view(num_rows, -1, width)
            made = made * cosine + made.roll(width // 2, dims=-1) * sine
            places[number].copy_(made[:, -2 * num_key_heads :])
            # The queries of one key head stand as if they were several tokens: nothing is repeated for them.
            attended = scaled_dot_product_attention(
                made[:, : -2 * num_key_heads].view(num_rows, num_key_heads, -1, width),
                keys[number],
                values[number],
                attn_mask=bias,
            )
            x = x + products.attended(attended.reshape(num_rows, -1))
            x = x + products.feed_forward(_normed(x, layer.post_attention_layernorm))
        self._positions = self._positions + 1
        self.hidden = _normed(x, self._model.norm)

    def _turn(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Factors (B, heads, width) of queries, keys and values, and of the same with their halves exchanged.

        Values are not turned: theirs are 1 and 0, so that all heads go through one product.
        """
        cosine, sine = self._model.rotary_emb(embedded, self._positions)  # (B, 1, width)
        left, right = sine.chunk(2, dim=-1)
        config = self._model.config
        num_turned = config.num_attention_heads + config.num_key_value_heads

        def of_heads(turned: Tensor, still: Tensor) -> Tensor:
            heads = [turned.expand(-1, num_turned, -1), still.expand(-1, config.num_key_value_heads, -1)]
            return torch.cat(heads, dim=1)

        return (
            of_heads(cosine, torch.ones_like(cosine)),
            of_heads(torch.cat([-left, right], dim=-1), torch.zeros_like(sine)),
        )


def own_products(layer: LlamaDecoderLayer) -> Products:
    """Those of the layer's own weights."""
    attention = layer.self_attn
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    return Products(
        query_key_value=lambda x: torch.cat([part(x) for part in parts], dim=-1),
        attended=attention.o_proj,
        feed_forward=layer.mlp,
    )


def _normed(x: Tensor, norm: LlamaRMSNorm) -> Tensor:
    """(B, D) -> (B, D), in one call; in bf16 it rounds once, where the norm rounds before and after its weight."""
    return rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _past_of(cache: DynamicCache, room: int) -> Tensor:
    """(layers, B, 2 x key heads, T + room, width): a layer's keys, then its values; unwritten where none are yet."""
    past: Tensor | None = None
    for number, layer in enumerate(cache.layers):
        assert isinstance(layer, DynamicLayer)
        assert layer.keys is not None
        assert layer.values is not None
        num_rows, num_heads, length, width = layer.keys.shape
        if past is None:
            past = layer.keys.new_empty(len(cache.layers), num_rows, 2 * num_heads, length + room, width)
        past[number, :, :num_heads, :length] = layer.keys
        past[number, :, num_heads:, :length] = layer.values
    assert past is not None
    return past
