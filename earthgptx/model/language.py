"""The language model (Eqs. 3, 9-12): any `LlamaForCausalLM`, with a few words of ours beside its vocabulary.

Token ids and foreign tokens come in, hidden states come out. The base vocabulary stays as it was; our words have
embedding rows of their own, used both to read and to write, so that a checkpoint need not repeat 49,152 others.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel
from transformers.cache_utils import Cache
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

# transformers 5.24 renamed `past_key_values`; the old name is warned of there and gone from 5.40 on.
_CACHE = "cache" if "cache" in signature(LlamaModel.forward).parameters else "past_key_values"


class ExactRotaryEmbedding(LlamaRotaryEmbedding):
    """Keeps its frequencies as they are when the model around it changes its precision.

    Rounded to bf16, those of Llama-2 would turn the word at position 4,095 by up to 5 rad too far.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ExactRotaryEmbedding:
        exact = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, value in exact.items():
            moved = self._buffers[name]
            if value is not None and moved is not None and moved.dtype != value.dtype:
                self._buffers[name] = value.to(moved.device)
        return self


class Language(nn.Module):
    """A Llama and its new words.

    Args:
        llama: keyword arguments of `LlamaConfig`.
        num_new_tokens: words of ours.
        exact_rotation: as in `EarthGPTXConfig`.
    """

    def __init__(self, llama: dict[str, Any], *, num_new_tokens: int, exact_rotation: bool = False) -> None:
        super().__init__()
        self.llama = LlamaForCausalLM(LlamaConfig(**llama))
        if exact_rotation:
            self.llama.model.rotary_emb = ExactRotaryEmbedding(self.llama.config)
        self.base_vocabulary_size = int(llama["vocab_size"])
        self.new_words = nn.Parameter(torch.zeros(num_new_tokens, self.llama.config.hidden_size))

    def init_weights(self) -> None:
        """New words start as large as old ones."""
        nn.init.normal_(self.new_words, std=self.llama.config.initializer_range)

    def embed(self, token_ids: Tensor) -> Tensor:
        """(B, T) ids, ours included -> (B, T, D)."""
        ours = token_ids >= self.base_vocabulary_size
        words = self.llama.get_input_embeddings()(token_ids.masked_fill(ours, 0))
        new = self.new_words.to(words.dtype)[(token_ids - self.base_vocabulary_size).clamp(min=0)]
        return torch.where(ours[..., None], new, words)

    def forward(
        self, embeddings: Tensor, present: Tensor, cache: Cache | None = None, positions: Tensor | None = None
    ) -> Tensor:
        """Hidden states after the last norm.

        Args:
            embeddings: (B, T, D) of the new tokens.
            present: (B, past + T) booleans, False where there is only padding.
            cache: keys and values of the past, extended in place.
            positions: (B, T) position of each new token; counted from `present` where None.

        Returns:
            (B, T, D).
        """
        if positions is None:
            positions = (present.long().cumsum(dim=1) - 1).clamp(min=0)[:, -embeddings.shape[1] :]
        output = self.llama.model(
            inputs_embeds=embeddings,
            attention_mask=present.long(),
            position_ids=positions,
            use_cache=cache is not None,
            **{_CACHE: cache},
        )
        return output.last_hidden_state

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) -> (..., base vocabulary + ours), in fp32: bf16 keeps 8 bits, too few to rank 49,157 words."""
        base = self.llama.lm_head(hidden)
        ours = hidden @ self.new_words.to(hidden.dtype).T
        return torch.cat([base, ours], dim=-1).float()
