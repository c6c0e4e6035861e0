"""safetensors files written one tensor at a time: their headers are known before the first value is.

Names, shapes and precisions come in first, the tensors after them in the same order; a folder of numbered files and
their index comes out, as `save_pretrained` of a large model leaves it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

INDEX = "model.safetensors.index.json"
SHARD_BYTES = 5 * 10**9  # of one file, as transformers cuts them
_CODES = {torch.float32: "F32", torch.bfloat16: "BF16"}
_ALIGNMENT = 8  # of the first value in a file, which the format asks for


@dataclass(frozen=True)
class Planned:
    """A tensor that will be written.

    Attributes:
        name: its name.
        shape: its sizes.
        dtype: float32 or bfloat16.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def num_bytes(self) -> int:
        """What its values take."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


class ShardWriter:
    """Writes planned tensors into files of a folder.

    Args:
        folder: an existing one.
        planned: all tensors, in the order in which they will come.
        shard_bytes: most bytes of values in one file; a larger tensor has a file of its own.
    """

    def __init__(self, folder: Path, planned: Sequence[Planned], *, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder = folder
        self.total_bytes = sum(item.num_bytes for item in planned)
        self.written_bytes = 0
        self._shards = _cut(planned, shard_bytes)
        self._waiting = [(number, item) for number, shard in enumerate(self._shards) for item in shard][::-1]
        self._file: BinaryIO | None = None
        self._number = -1

    def add(self, name: str, tensor: Tensor) -> None:
        """Writes the next tensor, rounded to the planned precision."""
        number, item = self._waiting.pop()
        assert (name, tuple(tensor.shape)) == (item.name, item.shape), f"{name} came where {item.name} was planned"
        if number != self._number:
            self._begin(number)
        assert self._file is not None
        values = tensor.detach().to(item.dtype).contiguous().reshape(-1).view(torch.uint8)
        self._file.write(values.numpy().data)
        self.written_bytes += item.num_bytes

    def finish(self) -> None:
        """Writes the index; every planned tensor must have come."""
        assert not self._waiting, f"{len(self._waiting)} tensors were planned and not written"
        self.close()
        homes = {item.name: self._path(n).name for n, shard in enumerate(self._shards) for item in shard}
        index = {"metadata": {"total_size": self.total_bytes}, "weight_map": homes}
        (self.folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")

    def close(self) -> None:
        """Closes the file that is being written, its bytes on the disk."""
        if self._file is not None:
            file, self._file = self._file, None
            with file:
                file.flush()
                os.fsync(file.fileno())

    def _begin(self, number: int) -> None:
        self.close()
        self._number = number
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        place = 0
        for item in self._shards[number]:
            offsets = [place, place + item.num_bytes]
            header[item.name] = {"dtype": _CODES[item.dtype], "shape": list(item.shape), "data_offsets": offsets}
            place += item.num_bytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % _ALIGNMENT)
        self._file = self._path(number).open("wb")
        self._file.write(len(text).to_bytes(8, "little") + text)

    def _path(self, number: int) -> Path:
        return self.folder / f"model-{number + 1:05}-of-{len(self._shards):05}.safetensors"


def _cut(planned: Sequence[Planned], shard_bytes: int) -> list[list[Planned]]:
    shards: list[list[Planned]] = []
    filled = 0
    for item in planned:
        if not shards or filled + item.num_bytes > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(item)
        filled += item.num_bytes
    return shards
