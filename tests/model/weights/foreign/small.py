"""The published size with few and narrow layers, and its four parts as their publishers write them, from seeds.

The parts' small sizes are those of the golden files, so that what the originals compute with them is known.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import LlamaTokenizerFast

from earthgptx.model.configuration import EarthGPTXConfig, FusionConfig, PixelsConfig, SpatialConfig
from earthgptx.model.sizes import paper
from earthgptx.model.weights.foreign.assembling import Places
from tests.fixtures.make_foreign_goldens import CONVNEXT, DINOV2, FOLDER, LLAMA, SAM_DECODER, SAM_ENCODER, drawn

SPECIALS = ("<unk>", "<s>", "</s>")
LETTERS = [chr(code) for code in range(33, 127)]
WORDS = [*SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *LETTERS]


def small_config(*, num_words: int = len(WORDS)) -> EarthGPTXConfig:
    """`paper` with the golden files' parts."""
    config = paper()
    config.vision.vit |= {"hidden_size": DINOV2["embed_dim"], "num_hidden_layers": 2, "num_attention_heads": 2}
    config.vision.vit |= {"image_size": DINOV2["img_size"]}
    config.vision.cnn |= {"hidden_sizes": list(CONVNEXT["dims"]), "depths": list(CONVNEXT["depths"])}
    config.vision.cnn_channels = (CONVNEXT["dims"][-1],)
    config.spatial = SpatialConfig(width=32, num_layers=1, num_heads=2)
    config.fusion = FusionConfig(width=48, num_heads=4, cell_width=24)
    config.pixels = PixelsConfig(
        encoder="sam",
        width=32,
        mark_prompt=False,
        image_size=SAM_ENCODER["img_size"],
        sam_vision={
            "hidden_size": SAM_ENCODER["embed_dim"],
            "num_hidden_layers": SAM_ENCODER["depth"],
            "num_attention_heads": SAM_ENCODER["num_heads"],
            "mlp_dim": SAM_ENCODER["embed_dim"] * SAM_ENCODER["mlp_ratio"],
            "image_size": SAM_ENCODER["img_size"],
            "output_channels": SAM_ENCODER["out_chans"],
            "window_size": SAM_ENCODER["window_size"],
            "global_attn_indexes": list(SAM_ENCODER["global_attn_indexes"]),
        },
        sam_decoder=config.pixels.sam_decoder
        | {"hidden_size": 32, "mlp_dim": SAM_DECODER["mlp_dim"], "num_attention_heads": SAM_DECODER["num_heads"]}
        | {"iou_head_hidden_dim": 32},
    )
    config.language |= {"vocab_size": num_words, "hidden_size": LLAMA["dim"], "intermediate_size": 88}
    config.language |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4}
    config.image_token_id, config.region_token_id, config.pix_token_id = range(num_words, num_words + 3)
    return config


def original(name: str, *, num_words: int | None = None) -> dict[str, Tensor]:
    """A part's tensors under its publisher's names, as the golden file of that name was made with."""
    shapes = golden_shapes(name)
    if num_words is not None:
        for table in ("tok_embeddings.weight", "output.weight"):
            shapes[table] = [num_words, LLAMA["dim"]]
    return {key: drawn(key, shape) for key, shape in shapes.items()}


def golden_shapes(name: str) -> dict[str, list[int]]:
    """Shapes of the original's tensors."""
    with safe_open(str(FOLDER / f"{name}.safetensors"), framework="pt") as file:
        return dict(json.loads(file.metadata()["shapes"]))


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of Llama's kind that knows letters and bytes."""
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    LlamaTokenizerFast(vocab=vocabulary, merges=[]).save_pretrained(folder)


def write_meta_llama(folder: Path, state: Mapping[str, Tensor], *, num_shards: int = 1) -> Path:
    """Meta's release, cut as its code cuts a model for several devices."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num_shards):
        shard = {name: cut(name, value, num_shards)[number].clone() for name, value in state.items()}
        shard["rope.freqs"] = torch.ones(4)
        torch.save(shard, folder / f"consolidated.{number:02}.pth")
    settings = {"dim": 32, "n_heads": 4, "n_layers": 2, "norm_eps": 1e-5, "vocab_size": -1, "multiple_of": 8}
    (folder / "params.json").write_text(json.dumps(settings))
    return folder


def cut(name: str, value: Tensor, num_shards: int) -> list[Tensor]:
    """A tensor of Meta's release as its shards hold it."""
    module = name.split(".")[-2]
    if module in ("wq", "wk", "wv", "w1", "w3", "output"):
        return list(value.chunk(num_shards, dim=0))
    if module in ("wo", "w2", "tok_embeddings"):
        return list(value.chunk(num_shards, dim=1))
    return [value] * num_shards


def write_parts(folder: Path) -> Places:
    """All parts in the originals' names, the Llama as one shard of Meta's release with a tokenizer beside it."""
    llama = write_meta_llama(folder / "llama", original("llama", num_words=len(WORDS)))
    write_tokenizer(llama)
    torch.save(original("dinov2"), folder / "dinov2.pth")
    torch.save(original("sam"), folder / "sam.pth")
    save_file(original("convnext"), str(folder / "convnext.safetensors"))
    return Places(
        llama=llama,
        dinov2=folder / "dinov2.pth",
        cnn=folder / "convnext.safetensors",
        sam=folder / "sam.pth",
    )


def cut_short(path: Path, *, num_bytes: int = 100) -> None:
    """Takes the end off a file, as a broken download does."""
    path.write_bytes(path.read_bytes()[:-num_bytes])


def copy_places(places: Places, folder: Path) -> Places:
    """The same parts in a folder of their own, to be damaged."""
    made = {}
    for name, path in vars(places).items():
        made[name] = folder / path.name
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, made[name])
    return Places(**made)
