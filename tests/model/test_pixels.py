"""Masks lie where the scene's pixels lie: mosaic order, SAM's own positions, the mark as a prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from earthgptx.model.features import VisionFeatures
from earthgptx.model.pixels import Pixels
from earthgptx.processing.canvases import draw_canvas
from earthgptx.processing.views import ViewGeometry, render_view, scene_windows
from earthgptx.shapes import Box, Ellipse
from tests.tiny_model import picture, tiny_config, tiny_model

MODEL = tiny_model()
GRID = MODEL.config.pixels.view_grid
SIDE = 448


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return MODEL.pixels


def features_of(scene: np.ndarray) -> VisionFeatures:
    windows = scene_windows(scene.shape[1], scene.shape[0], ViewGeometry())
    views = np.stack([render_view(scene, window, 224).transpose(2, 0, 1) for window in windows])
    return MODEL.vision(torch.from_numpy(views))


@torch.no_grad()
def test_the_mosaic_is_in_reading_order(pixels: Pixels):
    features = features_of(picture((SIDE, SIDE)))
    frame, views = pixels.frame_of_scene(features)[0], pixels.frame_of_views(features)
    assert frame.shape == (32, 2 * GRID, 2 * GRID)
    corners = [frame[:, top : top + GRID, left : left + GRID] for top in (0, GRID) for left in (0, GRID)]
    for corner, view in zip(corners, views[1:], strict=True):
        assert_close(corner, view, atol=1e-6, rtol=0)


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("low", [False, True])
@torch.no_grad()
def test_a_bright_spot_is_found_where_it_shines(pixels: Pixels, low: bool, right: bool):
    dark = np.full((SIDE, SIDE, 3), 90, np.uint8)
    row, column = (368 if low else 80), (368 if right else 80)
    bright = dark.copy()
    bright[row - 8 : row + 8, column - 8 : column + 8] = 255
    change = (pixels.frame_of_scene(features_of(bright)) - pixels.frame_of_scene(features_of(dark)))[0].norm(dim=0)
    peak = divmod(int(change.argmax()), 2 * GRID)
    expected = (row * 2 * GRID / SIDE, column * 2 * GRID / SIDE)
    assert abs(peak[0] - expected[0]) <= 2
    assert abs(peak[1] - expected[1]) <= 2


@torch.no_grad()
def test_a_scene_of_one_view_is_its_own_frame(pixels: Pixels):
    features = features_of(picture((200, 150)))
    assert_close(pixels.frame_of_scene(features), pixels.frame_of_views(features), atol=0, rtol=0)


@pytest.mark.parametrize("side", [16, 64])
@torch.no_grad()
def test_positions_are_sam_s(pixels: Pixels, side: int):
    """The sines and cosines of SAM's `PositionEmbeddingRandom` at the centres of the cells, x before y."""
    frequencies = pixels.positions.positional_embedding.double()
    ours = pixels._frame_positions(side, torch.zeros(1, 32, side, side)).unflatten(0, (side, side))
    for row, column in ((0, 0), (0, side - 1), (side // 3, side // 2)):
        x, y = (2 * ((place + 0.5) / side) - 1 for place in (column, row))
        phase = 2 * torch.pi * (x * frequencies[0] + y * frequencies[1])
        assert_close(ours[row, column].double(), torch.cat([phase.sin(), phase.cos()]), atol=1e-5, rtol=0)


@torch.no_grad()
def test_positions_keep_their_phase_in_bf16(pixels: Pixels):
    exact = pixels._frame_positions(64, torch.zeros(1, 32, 64, 64))
    with torch.autocast("cpu", torch.bfloat16):
        rough = pixels._frame_positions(64, torch.zeros(1, 32, 64, 64, dtype=torch.bfloat16))
    assert_close(rough.float(), exact, atol=2**-8, rtol=0)  # bf16's rounding of numbers up to 1, and no more


def test_frequencies_are_always_the_same_and_exact_in_bf16():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(123)
        other = Pixels(MODEL.config.pixels, vision=MODEL.config.vision, language_width=64)
    first, second = (box.positions.positional_embedding for box in (MODEL.pixels, other))
    assert torch.equal(first, second)
    assert torch.equal(first, first.bfloat16().float())
    assert float(first.std()) == pytest.approx(1.0, abs=0.3)  # SAM's scale
    assert not first.requires_grad


@torch.no_grad()
def test_the_mark_prompt_lies_where_the_mark_lies(pixels: Pixels):
    assert pixels.mark_prompt is not None
    frame = Box(0, 0, 128, 128)
    canvas = torch.from_numpy(draw_canvas(Ellipse(96, 24, 12, 12), frame, 112))[None] / 255
    change = (pixels.mark_prompt(canvas, 16) - pixels.mark_prompt(torch.zeros_like(canvas), 16))[0].norm(dim=0)
    rows, columns = torch.meshgrid(torch.arange(16) + 0.5, torch.arange(16) + 0.5, indexing="ij")
    assert float((change * columns).sum() / change.sum()) == pytest.approx(96 / 8, abs=0.5)
    assert float((change * rows).sum() / change.sum()) == pytest.approx(24 / 8, abs=0.5)


@torch.no_grad()
def test_state_frame_and_mark_all_reach_the_mask(pixels: Pixels):
    frames = pixels.frame_of_views(features_of(picture((200, 150))))
    states = torch.randn(1, 64, generator=torch.Generator().manual_seed(0))
    canvas = torch.from_numpy(draw_canvas(Box(20, 20, 80, 60), Box(0, 0, 200, 200), 112))[None] / 255
    base = pixels(frames, states, canvas)
    assert base.shape == (1, 4 * GRID, 4 * GRID)
    for other in (
        pixels(frames, states + 1, canvas),
        pixels(frames + 0.5 * frames.flip(3), states, canvas),
        pixels(frames, states, canvas.flip(3)),
        pixels(frames, states, None),
    ):
        assert float((other - base).abs().max()) > 1e-3 * float(base.abs().max())


@torch.no_grad()
def test_sam_s_encoder_sees_sam_s_normalisation():
    pixels = tiny_model(tiny_config(encoder="sam")).pixels
    seen = []
    assert pixels.sam_encoder is not None
    pixels.sam_encoder.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    colour = torch.tensor([124, 116, 104], dtype=torch.uint8).view(1, 3, 1, 1)
    assert pixels.frame_of_large_images(colour.expand(-1, -1, 64, 64)).shape == (1, 32, 4, 4)
    assert float(seen[0].abs().max()) < 0.02  # SAM's mean is ImageNet's, in units of 0 to 255
