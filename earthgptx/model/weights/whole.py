"""A folder with all weights of a model, as `weights assemble`, a training run or `save_pretrained` write it, is opened.

What is missing there, left over or of another shape is an error, where `from_pretrained` alone would draw it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.weights.foreign.tensor_files import PICKLES, TensorFiles, files_of, pickle_given

NAMED = 3  # names that a sentence spells out


def open_whole(folder: Path, config: EarthGPTXConfig) -> tuple[EarthGPTX, Path | None]:
    """The model in a folder, in eval mode, and where its tokenizer lies, None without one.

    The towers are in bf16, everything else in the precision that the configuration states.

    Several processes of a machine may open one folder: what is not changed stays mapped from its files.

    Args:
        folder: safetensors files, and the index of several.
        config: of the model that is wanted.

    Raises:
        BrokenCheckpoint: a file is missing, cut short or a pickle, or names or shapes are not this model's.
    """
    files = files_of(folder, "the model")
    for path in files:
        if path.suffix in PICKLES:
            raise pickle_given(path)
    TensorFiles(files)  # whole, each name once
    try:
        with _quiet():
            loaded: Any = EarthGPTX.from_pretrained(  # its stub knows of no second value
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # they are told below, in one sentence
                output_loading_info=True,
            )
    except (SafetensorError, OSError, RuntimeError) as error:
        raise BrokenCheckpoint(f"The weights in {folder} cannot be read: {str(error).splitlines()[0]}") from error
    model, found = loaded
    _check(found, folder, config)
    assert isinstance(model, EarthGPTX)
    model.vision.to(torch.bfloat16)
    return model.eval(), folder if (folder / "tokenizer.json").is_file() else None


def _check(found: Mapping[str, Any], folder: Path, config: EarthGPTXConfig) -> None:
    missing, left = sorted(found["missing_keys"]), sorted(found["unexpected_keys"])
    if missing or left:
        raise BrokenCheckpoint(
            f"{folder} is no model of the size {config.size_name!r}: {len(missing)} tensors are missing and "
            f"{len(left)} left over, first {', '.join((missing + left)[:NAMED])}."
        )
    if found["mismatched_keys"]:
        name, stored, wanted = min(found["mismatched_keys"])
        raise BrokenCheckpoint(
            f"{folder} holds {name} of the shape {tuple(stored)}, but a model of the size {config.size_name!r} has "
            f"{tuple(wanted)}."
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the table that transformers prints of what does not fit."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
