"""Samples a second of training against a plain loop of the same model, where a step's time goes, and who waits.

Our side is the loop of `earthgptx train` with a recipe's own settings: bf16, cached features of the towers, batches of
like length, batches made ahead. The plain side trains the same weights by the same losses on the same samples in fp32,
in no order, opens every image and runs the towers in every step. It takes the recipe's two kinds of steps as we do;
what a plain loop gives that knows of no second kind is said beside it. Each step is taken apart: whose its time was,
box by box, forward and backward together. A table comes first, then a JSON line.

    python -m benchmarks.training_speed [--data ../shared/data] [--recipe recipes/nano.py] [--rounds 8] [--images 6]

Without --data the images are fabricated: speed does not depend on what there is to see.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.made_sources import SOURCES
from benchmarks.step_anatomy import BOXES, Anatomy
from earthgptx import heap
from earthgptx.data.datasets import DATASETS
from earthgptx.data.pixels import pixels_of
from earthgptx.model.earthgptx import EarthGPTX, trainable_parameters
from earthgptx.model.features import VisionFeatures
from earthgptx.processing.batch import Batch
from earthgptx.provenance import git_commit
from earthgptx.training.command import build
from earthgptx.training.corpus import BATCHES_IN_GROUP, TrainingBatch, TrainingItem
from earthgptx.training.loop import Trainer
from earthgptx.training.losses import alignment_loss, mask_losses, word_loss
from earthgptx.training.recipe import TrainingRecipe, load_recipe

ROOT = Path(__file__).resolve().parents[1]
TARGET_RATIO = 6.0
WARM_ROUNDS = BATCHES_IN_GROUP  # not counted: layers are compiled, memory is touched, which a long run does once
ROUNDS_HELP = f"each has one step that trains the whole model; {BATCHES_IN_GROUP} in a row are of all lengths"
KINDS = ("whole model", "marks only")


@dataclass(frozen=True)
class Step:
    """The samples of one step.

    Attributes:
        marks_only: whether it trains marks and masks alone, without the language model.
        items: what it reads.
    """

    marks_only: bool
    items: list[TrainingItem]


class Plain:
    """The plain loop: what a few lines of PyTorch would do with the same model.

    Args:
        trainer: whose model it trains in place, of a recipe that compiles nothing, and whose processor it uses.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.recipe = trainer.recipe
        self.processor = trainer.corpus.processor
        self.directions = trainer.label_directions
        self.images = {image.id: image for images in trainer.corpus.by_dataset.values() for image in images}
        self.model: EarthGPTX = nn.Module.float(trainer.model)
        self.model.language.llama.set_attn_implementation("sdpa")  # what transformers chooses itself
        self.parameters = list(trainable_parameters(self.model, self.recipe.policy).values())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-5)

    def step(self, step: Step) -> None:
        """One optimizer step, from image files to new weights."""
        batch = self.batch(step.items)
        features = self.model.vision(batch.views)
        labels = torch.tensor([label for item in step.items for label in item.labels], dtype=torch.long)
        loss = (self.marks_loss if step.marks_only else self.loss)(batch, features, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.optimizer.step()

    def batch(self, items: Sequence[TrainingItem]) -> Batch:
        """Opens the images and renders every view of them."""
        encoded = [item.encoded for item in items]
        pixels = [pixels_of(self.images[one.sample_id.rpartition("#")[0]]) for one in encoded]
        views = [self.processor.render(picture, one.windows) for picture, one in zip(pixels, encoded, strict=True)]
        return self.processor.collate(encoded, views=views)

    def loss(self, batch: Batch, features: VisionFeatures, labels: Tensor) -> Tensor:
        """Of words, masks and marks, in fp32."""
        output = self.model(batch, features)
        words = word_loss(output.answer_logits, output.answer_ids)
        alignment = alignment_loss(output.regions, labels, self.directions)
        return words + self.mask_loss(output.masks, batch.targets) + self.recipe.alignment_weight * alignment

    def marks_loss(self, batch: Batch, features: VisionFeatures, labels: Tensor) -> Tensor:
        """Of marks, and of masks that are bound to one, without the language model."""
        fused, _ = self.model.encode(batch, features)
        bound = torch.nonzero(batch.pix_mark >= 0).flatten()
        drawn = replace(batch, pix_mark=batch.pix_mark[bound], pix_image=batch.pix_image[bound])
        masks = self.model.draw(fused.image.new_zeros(len(bound), fused.image.shape[-1]), drawn, features)
        targets = [batch.targets[place] for place in bound.tolist()]
        return self.mask_loss(masks, targets) + alignment_loss(fused.regions, labels, self.directions)

    def mask_loss(self, masks: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """The weighted sum of both losses of masks."""
        bce, dice = mask_losses(masks, targets)
        return self.recipe.mask_bce_weight * bce + self.recipe.mask_dice_weight * dice


@dataclass
class Side:
    """What one side took: steps of each kind, and seconds of each kind by box."""

    num_steps: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    seconds: dict[str, dict[str, float]] = field(
        default_factory=lambda: {kind: dict.fromkeys(BOXES, 0.0) for kind in KINDS}
    )

    def add(self, *, marks_only: bool, taken: dict[str, float]) -> None:
        """Counts one step."""
        kind = KINDS[marks_only]
        self.num_steps[kind] += 1
        for box, seconds in taken.items():
            self.seconds[kind][box] += seconds

    @property
    def total(self) -> float:
        """Seconds of all steps."""
        return sum(sum(boxes.values()) for boxes in self.seconds.values())


def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    heap.keep_freed()  # as `earthgptx train` does
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        recipe = small_recipe(arguments, Path(folder))
        plain = build(replace(recipe, compiled=False), on_views=_tell)
        plain.corpus.close()
        trainer = build(recipe)
        try:
            result = measure(trainer, Plain(plain))
        finally:
            trainer.corpus.store.close()
    show(result)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    setting = {"data": "real" if arguments.data else "fabricated", "rounds": arguments.rounds}
    print(json.dumps({**result, **setting, "machine": machine, "commit": git_commit(ROOT)}))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of real data sets; fabricated ones if not given")
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "nano.py")
    parser.add_argument("--rounds", type=int, default=BATCHES_IN_GROUP, help=ROUNDS_HELP)
    parser.add_argument("--images", type=int, default=6, help="of each data set, whose features are cached first")
    parser.add_argument("--folder", type=Path, help="where to write for the time; the system's temporary folder")
    return parser.parse_args()


def small_recipe(arguments: argparse.Namespace, folder: Path) -> TrainingRecipe:
    """The recipe's settings on a few images, from where its two kinds of steps take turns; the first rounds warm up."""
    recipe = load_recipe(arguments.recipe, [])
    data = arguments.data or folder / "data"
    for source in SOURCES if arguments.data is None else ():
        if source.name in recipe.datasets:
            source.write(data, arguments.images, random.Random(source.name))
    found: dict[str, int | None] = {
        name: arguments.images for name in recipe.datasets if DATASETS[name].has(data, "train")
    }
    steps = recipe.joint_every * (arguments.rounds + WARM_ROUNDS)
    places = {"data": str(data), "features": str(folder / "features"), "runs": str(folder / "runs")}
    return replace(recipe, datasets=found, warm_steps=0, steps=steps, **places)


def measure(trainer: Trainer, loop: Plain) -> dict[str, Any]:
    """Our loop between two halves of the plain one, so that a machine that tires is as hard on both sides."""
    steps = planned_steps(trainer)
    warm_up = trainer.recipe.joint_every * WARM_ROUNDS
    plain, plain_steps, half = Side(), mixed(steps[warm_up:]), (len(steps) - warm_up) // 2
    run_plain = plain_side(loop, plain, steps[: trainer.recipe.joint_every])
    run_plain(plain_steps[:half])
    ours, data_seconds = our_side(trainer, warm_up)
    run_plain(plain_steps[half:])
    samples = sum(len(step.items) for step in steps[warm_up:])
    whole = sum(len(step.items) for step in steps[warm_up:] if not step.marks_only)
    whole_rate = whole / sum(plain.seconds[KINDS[False]].values())
    waited = sum(boxes["data"] for boxes in ours.seconds.values())
    return {
        "samples": samples,
        "samples_per_second": round(samples / ours.total, 2),
        "plain_samples_per_second": round(samples / plain.total, 2),
        "plain_whole_model_samples_per_second": round(whole_rate, 2),
        "ratio": round(plain.total / ours.total, 2),
        "ratio_to_whole_model": round(samples / ours.total / whole_rate, 2),
        "target": TARGET_RATIO,
        "share_waiting_for_data": round(waited / ours.total, 5),
        "data_thread_share": round(data_seconds / ours.total, 3),
        "seconds_a_step": {"ours": per_step(ours), "plain": per_step(plain)},
    }


def planned_steps(trainer: Trainer) -> list[Step]:
    """What each step of the trainer will read."""
    steps = []
    for number in range(trainer.total_steps):
        read: list[TrainingItem] = []
        for corpus in (trainer.corpus, trainer.warm_corpus):
            corpus.join = read.extend  # type: ignore[method-assign,assignment]  # the items, instead of their batch
        trainer._batch(number)
        steps.append(Step(trainer.is_marks_only(number), read))
    for corpus in (trainer.corpus, trainer.warm_corpus):
        del corpus.join
    return steps


def mixed(steps: Sequence[Step]) -> list[Step]:
    """The same samples in batches of the same sizes, in no order."""
    rng = random.Random(0)
    pools: dict[bool, list[TrainingItem]] = {True: [], False: []}
    for step in steps:
        pools[step.marks_only] += step.items
    for pool in pools.values():
        rng.shuffle(pool)
    return [Step(step.marks_only, [pools[step.marks_only].pop() for _ in step.items]) for step in steps]


def our_side(trainer: Trainer, warm_up: int) -> tuple[Side, float]:
    """The trainer's own loop; beside it, CPU seconds of the thread that makes batches."""
    side, anatomy = Side(), Anatomy(trainer.model)
    anatomy.time(trainer.optimizer, "step", "optimizer")
    whole_batch, seconds = trainer._batch, []

    def counted(step: int) -> TrainingBatch:
        started = time.thread_time()
        batch = whole_batch(step)
        if step >= warm_up:
            seconds.append(time.thread_time() - started)
        return batch

    trainer._batch = counted  # type: ignore[method-assign]
    batches = trainer._batches()
    next_batch = anatomy.timed(lambda: next(batches), "data")
    for number in range(trainer.total_steps):
        taken = anatomy.of(lambda: trainer.train_step(next_batch()))
        if number >= warm_up:
            side.add(marks_only=trainer.is_marks_only(number), taken=taken)
        _tell_step("ours", number, trainer.total_steps)
    return side, sum(seconds)


def plain_side(plain: Plain, side: Side, warm_up: Sequence[Step]) -> Callable[[Sequence[Step]], None]:
    """What does steps of the plain loop and counts them; it warms up first."""
    anatomy = Anatomy(plain.model)
    anatomy.time(plain, "batch", "data")
    anatomy.time(plain.optimizer, "step", "optimizer")
    for step in warm_up:
        plain.step(step)

    def run(steps: Sequence[Step]) -> None:
        for number, step in enumerate(steps):
            side.add(marks_only=step.marks_only, taken=anatomy.of(partial(plain.step, step)))
            _tell_step("plain", number, len(steps))

    return run


def per_step(side: Side) -> dict[str, dict[str, float]]:
    """Mean seconds of a step of each kind by box."""
    return {
        kind: {box: round(seconds / max(side.num_steps[kind], 1), 4) for box, seconds in boxes.items()}
        for kind, boxes in side.seconds.items()
    }


def show(result: dict[str, Any]) -> None:
    """The tables for people."""
    columns = [(side, kind) for side in ("ours", "plain") for kind in KINDS]
    print(f"{'seconds a step':<16}" + "".join(f"{f'{side}, {kind}':>20}" for side, kind in columns))
    for box in BOXES:
        print(f"{box:<16}" + "".join(f"{result['seconds_a_step'][side][kind][box]:>20.3f}" for side, kind in columns))
    totals = (sum(result["seconds_a_step"][side][kind].values()) for side, kind in columns)
    print(f"{'all':<16}" + "".join(f"{total:>20.3f}" for total in totals))
    print(f"\nours: {result['samples_per_second']:.2f} samples/s")
    for name, rate, ratio in (
        ("plain, the same steps", "plain_samples_per_second", "ratio"),
        ("plain, the whole model in every step", "plain_whole_model_samples_per_second", "ratio_to_whole_model"),
    ):
        print(f"{name}: {result[rate]:.2f} samples/s; ours / plain: {result[ratio]:.2f} (target {TARGET_RATIO:g})")
    print(f"waiting for data: {result['share_waiting_for_data']:.2%} of the loop's time", end="; ")
    print(f"the thread that makes batches works {result['data_thread_share']:.1%} of it")


def _tell(done: int, total: int) -> None:
    print(f"\rcaching features: {done} of {total} views", end="" if done < total else "\n", file=sys.stderr, flush=True)


def _tell_step(side: str, number: int, total: int) -> None:
    print(
        f"\r{side}: step {number + 1} of {total}", end="" if number + 1 < total else "\n", file=sys.stderr, flush=True
    )


if __name__ == "__main__":
    main()
