"""Views of scenes of any proportion: the same picture, whichever way the padding was laid out."""

from __future__ import annotations

import numpy as np
import pytest

from earthgptx.processing import views
from earthgptx.processing.views import PADDING_COLOUR, render_view, whole_window
from earthgptx.shapes import Box
from tests.tiny_model import picture


@pytest.mark.parametrize("size", [(448, 448), (448, 112), (96, 448), (300, 1)])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (-64.0, -32.0), (40.0, -16.5)])
def test_padding_at_the_view_s_size_looks_like_padding_in_full(
    size: tuple[int, int], shift: tuple[float, float], monkeypatch: pytest.MonkeyPatch
):
    pixels = picture(size)
    side = whole_window(*size).width
    window = Box(shift[0], shift[1], shift[0] + side, shift[1] + side)
    full = render_view(pixels, window, 56).astype(int)
    monkeypatch.setattr(views, "LARGEST_CANVAS", 1)
    thrifty = render_view(pixels, window, 56).astype(int)
    # Resampling mixes the border with the padding; two view pixels farther in, nothing differs.
    differs = np.abs(full - thrifty).max(axis=2) > 24
    assert differs.mean() < 0.12


def test_a_window_inside_the_scene_is_rendered_as_ever(monkeypatch: pytest.MonkeyPatch):
    pixels = picture((448, 300))
    before = render_view(pixels, Box(10.5, 20, 138.5, 148), 56)
    monkeypatch.setattr(views, "LARGEST_CANVAS", 1)
    assert np.array_equal(render_view(pixels, Box(10.5, 20, 138.5, 148), 56), before)


@pytest.mark.parametrize("size", [(300, 60_000), (60_000, 300)])
def test_a_long_strip_is_seen_without_its_square(size: tuple[int, int]):
    pixels = np.full((size[1], size[0], 3), 200, np.uint8)
    view = render_view(pixels, whole_window(*size), 224)
    strip = view[:, 0] if size[0] < size[1] else view[0]
    assert (strip == 200).all()
    assert (view[1:, 1:] == PADDING_COLOUR).all()
