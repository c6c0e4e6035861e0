"""`Batch`: everything one forward pass reads, as tensors, for B dialogues about B images.

Views and marks of all images lie one after the other with an index to their owner, so that images with one view and
images with five, with no mark and with sixty, share a batch without waste.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

IGNORED = -100  # label of tokens that carry no loss; torch's own default


@dataclass(frozen=True)
class Batch:
    """B dialogues, S views, R marks, M masks asked for by `<pix>`.

    Attributes:
        token_ids: (B, T), `<image>` and `<region>` already repeated once a token they stand for.
        present: (B, T) booleans, False on padding.
        labels: (B, T) the token itself where the model is to write it, IGNORED elsewhere.
        views: (S, 3, size, size) uint8, or empty (0, ...) where cached features stand in.
        view_image, view_slot: (S,) owner of a view and its place (0 whole, 1.. sub-images, -1 zoom).
        mark_image, mark_view: (R,) owner of a mark and the view it looks at from near by.
        canvases: (R, 2, 3, canvas, canvas) in [0, 1].
        pix_image: (M,) image of each `<pix>`, in the order of the token sequence.
        pix_mark: (M,) mark that a `<pix>` is bound to, or -1 for the whole scene.
        targets: M boolean maps, each in the frame its mask is decoded in; empty at inference.
        large_images: (B, 3, 1024, 1024) uint8 for SAM's own encoder; empty (0, ...) where the towers serve.
        sample_ids: B names, to say which samples a bad loss came from.
    """

    token_ids: Tensor
    present: Tensor
    labels: Tensor
    views: Tensor
    view_image: Tensor
    view_slot: Tensor
    mark_image: Tensor
    mark_view: Tensor
    canvases: Tensor
    pix_image: Tensor
    pix_mark: Tensor
    targets: tuple[Tensor, ...]
    large_images: Tensor
    sample_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.token_ids)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("sample_ids", "targets")}
        changed: dict[str, Any] = {name: change(tensor) for name, tensor in tensors.items()}
        return replace(self, targets=tuple(change(target) for target in self.targets), **changed)

    def pinned(self) -> Batch:
        """The same batch in memory from which a GPU fetches it while it computes."""
        return self._each(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))
