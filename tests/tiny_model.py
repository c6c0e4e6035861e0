"""The smallest model, a processor that fits it, and scenes to show it, for tests of processing, model and inference.

Weights are random and in fp32, so that what must be equal can be compared exactly.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from earthgptx.data.instructions import TASKS, make_sample
from earthgptx.data.sample import LabelledImage, LabelledObject, PixelTarget, Region, Sample, Turn
from earthgptx.model.configuration import EarthGPTXConfig, PixelsConfig
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.sizes import tiny
from earthgptx.model.weights.assembly import assemble
from earthgptx.processing.batch import Batch
from earthgptx.processing.processor import Encoded, Processor, processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer
from earthgptx.shapes import Box, Mark, Polygon

SMALL, LARGE = (200, 150), (448, 400)  # one view; five views. Width, then height


def tiny_config(*, kind: str = "mutual", zoom: bool = True, encoder: str = "towers") -> EarthGPTXConfig:
    """`tiny` with the choices that larger sizes make."""
    config = tiny()
    config.fusion.kind = kind
    config.vision.zoom = zoom
    if encoder == "sam":
        config.pixels = PixelsConfig(
            encoder="sam",
            sam_vision={
                "hidden_size": 16,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": 64,
                "patch_size": 16,
                "output_channels": 32,
                "mlp_dim": 32,
                "window_size": 2,
                "global_attn_indexes": [1],
            },
            sam_decoder=config.pixels.sam_decoder,
            width=32,
            mark_prompt=False,
            image_size=64,
        )
    return config


def tiny_model(config: EarthGPTXConfig | None = None, *, seed: int = 0) -> EarthGPTX:
    """Assembled, in fp32, the same numbers for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return assemble(config or tiny_config()).model.float()


def tiny_processor(config: EarthGPTXConfig | None = None) -> Processor:
    """The processor of a tiny model."""
    config = config or tiny_config()
    return processor_for(config, Vocabulary.of(byte_tokenizer(config.base_vocabulary_size)))


def picture(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 of soft random blobs: neighbouring pixels agree, as in a photograph."""
    rng = np.random.default_rng(seed)
    width, height = size
    coarse = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    return coarse.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]


def square(x: float, y: float, side: float, label: str = "ship") -> LabelledObject:
    """A square object with an outline, its upper left corner at (x, y)."""
    corners = ((x, y), (x + side, y), (x + side, y + side), (x, y + side))
    return LabelledObject(box=Box(x, y, x + side, y + side), label=label, polygons=(Polygon(corners),))


def dialogue_sample(
    size: tuple[int, int],
    marks: Sequence[Mark] = (),
    *,
    question: str = "What is it?",
    answer: str = "a ship",
    targets: Sequence[LabelledObject] = (),
) -> Sample:
    """One question and its answer about a scene of a size, one object a `<pix>`."""
    return Sample(
        id="scene",
        image=Path("scene.png"),
        sensor="optical",
        width=size[0],
        height=size[1],
        regions=tuple(Region(mark) for mark in marks),
        turns=(Turn("user", question), Turn("model", answer)),
        targets=tuple(PixelTarget((item,)) for item in targets),
        task="dialogue",
    )


def samples_of_all_tasks(seed: int = 0) -> list[Sample]:
    """One sample a task about one large scene with a small, a middling and a large object."""
    image = LabelledImage(
        id="vhr10/train/1",
        path=Path("scene.png"),
        dataset="vhr10",
        sensor="optical",
        width=LARGE[0],
        height=LARGE[1],
        objects=(square(20, 30, 24), square(300, 200, 60), square(120, 60, 200, "harbor")),
        captions=("Two ships lie near a harbor.",),
        scene="port",
    )
    samples = [make_sample(image, task, random.Random(f"{seed}/{task}"), seed) for task in TASKS]
    made = [sample for sample in samples if sample is not None]
    assert len(made) == len(TASKS), f"only {len(made)} of {len(TASKS)} tasks could be made"
    return made


@dataclass(frozen=True)
class Prepared:
    """Samples with their pixels, ready to be joined in any company."""

    processor: Processor
    encoded: tuple[Encoded, ...]
    views: tuple[np.ndarray, ...]
    large_images: tuple[np.ndarray, ...]

    def batch(self, *places: int, pad_left: bool = False) -> Batch:
        """The samples at these places; all of them where none is named."""
        chosen = places or range(len(self.encoded))
        return self.processor.collate(
            [self.encoded[k] for k in chosen],
            views=[self.views[k] for k in chosen],
            large_images=[self.large_images[k] for k in chosen] if self.large_images else (),
            pad_left=pad_left,
        )


def prepare(samples: Sequence[Sample], config: EarthGPTXConfig | None = None) -> Prepared:
    """Encodes and renders samples; the k-th sees the k-th picture, whatever company it is in."""
    processor = tiny_processor(config)
    encoded = [processor.encode(sample) for sample in samples]
    pictures = [picture((sample.width, sample.height), seed) for seed, sample in enumerate(samples)]
    pairs = list(zip(pictures, encoded, strict=True))
    has_large = processor.masks.large_image > 0
    return Prepared(
        processor=processor,
        encoded=tuple(encoded),
        views=tuple(processor.render(pixels, one.windows) for pixels, one in pairs),
        large_images=tuple(processor.render_large(pixels) for pixels in pictures) if has_large else (),
    )
