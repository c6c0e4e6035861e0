"""The losses and their one sum: next word, masks (LISA's weights), region-text alignment.

Everything is a mean (over written tokens, masks or marks), so that weights mean the same for any batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize

ALIGNMENT_TEMPERATURE = 0.07


@dataclass(frozen=True)
class Losses:
    """Means over a batch; a part that the batch has no material for is 0.

    Attributes:
        words: next-word cross-entropy on the answers.
        mask_bce, mask_dice: over masks.
        alignment: over labelled marks.
        counts: (3,) written tokens, masks and labelled marks that they are means over.
    """

    words: Tensor
    mask_bce: Tensor
    mask_dice: Tensor
    alignment: Tensor
    counts: Tensor

    def as_part_of(self, counts: Tensor) -> Losses:
        """What they add to the means over a larger batch, of which this one is a part.

        Args:
            counts: (3,) of the larger batch. Where it is this one itself, nothing changes.
        """
        words, masks, marks = self.counts / counts.clamp(min=1)
        return replace(
            self,
            words=self.words * words,
            mask_bce=self.mask_bce * masks,
            mask_dice=self.mask_dice * masks,
            alignment=self.alignment * marks,
            counts=counts,
        )

    def total(self, *, mask_bce_weight: float, mask_dice_weight: float, alignment_weight: float) -> Tensor:
        """The one sum that is minimised."""
        masks = mask_bce_weight * self.mask_bce + mask_dice_weight * self.mask_dice
        return self.words + masks + alignment_weight * self.alignment


def counts_of(num_words: int, num_masks: int, labels: Tensor) -> Tensor:
    """`Losses.counts`, where `labels` (R,) are below 0 for marks without a class."""
    marks = (labels >= 0).sum().to(torch.float32)
    return torch.stack([marks.new_tensor(num_words), marks.new_tensor(num_masks), marks])


def word_loss(logits: Tensor, token_ids: Tensor) -> Tensor:
    """Cross-entropy of (A, vocabulary) logits against (A,) ids; 0 where A is 0."""
    return cross_entropy(logits, token_ids) if len(token_ids) else logits.sum()


def mask_losses(masks: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """BCE and dice, each a mean over masks (LISA), at the decoder's own resolution.

    Args:
        masks: M logit maps.
        targets: M boolean maps of the same sizes.
    """
    if not masks:
        return torch.zeros(()), torch.zeros(())
    bce, dice = [], []
    for mask, target in zip(masks, targets, strict=True):
        logits, truth = mask.float(), target.float()
        bce.append(binary_cross_entropy_with_logits(logits, truth))
        share = logits.sigmoid()
        dice.append(1 - (2 * (share * truth).sum() + 1) / (share.sum() + truth.sum() + 1))
    return torch.stack(bce).mean(), torch.stack(dice).mean()


def alignment_loss(regions: Tensor, labels: Tensor, label_embeddings: Tensor) -> Tensor:
    """Region-text alignment: a mark's tokens should point where the words of its class do.

    Args:
        regions: (R, P, D_llm) region tokens as the LLM reads them.
        labels: (R,) class, below 0 where unknown.
        label_embeddings: (K, D_llm) unit directions of the class names' words.
    """
    known = labels >= 0
    if not bool(known.any()):
        return regions.sum() * 0
    directions = normalize(regions[known].float().mean(dim=1), dim=-1)
    return cross_entropy(directions @ label_embeddings.T / ALIGNMENT_TEMPERATURE, labels[known])


def label_directions(word_embeddings: Sequence[Tensor]) -> Tensor:
    """Unit directions of K class names, all at right angles and as near as can be to the names' words.

    "a320" and "a330" share most of their tokens; were their directions as alike as their words, no region could tell
    them apart. The nearest orthonormal set (Loewdin, 1950) keeps distinct names where they were.

    Args:
        word_embeddings: (n, D) embeddings of each name's tokens; K of them, K at most D.

    Returns:
        (K, D).
    """
    means = torch.stack([normalize(words.float().mean(dim=0), dim=-1) for words in word_embeddings])
    left, _, right = torch.linalg.svd(means, full_matrices=False)
    return left @ right
