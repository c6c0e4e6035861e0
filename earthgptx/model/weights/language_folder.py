"""The language box as a folder that any engine of language models reads: a Llama whose vocabulary holds our words.

A `Language` comes in, `config.json` and safetensors files go out, in the layout of `transformers`. Our words' rows
follow the base vocabulary's, both where words are read and where they are written, so that ids mean the same.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from earthgptx.model.language import Language

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def save_language(language: Language, folder: Path) -> Path:
    """Writes a language box in bf16.

    Args:
        language: on any device.
        folder: made where missing.

    Returns:
        The folder.
    """
    llama = language.llama
    words = language.new_words.detach().to(torch.bfloat16).cpu()
    state = {name: value.detach().to(torch.bfloat16).cpu() for name, value in llama.state_dict().items()}
    for name in (EMBEDDING, HEAD):
        state[name] = torch.cat([state[name], words])
    if llama.config.tie_word_embeddings:
        del state[HEAD]
    llama.save_pretrained(folder, state_dict=state)
    path = folder / "config.json"
    settings = json.loads(path.read_text())
    changes = {"vocab_size": llama.config.vocab_size + len(words), "dtype": "bfloat16"}
    path.write_text(json.dumps(settings | changes, indent=2) + "\n")
    return folder
