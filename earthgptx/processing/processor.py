"""`Processor`: one sample becomes an `Encoded`, many become a `Batch`.

Encoding needs no pixels (windows, canvases and words follow from the labels), so that training on cached features
never opens an image; `render` adds the pixels where the towers are to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedConfig

from earthgptx.data.sample import PixelTarget, Sample, Turn
from earthgptx.errors import RegionCountMismatch
from earthgptx.processing.answers import pix_bindings
from earthgptx.processing.batch import IGNORED, Batch
from earthgptx.processing.canvases import draw_canvas
from earthgptx.processing.dialogue import CHAT_FORMATS, ChatFormat, Dialogue, encode_dialogue
from earthgptx.processing.views import (
    PADDING_COLOUR,
    ZOOM_SLOT,
    ViewGeometry,
    render_view,
    scene_windows,
    whole_window,
    zoom_window,
)
from earthgptx.processing.vocabulary import Vocabulary
from earthgptx.shapes import Box, Mark


@dataclass(frozen=True)
class MaskSizes:
    """Sides of the low-resolution masks the decoder draws.

    Attributes:
        view: in one view's frame.
        near: whether a `<pix>` bound to a mark is drawn in the mark's own view.
        large_image: long side of SAM's own input, 0 where the towers serve as grounding encoder.
    """

    view: int = 128
    near: bool = True
    large_image: int = 0

    def scene(self, num_windows: int) -> int:
        """Side of a mask in the scene's frame: sub-images make a mosaic as fine as they are."""
        if self.large_image:
            return self.large_image // 4
        return self.view * max(round((num_windows - 1) ** 0.5), 1)


