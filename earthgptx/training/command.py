"""`earthgptx train`: a recipe file becomes a run folder with a trained model in it."""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedConfig

from earthgptx.data.datasets import available
from earthgptx.data.instructions import MARK_FAMILIES
from earthgptx.data.orientation import oriented
from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedRecipe
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import EarthGPTX, learn_on_a_cpu
from earthgptx.model.feature_store import FeatureStore
from earthgptx.model.sizes import SIZES
from earthgptx.model.weights.assembly import assemble
from earthgptx.model.weights.checkpoint import load_trained
from earthgptx.processing.processor import Processor, processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer
from earthgptx.provenance import git_commit, machine, versions
from earthgptx.training.caching import cached, open_scenes, open_store
from earthgptx.training.compiling import compile_layers
from earthgptx.training.corpus import Corpus
from earthgptx.training.exporting import write_trained, write_whole
from earthgptx.training.loop import Trainer, word_embeddings
from earthgptx.training.losses import label_directions
from earthgptx.training.parts import open_parts
from earthgptx.training.recipe import TrainingRecipe, load_recipe
from earthgptx.training.sharding import place
from earthgptx.training.world import World, alone, joined

_logger = logging.getLogger(__name__)


def train(
    recipe_path: Path,
    overrides: list[str],
    *,
    on_views: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Trains by a recipe, or goes on where its run stopped; one of several processes where torchrun started it.

    Args:
        recipe_path: Python file with `recipe()`.
        overrides: `name=value` changes.
        on_views: told (views done, views in all) while features are cached, in the first process.

    Returns:
        The folder of the exported model.

    Raises:
        MalformedRecipe, MalformedDataset, BrokenCheckpoint, TrainingDiverged, DiskFull, DeviceUnavailable,
            WrongProcessCount: as their docstrings say.
        KeyboardInterrupt: Ctrl-C; what was done so far is saved.
    """
    recipe = load_recipe(recipe_path, overrides)
    with joined(os.environ, recipe.device, asked=recipe.processes) as world:
        trainer = trained(recipe, world, on_views=on_views)
        return export(recipe, trainer.model, trainer.folder / "model", world)


def trained(
    recipe: TrainingRecipe,
    world: World | None = None,
    *,
    on_views: Callable[[int, int], None] = lambda done, total: None,
) -> Trainer:
    """A recipe's run at its end; nothing is exported yet. Without a world it is a run of one process."""
    trainer = build(recipe, world, on_views=on_views)
    try:
        is_resumed = trainer.resume()
        if trainer.world.is_first:
            if is_resumed:
                _logger.info("%s goes on at step %d of %d.", trainer.folder, trainer.step, trainer.total_steps)
            _write_settings(trainer.folder, recipe, trainer.step, trainer.world.size)
        trainer.run()
    except BaseException:
        trainer.corpus.close()  # whoever goes on with another run may need its folder
        raise
    return trainer


def export(recipe: TrainingRecipe, model: EarthGPTX, folder: Path, world: World | None = None) -> Path:
    """Writes what was trained, or the whole model where it was made of published parts; each process must call it."""
    world = world or World()
    if recipe.parts:
        return write_whole(model, folder, tokenizer_of=Path(recipe.parts), world=world)
    return write_trained(model, folder, bits=recipe.difference_bits, world=world)


def build(
    recipe: TrainingRecipe,
    world: World | None = None,
    *,
    on_views: Callable[[int, int], None] = lambda done, total: None,
) -> Trainer:
    """Everything of a run, ready to start: model, cached features, corpus, trainer."""
    world = world or alone(recipe.device)
    for samples in (recipe.batch_size, recipe.warm_batch_size):
        if samples < world.size:
            raise MalformedRecipe(f"A batch of {samples} samples is too small for {world.size} processes.")
    torch.manual_seed(recipe.seed)
    config = configuration_of(recipe)
    assembled = open_parts(Path(recipe.parts), config) if recipe.parts else assemble(config)
    if recipe.start_from:
        load_trained(assembled.model, Path(recipe.start_from))
    place(assembled.model, world)
    tokenizer = (
        byte_tokenizer(config.base_vocabulary_size)
        if assembled.tokenizer_folder is None
        else AutoTokenizer.from_pretrained(assembled.tokenizer_folder)
    )
    processor = processor_for(config, Vocabulary.of(tokenizer))
    images = labelled_images(recipe, "train")
    store = scenes = None
    if recipe.features:
        store, scenes = _caches(recipe, images, assembled.model, processor, world, on_views)
    corpus, warm_corpus = (
        Corpus(
            images,
            task_weights=weights,
            dataset_weights=shares,
            processor=processor,
            store=store,
            scenes=scenes,
            seed=recipe.seed,
            mark_seed=recipe.seed_of_marks,
            marks=recipe.marks or None,
            sorts_by_length=reads_words,
        )
        for weights, shares, reads_words in (
            (recipe.task_weights, recipe.dataset_weights, True),
            (
                recipe.warm_task_weights or recipe.task_weights,
                recipe.warm_dataset_weights or recipe.dataset_weights,
                False,
            ),
        )
    )
    if world.device.type == "cpu":
        learn_on_a_cpu(assembled.model)
    if recipe.compiled:
        compile_layers(assembled.model.language.llama)
    words = [tokenizer.encode(" " + label, add_special_tokens=False) for label in corpus.labels]
    directions = label_directions(word_embeddings(assembled.model, words)) if words else torch.zeros(0, 1)
    return Trainer(
        recipe,
        assembled.model,
        corpus=corpus,
        warm_corpus=warm_corpus,
        label_directions=directions,
        folder=Path(recipe.runs) / recipe.name,
        world=world,
    )


def _caches(
    recipe: TrainingRecipe,
    images: list[LabelledImage],
    model: EarthGPTX,
    processor: Processor,
    world: World,
    on_views: Callable[[int, int], None],
) -> tuple[FeatureStore, FeatureStore | None]:
    """The caches of views and of whole images, for which each process has encoded its share.

    Each writes into a folder of its own and reads those of all: the first one's is the recipe's, the others' lie in it.
    """
    folder = Path(recipe.features)
    mine = folder if world.is_first else folder / f"part-{world.rank}"

    def below() -> list[Path]:
        parts = [part for part in (folder, *sorted(folder.glob("part-*"))) if (part / "index.jsonl").is_file()]
        return [part for part in parts if part != mine] + [Path(name) for name in recipe.features_from]

    found = below()
    world.agreed()  # before anyone makes a folder that others could find half made
    store, scenes = cached(
        mine,
        images[world.share],
        model,
        processor,
        below=found,
        seed=recipe.seed_of_marks,
        families=(recipe.marks,) if recipe.marks else MARK_FAMILIES,
        on_done=on_views,
    )
    if world.size > 1:
        for mine_alone in (store, scenes):
            if mine_alone is not None:
                mine_alone.close()
        world.wait("cached")
        store, scenes = open_store(mine, model, below()), open_scenes(mine, model, below())
    return store, scenes


def configuration_of(recipe: TrainingRecipe) -> EarthGPTXConfig:
    """The model's configuration with the recipe's overrides ("fusion.kind": "literal").

    Raises:
        MalformedRecipe: no such size or field, or a value that cannot be.
    """
    if recipe.size not in SIZES:
        raise MalformedRecipe(f"There is no size {recipe.size!r}; known are {', '.join(SIZES)}.")
    config = SIZES[recipe.size]()
    for path, value in recipe.overrides.items():
        box, _, name = path.partition(".")
        part = getattr(config, box, None)
        if not isinstance(part, PreTrainedConfig) or not hasattr(part, name):
            raise MalformedRecipe(f"The configuration has no field {path!r}.")
        try:
            changed = type(part)(**{**part.to_dict(), name: value})  # made anew, so that it is checked anew
        except ValueError as error:
            raise MalformedRecipe(f"{path} cannot be {value!r}: {error}") from error
        setattr(config, box, changed)
    return config


def labelled_images(recipe: TrainingRecipe, split: str) -> list[LabelledImage]:
    """The recipe's images, at most as many of each set as it takes, interleaved so that any start is a fair share."""
    groups: dict[str, list[LabelledImage]] = {}
    for image in available(Path(recipe.data), split, names=tuple(recipe.datasets)):
        groups.setdefault(image.dataset, []).append(image)
    placed = []
    for name, images in groups.items():
        chosen = random.Random(recipe.seed).sample(images, len(images))[: recipe.datasets[name]]
        shown = [oriented(image, turn) for turn in range(recipe.orientations.get(name, 1)) for image in chosen]
        placed += [((place + 0.5) / len(shown), name, image) for place, image in enumerate(shown)]
    return [image for _, _, image in sorted(placed, key=lambda entry: entry[:2])]


def _write_settings(folder: Path, recipe: TrainingRecipe, step: int, processes: int = 1) -> None:
    """`run.json`: the recipe as it is now, and of every start its recipe, step, processes, code and machine."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    earlier = json.loads(path.read_text()).get("starts", []) if path.exists() else []
    start = {
        "step": step,
        "processes": processes,
        "recipe": asdict(recipe),
        "git_commit": git_commit(Path(__file__).parent),
        "versions": versions(),
        "machine": machine(),
    }
    settings = {"seed": recipe.seed, "recipe": asdict(recipe), "starts": [*earlier, start]}
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(settings, indent=2) + "\n")
    os.replace(draft, path)
