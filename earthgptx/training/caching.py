"""Fills a feature store: every scene window of an image and every zoom window its fixed marks can ask for.

Marks are fixed by seed (data.freeform), so the windows of a corpus are known before training and each is encoded once.
Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from earthgptx.data.freeform import FIXED_MARKS, fixed_mark
from earthgptx.data.pixels import pixels_of
from earthgptx.data.sample import LabelledImage
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.feature_store import FeatureReader, FeatureStore, LayeredStore, feature_key, file_stamp, pixel_key
from earthgptx.processing.processor import Processor
from earthgptx.shapes import Box


def wanted_windows(
    image: LabelledImage, processor: Processor, seed: int, families: Sequence[str] = FIXED_MARKS
) -> tuple[Box, ...]:
    """Every window that a sample of this image can look through, each once."""
    size = (image.width, image.height)
    marks = [fixed_mark(image, index, kind, seed) for index in range(len(image.objects)) for kind in families]
    windows, _, _ = processor.windows(size, marks)
    return windows


def open_store(folder: Path, model: EarthGPTX, below: Sequence[Path] = ()) -> FeatureStore:
    """The feature store whose record shapes fit a model's towers.

    Args:
        folder: of the store.
        model: whose towers are meant.
        below: folders of other stores, which are read and never written.
    """
    shapes = model.vision.feature_shapes()
    if not below:
        return FeatureStore(folder, shapes)
    return LayeredStore(folder, shapes, [FeatureReader(other, shapes) for other in below])


def fill_store(
    store: FeatureStore,
    images: Sequence[LabelledImage],
    wanted: Sequence[Sequence[Box]],
    model: EarthGPTX,
    processor: Processor,
    *,
    views_per_batch: int = 16,
    on_views: Callable[[int], None] = lambda _: None,
) -> None:
    """Encodes what is missing, image by image.

    Args:
        store: where features go.
        images: labelled images; their order is the order of work.
        wanted: `wanted_windows` of each.
        model: its vision box does the work, in whatever dtype it is in.
        processor: renders views.
        views_per_batch: views encoded at once.
        on_views: told how many views were done since the last call, those found in the store too.
    """
    for image, windows in zip(images, wanted, strict=True):
        stamp = file_stamp(image.path)
        key = store.known_key(image.id, stamp)
        pixels = None
        if key is None:
            pixels = pixels_of(image)
            key = pixel_key(pixels)
            store.name_image(image.id, key, stamp)
        missing = [window for window in windows if feature_key(key, window) not in store]
        on_views(len(windows) - len(missing))
        if not missing:
            continue
        if pixels is None:
            pixels = pixels_of(image)
        views = processor.render(pixels, missing)
        for part in _parts(len(missing), views_per_batch):
            features = model.vision(torch.from_numpy(views[part]).to(model.device))
            store.append([feature_key(key, window) for window in missing[part]], features)
            on_views(len(missing[part]))


def _parts(total: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, total, size))
