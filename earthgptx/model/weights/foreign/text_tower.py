"""What a CLIP checkpoint holds beside its picture tower: names alone; no weight of it is read."""

from __future__ import annotations

# Patterns of names, flat as OpenAI has them or in a module of its own, as later models of open_clip.
TEXT_TOWER = (
    r"(?:text\.)?transformer\..*",
    r"(?:text\.)?token_embedding\.weight",
    r"(?:text\.)?positional_embedding",
    r"(?:text\.)?text_projection(?:\.weight|\.bias)?",
    r"(?:text\.)?ln_final\.(?:weight|bias)",
    r"(?:text\.)?attn_mask",
    r"logit_scale",
    r"logit_bias",
)
