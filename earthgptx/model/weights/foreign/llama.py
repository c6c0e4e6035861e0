"""Llama-2 in `transformers`' layout or as Meta releases it -> the weights of `LlamaForCausalLM`.

Meta's release is cut for several devices (`consolidated.00.pth`, `consolidated.01.pth`, ...): some matrices by rows,
some by columns, and their query and key rows are in another order (see `rotary`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.weights.foreign.key_map import Layout, Part, Row, Size, part_of, rows_of, same
from earthgptx.model.weights.foreign.tensor_files import ADAPTER, TensorFiles, adapter_given, files_of
from earthgptx.model.weights.rotary import halves_of_heads

TITLE = "Llama"
PREFIX = "language.llama."

# ---- transformers' layout: our names are its own ----
_HF_ENDS = same("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight")
_HF_LAYER = same(
    "input_layernorm.weight",
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "self_attn.v_proj.weight",
    "self_attn.o_proj.weight",
    "post_attention_layernorm.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "mlp.down_proj.weight",
)
_HF_UNUSED = (r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq",)  # computed from the configuration

# ---- Meta's layout: the same in every shard, cut into columns, cut into rows, cut into rows and in pairs ----
_META_WHOLE = {"model.norm.weight": "norm.weight"}
_META_COLUMNS = {"model.embed_tokens.weight": "tok_embeddings.weight"}
_META_ROWS = {"lm_head.weight": "output.weight"}
_META_LAYER_WHOLE = {
    "input_layernorm.weight": "attention_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
}
_META_LAYER_ROWS = {
    "self_attn.v_proj.weight": "attention.wv.weight",
    "mlp.gate_proj.weight": "feed_forward.w1.weight",
    "mlp.up_proj.weight": "feed_forward.w3.weight",
}
_META_LAYER_COLUMNS = {
    "self_attn.o_proj.weight": "attention.wo.weight",
    "mlp.down_proj.weight": "feed_forward.w2.weight",
}
_META_QUERY = {"self_attn.q_proj.weight": "attention.wq.weight"}
_META_KEY = {"self_attn.k_proj.weight": "attention.wk.weight"}
_META_UNUSED = (r"rope\.freqs",)  # computed from the configuration

# What shapes do not tell, by its name in transformers' config.json and in Meta's params.json.
_HF_SETTINGS = ("num_attention_heads", "num_key_value_heads", "rms_norm_eps", "hidden_act")
_META_SETTINGS = {"num_attention_heads": "n_heads", "num_key_value_heads": "n_kv_heads", "rms_norm_eps": "norm_eps"}


def size_of(language: Mapping[str, Any]) -> Size:
    """The size that a configuration asks for."""
    return Size(int(language["num_hidden_layers"]), int(language["hidden_size"]))


def open_llama(folder: Path, language: Mapping[str, Any], size_name: str) -> Part:
    """Finds the weights in a folder.

    Args:
        folder: of `transformers`' or of Meta's layout.
        language: keyword arguments of the `LlamaConfig` that is wanted.
        size_name: of the model, for the sentence of an error.

    Raises:
        BrokenCheckpoint: there are none, a shard is missing or cut short, it is a LoRA adapter, or the folder's
            own configuration says something else than ours.
    """
    config = LlamaConfig(**language)
    if folder.is_dir() and (folder / ADAPTER).is_file():
        raise adapter_given(folder)
    shards = _consolidated(folder)
    if shards:
        _check_settings(folder / "params.json", _META_SETTINGS, config, size_name)
        return part_of(TITLE, PREFIX, [TensorFiles([path]) for path in shards], (meta_layout(language),))
    if folder.is_dir():
        names = {name: name for name in _HF_SETTINGS}
        _check_settings(folder / "config.json", names, config, size_name)
    return part_of(TITLE, PREFIX, (TensorFiles(files_of(folder, TITLE)),), (hf_layout(language),))


def hf_layout(language: Mapping[str, Any]) -> Layout:
    """`transformers`' layout of a size."""
    config = LlamaConfig(**language)
    rows: list[Row] = [*rows_of(_HF_ENDS)]
    for layer in range(config.num_hidden_layers):
        rows += rows_of(_HF_LAYER, f"model.layers.{layer}.", f"model.layers.{layer}.")
    return Layout(
        name="transformers",
        telltale="model.embed_tokens.weight",
        layer=r"model\.layers\.\d+\.",
        width=("model.norm.weight", 0),
        rows=tuple(rows),
        unused=_HF_UNUSED,
    )


