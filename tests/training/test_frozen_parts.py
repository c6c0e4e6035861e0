"""What the frozen parts say of an image is the same whether it was cached or is asked for in the step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from earthgptx.data.imagery import Scene
from earthgptx.data.pixels import pixels_of
from earthgptx.inference.generation import Generator, SceneViews
from earthgptx.model.feature_store import FeatureStore, scene_key
from earthgptx.training.caching import masked_images, open_scenes
from earthgptx.training.command import build, labelled_images
from earthgptx.training.loop import Trainer
from tests.tiny_model import tiny_config
from tests.training.small_run import small_recipe

TOWERS: dict[str, object] = {"vision.zoom": False}
SAM: dict[str, object] = TOWERS | {
    "pixels.encoder": "sam",
    "pixels.sam_vision": tiny_config(encoder="sam").pixels.sam_vision,
    "pixels.mark_prompt": False,
    "pixels.image_size": 64,
}
TASKS = {"roc": 1.0, "segment_region": 2.0, "segment_class": 1.0}


def trainer_of(data: Path, folder: Path, overrides: dict[str, object], **changes: object) -> Trainer:
    """A run of few images, half of whose samples draw masks."""
    sets = {"vhr10": 2, "ssdd": 2, "hituav": 1}
    steps = {"warm_steps": 1, "steps": 1, "joint_every": 1, "batch_size": 3, "warm_batch_size": 3}
    return build(small_recipe(data, folder, overrides=overrides, datasets=sets, task_weights=TASKS, **steps, **changes))


def losses(trainer: Trainer) -> list[dict[str, float]]:
    return [trainer.train_step(trainer._batch(step)) for step in range(trainer.total_steps)]


@pytest.fixture(scope="module")
def cached(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A run of the tiny size with an encoder of SAM's own, everything cached."""
    return trainer_of(data, tmp_path_factory.mktemp("sam"), SAM)


@pytest.mark.parametrize("overrides", [TOWERS, SAM], ids=["towers", "sam"])
def test_a_run_without_a_cache_has_the_losses_of_one_with_a_cache(
    data: Path, tmp_path: Path, overrides: dict[str, object]
):
    one, other = trainer_of(data, tmp_path, overrides), trainer_of(data, tmp_path, overrides, features="")
    assert other.corpus.store is None
    found = losses(one)
    assert found == losses(other)
    assert found[-1]["mask_bce"] > 0


def test_a_cached_frame_is_the_one_that_inference_makes(cached: Trainer):
    processor, scenes, store = cached.corpus.processor, cached.corpus.scenes, cached.corpus.store
    assert scenes is not None
    assert store is not None
    generator = Generator(cached.model, processor)
    images = masked_images(labelled_images(cached.recipe, "train"))
    frames = []
    for image in images:
        scene = Scene(pixels_of(image), image.sensor, image.path)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            frames.append(generator._large_frame(SceneViews(scene)))
    (kept,) = scenes.levels([scene_key(store.image_keys[image.id]) for image in images])
    assert torch.equal(kept, torch.cat(frames))
    assert all(not torch.equal(kept[0], other) for other in kept[1:])


def test_frames_are_kept_of_images_with_outlines_alone_and_made_once(
    cached: Trainer, data: Path, monkeypatch: pytest.MonkeyPatch
):
    images = labelled_images(cached.recipe, "train")
    with_outlines = [image for image in images if any(item.polygons for item in image.objects)]
    assert 0 < len(with_outlines) < len(images)
    scenes, store = cached.corpus.scenes, cached.corpus.store
    assert scenes is not None
    assert store is not None
    assert set(scenes.index) == {scene_key(store.image_keys[image.id]) for image in with_outlines}
    told: list[tuple[int, int]] = []
    cached.corpus.close()
    monkeypatch.setattr("earthgptx.model.pixels.Pixels.frame_of_large_images", None)
    again = build(cached.recipe, on_views=lambda done, total: told.append((done, total)))
    again.corpus.close()
    assert told[-1] == (len(store.index) + len(with_outlines),) * 2


def test_frames_of_another_run_are_read_and_not_written(cached: Trainer, tmp_path: Path):
    cached.corpus.close()
    below = (cached.recipe.features,)
    other = build(replace(cached.recipe, features=str(tmp_path / "own"), features_from=below))
    scenes = other.corpus.scenes
    assert isinstance(scenes, FeatureStore)
    assert not scenes.index
    item = next(item for item in map(other.corpus.item, range(40)) if item.scene_key)
    (frame,) = other.corpus.join([item]).scene_frames.values()
    assert cached.corpus.scenes is not None
    assert torch.equal(frame, cached.corpus.scenes.levels([item.scene_key])[0])


def test_a_sample_whose_frame_is_missing_is_drawn_anew(cached: Trainer, tmp_path: Path):
    corpus, empty = cached.corpus, open_scenes(tmp_path, cached.model)
    item = next(item for item in map(corpus.item, range(40)) if item.scene_key)
    assert empty is not None
    corpus.scenes, kept = empty, corpus.scenes
    assert corpus.encode(item.sample) is None
    corpus.scenes = kept
    assert corpus.encode(item.sample) is not None


def test_large_images_are_rendered_where_masks_are_wanted_alone(data: Path, tmp_path: Path):
    corpus = trainer_of(data, tmp_path, SAM, features="").corpus
    items = [corpus.item(index) for index in range(12)]
    drawn, plain = ([item for item in items if bool(item.encoded.pix_marks) is wanted] for wanted in (True, False))
    batch = corpus.join([plain[0], drawn[0]]).batch
    assert not batch.large_images[0].any()
    assert np.array_equal(batch.large_images[1].numpy(), corpus.processor.render_large(pixels_of(drawn[0].sample)))
    assert len(corpus.join(plain[:2]).batch.large_images) == 0
