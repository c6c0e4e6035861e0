"""CLIP's ConvNeXt reads pixels by CLIP's own statistics, at stride 32's own size, in bf16 on a CPU too."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from earthgptx.model.configuration import VisionConfig
from earthgptx.model.vision import CLIP_MEAN, CLIP_STD, Vision

VIT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 224,
    "patch_size": 14,
}
CONVNEXT = {"num_channels": 3, "hidden_sizes": [4, 4, 8, 8], "depths": [1, 1, 1, 1]}


def vision(dtype: torch.dtype) -> Vision:
    config = VisionConfig(vit=VIT, cnn_kind="convnext", cnn=CONVNEXT, cnn_channels=(8,), cnn_token_levels=(0,))
    return Vision(config).to(dtype).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_tiny_convnext_gives_one_map_a_view(dtype: torch.dtype):
    features = vision(dtype)(torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8))
    assert [level.shape for level in features.cnn] == [(2, 8, 16, 16)]
    assert features.cnn[0].dtype == dtype
    assert bool(features.cnn[0].isfinite().all())


def test_its_pixels_have_clip_s_statistics(monkeypatch: pytest.MonkeyPatch):
    box, seen = vision(torch.float32), []

    def remember(pixel_values: torch.Tensor) -> SimpleNamespace:
        seen.append(pixel_values)
        return SimpleNamespace(last_hidden_state=pixel_values)

    assert box.cnn is not None
    monkeypatch.setattr(box.cnn, "forward", remember)
    box(torch.full((1, 3, 224, 224), 51, dtype=torch.uint8))
    wanted = (0.2 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
    assert seen[0].shape == (1, 3, 512, 512)
    torch.testing.assert_close(seen[0], wanted.view(1, 3, 1, 1).expand(1, 3, 512, 512), atol=1e-4, rtol=0)
