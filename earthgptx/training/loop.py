"""The loop: warm-up on marks and masks alone, then the whole model, one optimizer, one schedule.

A recipe, a model and a corpus come in; checkpoints go out. It never opens an image and never scores an answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from earthgptx.errors import BrokenCheckpoint, TrainingDiverged
from earthgptx.model.earthgptx import EarthGPTX, trainable_parameters
from earthgptx.training.checkpoint import TrainingState, newest_state, save_state
from earthgptx.training.corpus import Corpus, TrainingBatch
from earthgptx.training.interruption import Interruption
from earthgptx.training.journal import Journal
from earthgptx.training.losses import Losses, alignment_loss, mask_losses, word_loss
from earthgptx.training.recipe import TrainingRecipe

BATCHES_AHEAD = 3


class Trainer:
    """One run of one recipe.

    Args:
        recipe: what to do.
        model: assembled, on the device where it is to be trained; its trained part is changed in place.
        corpus: where batches come from.
        warm_corpus: where those of the warm-up steps come from.
        label_directions: (K, D_llm), losses.label_directions of the corpus's labels.
        folder: of the run.
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
    ) -> None:
        self.recipe = recipe
        self.model = model
        self.corpus = corpus
        self.warm_corpus = warm_corpus
        self.label_directions = label_directions.to(model.device)
        self.folder = folder
        self.parameters = trainable_parameters(model, recipe.policy)
        for parameter in self.parameters.values():
            parameter.data = parameter.data.float()  # fp32 master weights for what is trained
        language = [p for name, p in self.parameters.items() if name.startswith("language.llama.")]
        fresh = [p for name, p in self.parameters.items() if not name.startswith("language.llama.")]
        groups = [(fresh, recipe.learning_rate), (language, recipe.language_learning_rate)]
        self.optimizer = torch.optim.AdamW(
            [{"params": members, "lr": rate, "peak": rate} for members, rate in groups if members],
            weight_decay=recipe.weight_decay,
            betas=(0.9, 0.98),
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
        state = newest_state(self.folder)
        if state is None:
            return False
        if _shapes(state.parameters) != _shapes(self.parameters):
            raise BrokenCheckpoint(
                f"{self.folder} holds a run that trains {len(state.parameters)} weights, this recipe trains "
                f"{len(self.parameters)} or others; give it another name."
            )
        for name, value in state.parameters.items():
            self.parameters[name].data.copy_(value)
        self.optimizer.load_state_dict(state.optimizer)
        self.step = state.step
        return True

    def save(self) -> Path:
        """Writes a checkpoint of this moment."""
        values = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        return save_state(self.folder, TrainingState(self.step, values, self.optimizer.state_dict()))

    def run(self) -> None:
        """Trains to the end, with a checkpoint every few minutes and one at Ctrl-C.

        Raises:
            TrainingDiverged: the loss is not a number; the last good checkpoint stays.
            KeyboardInterrupt: Ctrl-C; the step under way was finished and saved.
        """
        saved = time.monotonic()
        journal = Journal(self.folder, total_steps=self.total_steps, first_step=self.step)
        with journal, Interruption() as interruption:
            for batch in self._batches():
                numbers = self.train_step(batch)
                journal.write(self.step, numbers)
                if interruption.is_asked:
                    self.save()
                    raise KeyboardInterrupt
                if time.monotonic() - saved > 60 * self.recipe.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def train_step(self, batch: TrainingBatch) -> dict[str, float]:
        """One optimizer step; returns its numbers."""
        rate = self._schedule(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["peak"]
        losses = self.losses(batch.to(self.model.device))
        total = losses.total(
            mask_bce_weight=self.recipe.mask_bce_weight,
            mask_dice_weight=self.recipe.mask_dice_weight,
            alignment_weight=1.0 if self.is_marks_only(self.step) else self.recipe.alignment_weight,
        )
        if not bool(torch.isfinite(total)):
            names = ", ".join(batch.batch.sample_ids)
            raise TrainingDiverged(f"The loss of step {self.step} is {float(total.detach())}; its samples are {names}.")
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = clip_grad_norm_(self.parameters.values(), self.recipe.clip)
        if not bool(torch.isfinite(norm)):  # a step along it would spoil every weight, and the next checkpoint
            names = ", ".join(batch.batch.sample_ids)
            raise TrainingDiverged(f"The gradient of step {self.step} is {float(norm)}; its samples are {names}.")
        self.optimizer.step()
        self.step += 1
        parts = {
            name: float(getattr(losses, name).detach()) for name in ("words", "mask_bce", "mask_dice", "alignment")
        }
        return {"loss": float(total.detach()), **parts, "gradient_norm": float(norm), "rate": rate}

    def is_marks_only(self, step: int) -> bool:
        """Whether a step trains marks and masks alone, without the language model."""
        done = step - self.recipe.warm_steps
        return done < 0 or done % self.recipe.joint_every != 0

    def losses(self, item: TrainingBatch) -> Losses:
        """All losses of a batch, under bf16 autocast."""
        device = self.model.device.type
        with torch.autocast(device, torch.bfloat16):
            if self.is_marks_only(self.step):
                return self._warm_losses(item)
            output = self.model(item.batch, item.features, item.scene_frames)
            bce, dice = mask_losses(output.masks, item.batch.targets)
            return Losses(
                words=word_loss(output.answer_logits, output.answer_ids),
                mask_bce=bce,
                mask_dice=dice,
                alignment=alignment_loss(output.regions, item.labels, self.label_directions),
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
            ahead = [pool.submit(self._batch, step) for step in steps[:BATCHES_AHEAD]]
            for step in steps:
                item = ahead.pop(0).result()
                if step + BATCHES_AHEAD < self.total_steps:
                    ahead.append(pool.submit(self._batch, step + BATCHES_AHEAD))
                yield item

    def _batch(self, step: int) -> TrainingBatch:
        """Both streams are counted by the run's own step, so that each is the same however a run is interrupted."""
        if self.is_marks_only(step):
            return self.warm_corpus.batch(step, self.recipe.warm_batch_size)
        return self.corpus.batch(step, self.recipe.batch_size)


def word_embeddings(model: EarthGPTX, token_ids: list[list[int]]) -> list[Tensor]:
    """The base model's embeddings of some texts' tokens, one (n, D) tensor a text."""
    table: nn.Module = model.language.llama.get_input_embeddings()
    with torch.no_grad():
        return [table(torch.tensor(ids, device=model.device)) for ids in token_ids]


def _shapes(parameters: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: parameter.shape for name, parameter in parameters.items()}