@dataclass(frozen=True)
class Encoded:
    """One dialogue about one image, without pixels.

    Attributes:
        sample_id: name of the sample.
        dialogue: tokens and labels.
        windows: V scene windows, then the zoom windows of marks (shared where equal).
        slots: place of each window, -1 for zoom windows.
        mark_views: R indices into `windows`.
        canvases: (R, 2, 3, c, c) uint8.
        pix_marks: M mark indices, -1 for the whole scene.
        targets: M boolean maps.
    """

    sample_id: str
    dialogue: Dialogue
    windows: tuple[Box, ...]
    slots: tuple[int, ...]
    mark_views: tuple[int, ...]
    canvases: np.ndarray
    pix_marks: tuple[int, ...]
    targets: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Processor:
    """Everything that turns samples into batches for one model size.

    Attributes:
        vocabulary: tokenizer and ids.
        chat: strings around turns.
        geometry: how scenes are cut.
        words_per_view, words_per_sub_image: LLM tokens of the whole view and of a sub-image.
        tokens_per_region: P.
        canvas_size: side of a canvas.
        masks: sides of low-resolution masks.
    """

    vocabulary: Vocabulary
    chat: ChatFormat
    geometry: ViewGeometry
    words_per_view: int
    words_per_sub_image: int
    tokens_per_region: int
    canvas_size: int
    masks: MaskSizes

    def encode(self, sample: Sample) -> Encoded:
        """Encodes a training sample."""
        return self.encode_parts(
            sample_id=sample.id,
            size=(sample.width, sample.height),
            sensor=sample.sensor,
            turns=sample.turns,
            marks=tuple(region.mark for region in sample.regions),
            targets=sample.targets,
        )

    def encode_parts(
        self,
        *,
        sample_id: str,
        size: tuple[int, int],
        sensor: str,
        turns: Sequence[Turn],
        marks: Sequence[Mark],
        targets: Sequence[PixelTarget] = (),
    ) -> Encoded:
        """Encodes a dialogue about a scene of `size` (width, height) with marks.

        Raises:
            RegionCountMismatch: the model's turns hold more or fewer `<pix>` than there are targets.
        """
        windows, slots, mark_views = self.windows(size, marks)
        num_views = len(slots) - slots.count(ZOOM_SLOT)
        dialogue = encode_dialogue(
            turns,
            sensor=sensor,
            num_marks=len(marks),
            image_tokens=self.words_per_view + (num_views - 1) * self.words_per_sub_image,
            region_tokens=self.tokens_per_region,
            vocabulary=self.vocabulary,
            chat=self.chat,
        )
        pix_marks = self.pix_marks([turn.text for turn in turns if turn.role == "model"], len(marks))
        if targets and len(targets) != len(pix_marks):
            raise RegionCountMismatch(f"{sample_id} has {len(pix_marks)} <pix> but {len(targets)} target masks.")
        frames = [windows[mark_views[mark]] if mark >= 0 else whole_window(*size) for mark in pix_marks]
        scene_side = self.masks.scene(num_views)
        sides = [self.masks.view if mark >= 0 else scene_side for mark in pix_marks]
        return Encoded(
            sample_id=sample_id,
            dialogue=dialogue,
            windows=windows,
            slots=slots,
            mark_views=mark_views,
            canvases=self.canvases(marks, [windows[view] for view in mark_views], whole_window(*size)),
            pix_marks=pix_marks,
            targets=tuple(t.mask_in(f, s) for t, f, s in zip(targets, frames, sides, strict=False)),
        )

    def windows(
        self, size: tuple[int, int], marks: Sequence[Mark]
    ) -> tuple[tuple[Box, ...], tuple[int, ...], tuple[int, ...]]:
        """Scene windows, zoom windows and which of them each mark looks at."""
        width, height = size
        windows = list(scene_windows(width, height, self.geometry))
        slots = list(range(len(windows)))
        mark_views = []
        for mark in marks:
            zoom = zoom_window(mark, width, height, self.geometry)
            if zoom is None:
                mark_views.append(0)
                continue
            if zoom not in windows:
                windows.append(zoom)
                slots.append(ZOOM_SLOT)
            mark_views.append(windows.index(zoom))
        return tuple(windows), tuple(slots), tuple(mark_views)

    def canvases(self, marks: Sequence[Mark], frames: Sequence[Box], whole: Box) -> np.ndarray:
        """(R, 2, 3, c, c): each mark in the scene's frame and in its own view's."""
        size = self.canvas_size
        drawn = [
            np.stack([draw_canvas(mark, whole, size), draw_canvas(mark, frame, size)])
            for mark, frame in zip(marks, frames, strict=True)
        ]
        return np.stack(drawn) if drawn else np.zeros((0, 2, 3, size, size), np.uint8)

    def pix_marks(self, answers: Sequence[str], num_marks: int) -> tuple[int, ...]:
        """The mark that each `<pix>` is bound to, or -1: unbound, bound to a number nobody drew, or near is off."""
        bound = [binding.region for answer in answers for binding in pix_bindings(answer)]
        known = range(1, num_marks + 1)
        return tuple(r - 1 if self.masks.near and r is not None and r in known else -1 for r in bound)

    def render(self, pixels: np.ndarray, windows: Sequence[Box]) -> np.ndarray:
        """(S, 3, size, size) uint8 views of a scene's pixels (H, W, 3)."""
        size = self.geometry.view_size
        views = [render_view(pixels, window, size).transpose(2, 0, 1) for window in windows]
        return np.stack(views) if views else np.zeros((0, 3, size, size), np.uint8)

    def render_large(self, pixels: np.ndarray) -> np.ndarray:
        """(3, 1024, 1024) uint8 for SAM's encoder: long side to 1024, padded right and below."""
        height, width = pixels.shape[:2]
        scale = self.masks.large_image / max(height, width)
        resized = Image.fromarray(pixels).resize(
            (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BILINEAR
        )
        large = np.empty((self.masks.large_image, self.masks.large_image, 3), np.uint8)
        large[:] = PADDING_COLOUR  # SAM's own mean too: SAM pads with zeros after normalisation
        large[: resized.height, : resized.width] = np.asarray(resized)
        return large.transpose(2, 0, 1)

    def collate(
        self,
        samples: Sequence[Encoded],
        *,
        views: Sequence[np.ndarray] = (),
        large_images: Sequence[np.ndarray] = (),
        pad_left: bool = False,
    ) -> Batch:
        """Joins encoded samples.

        Args:
            samples: B of them.
            views: their rendered views, or nothing where cached features stand in.
            large_images: their SAM inputs, or nothing.
            pad_left: for generation, where all rows must end together.
        """
        token_ids, present, labels = _padded([s.dialogue for s in samples], pad_left=pad_left)
        first_view = np.cumsum([0, *(len(s.windows) for s in samples)])
        first_mark = np.cumsum([0, *(len(s.mark_views) for s in samples)])
        size = self.geometry.view_size
        return Batch(
            token_ids=token_ids,
            present=present,
            labels=labels,
            views=torch.from_numpy(np.concatenate(views))
            if views
            else torch.zeros((0, 3, size, size), dtype=torch.uint8),
            view_image=_long([i for i, s in enumerate(samples) for _ in s.windows]),
            view_slot=_long([slot for s in samples for slot in s.slots]),
            mark_image=_long([i for i, s in enumerate(samples) for _ in s.mark_views]),
            mark_view=_long([int(first_view[i]) + v for i, s in enumerate(samples) for v in s.mark_views]),
            canvases=torch.from_numpy(np.concatenate([s.canvases for s in samples])) / 255,
            pix_image=_long([i for i, s in enumerate(samples) for _ in s.pix_marks]),
            pix_mark=_long(
                [int(first_mark[i]) + m if m >= 0 else -1 for i, s in enumerate(samples) for m in s.pix_marks]
            ),
            targets=tuple(torch.from_numpy(target) for s in samples for target in s.targets),
            large_images=torch.from_numpy(np.stack(large_images)) if large_images else torch.zeros((0, 3, 0, 0)),
            sample_ids=tuple(s.sample_id for s in samples),
        )


def processor_for(config: PreTrainedConfig, vocabulary: Vocabulary) -> Processor:
    """The processor that fits a model's configuration (model.configuration.EarthGPTXConfig)."""
    uses_towers = config.pixels.encoder == "towers"
    return Processor(
        vocabulary=vocabulary,
        chat=CHAT_FORMATS[config.dialogue],
        geometry=ViewGeometry(
            view_size=config.vision.view_size,
            sub_image_grid=config.vision.sub_image_grid,
            zoom=config.vision.zoom,
        ),
        words_per_view=config.fusion.words_per_view,
        words_per_sub_image=config.fusion.words_per_sub_image,
        tokens_per_region=config.spatial.num_prompt_tokens,
        canvas_size=config.spatial.canvas_size,
        masks=MaskSizes(
            view=4 * config.pixels.view_grid,
            near=uses_towers and config.pixels.mark_prompt,
            large_image=0 if uses_towers else config.pixels.image_size,
        ),
    )


def _padded(dialogues: Sequence[Dialogue], *, pad_left: bool) -> tuple[Tensor, Tensor, Tensor]:
    longest = max(len(d.token_ids) for d in dialogues)
    token_ids = torch.zeros(len(dialogues), longest, dtype=torch.long)
    present = torch.zeros(len(dialogues), longest, dtype=torch.bool)
    labels = torch.full((len(dialogues), longest), IGNORED)
    for row, dialogue in enumerate(dialogues):
        length = len(dialogue.token_ids)
        span = slice(longest - length, longest) if pad_left else slice(0, length)
        token_ids[row, span] = torch.tensor(dialogue.token_ids)
        present[row, span] = True
        labels[row, span] = torch.tensor(dialogue.labels)
    return token_ids, present, labels


def _long(values: list[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.long)
