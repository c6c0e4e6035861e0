"""What frozen parts say, on disk: each (image, window) is encoded once and read for every epoch after.

Records of one size lie one after the other in `records.bin`, a line each in `index.jsonl` says whose they are. A run
that was killed goes on where it stopped; a half-written record is cut off. bf16, exactly as the towers gave them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from earthgptx.errors import BrokenCheckpoint, FolderInUse
from earthgptx.model.features import VisionFeatures
from earthgptx.shapes import Box

Key = str


def pixel_key(pixels: np.ndarray) -> str:
    """Name of an image by its content, (H, W, 3) uint8: a file that changes never meets another's features."""
    digest = hashlib.sha256(str(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()[:20]


def file_stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds: what tells that a file is not the one that was read."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def feature_key(image_key: str, window: Box) -> Key:
    """Name of a window of an image; fractions of pixels are kept, for odd sizes cut in two."""
    return f"{image_key}@{window.x0:g},{window.y0:g},{window.x1:g},{window.y1:g}"


def scene_key(image_key: str) -> Key:
    """Name of a whole image as SAM's own encoder sees it; no window has such a name."""
    return f"{image_key}@scene"


class FeatureReader:
    """Features of views in a folder that somebody else may write into; nothing of it is ever changed.

    Args:
        folder: of a `FeatureStore`.
        shapes: shape of one view's ViT tokens, then of each CNN level.

    Raises:
        BrokenCheckpoint: there are no features in the folder, or such of other shapes.
    """

    def __init__(self, folder: Path, shapes: Sequence[tuple[int, ...]]) -> None:
        self.folder = folder
        self.shapes = [tuple(shape) for shape in shapes]
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.record = sum(self.sizes)
        self._records = folder / "records.bin"
        self._index_path = folder / "index.jsonl"
        self._images_path = folder / "images.jsonl"
        self.index: dict[Key, int] = {}
        self.image_keys: dict[str, str] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._open()

    def _open(self) -> None:
        if not self._index_path.is_file():
            raise BrokenCheckpoint(f"{self.folder} holds no features.")
        self._check_shapes()
        self._load()

    def _check_shapes(self) -> None:
        header = self.folder / "shapes.json"
        if header.exists() and json.loads(header.read_text()) != [list(shape) for shape in self.shapes]:
            raise BrokenCheckpoint(f"{self.folder} holds features of shapes {header.read_text()}, not {self.shapes}.")

    def _load(self) -> tuple[list[str], list[str]]:
        """Reads both lists; returns the lines that are whole, and whose records are."""
        complete = self._records.stat().st_size // (2 * self.record)
        lines = _whole_lines(self._index_path)[:complete]
        # A key may come twice (two files with the same pixels); its place is a line's number, never a count of keys.
        self.index = {json.loads(line): place for place, line in enumerate(lines)}
        self.num_records = len(lines)
        names = _whole_lines(self._images_path)
        for image_id, key, *stamp in map(json.loads, names):
            self._remember(image_id, key, (stamp[0], stamp[1]) if stamp else None)
        return lines, names

    def known_key(self, image_id: str, stamp: tuple[int, int]) -> str | None:
        """The content key of an image, or None where it has none or its file has changed.

        A name that was written without a stamp, as early stores did, is taken at its word.
        """
        return self.image_keys.get(image_id) if self._stamps.get(image_id, stamp) == stamp else None

    def _remember(self, image_id: str, key: str, stamp: tuple[int, int] | None) -> None:
        self.image_keys[image_id] = key
        if stamp is not None:
            self._stamps[image_id] = stamp

    def __contains__(self, key: Key) -> bool:
        return key in self.index

    def read(self, keys: Sequence[Key]) -> VisionFeatures:
        """The features of S views, in the order of `keys`."""
        vit, *cnn = self.levels(keys)
        return VisionFeatures(vit=vit, cnn=tuple(cnn))

    def levels(self, keys: Sequence[Key]) -> list[Tensor]:
        """The tensors of K records, one (K, *shape) for each of `shapes`, in the order of `keys`."""
        rows = np.empty((len(keys), self.record), np.int16)
        with self._records.open("rb") as file:
            for place, key in enumerate(keys):
                file.seek(2 * self.record * self.index[key])
                rows[place] = np.fromfile(file, np.int16, self.record)
        parts = torch.from_numpy(rows).view(torch.bfloat16).split(self.sizes, dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]


class FeatureStore(FeatureReader):
    """Append-only features of views.

    Args:
        folder: made where missing.
        shapes: shape of one view's ViT tokens, then of each CNN level.

    Raises:
        BrokenCheckpoint: the folder holds features of other shapes.
        FolderInUse: another process has the folder open.
    """

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(
                f"{self.folder} is being written by another process; name another folder or wait for it."
            ) from error
        for path in (self._records, self._index_path, self._images_path):
            path.touch()
        self._check_shapes()
        header = self.folder / "shapes.json"
        if not header.exists():  # others may be reading it
            header.write_text(json.dumps([list(shape) for shape in self.shapes]))
        lines, names = self._load()
        with self._records.open("r+b") as file:
            file.truncate(2 * self.record * self.num_records)
        _write_lines(self._index_path, lines)
        _write_lines(self._images_path, names)

    def close(self) -> None:
        """Lets another store have the folder; what was read stays readable."""
        self._lock.close()

    def name_image(self, image_id: str, key: str, stamp: tuple[int, int] | None = None) -> None:
        """Remembers the content key of a dataset's image, so that training need not open it again.

        Args:
            image_id: in its dataset.
            key: `pixel_key` of its pixels.
            stamp: `file_stamp` of its file, by which a changed file is noticed.
        """
        self._remember(image_id, key, stamp)
        with self._images_path.open("a") as file:
            file.write(json.dumps([image_id, key, *(stamp or ())]) + "\n")

    def append(self, keys: Sequence[Key], features: VisionFeatures) -> None:
        """Writes S views' features under S keys."""
        self.write(keys, [features.vit, *features.cnn])

    def write(self, keys: Sequence[Key], levels: Sequence[Tensor]) -> None:
        """Writes K records of one (K, *shape) for each of `shapes`; records first, then their names."""
        flat = torch.cat([level.to(torch.bfloat16).flatten(1) for level in levels], dim=1).cpu()
        if flat.shape != (len(keys), self.record):
            raise BrokenCheckpoint(f"A record of {self.folder} holds {self.record} numbers, not {flat.shape[1]}.")
        with self._records.open("ab") as file:
            file.write(flat.contiguous().view(torch.int16).numpy().tobytes())
        with self._index_path.open("a") as file:
            file.write("".join(json.dumps(key) + "\n" for key in keys))
        for key in keys:
            self.index[key] = self.num_records
            self.num_records += 1


class LayeredStore(FeatureStore):
    """A store of its own on top of others that are read alone: what they hold is never encoded again.

    Args:
        folder, shapes: of the store itself, as for `FeatureStore`.
        below: where to look for what it does not hold, in this order.
    """

    def __init__(self, folder: Path, shapes: Sequence[tuple[int, ...]], below: Sequence[FeatureReader]) -> None:
        super().__init__(folder, shapes)
        self.below = tuple(below)
        for reader in self.below:  # what comes first is believed
            self.image_keys = reader.image_keys | self.image_keys

    def __contains__(self, key: Key) -> bool:
        return super().__contains__(key) or any(key in reader for reader in self.below)

    def known_key(self, image_id: str, stamp: tuple[int, int]) -> str | None:
        """As for `FeatureStore`; a folder below is believed where this one knows nothing."""
        own = super().known_key(image_id, stamp) if image_id in self._stamps else None
        found = (reader.known_key(image_id, stamp) for reader in self.below)
        return own or next((key for key in found if key is not None), None)

    def levels(self, keys: Sequence[Key]) -> list[Tensor]:
        """As for `FeatureReader`, each record from the first folder that holds it."""
        own = self.index
        holders: dict[FeatureReader | None, list[int]] = {}
        for place, key in enumerate(keys):
            holder = None if key in own else next(reader for reader in self.below if key in reader)
            holders.setdefault(holder, []).append(place)
        if set(holders) <= {None}:
            return super().levels(keys)
        parts, order = [], []
        for holder, places in holders.items():
            wanted = [keys[place] for place in places]
            parts.append(super().levels(wanted) if holder is None else holder.levels(wanted))
            order += places
        back = torch.tensor(order).argsort()
        return [torch.cat(level)[back] for level in zip(*parts, strict=True)]


def _whole_lines(path: Path) -> list[str]:
    """A file's lines, without a last one that a kill cut short."""
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    text = "".join(lines)
    if path.read_text() != text:
        path.write_text(text)
