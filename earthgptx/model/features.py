"""What one box of the model hands to another: a frozen dataclass an arrow, so that no box imports its neighbour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NUM_CANVAS_CHANNELS = 3  # of a mark's canvas: filled shape, outline or stroke, point heat


@dataclass(frozen=True)
class VisionFeatures:
    """What the frozen towers say of S views.

    Attributes:
        vit: (S, 1 + 256, C_vit), the class token first, then the 16 x 16 grid row by row.
        cnn: one (S, C, h, w) map a level, finest first; empty without a CNN.
    """

    vit: Tensor
    cnn: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.vit)

    def take(self, index: Tensor) -> VisionFeatures:
        """The features of the views at `index` (K,), in that order."""
        return VisionFeatures(vit=self.vit[index], cnn=tuple(level[index] for level in self.cnn))

    def pinned(self) -> VisionFeatures:
        """The same features in memory from which a GPU fetches them while it computes."""
        return VisionFeatures(vit=self.vit.pin_memory(), cnn=tuple(level.pin_memory() for level in self.cnn))

    def to(self, device: torch.device | str) -> VisionFeatures:
        """The same features on another device."""
        levels = tuple(level.to(device, non_blocking=True) for level in self.cnn)
        return VisionFeatures(vit=self.vit.to(device, non_blocking=True), cnn=levels)

    @staticmethod
    def concatenate(parts: list[VisionFeatures]) -> VisionFeatures:
        """Features of all views of `parts`, in order."""
        return VisionFeatures(
            vit=torch.cat([part.vit for part in parts]),
            cnn=tuple(torch.cat(levels) for levels in zip(*(part.cnn for part in parts), strict=True)),
        )


@dataclass(frozen=True)
class MarkFeatures:
    """What the spatial encoder says of R marks.

    Attributes:
        prompts: (R, P, D) prompt tokens.
        grid: (R, 2, 256, D) the ViT's grid in both frames.
        occupancy: (R, 2, 256) share of each cell that the mark covers, in [0, 1].
    """

    prompts: Tensor
    grid: Tensor
    occupancy: Tensor


@dataclass(frozen=True)
class ViewMap:
    """Which view belongs to which image, and which mark looks at which view.

    Attributes:
        view_image: (S,) index of the image that a view belongs to.
        view_slot: (S,) place of the view in the image's sequence, 0 the whole view; -1 for a zoom view.
        mark_image: (R,) index of the image that a mark lies on.
        mark_view: (R,) index of the view that the mark looks at from near by.
        num_images: B.
    """

    view_image: Tensor
    view_slot: Tensor
    mark_image: Tensor
    mark_view: Tensor
    num_images: int


@dataclass(frozen=True)
class FusedTokens:
    """Tokens as wide as the LLM.

    Attributes:
        image: (sum of views x tokens a view, D_llm), images in order, views by slot: the order of `<image>` places.
        regions: (R, P, D_llm).
    """

    image: Tensor
    regions: Tensor
