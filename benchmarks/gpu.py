"""Speed and memory of a published size on one card: training, decoding, encoding, in one command of minutes.

The weights are random, so nothing has to be downloaded; speed and memory do not depend on them. First the card's own
ceiling is measured: bf16 products of large square matrices. Then one scene is encoded, answers are written, and whole
training steps are taken by the trainer itself (towers, SAM's encoder, fusion, language model, masks, optimizer).
The share of the ceiling counts only work that has to be done: activations that are computed twice to save memory count
once. A table comes first, which --out also writes as Markdown, then a JSON line.

    python benchmarks/gpu.py [--size 7b] [--device cuda] [--batch 8] [--out gpu.md]
    python benchmarks/gpu.py --size tiny --device cpu      # proves the code, not the speed
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

# The optimizer's state comes last and is large: without it memory in pieces would be lost. Before torch is imported.
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import set_checkpoint_early_stop
from torch.utils.flop_counter import FlopCounterMode

from earthgptx.errors import DeviceUnavailable
from earthgptx.inference.language_engine import Words, Writing
from earthgptx.inference.torch_engine import TorchEngine
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.sizes import SIZES
from earthgptx.processing.processor import Processor, processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer
from earthgptx.provenance import git_commit, machine
from earthgptx.training.corpus import Corpus, TrainingBatch
from earthgptx.training.loop import Trainer
from earthgptx.training.plan import NUM_LABELS, batch_without_numbers, plan
from earthgptx.training.recipe import TrainingRecipe
from earthgptx.training.world import alone

TASK = "grounded_caption"  # any one: the samples are those that are planned for
TARGET_SHARE = 0.45
GIB = 2**30
NEVER_ENDS = -1  # no token has this id: answers run to their full length, as those of random weights must


@dataclass(frozen=True)
class Scale:
    """How much is done: a card's worth, or what a test has time for."""

    matrix: int
    steps: int
    new_tokens: int
    prompt_tokens: int
    rows: int
    repeats: int


SCALES = {
    "tiny": Scale(matrix=256, steps=1, new_tokens=4, prompt_tokens=24, rows=2, repeats=1),
    "nano": Scale(matrix=2048, steps=5, new_tokens=64, prompt_tokens=160, rows=8, repeats=5),
}
LARGE = Scale(matrix=8192, steps=5, new_tokens=128, prompt_tokens=1400, rows=16, repeats=10)


def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    scale = SCALES.get(arguments.size, LARGE)
    device = arguments.world.device
    torch.manual_seed(0)
    result: dict[str, Any] = {
        "size": arguments.size,
        "card": card_name(device),
        "commit": git_commit(Path(__file__).parent),
        "matmul_tflops": rounded(matmul_ceiling(device, scale) / 1e12),
    }
    model = random_model(arguments.size, device)
    processor = processor_for(model.config, Vocabulary.of(byte_tokenizer(model.config.base_vocabulary_size)))
    result |= encoding(model, scale)
    result |= decoding(model, processor, scale)
    with tempfile.TemporaryDirectory() as folder:
        result |= training(model, processor, arguments, Path(folder), scale)
    result["share_of_ceiling"] = rounded(result["training_tflops"] / result["matmul_tflops"])
    table = as_table(result)
    print(table)
    if arguments.out:
        arguments.out.write_text(as_page(result, table), encoding="utf-8")
    print(json.dumps({**result, "machine": machine()}))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=sorted(SIZES), default="7b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=8, help="samples a step; halved as often as they do not fit")
    parser.add_argument("--policy", choices=("paper", "scratch"), default="paper", help="what is trained")
    parser.add_argument("--keep-activations", action="store_true", help="rather than compute them a second time")
    parser.add_argument("--out", type=Path, help="a Markdown file of the table")
    arguments = parser.parse_args()
    if arguments.batch < 1:
        parser.error(f"--batch is {arguments.batch}; it must be at least 1.")
    try:
        arguments.world = alone(arguments.device)
    except DeviceUnavailable as error:
        parser.error(str(error))
    return arguments


def rounded(value: float) -> float:
    """To four digits that count."""
    return float(f"{value:.4g}")


