"""all-MiniLM-L6-v2 as a function from texts to unit vectors, for the SS metric.

The folder it reads is prepared by ``earthgptx.model.weights.minilm``; only ``transformers`` is needed, whose
output with mean pooling and normalisation equals that of the sentence-transformers package.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH_SIZE = 64
MAX_TOKENS = 256  # the sentence-transformers setting of this model; longer texts are cut


def load_minilm(cache: Path | None = None) -> Callable[[list[str]], np.ndarray]:
    """Prepares the weights if need be and returns ``embed``: n texts -> (n, 384) float32, rows of length 1.

    Args:
        cache: folder of converted weights; None is the project's usual one.

    Raises:
        WeightsUnavailable: no source of the weights can be reached and the cache has none.
        HashMismatch: the file found is not the published one.
    """
    from earthgptx.model.weights.minilm import prepare_minilm

    return embedder(prepare_minilm(cache))


def embedder(folder: Path) -> Callable[[list[str]], np.ndarray]:
    """The embedding function of the BERT-like model and tokenizer saved in ``folder``."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    # fp32: half precision moves a cosine in the third digit, the reports show four.
    model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()

    @torch.inference_mode()
    def embed_batch(texts: list[str]) -> np.ndarray:
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        states = model(**tokens).last_hidden_state  # (n, T, 384)
        # (n, T, 1), zero on padding, which has no say in the mean
        weights = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * weights).sum(dim=1) / weights.sum(dim=1)
        return torch.nn.functional.normalize(means, dim=1).numpy()

    def embed(texts: list[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, model.config.hidden_size), dtype=np.float32)
        batches = [texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE)]
        return np.concatenate([embed_batch(batch) for batch in batches])

    return embed
