"""Finds images that are in two splits: by their bytes, and by how they look.

In come images with the split they belong to, out comes for each image of a later split the one of an earlier split
that is most like it. Two images look alike if their perceptual hashes (64 bits of the low frequencies) differ in few
bits and their thumbnails correlate: the hash alone takes one dark sea for another.

Hashes are compared only where they can be near: cut into one piece more than the bits that may differ, two near
hashes have at least one piece in common, so each piece is looked up among the sorted pieces of the others.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from earthgptx.data.checks.report import Leak
from earthgptx.data.datasets import SPLITS
from earthgptx.data.picture_file import is_picture, picture_size
from earthgptx.data.pixels import pixels_of
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.errors import MissingExtra

try:
    import imagehash
except ModuleNotFoundError as error:
    raise MissingExtra(f"Look-alikes are found by {error.name}: pip install 'earthgptx[data]'.") from error

HASH_DISTANCE = 6  # bits of 64
LEAST_LIKENESS = 0.9

_BITS = 64
_DECODED_SIDE = 128  # pixels; JPEG files are decoded no larger than needed
_THUMBNAIL_SIDE = 32
_LARGEST_PICTURE = 100_000_000  # pixels; Pillow alone refuses larger ones
_AT_ONCE = 4096  # thumbnails compared together
_FLAT = 1.0  # grey levels of standard deviation below which a thumbnail shows nothing


@dataclass(frozen=True, eq=False)
class Look:
    """What is kept of an image.

    Attributes:
        digest: of the file's bytes and the window in it.
        hash: 64 bits.
        thumbnail: (1024,) grey levels.
    """

    digest: bytes
    hash: int
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PlacedLook:
    """A look and the image it belongs to."""

    source: str
    split: str
    item: str
    look: Look


def look_at(item: LabelledImage | Sample) -> Look:
    """Opens an image file and takes down what it looks like; how the item turns it is left aside.

    Raises:
        UnreadableImagery, ImageTooLarge, EmptyImagery: as `pixels_of` has them.
        OSError, SyntaxError, ValueError: Pillow's words for a damaged picture.
    """
    path = item.path if isinstance(item, LabelledImage) else item.image
    grey = _grey(item, path)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "blake2b")
    digest.update(repr(item.window).encode())
    bits = np.packbits(imagehash.phash(grey).hash.reshape(-1))
    size = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    thumbnail = np.asarray(grey.resize(size, Image.Resampling.BOX), dtype=np.uint8).reshape(-1)
    return Look(digest=digest.digest()[:16], hash=int.from_bytes(bits.tobytes(), "big"), thumbnail=thumbnail)


def find_leaks(
    looks: list[PlacedLook], *, hash_distance: int = HASH_DISTANCE, least_likeness: float = LEAST_LIKENESS
) -> list[Leak]:
    """For each image that an earlier split shows too, the most similar one there; "train" is the earliest split.

    Args:
        looks: the images of all splits, each image of a split once.
        hash_distance: in how many bits of 64 the hashes may differ.
        least_likeness: how much the thumbnails must correlate.
    """
    order = {split: place for place, split in enumerate(SPLITS)}
    splits = sorted({placed.split for placed in looks}, key=lambda split: (order.get(split, len(order)), split))
    found: list[Leak] = []
    for place, split in enumerate(splits[1:], start=1):
        earlier = [placed for placed in looks if placed.split in splits[:place]]
        search = _Search(earlier, hash_distance)
        for placed in looks:
            if placed.split == split:
                match = search.most_like(placed.look, least_likeness)
                if match is not None:
                    found.append(_leak(placed, earlier[match[0]], match[1]))
    return found


class _Search:
    """Looks filed by the pieces of their hashes."""

    def __init__(self, looks: list[PlacedLook], hash_distance: int) -> None:
        self._distance = hash_distance
        self._hashes = np.array([placed.look.hash for placed in looks], dtype=np.uint64)
        self._thumbnails = np.array([placed.look.thumbnail for placed in looks], dtype=np.uint8)
        self._copies: dict[bytes, int] = {}
        for place, placed in enumerate(looks):
            self._copies.setdefault(placed.look.digest, place)
        edges = np.linspace(0, _BITS, min(hash_distance + 1, _BITS) + 1).astype(int)
        self._pieces = []
        for start, stop in itertools.pairwise(edges):
            values = _piece(self._hashes, start, stop)
            order = np.argsort(values, kind="stable")
            self._pieces.append((start, stop, values[order], order))

    def most_like(self, look: Look, least_likeness: float) -> tuple[int, float] | None:
        """The number of the look that is most like this one and its likeness; None where none is like enough."""
        copy = self._copies.get(look.digest)
        if copy is not None:
            return copy, 1.0
        hash_ = np.array([look.hash], dtype=np.uint64)
        sharing = []
        for start, stop, values, order in self._pieces:
            piece = _piece(hash_, start, stop)
            sharing.append(
                order[np.searchsorted(values, piece[0], "left") : np.searchsorted(values, piece[0], "right")]
            )
        candidates = np.unique(np.concatenate(sharing))
        near = candidates[np.bitwise_count(self._hashes[candidates] ^ hash_) <= self._distance]
        if not len(near):
            return None
        # A few at a time: thousands of dark images may have one hash.
        parts = (near[start : start + _AT_ONCE] for start in range(0, len(near), _AT_ONCE))
        likeness = np.concatenate([_correlation(self._thumbnails[part], look.thumbnail) for part in parts])
        best = int(likeness.argmax())
        return (int(near[best]), float(likeness[best])) if likeness[best] >= least_likeness else None


def _leak(placed: PlacedLook, other: PlacedLook, likeness: float) -> Leak:
    return Leak(
        source=placed.source,
        split=placed.split,
        item=placed.item,
        other_source=other.source,
        other_split=other.split,
        other_item=other.item,
        distance=(placed.look.hash ^ other.look.hash).bit_count(),
        likeness=round(likeness, 3),
        is_copy=placed.look.digest == other.look.digest,
    )


def _piece(hashes: NDArray[np.uint64], start: int, stop: int) -> NDArray[np.uint64]:
    """Bits start to stop of each hash."""
    return (hashes >> np.uint64(start)) & np.uint64((1 << int(stop - start)) - 1)


def _correlation(thumbnails: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Correlation of each thumbnail with one; 0 where either shows nothing."""
    rows = np.vstack([thumbnails, other[None]]).astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    spread = rows.std(axis=1, keepdims=True)
    rows = np.where(spread < _FLAT, 0.0, rows / np.maximum(spread, _FLAT))
    correlation: NDArray[np.float64] = rows[:-1] @ rows[-1] / rows.shape[1]
    return correlation


def _grey(item: LabelledImage | Sample, path: Path) -> Image.Image:
    """The image in grey levels; a plain picture by the short way."""
    if item.window is None and path.is_file() and path.stat().st_size and is_picture(path):
        width, height = picture_size(path)
        if width * height <= _LARGEST_PICTURE:
            with Image.open(path) as opened:
                opened.draft("L", (_DECODED_SIDE, _DECODED_SIDE))
                return opened.convert("L")
    return Image.fromarray(pixels_of(replace(item, orientation=0))).convert("L")
