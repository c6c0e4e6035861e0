"""A name or a folder becomes an `Assistant`: the one place where inference touches weights on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from transformers import AutoTokenizer

import earthgptx
from earthgptx.errors import DeviceUnavailable, UnknownModel
from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.feature_store import FeatureStore
from earthgptx.model.weights.assembly import assemble
from earthgptx.model.weights.checkpoint import load_trained, read_configuration
from earthgptx.processing.processor import processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer

EMBEDDED = ("nano",)
VIEWS_VERSION = 1  # raise it when processing.views renders otherwise: kept features are then made anew


def load(name_or_folder: str | Path = "nano", *, device: str = "cpu", features: Path | None = None) -> Assistant:
    """Loads a model.

    Args:
        name_or_folder: "nano", or the folder of a checkpoint (as `earthgptx train` writes it).
        device: where it runs.
        features: folder where the towers' features are kept across processes, those of other towers apart; None
            keeps them in memory alone.

    Raises:
        DeviceUnavailable: no such device here; found before anything is read.
        UnknownModel: no such name or folder.
        BrokenCheckpoint: the folder's files are damaged or of another size.
        HashMismatch, WeightsUnavailable: nano's pretrained parts could not be fetched or are not what they must be.
        FolderInUse: another process writes into the same features.
    """
    check_device(device)
    folder = checkpoint_folder(name_or_folder)
    config = read_configuration(folder)
    assembled = assemble(config, random_start=False)
    store = None if features is None else open_features(features, assembled.model)
    load_trained(assembled.model, folder)
    model = assembled.model
    model.language.to(torch.bfloat16)
    model.requires_grad_(False)
    model.to(device)  # type: ignore[arg-type]  # transformers wraps nn.Module.to without its types
    tokenizer = (
        byte_tokenizer(config.base_vocabulary_size)
        if assembled.tokenizer_folder is None
        else AutoTokenizer.from_pretrained(assembled.tokenizer_folder)
    )
    processor = processor_for(config, Vocabulary.of(tokenizer))
    return Assistant(Generator(model, processor, store))


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
