"""Labelled images become an endless, seeded stream of training items.

Item k depends on the seed and on k alone, so a run that stops anywhere goes on with exactly the items it would have
seen. Items are drawn in groups, sorted by length and cut into batches, so that little of a batch is padding. A batch
comes with what the frozen parts say of its images, read from a cache, or with the pixels from which they say it anew.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from earthgptx.data.datasets import DATASETS
from earthgptx.data.instructions import make_sample
from earthgptx.data.pixels import pixels_of
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.errors import MalformedDataset
from earthgptx.model.feature_store import FeatureReader, FeatureStore, feature_key, scene_key
from earthgptx.model.features import VisionFeatures
from earthgptx.model.vision import Vision
from earthgptx.processing.batch import Batch
from earthgptx.processing.processor import Encoded, Processor

BATCHES_IN_GROUP = 8
MOST_TRIES = 200
NO_LABEL = -1


@dataclass(frozen=True)
class TrainingItem:
    """One sample, encoded, with what training wants beside it.

    Attributes:
        sample: whose image it is about.
        encoded: tokens, windows, canvases, targets.
        feature_keys: one a window; none where nothing is cached.
        scene_key: of the whole image as SAM's own encoder sees it, "" where no mask is drawn in it or nothing is
            cached.
        labels: class of each mark in the corpus's table, NO_LABEL where it has none.
    """

    sample: Sample
    encoded: Encoded
    feature_keys: tuple[str, ...]
    scene_key: str
    labels: tuple[int, ...]


@dataclass(frozen=True)
class TrainingBatch:
    """What one step reads.

    Attributes:
        batch: with views and large images where nothing is cached.
        features: of the batch's views; None where nothing is cached.
        labels: (R,) the class of each mark.
        scene_frames: (1, 256, 64, 64) of each image whose masks SAM's own encoder serves, by its place in the batch;
            empty where nothing is cached.
    """

    batch: Batch
    features: VisionFeatures | None
    labels: Tensor
    scene_frames: Mapping[int, Tensor] = field(default_factory=dict)

    def seen_by(self, vision: Vision) -> VisionFeatures:
        """The features of its views: those that were cached, or what the towers say now."""
        return vision(self.batch.views) if self.features is None else self.features

    def pinned(self) -> TrainingBatch:
        """The same batch in memory from which a GPU fetches it while it computes."""
        return TrainingBatch(
            batch=self.batch.pinned(),
            features=None if self.features is None else self.features.pinned(),
            labels=self.labels.pin_memory(),
            scene_frames={place: frame.pin_memory() for place, frame in self.scene_frames.items()},
        )

    def to(self, device: torch.device | str) -> TrainingBatch:
        """The same batch on another device."""
        return TrainingBatch(
            batch=self.batch.to(device),
            features=None if self.features is None else self.features.to(device),
            labels=self.labels.to(device, non_blocking=True),
            scene_frames={place: frame.to(device, non_blocking=True) for place, frame in self.scene_frames.items()},
        )


class Corpus:
    """The mixture.

    Args:
        images: labelled images of all sets.
        task_weights, dataset_weights: shares, as in the recipe.
        processor: encodes samples.
        store: cached features; a sample whose windows are not all there is drawn anew. None caches nothing: batches
            come with pixels.
        scenes: cached frames of SAM's own encoder beside them, for the sizes that have it.
        seed: of everything random.
        mark_seed: of the fixed marks; `seed` where it is None.
        marks: family of every mark; None draws one for each.
        sorts_by_length: so that little of a batch is padding; it also bunches tasks, so steps that read no words do
            without.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        *,
        task_weights: dict[str, float],
        dataset_weights: dict[str, float],
        processor: Processor,
        store: FeatureReader | None,
        scenes: FeatureReader | None = None,
        seed: int,
        mark_seed: int | None = None,
        marks: str | None = None,
        sorts_by_length: bool = True,
    ) -> None:
        self.dataset_weights = dataset_weights
        self.processor = processor
        self.store = store
        self.scenes = scenes
        self.seed = seed
        self.mark_seed = seed if mark_seed is None else mark_seed
        self.marks = marks
        self.sorts_by_length = sorts_by_length
        self._last_group: tuple[tuple[int, int], list[TrainingItem]] | None = None
        self.by_dataset: dict[str, list[LabelledImage]] = {}
        for image in images:
            self.by_dataset.setdefault(image.dataset, []).append(image)
        self.tasks = {
            task: weight for task, weight in task_weights.items() if weight > 0 and not self._is_left_out(task)
        }
        self.labels = tuple(sorted({item.label for image in images for item in image.objects}))
        self._label_ids = {label: place for place, label in enumerate(self.labels)}

    def close(self) -> None:
        """Lets another run have the folders of the cache; what was read stays readable."""
        for store in (self.store, self.scenes):
            if isinstance(store, FeatureStore):
                store.close()

    def _sets_of(self, task: str) -> tuple[list[str], list[float]]:
        names = [name for name in self.by_dataset if task in DATASETS[name].tasks]
        return names, [self.dataset_weights.get(name, 1.0) for name in names]

    def _is_left_out(self, task: str) -> bool:
        """Whether all sets that serve a task have the weight 0: a recipe of infrared alone, which has no outlines."""
        names, weights = self._sets_of(task)
        return bool(names) and not any(weights)

    def item(self, index: int) -> TrainingItem:
        """Item `index` of the stream.

        Raises:
            MalformedDataset: in many tries no image could serve the item's task.
        """
        rng = random.Random(f"{self.seed}/item/{index}")
        task = rng.choices(list(self.tasks), weights=list(self.tasks.values()))[0]
        names, weights = self._sets_of(task)
        for _ in range(MOST_TRIES if names else 0):
            name = rng.choices(names, weights=weights)[0]
            image = rng.choice(self.by_dataset[name])
            sample = make_sample(image, task, rng, self.mark_seed, marks=self.marks)
            item = None if sample is None else self.encode(sample)
            if item is not None:
                return item
        raise MalformedDataset(f"In {MOST_TRIES} tries no image of {', '.join(names) or 'any set'} served {task!r}.")

    def encode(self, sample: Sample) -> TrainingItem | None:
        """A sample as a training item, or None where something of it is not in the cache."""
        encoded = self.processor.encode(sample)
        keys: tuple[str, ...] = ()
        scene = ""
        if self.store is not None:
            image_key = self.store.image_keys.get(sample.id.rpartition("#")[0], "")
            keys = tuple(feature_key(image_key, window) for window in encoded.windows)
            if any(key not in self.store for key in keys):
                return None
            if self.scenes is not None and encoded.pix_marks:
                scene = scene_key(image_key)
                if scene not in self.scenes:
                    return None
        labels = tuple(
            NO_LABEL if region.object is None else self._label_ids[region.object.label] for region in sample.regions
        )
        return TrainingItem(sample=sample, encoded=encoded, feature_keys=keys, scene_key=scene, labels=labels)

    def batch(self, step: int, batch_size: int, share: slice = slice(None)) -> TrainingBatch:
        """Batch `step` of the stream, or the share of its items that one of several processes trains on."""
        group, place = divmod(step, BATCHES_IN_GROUP)
        items = self._group(group, batch_size)
        order = list(range(BATCHES_IN_GROUP))
        random.Random(f"{self.seed}/group/{group}").shuffle(order)
        start = order[place] * batch_size
        return self.join(items[start : start + batch_size][share])

    def _group(self, group: int, batch_size: int) -> list[TrainingItem]:
        """A group's items by length; the last group is kept, since a few steps in a row ask for it."""
        if self._last_group is None or self._last_group[0] != (group, batch_size):
            first = group * BATCHES_IN_GROUP * batch_size
            items = [self.item(first + k) for k in range(BATCHES_IN_GROUP * batch_size)]
            if self.sorts_by_length:
                items.sort(key=lambda item: len(item.encoded.dialogue.token_ids))
            self._last_group = ((group, batch_size), items)
        return self._last_group[1]

    def join(self, items: Sequence[TrainingItem]) -> TrainingBatch:
        """Collates items and reads their features, or renders what the frozen parts are to look at."""
        encoded = [item.encoded for item in items]
        labels = torch.tensor([label for item in items for label in item.labels], dtype=torch.long)
        if self.store is None:
            views, large_images = self._rendered(items)
            batch = self.processor.collate(encoded, views=views, large_images=large_images)
            return TrainingBatch(batch=batch, features=None, labels=labels)
        return TrainingBatch(
            batch=self.processor.collate(encoded),
            features=self.store.read([key for item in items for key in item.feature_keys]),
            labels=labels,
            scene_frames=self._scene_frames(items),
        )

    def _scene_frames(self, items: Sequence[TrainingItem]) -> dict[int, Tensor]:
        places = [place for place, item in enumerate(items) if item.scene_key]
        if self.scenes is None or not places:
            return {}
        (frames,) = self.scenes.levels([items[place].scene_key for place in places])
        return dict(zip(places, frames.split(1), strict=True))

    def _rendered(self, items: Sequence[TrainingItem]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Views of all items, and what SAM's own encoder sees of them: black where no mask is wanted."""
        pixels = [pixels_of(item.sample) for item in items]
        views = [self.processor.render(one, item.encoded.windows) for one, item in zip(pixels, items, strict=True)]
        side = self.processor.masks.large_image
        if not side or not any(item.encoded.pix_marks for item in items):
            return views, []
        nothing = np.zeros((3, side, side), np.uint8)
        large_images = [
            self.processor.render_large(one) if item.encoded.pix_marks else nothing
            for one, item in zip(pixels, items, strict=True)
        ]
        return views, large_images
