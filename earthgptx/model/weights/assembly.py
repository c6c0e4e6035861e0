"""A configuration and the pretrained parts of its size become a model, ready to be trained or to take a checkpoint.

The one place that knows which parts a size has; tokenizer files are handed on by path, for `processing` to read.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers.initialization import no_init_weights

from earthgptx.errors import UnknownModel
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.weights.loudness import draw_new_words, set_loudness
from earthgptx.model.weights.nano import prepare_nano

WORD_LENGTH = 2.0  # of tiny's random words: times the 8 of a normalised state, logits up to 16


@dataclass(frozen=True)
class Assembled:
    """A model with its pretrained parts in place.

    Attributes:
        model: frozen parts in bf16, everything else in fp32, in eval mode.
        tokenizer_folder: where its tokenizer lies; None for `tiny`, whose tokenizer needs no file.
        sources: one sentence a part: where it came from.
    """

    model: EarthGPTX
    tokenizer_folder: Path | None
    sources: tuple[str, ...]


def assemble(config: EarthGPTXConfig, *, cache: Path | None = None, random_start: bool = True) -> Assembled:
    """Builds a model and loads what its size takes from packages.

    Args:
        config: of the size "nano" or "tiny".
        cache: folder of the converted parts; None for the usual one.
        random_start: whether what no package holds gets its random start; False where a checkpoint follows, since
            drawing 160M numbers only to overwrite them takes seconds.

    Raises:
        UnknownModel: a size whose parts no package holds ("7b", "paper").
        HashMismatch, WeightsUnavailable: as prepare_nano.
    """
    if config.size_name == "tiny":
        model = EarthGPTX(config)
        _draw_parts(model)
        return Assembled(model=_finish(model), tokenizer_folder=None, sources=("tiny: random weights of one seed",))
    if config.size_name != "nano":
        raise UnknownModel(
            f"No package holds the parts of {config.size_name!r}, only those of nano and tiny; `earthgptx weights "
            f"assemble` makes a folder of parts that are named to it."
        )
    parts = prepare_nano(cache)
    with nullcontext() if random_start else no_init_weights():
        model = EarthGPTX(config)
    model.language.llama.load_state_dict(parts.language(), strict=True)
    model.language.llama.tie_weights()  # without a random start nobody has done so yet
    model.vision.vit.load_state_dict(parts.dinov2(), strict=True)
    if model.vision.cnn is not None:
        model.vision.cnn.load_state_dict(parts.efficientnet(), strict=True)
    return Assembled(model=_finish(model), tokenizer_folder=parts.tokenizer_folder, sources=parts.sources)


def _draw_parts(model: EarthGPTX) -> None:
    """Random frozen parts and a random language model, the same each time, as a package's files would be.

    A checkpoint holds none of them, so it means something only on top of the very same parts.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = EarthGPTX(model.config)
        llama = parts.language.llama
        with torch.no_grad():
            # Fresh weights of transformers are so small that layers hardly change a state and no logit rises above the
            # crowd's; these keep a state's size, as a trained model's do.
            for weight in llama.parameters():
                if weight.ndim == 2:
                    weight.normal_(std=weight.shape[1] ** -0.5)
            llama.model.embed_tokens.weight.mul_(WORD_LENGTH)
            sam = parts.pixels.sam_encoder
            for weight in () if sam is None else sam.parameters():
                if weight.ndim > 1:
                    weight.normal_(std=weight[0].numel() ** -0.5)
    model.language.llama.load_state_dict(llama.state_dict())
    model.vision.load_state_dict(parts.vision.state_dict())
    if sam is not None and model.pixels.sam_encoder is not None:
        model.pixels.sam_encoder.load_state_dict(sam.state_dict())


def _finish(model: EarthGPTX) -> EarthGPTX:
    """Frozen towers in bf16, the CNN channels-last (faster on CPU), projections as loud as words."""
    model.vision.to(torch.bfloat16)
    if model.vision.cnn is not None:
        model.vision.cnn.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its stub
    words = model.language.llama.model.embed_tokens.weight
    loudness = words.detach().float().square().mean().sqrt()
    draw_new_words(model.language.new_words, float(loudness))
    set_loudness(model.fusion, float(loudness))
    nn.Module.to(model.language.llama, torch.bfloat16)  # transformers wraps its own `to` without types
    return model.eval()
