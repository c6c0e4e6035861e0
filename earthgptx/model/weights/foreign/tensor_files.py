"""Files of tensors as they are published: names and shapes at once, values one tensor at a time.

safetensors files and what `torch.save` wrote come in; tensors come out. A file is mapped and not read whole, and is
mapped anew every so often, so that the pages that were read do not add up. What the names mean is not known here.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from earthgptx.errors import BrokenCheckpoint

SAFETENSORS = ".safetensors"
PICKLES = (".bin", ".pt", ".pth")
MAPPED_BYTES = 32 * 2**20  # read out of one mapping before the file is mapped anew
# What a folder's weights are called, the best first; an index lists the files of a model in several.
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
SINGLES = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
)
ADAPTER = "adapter_config.json"
_FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_WRAPPINGS = ("state_dict", "model")  # under which training scripts put the weights beside their own counters


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, not read.

    Attributes:
        path: the file.
        shape: its sizes.
        is_float: whether it holds plain floating-point numbers, and no codes of a quantised form.
    """

    path: Path
    shape: tuple[int, ...]
    is_float: bool


class TensorFiles:
    """The tensors of one model, spread over one or more files.

    Args:
        paths: of the files; every name must be in one of them only.

    Raises:
        BrokenCheckpoint: a file is cut short, is no file of tensors, or two files hold the same name.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self.stored: dict[str, Stored] = {}
        self._mapped: dict[str, Tensor] | safe_open = {}
        self._mapped_path: Path | None = None
        self._read_bytes = 0
        for path in self.paths:
            found = _described(path)
            twice = sorted(found.keys() & self.stored.keys())
            if twice:
                raise BrokenCheckpoint(
                    f"{path.name} and {self.stored[twice[0]].path.name} both hold {len(twice)} tensors, "
                    f"first {twice[0]!r}."
                )
            self.stored |= found
        if any(name.startswith("base_model.model.") or ".lora_A." in name for name in self.stored):
            raise adapter_given(self.paths[0])

    def read(self, name: str) -> Tensor:
        """One tensor; it may share the file's pages and is to be dropped before the next is read."""
        path = self.stored[name].path
        if path != self._mapped_path or self._read_bytes > MAPPED_BYTES:
            self.close()
            self._mapped = _open(path)
            self._mapped_path = path
        tensor = self._mapped[name] if isinstance(self._mapped, dict) else self._mapped.get_tensor(name)
        self._read_bytes += tensor.nbytes
        return tensor

    def close(self) -> None:
        """Lets go of the file that is mapped."""
        self._mapped, self._mapped_path, self._read_bytes = {}, None, 0


def files_of(place: Path, part: str) -> tuple[Path, ...]:
    """The files that hold the weights of a file or a folder.

    Args:
        place: a file; or a folder with an index, with one of the usual names, or with one file of tensors.
        part: what is looked for, for the sentence of an error.

    Raises:
        BrokenCheckpoint: there is nothing, a listed file is missing, or it is a LoRA adapter.
    """
    if place.is_file():
        return (place,)
    if not place.is_dir():
        raise BrokenCheckpoint(f"There is no file or folder {place}, which was named for {part}.")
    if (place / ADAPTER).is_file():
        raise adapter_given(place)
    for name in INDEXES:
        if (place / name).is_file():
            return _listed(place / name)
    for name in SINGLES:
        if (place / name).is_file():
            return (place / name,)
    found = sorted(path for path in place.iterdir() if path.suffix in (SAFETENSORS, *PICKLES))
    if len(found) != 1:
        raise BrokenCheckpoint(
            f"{place} holds {len(found)} files of tensors and no index of them, but {part} needs 1: name the file."
        )
    return (found[0],)


def adapter_given(place: Path) -> BrokenCheckpoint:
    """The error for a LoRA adapter where a model was wanted."""
    return BrokenCheckpoint(
        f"{place} is a LoRA adapter, which holds changes to a model and not the model: merge it into its base "
        f"(peft's merge_and_unload) and name the folder of the result."
    )


def pickle_given(path: Path) -> BrokenCheckpoint:
    """The error for a pickle where a model of ours was wanted."""
    return BrokenCheckpoint(
        f"{path} is a pickle, in which code may hide: models of ours are read from {SAFETENSORS} files alone."
    )


def _listed(index: Path) -> tuple[Path, ...]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenCheckpoint(f"{index} is no index of weights: it needs a weight_map.") from error
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing or not names:
        first = f", first {missing[0]!r}" if missing else ""
        raise BrokenCheckpoint(f"{index} lists {len(names)} files, of which {len(missing)} are missing{first}.")
    return tuple(index.parent / name for name in names)


def _described(path: Path) -> dict[str, Stored]:
    opened = _open(path)
    if isinstance(opened, dict):
        return {
            name: Stored(path, tuple(tensor.shape), tensor.dtype in _FLOATS.values()) for name, tensor in opened.items()
        }
    described = {}
    for name in opened.keys():  # noqa: SIM118  (not a dict)
        part = opened.get_slice(name)
        described[name] = Stored(path, tuple(part.get_shape()), part.get_dtype() in _FLOATS)
    return described


def _open(path: Path) -> dict[str, Tensor] | safe_open:
    if path.suffix == SAFETENSORS:
        try:
            return safe_open(str(path), framework="pt")
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from error
    if path.suffix not in PICKLES:
        raise BrokenCheckpoint(f"{path} must end in one of {', '.join((SAFETENSORS, *PICKLES))}.")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*TorchScript archive")  # which is then refused
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise _unreadable(path, error) from error
    for wrapping in _WRAPPINGS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapping), dict):
            loaded = loaded[wrapping]
    odd = None if isinstance(loaded, dict) else type(loaded).__name__
    for name, value in loaded.items() if isinstance(loaded, dict) else ():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            odd = f"{name!r}: {type(value).__name__}"
    if odd is not None:
        raise BrokenCheckpoint(f"{path} holds {odd} where a table of named tensors is wanted.")
    return loaded


def _is_zip(path: Path) -> bool:
    """Whether torch can map the file; before torch 1.6 it wrote another form, which is read whole."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _unreadable(path: Path, error: Exception) -> BrokenCheckpoint:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    if isinstance(error, pickle.UnpicklingError):
        reason = "it is damaged, or holds more than tensors, which is never run"
    elif "TorchScript" in reason:  # as OpenAI publishes CLIP
        reason = "it is a TorchScript program, which is never run: take the same weights as open_clip or timm has them"
    return BrokenCheckpoint(f"{path} ({path.stat().st_size} bytes) cannot be read as tensors: {reason}.")
