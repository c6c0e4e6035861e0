"""Our tables, at the published size, name every tensor that the originals have, with its shape, and no other."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model, SamConfig, SamMaskDecoderConfig, SamModel, SamVisionConfig

from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.sizes import paper, paper_rn50x16
from earthgptx.model.weights.foreign import clip_resnet, convnext, dinov2, llama, sam
from earthgptx.model.weights.foreign.key_map import Layout, Part, Size, part_of
from earthgptx.model.weights.foreign.tensor_files import Stored, TensorFiles
from tests.fixtures.make_foreign_goldens import NAMES

PART_SIZES = {
    "DINOv2": Size(24, 1024),
    "SAM": Size(32, 1280),
    "ConvNeXt": Size(36, 1536),
    "CLIP ResNet": Size(40, 3072),
    "Llama": Size(40, 5120),
}


class Described(TensorFiles):
    """Tensors of which only names and shapes are known."""

    def __init__(self, shapes: dict[str, list[int]]) -> None:
        super().__init__([])
        self.paths = (Path("described.pth"),)
        self.stored = {name: Stored(self.paths[0], tuple(shape), True) for name, shape in shapes.items()}


@functools.cache
def wanted(size: Callable[[], EarthGPTXConfig] = paper) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in EarthGPTX(size()).state_dict().items()}


def published(name: str) -> dict[str, list[int]]:
    return dict(json.loads(gzip.decompress(NAMES.read_bytes()))["names"][name])


def layouts_of(part: str, config: EarthGPTXConfig) -> tuple[str, str, tuple[Layout, ...]]:
    if part == "dinov2":
        return dinov2.TITLE, dinov2.PREFIX, dinov2.layouts(config.vision.vit)
    if part == "convnext":
        return convnext.TITLE, convnext.PREFIX, convnext.layouts(config.vision.cnn)
    if part == "clip_resnet":
        return clip_resnet.TITLE, clip_resnet.PREFIX, clip_resnet.layouts(config.vision.cnn)
    return sam.TITLE, sam.PREFIX, sam.layouts(config.pixels.sam_vision, config.pixels.sam_decoder)


def size_of(part: str) -> Callable[[], EarthGPTXConfig]:
    return paper_rn50x16 if part == "clip_resnet" else paper


def matched(part: str, shapes: dict[str, list[int]]) -> Part:
    title, prefix, layouts = layouts_of(part, size_of(part)())
    return part_of(title, prefix, [Described(shapes)], layouts)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("dinov2", "dinov2_vitl14"),
        ("sam", "sam_vit_h"),
        ("convnext", "open_clip convnext_large_d"),
        ("convnext", "timm convnext_large_mlp"),
        ("clip_resnet", "open_clip RN50x16"),
        ("clip_resnet", "timm resnet50x16_clip"),
    ],
)
def test_the_originals_fit(part: str, name: str):
    found = matched(part, published(name))
    found.check(wanted(size_of(part)), PART_SIZES[found.title], "paper")
    taken = {name for row in found.layout.rows for name in row.names}
    assert len(taken) > 0.5 * len(published(name))


def on_meta(make: Callable[[], torch.nn.Module]) -> dict[str, list[int]]:
    with torch.device("meta"):
        return {name: list(value.shape) for name, value in make().state_dict().items()}


def test_transformers_own_sam_fits():
    config = paper().pixels
    names = on_meta(
        lambda: SamModel(
            SamConfig(
                vision_config=SamVisionConfig(**config.sam_vision),
                mask_decoder_config=SamMaskDecoderConfig(**config.sam_decoder),
            )
        )
    )
    found = matched("sam", names)
    assert found.layout.name == "transformers"
    found.check(wanted(), PART_SIZES["SAM"], "paper")


def test_transformers_own_dinov2_fits():
    vit = paper().vision.vit | {"use_mask_token": True}
    names = on_meta(lambda: Dinov2Model(Dinov2Config(**vit)))
    found = matched("dinov2", names)
    assert found.layout.name == "transformers 5"
    found.check(wanted(), PART_SIZES["DINOv2"], "paper")


def test_meta_s_two_shards_of_13b_fit():
    language = paper().language
    width, rows = language["hidden_size"], language["intermediate_size"]
    shapes: dict[str, list[int]] = {"norm.weight": [width], "rope.freqs": [64]}
    shapes |= {"tok_embeddings.weight": [32000, width // 2], "output.weight": [16000, width]}
    for layer in range(language["num_hidden_layers"]):
        place = f"layers.{layer}."
        shapes |= {f"{place}attention.w{end}.weight": [width // 2, width] for end in "qkv"}
        shapes |= {f"{place}feed_forward.w{end}.weight": [rows // 2, width] for end in "13"}
        shapes |= {
            f"{place}attention.wo.weight": [width, width // 2],
            f"{place}feed_forward.w2.weight": [width, rows // 2],
        }
        shapes |= {f"{place}{norm}_norm.weight": [width] for norm in ("attention", "ffn")}
    shards = [Described(shapes), Described(shapes)]
    part = part_of(llama.TITLE, llama.PREFIX, shards, (llama.meta_layout(language),))
    part.check(wanted(), PART_SIZES["Llama"], "paper")