def card_name(device: torch.device) -> str:
    """What the numbers were measured on."""
    if device.type != "cuda":
        return device.type
    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name}, {properties.total_memory / GIB:.0f} GiB"


def matmul_ceiling(device: torch.device, scale: Scale) -> float:
    """The most bf16 operations a second that this device does on products of large matrices."""
    one, two = (torch.randn(scale.matrix, scale.matrix, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = timed(lambda: one @ two, device, warm_ups=3, repeats=2 * scale.repeats)
    return 2 * scale.matrix**3 / min(seconds)


def random_model(size: str, device: torch.device) -> EarthGPTX:
    """A model with random weights, made where it runs, in the precision in which it is trained."""
    with device:
        model = EarthGPTX(SIZES[size]())
    model.vision.to(torch.bfloat16)
    nn.Module.to(model.language.llama, torch.bfloat16)  # transformers wraps its own `to` without types
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def encoding(model: EarthGPTX, scale: Scale) -> dict[str, float]:
    """Milliseconds to look at one scene: the towers on its views, and SAM's encoder where the size has one."""
    device, vision, pixels = model.device, model.config.vision, model.config.pixels
    num_views = 1 + vision.sub_image_grid**2
    views = torch.zeros(num_views, 3, vision.view_size, vision.view_size, dtype=torch.uint8, device=device)
    large_image = torch.zeros(1, 3, pixels.image_size, pixels.image_size, dtype=torch.uint8, device=device)

    def look() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            features = model.vision(views)
            if pixels.encoder == "sam":
                model.pixels.frame_of_large_images(large_image)
            else:
                model.pixels.frame_of_scene(features)

    seconds = timed(look, device, warm_ups=2, repeats=scale.repeats)
    return {"views_a_scene": num_views, "encode_milliseconds": rounded(1000 * median(seconds))}


@torch.inference_mode()
def decoding(model: EarthGPTX, processor: Processor, scale: Scale) -> dict[str, float]:
    """Tokens a second of one answer and of many at once, after a prompt as long as a scene's."""
    device, words = model.device, processor.vocabulary
    engine = TorchEngine(
        model.language, Words(end=NEVER_ENDS, state_wanted=words.pix, never=(words.image, words.region))
    )
    found: dict[str, float] = {"prompt_tokens": scale.prompt_tokens, "answer_tokens": scale.new_tokens}
    for rows in (1, scale.rows):
        ids = torch.randint(0, model.language.base_vocabulary_size, (rows, scale.prompt_tokens), device=device)
        embeddings, present = model.language.embed(ids), torch.ones_like(ids, dtype=torch.bool)

        def write(num_tokens: int, embeddings: Tensor = embeddings, present: Tensor = present) -> None:
            engine.write(embeddings, present, Writing(max_new_tokens=num_tokens), on_token=lambda *_: None)

        [first] = timed(lambda: write(1), device, warm_ups=1, repeats=1)
        [all_of_them] = timed(lambda: write(scale.new_tokens), device, warm_ups=1, repeats=1)
        rate = rows * (scale.new_tokens - 1) / max(all_of_them - first, 1e-9)
        found[f"prompt_milliseconds_{rows}_answers"] = rounded(1000 * first)
        found[f"tokens_per_second_{rows}_answers"] = rounded(rate)
    return found


def training(
    model: EarthGPTX, processor: Processor, arguments: argparse.Namespace, folder: Path, scale: Scale
) -> dict[str, float]:
    """Seconds, operations and peak memory of a whole training step."""
    recipe = TrainingRecipe(
        name="gpu",
        size=arguments.size,
        data=str(folder),
        datasets={},
        task_weights={TASK: 1.0},
        policy=arguments.policy,
        batch_size=arguments.batch,
        recompute=not arguments.keep_activations,
        device=arguments.device,
        runs=str(folder),
        features="",  # nothing is cached: the towers and SAM's encoder look in every step
    )
    corpus = Corpus((), task_weights=recipe.task_weights, dataset_weights={}, processor=processor, store=None, seed=0)
    trainer = Trainer(
        recipe,
        model.requires_grad_(True),
        corpus=corpus,
        warm_corpus=corpus,
        label_directions=torch.zeros(NUM_LABELS, int(model.config.language["hidden_size"])),
        folder=folder,
        world=arguments.world,
    )
    batch = fitting_batch(trainer)
    recipe = trainer.recipe
    with measured_peak(model.device) as peak:
        seconds = timed(lambda: trainer.train_step(batch), model.device, warm_ups=1, repeats=scale.steps)
    with set_checkpoint_early_stop(False):  # or a layer would be computed again but for its last product
        step = counted(lambda: trainer.train_step(batch))
    twice = layers_forward(model, batch) if recipe.recompute else 0
    return {
        "batch": len(batch.batch),
        "tokens_a_sample": batch.batch.token_ids.shape[1],
        "step_seconds": rounded(median(seconds)),
        "samples_per_second": rounded(len(batch.batch) / median(seconds)),
        "step_tera_operations": rounded((step - twice) / 1e12),
        "tera_operations_done_twice": rounded(twice / 1e12),
        "training_tflops": rounded((step - twice) / median(seconds) / 1e12),
        "peak_gib": rounded(peak.gib),
        "planned_peak_gib": rounded(plan(recipe, 1).peak(recipe.recompute) / GIB),
    }


def fitting_batch(trainer: Trainer) -> TrainingBatch:
    """The recipe's batch, half of it and so on until a step fits; two steps are taken with it.

    Its samples are those for which `earthgptx train --plan` plans; the recipe says afterwards how many fitted.
    """
    while True:
        batch = batch_without_numbers(trainer, is_marks_only=False, num_gpus=1)
        size = trainer.recipe.batch_size
        try:
            for _ in range(2):  # the optimizer has its state only after the first
                trainer.train_step(batch)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            trainer.recipe = replace(trainer.recipe, batch_size=size // 2)
            trainer.optimizer.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
        else:
            return batch


def layers_forward(model: EarthGPTX, batch: TrainingBatch) -> int:
    """Operations of one forward pass of the language model, which recomputing adds to a step."""
    present = batch.batch.present.to(model.device)
    width = int(model.config.language["hidden_size"])
    states = torch.zeros(*present.shape, width, device=model.device, dtype=torch.bfloat16)

    def forward() -> None:
        with torch.no_grad(), torch.autocast(model.device.type, torch.bfloat16):
            model.language(states, present)

    return counted(forward)


def counted(work: Callable[[], object]) -> int:
    """Operations of the matrix products, convolutions and attention of some work."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


@dataclass
class Peak:
    """The most memory that tensors took on the card, in GiB; 0 where there is no card."""

    gib: float = 0.0


@contextmanager
def measured_peak(device: torch.device) -> Iterator[Peak]:
    """Measures for as long as the block lasts."""
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    yield peak
    if device.type == "cuda":
        peak.gib = torch.cuda.max_memory_allocated(device) / GIB


def timed(work: Callable[[], object], device: torch.device, *, warm_ups: int, repeats: int) -> list[float]:
    """Seconds of some work, each time until the device has done it."""
    seconds = []
    for place in range(warm_ups + repeats):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        if place >= warm_ups:
            seconds.append(time.perf_counter() - started)
    return seconds


def wait(device: torch.device) -> None:
    """Until a card has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def as_table(result: dict[str, Any]) -> str:
    """Markdown, one row a number."""
    rows = [f"| {name.replace('_', ' ')} | {value} |" for name, value in result.items()]
    return "\n".join(["| what | measured |", "|---|---|", *rows])


def as_page(result: dict[str, Any], table: str) -> str:
    """The table under what it was measured on."""
    verdict = "at least" if result["share_of_ceiling"] >= TARGET_SHARE else "less than"
    return (
        f"# {result['size']} on {result['card']}\n\n"
        f"Commit {result['commit']}; {machine()}; random weights.\n"
        f"A training step reaches {result['share_of_ceiling']:.0%} of the measured ceiling of bf16 products: {verdict} "
        f"the {TARGET_SHARE:.0%} that are wanted.\n\n{table}\n"
    )


if __name__ == "__main__":
    main()
