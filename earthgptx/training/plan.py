"""What a recipe's step takes of each GPU's memory, before there is a GPU.

A recipe comes in, a table goes out. Weights, gradients and the optimizer's state are counted; activations are what the
trainer's own step keeps alive when it runs on tensors that have shapes and no numbers. It opens no image and no
weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from earthgptx.data.sample import LabelledObject, PixelTarget, Turn
from earthgptx.errors import MalformedRecipe
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.features import VisionFeatures
from earthgptx.processing.processor import processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer
from earthgptx.shapes import Box
from earthgptx.training.command import configuration_of
from earthgptx.training.corpus import Corpus, TrainingBatch
from earthgptx.training.live_memory import LiveMemory, without_numbers
from earthgptx.training.loop import Trainer
from earthgptx.training.recipe import TrainingRecipe
from earthgptx.training.world import World

# The sample that is planned for: longer than nearly all that labels make.
SCENE_SIDE = 1024  # pixels
NUM_MARKS = 8
NUM_MASKS = 4
NUM_LABELS = 100  # classes of the corpus
TEXT_TOKENS = 512  # of question and answer, half each

MASTER_BYTES = 4  # fp32, of a trained weight and of its gradient
MOMENT_BYTES = 8  # AdamW's two moments in fp32
GATHERED_BYTES = 2  # bf16, of a weight that FSDP has gathered
NUM_GATHERED = 3  # layers at once: the one that computes, the next one, and the buffer that this one comes in


@dataclass(frozen=True)
class BoxMemory:
    """One box of the model on one GPU.

    Attributes:
        box: its name.
        num_frozen, num_trained: parameters on all GPUs together, each once.
        parameters, gradients, optimizer: bytes.
    """

    box: str
    num_frozen: int
    num_trained: int
    parameters: int
    gradients: int
    optimizer: int


@dataclass(frozen=True)
class StepMemory:
    """One kind of step on one GPU, in bytes.

    Attributes:
        is_marks_only: whether it leaves the language model out.
        num_samples, num_tokens: of a GPU's batch, and of its longest row.
        batch: pixels or features, tokens, marks and masks of the batch itself.
        activations, gradients: at the step's fullest moment.
    """

    is_marks_only: bool
    num_samples: int
    num_tokens: int
    batch: int
    activations: int
    gradients: int


@dataclass(frozen=True)
class Plan:
    """A recipe on some GPUs.

    Attributes:
        recipe: that was planned.
        num_gpus: over which the language model's layers are sharded.
        boxes: what lies on each GPU all the time, gradients included.
        kept, recomputed: the kinds of steps where the layers' activations are kept, and where they are not.
        gathered: bytes of the layers that FSDP gathers at a time, with one layer's gradients before they are scattered.
        averaged: bytes of the copy in which gradients of what is not sharded are averaged.
    """

    recipe: TrainingRecipe
    num_gpus: int
    boxes: tuple[BoxMemory, ...]
    kept: tuple[StepMemory, ...]
    recomputed: tuple[StepMemory, ...]
    gathered: int
    averaged: int

    @property
    def standing(self) -> int:
        """Bytes of weights and the optimizer's state."""
        return sum(box.parameters + box.optimizer for box in self.boxes)

    def peak_of(self, step: StepMemory) -> int:
        """Bytes at a step's fullest moment: in its passes, or when gradients are averaged after them."""
        passes = step.activations + step.gradients + (0 if step.is_marks_only else self.gathered)
        after = sum(box.gradients for box in self.boxes) + self.averaged
        return self.standing + step.batch + max(passes, after)

    def peak(self, recompute: bool) -> int:
        """Bytes at the fullest moment of any step."""
        return max(map(self.peak_of, self.recomputed if recompute else self.kept))


