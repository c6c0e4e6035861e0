"""Fills a feature store: every scene window of an image and every zoom window its fixed marks can ask for.

Marks are fixed by seed (data.freeform), so the windows of a corpus are known before training and each is encoded once.
Sizes with SAM's own encoder have a second store, of whole images. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from earthgptx.data.freeform import FIXED_MARKS, fixed_mark
from earthgptx.data.pixels import pixels_of
from earthgptx.data.sample import LabelledImage
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.feature_store import (
    FeatureReader,
    FeatureStore,
    LayeredStore,
    feature_key,
    file_stamp,
    pixel_key,
    scene_key,
)
from earthgptx.processing.processor import Processor
from earthgptx.shapes import Box

SCENES = "scenes"  # the folder of whole images inside that of views


def cached(
    folder: Path,
    images: Sequence[LabelledImage],
    model: EarthGPTX,
    processor: Processor,
    *,
    below: Sequence[Path] = (),
    seed: int,
    families: Sequence[str] = FIXED_MARKS,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[FeatureStore, FeatureStore | None]:
    """The stores of views and of whole images, with everything in them that samples of these images can ask for.

    Args:
        folder, below: as for `open_store` and `open_scenes`.
        images: labelled images; their order is the order of work.
        model: its frozen parts do the work.
        processor: renders views.
        seed, families: of the fixed marks.
        on_done: told (views and whole images done, all of them).
    """
    store, scenes = open_store(folder, model, below), open_scenes(folder, model, below)
    wanted = [wanted_windows(image, processor, seed, families) for image in images]
    large = [] if scenes is None else masked_images(images)
    total = sum(map(len, wanted)) + len(large)
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        on_done(done, total)

    fill_store(store, images, wanted, model, processor, on_views=count)
    if scenes is not None:
        fill_scenes(scenes, store, large, model, processor, on_scenes=count)
    return store, scenes


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
    return _opened(folder, model.vision.feature_shapes(), below)


def open_scenes(folder: Path, model: EarthGPTX, below: Sequence[Path] = ()) -> FeatureStore | None:
    """The store of whole images as SAM's own encoder sees them, inside the folder of the views; None without one.

    Args:
        folder: of `open_store`.
        model: whose pixel box is meant.
        below: as for `open_store`; those without such frames are passed over.
    """
    if model.config.pixels.encoder != "sam":
        return None
    others = [other / SCENES for other in below if (other / SCENES).is_dir()]
    return _opened(folder / SCENES, [model.pixels.large_frame_shape()], others)


def _opened(folder: Path, shapes: Sequence[tuple[int, ...]], below: Sequence[Path]) -> FeatureStore:
    if not below:
        return FeatureStore(folder, shapes)
    return LayeredStore(folder, shapes, [FeatureReader(other, shapes) for other in below])


def masked_images(images: Sequence[LabelledImage]) -> list[LabelledImage]:
    """Those that an answer can draw masks in."""
    return [image for image in images if any(item.has_mask for item in image.objects)]


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


def fill_scenes(
    scenes: FeatureStore,
    store: FeatureStore,
    images: Sequence[LabelledImage],
    model: EarthGPTX,
    processor: Processor,
    *,
    on_scenes: Callable[[int], None] = lambda _: None,
) -> None:
    """Encodes the whole images that are missing, one by one as an answer's are: the numbers are the very same.

    Args:
        scenes: where frames go.
        store: filled by `fill_store`; it knows the images' names.
        images: `masked_images`.
        model: its pixel box does the work, under bf16 autocast.
        processor: renders images.
        on_scenes: told how many were done since the last call, those found in the store too.
    """
    for image in images:
        key = scene_key(store.image_keys[image.id])
        if key not in scenes:
            large = torch.from_numpy(processor.render_large(pixels_of(image)))[None].to(model.device)
            with torch.autocast(model.device.type, torch.bfloat16):
                frame = model.pixels.frame_of_large_images(large)
            scenes.write([key], [frame])
        on_scenes(1)


def _parts(total: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, total, size))
