"""The spatial encoder: marks are encoded each by itself, kinds and places and frames all tell them apart."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from earthgptx.model.configuration import SpatialConfig
from earthgptx.model.spatial import CoordinateEncoder, SpatialEncoder, _bounds
from earthgptx.processing.canvases import draw_canvas
from earthgptx.shapes import Box, Ellipse, Mark, Point, Polygon, Scribble
from tests.tiny_model import tiny_config, tiny_model

SCENE, NEAR = Box(0, 0, 448, 448), Box(96, 96, 224, 224)
BOX = Box(128, 128, 192, 192)
KINDS: tuple[Mark, ...] = (
    BOX,
    Ellipse(160, 160, 32, 32),
    Point(160, 160),
    Polygon(((128, 192), (160, 128), (192, 192))),
    Scribble(((130, 130), (190, 190))),
)


@pytest.fixture(scope="module")
def spatial() -> SpatialEncoder:
    return tiny_model().spatial


def canvases(*marks: Mark) -> torch.Tensor:
    drawn = [torch.stack([torch.from_numpy(draw_canvas(m, frame, 112)) for frame in (SCENE, NEAR)]) for m in marks]
    return torch.stack(drawn) / 255 if drawn else torch.zeros(0, 2, 3, 112, 112)


@torch.no_grad()
def test_marks_know_nothing_of_each_other(spatial: SpatialEncoder):
    together = spatial(canvases(*KINDS))
    for place, mark in enumerate(KINDS):
        alone = spatial(canvases(mark))
        assert_close(together.prompts[place], alone.prompts[0], atol=1e-5, rtol=1e-5)  # measured: equal
        assert_close(together.grid[place], alone.grid[0], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_kinds_at_one_place_are_told_apart(spatial: SpatialEncoder):
    prompts = spatial(canvases(*KINDS)).prompts
    for one in range(len(KINDS)):
        for other in range(one):
            assert float((prompts[one] - prompts[other]).abs().max()) > 1e-3


@torch.no_grad()
def test_the_two_frames_are_told_apart(spatial: SpatialEncoder):
    drawn = canvases(BOX)
    assert float((spatial(drawn).prompts - spatial(drawn.flip(1)).prompts).abs().max()) > 1e-3


@torch.no_grad()
def test_occupancy_is_the_share_of_each_cell(spatial: SpatialEncoder):
    occupancy = spatial(canvases(BOX)).occupancy[0].unflatten(1, (16, 16))
    # Cells of the scene are 28 px, of the near view 8 px: the box covers 8 x 8 cells there, from cell 4 on.
    assert_close(occupancy[1, 5:11, 5:11], torch.ones(6, 6))
    assert not occupancy[1, :3].any()
    assert not occupancy[1, 13:].any()
    assert not occupancy[1, :, :3].any()
    # 16 x 16 canvas pixels in cells of 7; the outline's stroke reaches one pixel further on every side.
    assert (16 / 7) ** 2 <= float(occupancy[0].sum()) <= (18 / 7) ** 2 + 1e-4


@torch.no_grad()
def test_a_thin_mark_occupies_too(spatial: SpatialEncoder):
    for mark in KINDS:
        occupied = spatial(canvases(mark)).occupancy
        assert bool((occupied.flatten(2).amax(dim=2) > 0.02).all())
        assert float(occupied.max()) <= 1


def test_no_mark_gives_no_tokens(spatial: SpatialEncoder):
    features = spatial(canvases())
    assert features.prompts.shape == (0, spatial.config.num_prompt_tokens, spatial.config.width)
    assert features.grid.shape == (0, 2, 256, spatial.config.width)
    assert features.occupancy.shape == (0, 2, 256)


@pytest.fixture(scope="module")
def coordinates() -> CoordinateEncoder:
    config = tiny_config()
    config.spatial.kind = "coordinates"
    encoder = tiny_model(config).spatial
    assert isinstance(encoder, CoordinateEncoder)
    return encoder


@torch.no_grad()
def test_coordinates_know_the_bounds_and_the_kind_but_no_shape(coordinates: CoordinateEncoder):
    """An ellipse and a polygon that fill a box are that box; a point, and the box moved aside, are not."""
    box, ellipse, point, polygon, _ = KINDS
    prompts = coordinates(canvases(box, ellipse, polygon, point, box.shifted(32, 0))).prompts
    assert prompts.shape == (5, tiny_config().spatial.num_prompt_tokens, tiny_config().spatial.width)
    assert_close(prompts[0], prompts[1])
    assert_close(prompts[0], prompts[2])
    assert float((prompts[0] - prompts[3]).abs().max()) > 1e-3
    assert float((prompts[0] - prompts[4]).abs().max()) > 1e-3


@torch.no_grad()
def test_coordinates_are_read_to_a_pixel_of_the_canvas():
    x0, y0, x1, y1 = (112 * _bounds(canvases(Box(128, 160, 192, 208)))[0, 1]).tolist()
    wanted = [(value - 96) * 112 / 128 for value in (128, 160, 192, 208)]
    assert [x0, y0, x1, y1] == pytest.approx(wanted, abs=1.5)  # a stroke of two pixels reaches past the edge
    assert _bounds(torch.zeros(0, 2, 3, 112, 112)).shape == (0, 2, 4)


@torch.no_grad()
def test_coordinates_leave_no_picture_of_the_mark(coordinates: CoordinateEncoder, spatial: SpatialEncoder):
    found, drawn = coordinates(canvases(*KINDS)), spatial(canvases(*KINDS))
    assert not found.grid.any()
    assert not found.occupancy.any()
    assert (found.grid.shape, found.occupancy.shape) == (drawn.grid.shape, drawn.occupancy.shape)


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="must be 'canvas' or 'coordinates', not 'words'"):
        SpatialConfig(kind="words")