def plan(recipe: TrainingRecipe, num_gpus: int) -> Plan:
    """Plans a recipe on GPUs of one kind.

    Raises:
        MalformedRecipe: no GPU, fewer samples than GPUs, or whatever `configuration_of` finds.
    """
    if num_gpus < 1:
        raise MalformedRecipe(f"A run on {num_gpus} GPUs cannot be planned; it needs at least 1.")
    for samples in (recipe.batch_size, recipe.warm_batch_size):
        if samples < num_gpus:
            raise MalformedRecipe(f"A batch of {samples} samples is too small for {num_gpus} GPUs.")
    config = configuration_of(recipe)
    trainers = [trainer_without_numbers(replace(recipe, recompute=again), config, num_gpus) for again in (False, True)]
    kinds = [False, True] if recipe.warm_steps or recipe.joint_every > 1 else [False]
    kept, recomputed = (
        tuple(
            step_memory(trainer, batch_without_numbers(trainer, is_marks_only, num_gpus), is_marks_only, num_gpus)
            for is_marks_only in kinds
        )
        for trainer in trainers
    )
    model = trainers[0].model
    return Plan(
        recipe=recipe,
        num_gpus=num_gpus,
        boxes=tuple(box_memory(name, box, model, num_gpus) for name, box in model.named_children()),
        kept=kept,
        recomputed=recomputed,
        gathered=gathered_bytes(model, num_gpus),
        averaged=0
        if num_gpus == 1
        else sum(MASTER_BYTES * p.numel() for p in _trained(model) if id(p) not in _sharded(model)),
    )


def trainer_without_numbers(recipe: TrainingRecipe, config: EarthGPTXConfig, num_gpus: int) -> Trainer:
    """The recipe's trainer on one of several GPUs, its weights without numbers."""
    with torch.device("meta"):
        model = EarthGPTX(config)
    model.vision.to(torch.bfloat16)  # as weights.assembly does
    nn.Module.to(model.language.llama, torch.bfloat16)
    without_numbers(model, torch.device("cpu"))
    model.language.llama.tie_weights()
    vocabulary = Vocabulary.of(byte_tokenizer(config.base_vocabulary_size))  # a text's length is all that matters
    corpus = Corpus(
        (),
        task_weights=recipe.task_weights,
        dataset_weights={},
        processor=processor_for(config, vocabulary),
        store=None,
        seed=recipe.seed,
    )
    trainer = Trainer(
        recipe,
        model.eval(),
        corpus=corpus,
        warm_corpus=corpus,
        label_directions=torch.zeros(NUM_LABELS, int(config.language["hidden_size"])),
        folder=Path(recipe.runs) / recipe.name,
        world=World(),
    )
    if num_gpus > 1:
        for parameter in model.language.llama.model.layers.parameters():
            parameter.data = parameter.data.to(torch.bfloat16)  # as FSDP gathers them for a step
    return trainer


