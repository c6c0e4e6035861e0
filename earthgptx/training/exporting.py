"""What a run has learned, gathered from all its processes, becomes one folder that `earthgptx.load` reads.

Every process hands in its shards, one parameter after the other; the first one writes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from transformers import AutoTokenizer

from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import EarthGPTX, stored_parameters
from earthgptx.model.weights.assembly import assemble
from earthgptx.model.weights.checkpoint import ATTENTION, save_trained
from earthgptx.model.weights.foreign.shard_writer import Planned, ShardWriter
from earthgptx.training.sharding import whole
from earthgptx.training.world import World


def write_trained(model: EarthGPTX, folder: Path, *, bits: int, world: World) -> Path:
    """Writes what was trained, the language model's attention as a difference from the parts it started from.

    Args:
        model: of a size whose parts packages hold.
        folder: made where missing.
        bits: of the difference, 4 or 8.
        world: the processes that hold the model.
    """
    values = {name: whole(parameter.detach()).float().cpu() for name, parameter in stored_parameters(model).items()}
    if world.is_first:
        plain = assemble(model.config, random_start=False).model
        base = {name: value.clone() for name, value in plain.state_dict().items() if name.startswith(ATTENTION)}
        for name, parameter in stored_parameters(plain).items():
            parameter.data = values[name]
        save_trained(plain, folder, base=base, bits=bits)
    return folder


def write_whole(model: EarthGPTX, folder: Path, *, tokenizer_of: Path, world: World) -> Path:
    """Writes every weight, in files as `earthgptx weights assemble` cuts them, and the tokenizer.

    Args:
        model: of any size.
        folder: appears when it is whole, in place of an earlier one.
        tokenizer_of: folder of the parts that the run started from.
        world: the processes that hold the model.
    """
    draft = folder.with_name(folder.name + ".part")
    tensors = {name: value for name, value in model.state_dict().items() if name not in model.all_tied_weights_keys}
    writer = None
    if world.is_first:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        planned = [Planned(name, tuple(value.shape), _precision(name, value)) for name, value in tensors.items()]
        writer = ShardWriter(draft, planned)
    for name, value in tensors.items():
        gathered = whole(value)
        if writer is not None:
            writer.add(name, gathered.cpu())
    if writer is not None:
        writer.finish()
        stored = EarthGPTXConfig.from_dict(
            model.config.to_dict() | {"dtype": "bfloat16", "architectures": ["EarthGPTX"]}
        )
        stored.save_pretrained(draft)
        if (tokenizer_of / "tokenizer.json").is_file():
            AutoTokenizer.from_pretrained(tokenizer_of).save_pretrained(draft)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(draft, folder)
    return folder


def _precision(name: str, value: torch.Tensor) -> torch.dtype:
    """That in which it runs: masters are fp32 for the optimizer's sake alone."""
    return torch.bfloat16 if name.startswith(ATTENTION) else value.dtype
