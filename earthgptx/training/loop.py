"""The loop: warm-up on marks and masks alone, then the whole model, one optimizer, one schedule.

A recipe, a model and a corpus come in; checkpoints go out. It never opens an image and never scores an answer. Where
several processes train together, each reads its share of the same batches, and their losses add up to those of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from signal import SIGINT, SIGTERM

import torch
from torch import Tensor, nn

from earthgptx.errors import TrainingDiverged
from earthgptx.model.earthgptx import EarthGPTX, trainable_parameters
from earthgptx.training.checkpoint import load_state, newest_state, save_state
from earthgptx.training.corpus import Corpus, TrainingBatch
from earthgptx.training.interruption import Interruption
from earthgptx.training.journal import Journal
from earthgptx.training.losses import Losses, alignment_loss, counts_of, mask_losses, word_loss
from earthgptx.training.recipe import TrainingRecipe
from earthgptx.training.sharding import COMPUTE, average_gradients, clip_gradients, prepare
from earthgptx.training.world import World

BATCHES_AHEAD = 3
PARTS = ("words", "mask_bce", "mask_dice", "alignment")  # of the loss, as the journal names them


class Trainer:
    """One run of one recipe.

    Args:
        recipe: what to do.
        model: assembled and placed (sharding.place); its trained part is changed in place.
        corpus: where batches come from.
        warm_corpus: where those of the warm-up steps come from.
        label_directions: (K, D_llm), losses.label_directions of the corpus's labels.
        folder: of the run.
        world: the processes that train together.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        model: EarthGPTX,
        *,
        corpus: Corpus,
        warm_corpus: Corpus,
        label_directions: Tensor,
        folder: Path,
        world: World,
    ) -> None:
        self.recipe = recipe
        self.model = model
        self.corpus = corpus
        self.warm_corpus = warm_corpus
        self.label_directions = label_directions.to(model.device)
        self.folder = folder
        self.world = world
        trainable_parameters(model, recipe.policy)
        self.parameters = prepare(model, world, recompute=recipe.recompute)
        language = [p for name, p in self.parameters.items() if name.startswith("language.llama.")]
        fresh = [p for name, p in self.parameters.items() if not name.startswith("language.llama.")]
        groups = [(fresh, recipe.learning_rate), (language, recipe.language_learning_rate)]
        self.optimizer = torch.optim.AdamW(
            [{"params": members, "lr": rate, "peak": rate} for members, rate in groups if members],
            weight_decay=recipe.weight_decay,
            betas=(0.9, 0.98),
            fused=world.device.type == "cuda",
        )
        self.step = 0

    @property
    def total_steps(self) -> int:
        """Warm-up and joint steps together."""
        return self.recipe.warm_steps + self.recipe.steps

    def resume(self) -> bool:
        """Takes up the run's newest checkpoint; False where there is none.

        Raises:
            BrokenCheckpoint: it cannot be read, or is of a run that trained something else.
        """
        state = self.world.gather(newest_state(self.folder))[0]
        if state is None:
            return False
        self.step = load_state(state, self.parameters, self.optimizer, self.world)
        return True

    def save(self) -> Path:
        """Writes a checkpoint of this moment; each process must ask for it.

        Raises:
            DiskFull: the one before stays.
        """
        return save_state(self.folder, self.step, self.parameters, self.optimizer, self.world)

    def run(self) -> None:
        """Trains to the end, with a checkpoint every few minutes and one at Ctrl-C or SIGTERM.

        Raises:
            TrainingDiverged: the loss is not a number; the last good checkpoint stays.
            DiskFull: a checkpoint could not be written; the one before it stays.
            KeyboardInterrupt: Ctrl-C of any process, or SIGTERM of the only one; the step under way was finished and
                saved.
        """
        saved = time.monotonic()
        journal: AbstractContextManager[Journal | None] = nullcontext()
        if self.world.is_first:
            journal = Journal(self.folder, total_steps=self.total_steps, first_step=self.step)
        # With SIGTERM torchrun also ends those who wait for one that died: what they would finish can never end.
        signals = (SIGINT, SIGTERM) if self.world.size == 1 else (SIGINT,)
        with journal as pages, Interruption(signals) as interruption:
            for batch in self._batches():
                numbers = self.train_step(batch)
                if pages is not None:
                    pages.write(self.step, numbers)
                is_due = time.monotonic() - saved > 60 * self.recipe.checkpoint_minutes
                is_asked, is_due = self.world.agreed(interruption.is_asked, is_due)
                if is_asked or is_due:
                    self.save()
                    saved = time.monotonic()
                if is_asked:
                    raise KeyboardInterrupt
        self.save()

    def train_step(self, batch: TrainingBatch) -> dict[str, float]:
        """One optimizer step; returns its numbers."""
        rate = self._schedule(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["peak"]
        self.optimizer.zero_grad(set_to_none=True)  # before the pass: they would lie beside its activations
        losses = self.losses(batch.to(self.model.device))
        losses = losses.as_part_of(self.world.sum(losses.counts.clone()))
        total = losses.total(
            mask_bce_weight=self.recipe.mask_bce_weight,
            mask_dice_weight=self.recipe.mask_dice_weight,
            alignment_weight=1.0 if self.is_marks_only(self.step) else self.recipe.alignment_weight,
        )
        parts = [total, *(getattr(losses, name) for name in PARTS)]
        loss, *values = self.world.sum(torch.stack([part.detach().float() for part in parts])).tolist()
        if not math.isfinite(loss):
            raise self._diverged("loss", loss, batch)
        (total * self.world.size).backward()  # gradients are averaged over the processes, losses add up
        average_gradients(self.parameters.values(), self.world)
        norm = clip_gradients(self.parameters.values(), self.recipe.clip)
        if not math.isfinite(norm):  # a step along it would spoil every weight, and the next checkpoint
            raise self._diverged("gradient", norm, batch)
        self.optimizer.step()
        self.step += 1
        return {"loss": loss, **dict(zip(PARTS, values, strict=True)), "gradient_norm": norm, "rate": rate}

    def _diverged(self, what: str, value: float, batch: TrainingBatch) -> TrainingDiverged:
        """What to raise where all processes found so, with the samples of all."""
        names = ", ".join(name for names in self.world.gather(batch.batch.sample_ids) for name in names)
        return TrainingDiverged(f"The {what} of step {self.step} is {value}; its samples are {names}.")

    def is_marks_only(self, step: int) -> bool:
        """Whether a step trains marks and masks alone, without the language model."""
        done = step - self.recipe.warm_steps
        return done < 0 or done % self.recipe.joint_every != 0

    def losses(self, item: TrainingBatch) -> Losses:
        """All losses of a batch, under bf16 autocast."""
        device = self.model.device.type
        with torch.autocast(device, COMPUTE, enabled=COMPUTE is torch.bfloat16):
            if self.is_marks_only(self.step):
                return self._warm_losses(item)
            output = self.model(item.batch, item.features, item.scene_frames)
            bce, dice = mask_losses(output.masks, item.batch.targets)
            return Losses(
                words=word_loss(output.answer_logits, output.answer_ids),
                mask_bce=bce,
                mask_dice=dice,
                alignment=alignment_loss(output.regions, item.labels, self.label_directions),
                counts=counts_of(len(output.answer_ids), len(output.masks), item.labels),
            )

    def _warm_losses(self, item: TrainingBatch) -> Losses:
        """Marks that are bound to a `<pix>` are drawn with an empty prompt; the scene's masks wait for words."""
        features = item.seen_by(self.model.vision)
        fused, _ = self.model.encode(item.batch, features)
        bound = torch.nonzero(item.batch.pix_mark >= 0).flatten()
        batch = replace(item.batch, pix_mark=item.batch.pix_mark[bound], pix_image=item.batch.pix_image[bound])
        states = fused.image.new_zeros(len(bound), fused.image.shape[-1])
        masks = self.model.draw(states, batch, features)
        bce, dice = mask_losses(masks, [item.batch.targets[place] for place in bound.tolist()])
        return Losses(
            words=torch.zeros((), device=self.model.device),
            mask_bce=bce,
            mask_dice=dice,
            alignment=alignment_loss(fused.regions, item.labels, self.label_directions),
            counts=counts_of(0, len(masks), item.labels),
        )

    def _schedule(self, step: int) -> float:
        """Linear warm-up, then cosine to a tenth; the joint phase has a warm-up of its own."""
        warm = self.recipe.warm_steps
        start, length = (0, warm) if step < warm else (warm, self.recipe.steps)
        rise = max(round(self.recipe.warm_up_share * length), 1)
        done = step - start
        if step < warm:
            return min((done + 1) / rise, 1.0)
        return min((done + 1) / rise, 0.1 + 0.45 * (1 + math.cos(math.pi * done / length)))

    def _batches(self) -> Iterator[TrainingBatch]:
        """Batches from the current step on, made by one thread ahead of the loop so that no step waits for data."""
        steps = range(self.step, self.total_steps)
        with ThreadPoolExecutor(max_workers=1) as pool:
            _go_without_helpers(pool)
            ahead = [pool.submit(self._batch, step) for step in steps[:BATCHES_AHEAD]]
            for step in steps:
                item = ahead.pop(0).result()
                if step + BATCHES_AHEAD < self.total_steps:
                    ahead.append(pool.submit(self._batch, step + BATCHES_AHEAD))
                yield item

    def _batch(self, step: int) -> TrainingBatch:
        """What a step reads; it follows from the step alone, so that it is the same however a run is interrupted."""
        place = self._place_in_stream(step)
        if self.is_marks_only(step):
            batch = self.warm_corpus.batch(place, self.recipe.warm_batch_size, self.world.share)
        else:
            batch = self.corpus.batch(place, self.recipe.batch_size, self.world.share)
        return batch.pinned() if self.model.device.type == "cuda" else batch

    def _place_in_stream(self, step: int) -> int:
        """How many steps of its kind come before a step: neither stream makes a batch that no step reads."""
        done = step - self.recipe.warm_steps
        num_joint = max(0, math.ceil(done / self.recipe.joint_every))
        return step - num_joint if self.is_marks_only(step) else num_joint


def _go_without_helpers(pool: ThreadPoolExecutor) -> None:
    """Takes a thread's helpers from it: torch's would wait for its work on the cores that the loop computes on.

    torch asks at a thread's first question or work what was said last, in whichever thread. So that one is asked before
    it is told, and what holds for all others is said again.
    """
    pool.submit(torch.get_num_threads).result()
    pool.submit(torch.set_num_threads, 1).result()
    torch.set_num_threads(torch.get_num_threads())


def word_embeddings(model: EarthGPTX, token_ids: list[list[int]]) -> list[Tensor]:
    """The base model's embeddings of some texts' tokens, one (n, D) tensor a text."""
    table: nn.Module = model.language.llama.get_input_embeddings()
    with torch.no_grad():
        return [table(torch.tensor(ids, device=model.device)) for ids in token_ids]
