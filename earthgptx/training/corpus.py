"""Labelled images become an endless, seeded stream of training items.

Item k depends on the seed and on k alone, so a run that stops anywhere goes on with exactly the items it would have
seen. Items are drawn in groups, sorted by length and cut into batches, so that little of a batch is padding.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from earthgptx.data.datasets import DATASETS
from earthgptx.data.instructions import make_sample
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.errors import MalformedDataset
from earthgptx.model.feature_store import FeatureStore, feature_key
from earthgptx.model.features import VisionFeatures
from earthgptx.processing.batch import Batch
from earthgptx.processing.processor import Encoded, Processor

BATCHES_IN_GROUP = 4
MOST_TRIES = 200
NO_LABEL = -1


@dataclass(frozen=True)
class TrainingItem:
    """One sample, encoded, with what training wants beside it.

    Attributes:
        encoded: tokens, windows, canvases, targets.
        feature_keys: one a window.
        labels: class of each mark in the corpus's table, NO_LABEL where it has none.
    """

    encoded: Encoded
    feature_keys: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class TrainingBatch:
    """What one step reads: the batch, its features, and the class of each mark (R,)."""

    batch: Batch
    features: VisionFeatures
    labels: Tensor

    def to(self, device: torch.device | str) -> TrainingBatch:
        """The same batch on another device."""
        return TrainingBatch(self.batch.to(device), self.features.to(device), self.labels.to(device))


class Corpus:
    """The mixture.

    Args:
        images: labelled images of all sets.
        task_weights, dataset_weights: shares, as in the recipe.
        processor: encodes samples.
        store: cached features; a sample whose windows are not all there is drawn anew.
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
        store: FeatureStore,
        seed: int,
        mark_seed: int | None = None,
        marks: str | None = None,
        sorts_by_length: bool = True,
    ) -> None:
        self.tasks = {task: weight for task, weight in task_weights.items() if weight > 0}
        self.dataset_weights = dataset_weights
        self.processor = processor
        self.store = store
        self.seed = seed
        self.mark_seed = seed if mark_seed is None else mark_seed
        self.marks = marks
        self.sorts_by_length = sorts_by_length
        self._last_group: tuple[tuple[int, int], list[TrainingItem]] | None = None
        self.by_dataset: dict[str, list[LabelledImage]] = {}
        for image in images:
            self.by_dataset.setdefault(image.dataset, []).append(image)
        self.labels = tuple(sorted({item.label for image in images for item in image.objects}))
        self._label_ids = {label: place for place, label in enumerate(self.labels)}

    def item(self, index: int) -> TrainingItem:
        """Item `index` of the stream.

        Raises:
            MalformedDataset: in many tries no image could serve the item's task.
        """
        rng = random.Random(f"{self.seed}/item/{index}")
        task = rng.choices(list(self.tasks), weights=list(self.tasks.values()))[0]
        names = [name for name in self.by_dataset if task in DATASETS[name].tasks]
        weights = [self.dataset_weights.get(name, 1.0) for name in names]
        for _ in range(MOST_TRIES if names else 0):
            name = rng.choices(names, weights=weights)[0]
            image = rng.choice(self.by_dataset[name])
            sample = make_sample(image, task, rng, self.mark_seed, marks=self.marks)
            item = None if sample is None else self.encode(sample)
            if item is not None:
                return item
        raise MalformedDataset(f"In {MOST_TRIES} tries no image of {', '.join(names) or 'any set'} served {task!r}.")

    def encode(self, sample: Sample) -> TrainingItem | None:
        """A sample as a training item, or None where a window's features are not in the store."""
        encoded = self.processor.encode(sample)
        image_id = sample.id.rpartition("#")[0]
        image_key = self.store.image_keys.get(image_id, "")
        keys = tuple(feature_key(image_key, window) for window in encoded.windows)
        if any(key not in self.store for key in keys):
            return None
        labels = tuple(
            NO_LABEL if region.object is None else self._label_ids[region.object.label] for region in sample.regions
        )
        return TrainingItem(encoded=encoded, feature_keys=keys, labels=labels)

    def batch(self, step: int, batch_size: int) -> TrainingBatch:
        """Batch `step` of the stream."""
        group, place = divmod(step, BATCHES_IN_GROUP)
        items = self._group(group, batch_size)
        order = list(range(BATCHES_IN_GROUP))
        random.Random(f"{self.seed}/group/{group}").shuffle(order)
        start = order[place] * batch_size
        return self.join(items[start : start + batch_size])

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
        """Collates items and reads their features."""
        return TrainingBatch(
            batch=self.processor.collate([item.encoded for item in items]),
            features=self.store.read([key for item in items for key in item.feature_keys]),
            labels=torch.tensor([label for item in items for label in item.labels], dtype=torch.long),
        )
