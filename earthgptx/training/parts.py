"""A folder of a whole model, as `earthgptx weights assemble` makes it, becomes a model that can be trained."""

from __future__ import annotations

from pathlib import Path

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.weights.assembly import Assembled
from earthgptx.model.weights.checkpoint import read_configuration
from earthgptx.model.weights.whole import open_whole


def open_parts(folder: Path, config: EarthGPTXConfig) -> Assembled:
    """The model in a folder, its large frozen parts in bf16 and everything else in fp32.

    Args:
        folder: config.json, safetensors files, and a tokenizer for all sizes but tiny.
        config: of the size that is wanted.

    Raises:
        BrokenCheckpoint: there is no model, or one of another size or with other parts than the configuration says,
            or one whose files are damaged.
    """
    size = read_configuration(folder, weights=None).size_name
    if size != config.size_name:
        raise BrokenCheckpoint(f"{folder} holds a model of the size {size!r}, the recipe is for {config.size_name!r}.")
    as_stored = EarthGPTXConfig.from_dict(config.to_dict() | {"dtype": "bfloat16"})
    model, tokenizer_folder = open_whole(folder, as_stored)
    return Assembled(model, tokenizer_folder, (f"the parts in {folder}",))
