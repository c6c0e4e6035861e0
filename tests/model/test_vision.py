"""The frozen towers: what they see, that they stay frozen, and that both speak of the same cell at the same place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from earthgptx.model.configuration import VisionConfig
from earthgptx.model.features import VisionFeatures
from earthgptx.model.vision import Vision, concatenated_tokens
from tests.tiny_model import tiny_config, tiny_model

CONVNEXT = {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}


@pytest.fixture(scope="module")
def vision() -> Vision:
    return tiny_model().vision


def views(num_views: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (num_views, 3, 224, 224), dtype=np.uint8))


def test_shapes_are_those_that_were_promised(vision: Vision):
    features = vision(views())
    assert [tuple(level.shape[1:]) for level in (features.vit, *features.cnn)] == vision.feature_shapes()
    assert vision.feature_shapes() == [(257, 32), (12, 28, 28), (16, 14, 14), (24, 7, 7)]
    assert concatenated_tokens(features, vision.config).shape == (2, 257, vision.config.token_width)


def test_no_gradient_enters_the_towers(vision: Vision):
    features = vision(views(1))
    assert not features.vit.requires_grad
    assert not any(level.requires_grad for level in features.cnn)


def test_a_view_of_the_padding_colour_is_silent(vision: Vision):
    # Padding is ImageNet's mean in whole numbers: after normalisation it is 0 to 1% of a standard deviation.
    padding = torch.tensor([124, 116, 104], dtype=torch.uint8).view(1, 3, 1, 1).expand(-1, -1, 224, 224)
    normalised = (padding / 255 - vision.mean) / vision.std
    assert float(normalised.abs().max()) < 0.02


def test_company_in_a_batch_changes_no_view(vision: Vision):
    many = vision(views(5))
    alone = vision(views(5)[3:4])
    assert_close(many.vit[3:4], alone.vit, atol=1e-5, rtol=1e-5)  # measured: equal
    for level, expected in zip(many.take(torch.tensor([3])).cnn, alone.cnn, strict=True):
        assert_close(level, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 15), (9, 4), (15, 15)])
def test_both_towers_speak_of_the_same_cell(row: int, column: int):
    config = VisionConfig(vit={"hidden_size": 2}, cnn_channels=(3,), cnn_token_levels=(0,))
    vit, level = torch.zeros(1, 257, 2), torch.zeros(1, 3, 16, 16)
    vit[0, 1 + 16 * row + column] = 1
    level[0, :, row, column] = 1
    tokens = concatenated_tokens(VisionFeatures(vit=vit, cnn=(level,)), config)
    assert tokens.shape == (1, 257, 5)
    touched = tokens[0, 1:].any(dim=1).nonzero().flatten().tolist()
    assert touched == [16 * row + column]
    assert tokens[0, touched[0] + 1].tolist() == [1, 1, 1, 1, 1]
    assert_close(tokens[0, 0], torch.tensor([0, 0, 1, 1, 1]) / torch.tensor([1, 1, 256, 256, 256]))  # the mean


@pytest.mark.parametrize(
    ("use_vit", "cnn_kind", "width"), [(True, "none", 32), (False, "convnext", 16), (True, "convnext", 48)]
)
def test_either_tower_serves_alone(use_vit: bool, cnn_kind: str, width: int):
    """The paper's Table IV."""
    levels = {"cnn": CONVNEXT, "cnn_channels": (16,), "cnn_token_levels": (0,)} if cnn_kind == "convnext" else {}
    config = VisionConfig(vit=tiny_config().vision.vit, use_vit=use_vit, cnn_kind=cnn_kind, **levels)
    tokens = concatenated_tokens(Vision(config).eval()(views(1)), config)
    assert tokens.shape == (1, 257, width)
    assert config.token_width == width


def test_taking_and_joining_views_undo_each_other(vision: Vision):
    features = vision(views(4))
    parts = [features.take(torch.tensor([k])) for k in range(4)]
    joined = VisionFeatures.concatenate(parts)
    assert torch.equal(joined.vit, features.vit)
    assert all(map(torch.equal, joined.cnn, features.cnn))
    assert len(replace(joined, cnn=())) == 4