def meta_layout(language: Mapping[str, Any]) -> Layout:
    """Meta's layout of a size, for any number of shards."""
    config = LlamaConfig(**language)
    by_rows, by_columns = partial(torch.cat, dim=0), partial(torch.cat, dim=1)
    queries = partial(_joined_halves, num_heads=config.num_attention_heads)
    keys = partial(_joined_halves, num_heads=config.num_key_value_heads or config.num_attention_heads)
    rows: list[Row] = [*rows_of(_META_WHOLE), *rows_of(_META_COLUMNS, make=by_columns)]
    rows += rows_of(_META_ROWS, make=by_rows)
    for layer in range(config.num_hidden_layers):
        ours, theirs = f"model.layers.{layer}.", f"layers.{layer}."
        rows += rows_of(_META_LAYER_WHOLE, ours, theirs)
        rows += rows_of(_META_LAYER_ROWS, ours, theirs, by_rows)
        rows += rows_of(_META_LAYER_COLUMNS, ours, theirs, by_columns)
        rows += rows_of(_META_QUERY, ours, theirs, queries)
        rows += rows_of(_META_KEY, ours, theirs, keys)
    return Layout(
        name="Meta's release",
        telltale="tok_embeddings.weight",
        layer=r"layers\.\d+\.",
        width=("norm.weight", 0),
        rows=tuple(rows),
        unused=_META_UNUSED,
    )


def _joined_halves(shards: Sequence[Tensor], *, num_heads: int) -> Tensor:
    """A query or key projection from its shards of whole heads."""
    return halves_of_heads(shards[0] if len(shards) == 1 else torch.cat(list(shards)), num_heads)


def _consolidated(folder: Path) -> list[Path]:
    """Meta's shards in order.

    Raises:
        BrokenCheckpoint: one between the first and the last is missing.
    """
    found = sorted(folder.glob("consolidated.*.pth")) if folder.is_dir() else []
    wanted = [folder / f"consolidated.{number:02}.pth" for number in range(len(found))]
    if found != wanted:
        missing = next(path for path in wanted if path not in found)
        raise BrokenCheckpoint(f"{folder} holds {len(found)} shards of Meta's release, but not {missing.name}.")
    return found


def _check_settings(path: Path, names: Mapping[str, str], config: LlamaConfig, size_name: str) -> None:
    """Compares what shapes do not tell: a model of the same shapes may turn by another base or have other heads.

    Raises:
        BrokenCheckpoint: the file states another value than ours.
    """
    if not path.is_file():
        return
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        settings = {name: stated[theirs] for name, theirs in names.items() if theirs in stated}
        rope = stated.get("rope_parameters") or stated.get("rope_scaling") or {}
        settings["rope_theta"] = rope.get("rope_theta", stated.get("rope_theta", 10000.0))
        settings["rope_type"] = rope.get("rope_type", rope.get("type", "default"))
    except (ValueError, TypeError, AttributeError) as error:
        raise BrokenCheckpoint(f"{path} is not a readable table of a model's settings: {error}.") from error
    ours = {name: getattr(config, name) for name in names} | dict(config.rope_parameters or {})
    for name, value in settings.items():
        if value is not None and value != ours[name]:
            raise BrokenCheckpoint(f"{path} states {name} {value}, but {size_name} needs {ours[name]}.")
