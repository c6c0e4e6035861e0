from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel, BertTokenizer

from earthgptx.evaluation import minilm

WORDS = ["ship", "storage", "tank", "ground", "track", "field"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT, as small as it gets, in the layout that the real one has on disk."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def test_vectors_are_means_over_the_texts_own_tokens(folder: Path):
    embed = minilm.embedder(folder)
    [vector] = embed(["storage tank"])
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = model(input_ids=torch.tensor([[2, 6, 7, 3]])).last_hidden_state[0]
    mean = states.mean(dim=0)
    np.testing.assert_allclose(vector, (mean / mean.norm()).numpy(), atol=1e-6)


def test_a_batch_equals_one_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(minilm, "BATCH_SIZE", 3)
    embed = minilm.embedder(folder)
    texts = ["ship", "storage tank", "ground track field ship tank", "tank", ""]
    together = embed(texts)
    assert together.shape == (5, 16)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, np.concatenate([embed([text]) for text in texts]), atol=1e-6)


def test_case_makes_no_difference_and_nothing_gives_nothing(folder: Path):
    embed = minilm.embedder(folder)
    np.testing.assert_array_equal(embed(["Storage TANK"]), embed(["storage tank"]))
    assert embed([]).shape == (0, 16)
