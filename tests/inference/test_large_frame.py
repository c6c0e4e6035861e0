"""With SAM's own encoder a scene is encoded once, and only when a mask asks for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.inference.generation import Generator, Request
from tests.tiny_model import SMALL, picture, tiny_config, tiny_model, tiny_processor


def test_questions_share_one_frame(monkeypatch: pytest.MonkeyPatch):
    config = tiny_config(encoder="sam")
    generator = Generator(tiny_model(config), tiny_processor(config))
    vocabulary = generator.processor.vocabulary
    wanted = vocabulary.pix
    encoded: list[int] = []
    encode = generator.model.pixels.frame_of_large_images

    def counted(images: torch.Tensor) -> torch.Tensor:
        encoded.append(len(images))
        return encode(images)

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        values = torch.zeros(len(hidden), vocabulary.size)
        values[:, wanted] = 50.0
        return values

    monkeypatch.setattr(generator.model.pixels, "frame_of_large_images", counted)
    monkeypatch.setattr(generator.model.language, "logits", logits)
    views = generator.look(Scene.from_array(picture(SMALL), sensor="optical"))
    request = Request(views=views, turns=(Turn("user", "Segment it."),), marks=())

    def ask() -> list[np.ndarray]:
        answers = generator.generate([request] * 2, max_new_tokens=2, temperature=0.0, seed=0, on_text=None)
        return [mask for answer in answers for mask in answer.masks]

    assert encoded == []
    first, second = ask(), ask()
    assert encoded == [1]
    assert [mask.shape for mask in first] == [(SMALL[1], SMALL[0])] * 4
    assert all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))
