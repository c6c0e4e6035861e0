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
from torch.nn.functional import scaled_dot_product_attention
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

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
        # (B, key heads, T + room, head width) a layer, keys and values; each step fills one place.
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        for layer in cache.layers:
            assert isinstance(layer, DynamicLayer)
            assert layer.keys is not None
            assert layer.values is not None
            self._keys.append(_with_room(layer.keys, room))
            self._values.append(_with_room(layer.values, room))
        self._positions = present.long().sum(dim=1, keepdim=True)
        self._bias: Tensor | None = None  # added to the logits of attention: -inf hides padding
        if not bool(present.all()):
            hidden = torch.zeros_like(present, dtype=embeddings.dtype).masked_fill_(~present, -torch.inf)
            self._bias = _with_room(hidden[:, None, :, None], room, fill=0.0).transpose(2, 3)

    def logits(self) -> Tensor:
        """(B, vocabulary) in fp32 of each row's next word."""
        return self._logits(self.hidden)

    def keep(self, rows: Tensor) -> None:
        """Goes on with these rows (R,), in this order; one may be named more than once."""
        self.hidden = self.hidden[rows]
        self._positions = self._positions[rows]
        self._keys = [keys[rows] for keys in self._keys]
        self._values = [values[rows] for values in self._values]
        self._bias = None if self._bias is None else self._bias[rows]

    def read(self, token_ids: Tensor) -> None:
        """One more token a row, (B,) ids."""
        place = self._length
        self._length += 1
        embedded = self._language.embed(token_ids[:, None])
        cosine, sine = self._model.rotary_emb(embedded, self._positions)  # (B, 1, head width)
        half = cosine.shape[-1] // 2
        sine = torch.cat([-sine[..., :half], sine[..., half:]], dim=-1)
        bias = None if self._bias is None else self._bias[..., : self._length]
        x = embedded[:, 0]
        for layer, products, keys, values in zip(
            self._model.layers, self._products, self._keys, self._values, strict=True
        ):
            num_rows, num_key_heads, _, width = keys.shape
            made = products.query_key_value(layer.input_layernorm(x)).unflatten(-1, (-1, width))  # (B, heads, width)
            turned = made[:, :-num_key_heads]
            turned = turned * cosine + turned.roll(half, dims=-1) * sine
            keys.select(2, place).copy_(turned[:, -num_key_heads:])
            values.select(2, place).copy_(made[:, -num_key_heads:])
            # The queries of one key head stand as if they were several tokens: nothing is repeated for them.
            attended = scaled_dot_product_attention(
                turned[:, :-num_key_heads].reshape(num_rows, num_key_heads, -1, width),
                keys.narrow(2, 0, self._length),
                values.narrow(2, 0, self._length),
                attn_mask=bias,
            )
            x = x + products.attended(attended.reshape(num_rows, -1))
            x = x + products.feed_forward(layer.post_attention_layernorm(x))
        self._positions = self._positions + 1
        self.hidden = self._model.norm(x)


def own_products(layer: LlamaDecoderLayer) -> Products:
    """Those of the layer's own weights."""
    attention = layer.self_attn
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    return Products(
        query_key_value=lambda x: torch.cat([part(x) for part in parts], dim=-1),
        attended=attention.o_proj,
        feed_forward=layer.mlp,
    )


def _with_room(values: Tensor, room: int, *, fill: float | None = None) -> Tensor:
    """(B, heads, T, n) -> (B, heads, T + room, n): unwritten places after the others, or filled ones."""
    num_rows, heads, length, width = values.shape
    made = values.new_empty(num_rows, heads, length + room, width)
    made[:, :, :length] = values
    if fill is not None:
        made[:, :, length:] = fill
    return made
