"""A name or a folder becomes an `Assistant`: the one place where inference touches weights on disk."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import torch
from torch import nn
from transformers import AutoTokenizer

import earthgptx
from earthgptx.errors import BrokenCheckpoint, DeviceUnavailable, UnknownModel
from earthgptx.inference import vllm_engine
from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.inference.language_engine import EngineName
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.feature_store import FeatureStore
from earthgptx.model.weights.assembly import assemble
from earthgptx.model.weights.checkpoint import TRAINED, load_trained, read_configuration
from earthgptx.model.weights.whole import open_whole
from earthgptx.processing.processor import processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer

EMBEDDED = ("nano",)
WHOLE = ("model.safetensors", "model.safetensors.index.json")  # one file, or the list of many
VIEWS_VERSION = 1  # raise it when processing.views renders otherwise: kept features are then made anew


def load(
    name_or_folder: str | Path = "nano",
    *,
    device: str = "cpu",
    features: Path | None = None,
    engine: EngineName = "torch",
) -> Assistant:
    """Loads a model.

    Args:
        name_or_folder: "nano", or the folder of a checkpoint: as `earthgptx train` writes it, or as `save_pretrained`
            of the model and of its tokenizer do.
        device: where it runs.
        features: folder where the towers' features are kept across processes, those of other towers apart; None
            keeps them in memory alone.
        engine: what writes the answers: the model itself, or vLLM with the same weights (docs/gpu.md).

    Raises:
        MissingExtra: vLLM is wanted and not installed.
        DeviceUnavailable: no such device here; found before anything is read.
        UnknownModel: no such name or folder.
        BrokenCheckpoint: the folder's files are damaged or of another size.
        HashMismatch, WeightsUnavailable: nano's pretrained parts could not be fetched or are not what they must be.
        FolderInUse: another process writes into the same features.
    """
    check_device(device)
    folder = checkpoint_folder(name_or_folder)
    model, tokenizer_folder = _whole_model(folder) if is_whole(folder) else _trained_model(folder)
    store = None if features is None else open_features(features, model)
    model.language.to(torch.bfloat16)
    model.requires_grad_(False)
    nn.Module.to(model, device)  # transformers wraps its own `to` without types
    tokenizer = (
        byte_tokenizer(model.config.base_vocabulary_size)
        if tokenizer_folder is None
        else AutoTokenizer.from_pretrained(tokenizer_folder)
    )
    processor = processor_for(model.config, Vocabulary.of(tokenizer))
    writer = partial(vllm_engine.started, model.language) if engine == "vllm" else None
    return Assistant(Generator(model, processor, store, writer))


def is_whole(folder: Path) -> bool:
    """Whether a folder holds all weights, as `save_pretrained` writes them, and not what was trained alone."""
    return not (folder / TRAINED).is_file() and any((folder / name).is_file() for name in WHOLE)


def _trained_model(folder: Path) -> tuple[EarthGPTX, Path | None]:
    """A model from its size's packages and a checkpoint of ours, and where its tokenizer lies."""
    assembled = assemble(read_configuration(folder), random_start=False)
    load_trained(assembled.model, folder)
    return assembled.model, assembled.tokenizer_folder


def _whole_model(folder: Path) -> tuple[EarthGPTX, Path | None]:
    """A model with all its weights in one folder, the tokenizer beside them; `tiny` needs no tokenizer file."""
    config = read_configuration(folder, weights=None)
    if config.size_name != "tiny" and not (folder / "tokenizer.json").is_file():  # known before much is read
        raise BrokenCheckpoint(f"{folder} holds a model but no tokenizer.json.")
    return open_whole(folder, config)


def check_device(name: str) -> None:
    """Refuses a device on which nothing could run.

    Raises:
        DeviceUnavailable: another kind than cpu, cuda and mps, or one that this machine does not have.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceUnavailable(f"There is no device {name!r}; there are cpu, cuda, cuda:1, ... and mps.") from error
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    count = counts.get(device.type, 0)
    if (device.index or 0) >= count:
        raise DeviceUnavailable(f"The device {name!r} is not there: this machine has {count} of type {device.type}.")


def open_features(root: Path, model: EarthGPTX) -> FeatureStore:
    """The store of a model's towers below a folder; its name follows their weights, so no other's features are met.

    Raises:
        FolderInUse: another process writes into it.
    """
    digest = hashlib.sha256(f"views {VIEWS_VERSION}, {model.config.vision.view_size} px".encode())
    for name, value in model.vision.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    name = f"{model.config.size_name}-{digest.hexdigest()[:12]}"
    return FeatureStore(root / name, model.vision.feature_shapes())


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
