"""A name or a folder becomes an `Assistant`: the one place where inference touches weights on disk."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoTokenizer

import earthgptx
from earthgptx.errors import UnknownModel
from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.model.feature_store import FeatureStore
from earthgptx.model.weights.assembly import assemble
from earthgptx.model.weights.checkpoint import load_trained, read_configuration
from earthgptx.processing.processor import processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer

EMBEDDED = ("nano",)


def load(name_or_folder: str | Path = "nano", *, device: str = "cpu", features: Path | None = None) -> Assistant:
    """Loads a model.

    Args:
        name_or_folder: "nano", or the folder of a checkpoint (as `earthgptx train` writes it).
        device: where it runs.
        features: folder where the towers' features are kept across processes; None keeps them in memory alone.

    Raises:
        UnknownModel: no such name or folder.
        BrokenCheckpoint: the folder's files are damaged or of another size.
        HashMismatch, WeightsUnavailable: nano's pretrained parts could not be fetched or are not what they must be.
    """
    folder = checkpoint_folder(name_or_folder)
    config = read_configuration(folder)
    assembled = assemble(config, random_start=False)
    load_trained(assembled.model, folder)
    model = assembled.model
    model.language.to(torch.bfloat16)
    model.requires_grad_(False)
    model.to(device)
    tokenizer = (
        byte_tokenizer(config.base_vocabulary_size)
        if assembled.tokenizer_folder is None
        else AutoTokenizer.from_pretrained(assembled.tokenizer_folder)
    )
    processor = processor_for(config, Vocabulary.of(tokenizer))
    store = None if features is None else FeatureStore(features, model.vision.feature_shapes())
    return Assistant(Generator(model, processor, store))


def checkpoint_folder(name_or_folder: str | Path) -> Path:
    """Where a model's own weights lie.

    Raises:
        UnknownModel: no such name or folder.
    """
    name = str(name_or_folder)
    if name in EMBEDDED:
        package = Path(earthgptx.__file__).parent
        for folder in (package / "checkpoints" / name, package.parent / "checkpoints" / name):
            if folder.is_dir():
                return folder
        raise UnknownModel(
            f"The weights of {name!r} are not in this installation; a checkpoint folder can be named instead."
        )
    if Path(name).is_dir():
        return Path(name)
    raise UnknownModel(f"There is no model {name!r}: it is neither a folder nor one of {', '.join(EMBEDDED)}.")
