"""The stream of training items: a function of seed and place, in the shares that the recipe asks for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from earthgptx.data.freeform import FIXED_MARKS, fixed_mark
from earthgptx.data.instructions import TASKS
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.errors import MalformedDataset
from earthgptx.model.feature_store import FeatureStore
from earthgptx.processing.batch import Batch
from earthgptx.processing.processor import Processor
from earthgptx.shapes import Box
from earthgptx.training.caching import fill_store, open_store, wanted_windows
from earthgptx.training.command import build, labelled_images
from earthgptx.training.corpus import BATCHES_IN_GROUP, NO_LABEL, Corpus, TrainingItem
from earthgptx.training.loop import Trainer
from tests.training.small_run import small_recipe

BATCH_SIZE = 3


@pytest.fixture(scope="module")
def trainer(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    return build(small_recipe(data, tmp_path_factory.mktemp("corpus")))


@pytest.fixture(scope="module")
def images(trainer: Trainer) -> list[LabelledImage]:
    return labelled_images(trainer.recipe, "train")


def again(corpus: Corpus, images: list[LabelledImage], **changes: object) -> Corpus:
    """A corpus of the same images that has drawn nothing yet."""
    settings: dict[str, object] = {
        "task_weights": dict.fromkeys(TASKS, 1.0),
        "dataset_weights": {},
        "processor": corpus.processor,
        "store": corpus.store,
        "seed": 0,
    }
    return Corpus(images, **(settings | changes))  # type: ignore[arg-type]


def windows(images: list[LabelledImage], processor: Processor) -> list[tuple[Box, ...]]:
    """What the towers have to see of each image."""
    return [wanted_windows(image, processor, 0) for image in images]


def drawn_samples(corpus: Corpus, count: int, monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """The samples behind the first items, none of them encoded."""
    samples: list[Sample] = []

    def remember(sample: Sample) -> str:
        samples.append(sample)
        return "taken"

    monkeypatch.setattr(corpus, "encode", remember)
    for index in range(count):
        corpus.item(index)
    return samples


def task_of(item: TrainingItem) -> str:
    return item.encoded.sample_id.rpartition("#")[2].split("-")[0]


def image_of(item: TrainingItem) -> str:
    return item.encoded.sample_id.rpartition("#")[0]


def same(first: Batch, second: Batch) -> bool:
    names = ("token_ids", "present", "labels", "view_image", "view_slot", "mark_image", "mark_view", "canvases")
    names += ("pix_image", "pix_mark")
    return (
        first.sample_ids == second.sample_ids
        and all(torch.equal(getattr(first, name), getattr(second, name)) for name in names)
        and all(torch.equal(one, two) for one, two in zip(first.targets, second.targets, strict=True))
    )


def test_an_item_depends_on_seed_and_place_alone(trainer: Trainer, images: list[LabelledImage]):
    first, second = again(trainer.corpus, images), again(trainer.corpus, images)
    upwards = {index: first.item(index) for index in range(12)}
    downwards = {index: second.item(index) for index in reversed(range(12))}
    for index, item in upwards.items():
        other = downwards[index]
        assert item.encoded.sample_id == other.encoded.sample_id
        assert item.encoded.dialogue == other.encoded.dialogue
        assert (item.encoded.canvases == other.encoded.canvases).all()
        assert (item.feature_keys, item.labels) == (other.feature_keys, other.labels)
    assert len({item.encoded.sample_id for item in upwards.values()}) == len(upwards)
    elsewhere = again(trainer.corpus, images, seed=1)
    assert [elsewhere.item(k).encoded.sample_id for k in range(12)] != [i.encoded.sample_id for i in upwards.values()]


def test_batches_are_the_same_in_any_order(trainer: Trainer, images: list[LabelledImage]):
    first, second = again(trainer.corpus, images), again(trainer.corpus, images)
    steps = [0, 1, 2 * BATCHES_IN_GROUP - 1, BATCHES_IN_GROUP, 1]
    one = {step: first.batch(step, BATCH_SIZE) for step in steps}
    two = {step: second.batch(step, BATCH_SIZE) for step in reversed(steps)}
    for step in steps:
        assert same(one[step].batch, two[step].batch)
        assert torch.equal(one[step].features.vit, two[step].features.vit)
        assert torch.equal(one[step].labels, two[step].labels)
    assert not same(one[0].batch, one[1].batch)


def test_a_group_of_batches_holds_each_of_its_items_once(trainer: Trainer, images: list[LabelledImage]):
    corpus = again(trainer.corpus, images)
    size = BATCHES_IN_GROUP * BATCH_SIZE
    wanted = sorted(corpus.item(size + k).encoded.sample_id for k in range(size))
    batches = [corpus.batch(BATCHES_IN_GROUP + place, BATCH_SIZE).batch for place in range(BATCHES_IN_GROUP)]
    assert sorted(name for batch in batches for name in batch.sample_ids) == wanted
    lengths = [sorted(batch.present.sum(dim=1).tolist()) for batch in batches]
    ranked = sorted(lengths)
    assert all(shorter[-1] <= longer[0] for shorter, longer in pairwise(ranked))


def test_tasks_come_in_the_shares_asked_for(
    trainer: Trainer, images: list[LabelledImage], monkeypatch: pytest.MonkeyPatch
):
    weights = {"roc": 5.0, "image_caption": 3.0, "segment_region": 2.0, "count": 0.0}
    count = 2000
    samples = drawn_samples(again(trainer.corpus, images, task_weights=weights), count, monkeypatch)
    found = Counter(sample.task for sample in samples)
    assert set(found) == {"roc", "image_caption", "segment_region"}
    for task, weight in weights.items():
        share = weight / 10
        # Four standard deviations of a binomial share.
        assert abs(found[task] / count - share) <= 4 * (share * (1 - share) / count) ** 0.5


def test_sets_come_in_the_shares_asked_for(
    trainer: Trainer, images: list[LabelledImage], monkeypatch: pytest.MonkeyPatch
):
    corpus = again(
        trainer.corpus, images, task_weights={"roc": 1.0}, dataset_weights={"vhr10": 3.0, "hituav": 0.0, "mstar": 2.0}
    )
    count = 1500
    found = Counter(sample.id.split("/")[0] for sample in drawn_samples(corpus, count, monkeypatch))
    wanted = {"vhr10": 3.0, "ssdd": 1.0, "sar_acd": 1.0, "mstar": 2.0}  # rsicd has no regions; 1 where nothing is said
    assert set(found) == set(wanted)
    for name, weight in wanted.items():
        share = weight / sum(wanted.values())
        assert abs(found[name] / count - share) <= 4 * (share * (1 - share) / count) ** 0.5


def test_a_task_whose_sets_all_weigh_nothing_is_left_out(
    trainer: Trainer, images: list[LabelledImage], monkeypatch: pytest.MonkeyPatch
):
    # The infrared set has boxes alone: a recipe of infrared alone cannot draw masks, and asks for classes instead.
    infrared = dict.fromkeys({image.dataset for image in images}, 0.0) | {"hituav": 1.0}
    weights = {"roc": 0.8, "segment_region": 0.2}
    corpus = again(trainer.corpus, images, task_weights=weights, dataset_weights=infrared)
    samples = drawn_samples(corpus, 60, monkeypatch)
    assert {(sample.id.split("/")[0], sample.task) for sample in samples} == {("hituav", "roc")}


def test_what_is_not_in_the_store_is_never_used(trainer: Trainer, images: list[LabelledImage], tmp_path: Path):
    corpus = trainer.corpus
    store = open_store(tmp_path, trainer.model)
    vhr10 = [image for image in images if image.dataset == "vhr10"]
    fill_store(store, vhr10[:2], windows(vhr10[:2], corpus.processor), trainer.model, corpus.processor)
    # Of the second image only the scene's own view is there: marks small enough for a zoom view cannot be shown.
    zooms = [key for key in store.index if key.startswith(store.image_keys[vhr10[1].id]) and ",160,160" not in key]
    for key in zooms:
        del store.index[key]
    assert zooms
    partial = again(corpus, images, store=store, task_weights={"roc": 1.0, "segment_class": 1.0})
    items = [partial.item(index) for index in range(40)]
    assert {image_of(item) for item in items} == {image.id for image in vhr10[:2]}
    assert {key for item in items for key in item.feature_keys} <= set(store.index)
    assert all(len(item.feature_keys) == 1 for item in items if image_of(item) == vhr10[1].id)


def test_a_task_that_nothing_serves_is_said(trainer: Trainer, images: list[LabelledImage], tmp_path: Path):
    chips = [image for image in images if image.dataset == "mstar"]
    with pytest.raises(MalformedDataset, match="'image_caption'"):
        again(trainer.corpus, chips, task_weights={"image_caption": 1.0}).item(0)
    empty: FeatureStore = open_store(tmp_path, trainer.model)
    with pytest.raises(MalformedDataset, match="no image of mstar served 'roc'"):
        again(trainer.corpus, chips, store=empty, task_weights={"roc": 1.0}).item(0)


def test_labels_are_those_of_the_marks(trainer: Trainer, images: list[LabelledImage]):
    corpus = again(trainer.corpus, images, task_weights={"roc": 1.0, "scene": 1.0})
    for index in range(40):
        item = corpus.item(index)
        assert len(item.labels) == len(item.encoded.mark_views)
        if task_of(item) == "scene":
            assert set(item.labels) <= {NO_LABEL}  # a mark of the whole image, or none
        else:
            words = corpus.processor.vocabulary.tokenizer.decode(item.encoded.dialogue.token_ids)
            assert all(corpus.labels[label] in words for label in item.labels)


def test_joined_items_bring_the_features_of_their_own_windows(trainer: Trainer, images: list[LabelledImage]):
    corpus = again(trainer.corpus, images)
    items = [corpus.item(index) for index in range(4)]
    joined = corpus.join(items)
    assert len(joined.features) == len(joined.batch.view_image) == sum(len(item.encoded.windows) for item in items)
    start = 0
    for item in items:
        alone = corpus.store.read(item.feature_keys)
        assert torch.equal(joined.features.vit[start : start + len(alone)], alone.vit)
        start += len(alone)


def test_caching_counts_every_view_and_goes_on_where_it_stopped(
    trainer: Trainer, images: list[LabelledImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    processor = trainer.corpus.processor
    store = open_store(tmp_path, trainer.model)
    wanted = windows(images, processor)
    total = sum(map(len, wanted))
    told: list[int] = []

    def stop_midway(views: int) -> None:
        told.append(views)
        if sum(told) > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_store(store, images, wanted, trainer.model, processor, views_per_batch=2, on_views=stop_midway)
    done = len(store.index)
    assert 0 < done < len(trainer.corpus.store.index)
    told.clear()
    fill_store(store, images, wanted, trainer.model, processor, views_per_batch=2, on_views=told.append)
    assert sum(told) == total
    assert set(store.index) == set(trainer.corpus.store.index)
    monkeypatch.setattr(trainer.model.vision, "forward", None)  # a third time nothing is left to encode
    told.clear()
    fill_store(store, images, wanted, trainer.model, processor, on_views=told.append)
    assert sum(told) == total


def test_at_most_as_many_images_as_asked_for_and_evenly_mixed(trainer: Trainer):
    recipe = replace(trainer.recipe, datasets={"vhr10": 2, "sar_acd": None, "ssdd": 0})
    chosen = labelled_images(recipe, "train")
    assert Counter(image.dataset for image in chosen) == {"vhr10": 2, "sar_acd": 6}
    assert [image.dataset for image in chosen].index("vhr10") < 4  # not all of one set before the other
    assert [image.id for image in chosen] == [image.id for image in labelled_images(recipe, "train")]


def test_marks_of_one_family_and_a_seed_of_their_own(
    trainer: Trainer, images: list[LabelledImage], monkeypatch: pytest.MonkeyPatch
):
    """Other seeds ask other questions about the same marks; boxes alone change the marks and not the questions."""
    tasks = {"task_weights": {"roc": 1.0}}
    corpora = [
        again(trainer.corpus, images, **tasks, **more)
        for more in ({}, {"marks": "box"}, {"seed": 1}, {"seed": 1, "mark_seed": 0})
    ]
    every, boxes, other, same_marks = (drawn_samples(corpus, 30, monkeypatch) for corpus in corpora)
    assert [sample.turns for sample in every] == [sample.turns for sample in boxes]
    assert [sample.turns for sample in other] == [sample.turns for sample in same_marks]
    assert {region.mark for sample in boxes for region in sample.regions} == {
        fixed_mark(image, index, "box") for sample in boxes for image, index in marked(sample, images)
    }
    known = {
        fixed_mark(image, index, kind)
        for image in images
        for index in range(len(image.objects))
        for kind in FIXED_MARKS
    }
    assert {region.mark for sample in same_marks for region in sample.regions} <= known
    assert not {region.mark for sample in other for region in sample.regions} <= known


def marked(sample: Sample, images: list[LabelledImage]) -> list[tuple[LabelledImage, int]]:
    """The image of a sample with the place of each object that it marks."""
    [image] = [image for image in images if image.id == sample.id.rpartition("#")[0]]
    return [(image, image.objects.index(region.object)) for region in sample.regions if region.object is not None]