def batch_without_numbers(trainer: Trainer, is_marks_only: bool, num_gpus: int) -> TrainingBatch:
    """One GPU's share of a batch of the longest samples that are planned for."""
    recipe, model, processor = trainer.recipe, trainer.model, trainer.corpus.processor
    samples = -(-(recipe.warm_batch_size if is_marks_only else recipe.batch_size) // num_gpus)
    marks = [Box(64 * k, 64 * k, 64 * k + 48, 64 * k + 48) for k in range(1, NUM_MARKS + 1)]
    answer = "\n".join(f"<Region {k}>: <pix>" for k in range(1, NUM_MASKS + 1))
    one = processor.encode_parts(
        sample_id="the longest",
        size=(SCENE_SIDE, SCENE_SIDE),
        sensor="optical",
        turns=(Turn("user", "?" * (TEXT_TOKENS // 2)), Turn("model", answer.ljust(TEXT_TOKENS // 2, "."))),
        marks=marks,
        targets=[PixelTarget((LabelledObject(mark, "ship"),)) for mark in marks[:NUM_MASKS]],
    )
    encoded = [one] * samples
    labels = torch.zeros(samples * NUM_MARKS, dtype=torch.long)
    if not recipe.features:
        view = processor.render(np.zeros((SCENE_SIDE, SCENE_SIDE, 3), np.uint8), one.windows)
        side = processor.masks.large_image
        large = [np.zeros((3, side, side), np.uint8)] * samples if side else ()
        batch = processor.collate(encoded, views=[view] * samples, large_images=large)
        return TrainingBatch(batch=batch, features=None, labels=labels)
    num_views = samples * len(one.windows)
    vit, *cnn = (_empty(model, (num_views, *shape)) for shape in model.vision.feature_shapes())
    frames = {}
    if model.pixels.sam_encoder is not None:
        frames = {place: _empty(model, (1, *model.pixels.large_frame_shape())) for place in range(samples)}
    return TrainingBatch(
        batch=processor.collate(encoded),
        features=VisionFeatures(vit=vit, cnn=tuple(cnn)),
        labels=labels,
        scene_frames=frames,
    )


def step_memory(trainer: Trainer, item: TrainingBatch, is_marks_only: bool, num_gpus: int) -> StepMemory:
    """What a step of the trainer keeps alive; its weights are left as they are.

    Args:
        trainer: whose step is run, forwards and backwards, without the optimizer.
        item: one GPU's share of the batch.
        is_marks_only: which of the two kinds of steps.
        num_gpus: over which gradients of the layers are scattered.
    """
    model, recipe = trainer.model, trainer.recipe
    trainer.step = next(step for step in range(trainer.total_steps) if trainer.is_marks_only(step) is is_marks_only)
    sharded = _sharded(model)
    gradients = {p: MASTER_BYTES * p.numel() // (num_gpus if id(p) in sharded else 1) for p in _trained(model)}
    tensors = list(_tensors(item))
    with LiveMemory(gradients, [*model.parameters(), *model.buffers(), *tensors]) as memory:
        losses = trainer.losses(item)
        total = losses.total(
            mask_bce_weight=recipe.mask_bce_weight,
            mask_dice_weight=recipe.mask_dice_weight,
            alignment_weight=recipe.alignment_weight,
        )
        total.backward()
    trainer.optimizer.zero_grad(set_to_none=True)
    activations, gradient_bytes = memory.fullest
    return StepMemory(
        is_marks_only=is_marks_only,
        num_samples=len(item.batch),
        num_tokens=item.batch.token_ids.shape[1],
        batch=sum(tensor.nbytes for tensor in tensors),
        activations=activations,
        gradients=gradient_bytes,
    )


def box_memory(name: str, box: nn.Module, model: EarthGPTX, num_gpus: int) -> BoxMemory:
    """What a box of a trainer's model takes of each GPU all the time."""
    sharded = _sharded(model)
    parameters = gradients = optimizer = 0
    for parameter in box.parameters():
        share = num_gpus if id(parameter) in sharded else 1
        each = MASTER_BYTES if parameter.requires_grad else parameter.element_size()
        parameters += each * parameter.numel() // share
        gradients += MASTER_BYTES * parameter.numel() // share * parameter.requires_grad
        optimizer += MOMENT_BYTES * parameter.numel() // share * parameter.requires_grad
    return BoxMemory(
        box=name,
        num_frozen=sum(p.numel() for p in box.parameters() if not p.requires_grad),
        num_trained=sum(p.numel() for p in box.parameters() if p.requires_grad),
        parameters=parameters,
        gradients=gradients,
        optimizer=optimizer,
    )


def gathered_bytes(model: EarthGPTX, num_gpus: int) -> int:
    """What FSDP needs beside the shards: some layers whole, and one layer's gradients before they are scattered."""
    if num_gpus == 1:
        return 0
    layers = [list(layer.parameters()) for layer in model.language.llama.model.layers]
    whole = max(sum(p.numel() for p in layer) for layer in layers)
    trained = max(sum(p.numel() for p in layer if p.requires_grad) for layer in layers)
    return NUM_GATHERED * GATHERED_BYTES * whole + (GATHERED_BYTES + MASTER_BYTES) * trained


def _empty(model: EarthGPTX, shape: tuple[int, ...]) -> Tensor:
    """A cached tensor, without numbers as the model is."""
    return model.vision.mean.new_empty(shape, dtype=torch.bfloat16)


def _sharded(model: EarthGPTX) -> set[int]:
    return {id(parameter) for parameter in model.language.llama.model.layers.parameters()}


def _trained(model: EarthGPTX) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _tensors(item: TrainingBatch) -> Iterator[Tensor]:
    """All tensors of a batch."""
    values: Iterable[object] = (getattr(item.batch, field.name) for field in fields(item.batch))
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple):
            yield from (part for part in value if isinstance(part, Tensor))
    if item.features is not None:
        yield from (item.features.vit, *item.features.cnn)
    yield item.labels
    yield from item.scene_frames.values()
