"""SAE, the spatial-aware encoder (Eq. 2): a randomly initialised ViT on the canvases of the marks.

Every mark is drawn on canvases of its own, so N marks of mixed kinds are N independent inputs and their order is
never guessed. It returns P prompt tokens a mark and its 16 x 16 grid; it knows nothing of the image. For the ablation
there is an encoder of coordinates, which sees a mark's bounds and nothing of its shape.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from earthgptx.model.configuration import VIEW_SIDE_TOKENS, SpatialConfig
from earthgptx.model.features import NUM_CANVAS_CHANNELS, MarkFeatures
from earthgptx.model.layers import Attention, FeedForward

NUM_FRAMES = 2  # the padded square around the scene; the mark's own view
NUM_OCTAVES = 7  # of the sines of a coordinate: from half a wave over the frame to 32 waves
POINT_CHANNEL = 2  # of a canvas: the heat of a point


def spatial_encoder(config: SpatialConfig) -> SpatialEncoder | CoordinateEncoder:
    """The encoder that a configuration names."""
    return SpatialEncoder(config) if config.kind == "canvas" else CoordinateEncoder(config)


class SpatialEncoder(nn.Module):
    """A pre-norm ViT with P learned query tokens."""

    def __init__(self, config: SpatialConfig) -> None:
        super().__init__()
        self.config = config
        width, prompts = config.width, config.num_prompt_tokens
        self.patches = nn.Conv2d(NUM_CANVAS_CHANNELS, width, config.patch_size, stride=config.patch_size)
        self.queries = nn.Parameter(torch.zeros(prompts, width))
        self.positions = nn.Parameter(torch.zeros(VIEW_SIDE_TOKENS**2, width))
        self.frames = nn.Parameter(torch.zeros(NUM_FRAMES, width))
        self.layers = nn.ModuleList(SpatialLayer(width, config.num_heads) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(width)
        self.join = nn.Linear(NUM_FRAMES * width, width)

    def init_weights(self) -> None:
        """The paper's "randomly initialised": small normal values for everything that is looked up."""
        for table in (self.queries, self.positions, self.frames):
            nn.init.normal_(table, std=0.02)

    def forward(self, canvases: Tensor) -> MarkFeatures:
        """Encodes marks.

        Args:
            canvases: (R, 2, 3, size, size) in [0, 1]: each mark in the scene's frame and in its own view's.
        """
        num_marks = len(canvases)
        flat = canvases.flatten(0, 1).to(self.patches.weight.dtype)
        cells = self.patches(flat).flatten(2).mT + self.positions  # (2R, 256, D)
        x = torch.cat([self.queries.expand(len(flat), -1, -1), cells], dim=1)
        x = x + self.frames.repeat(num_marks, 1)[:, None]
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x).unflatten(0, (num_marks, NUM_FRAMES))
        prompts, grid = x.split([self.config.num_prompt_tokens, VIEW_SIDE_TOKENS**2], dim=2)
        both = prompts.transpose(1, 2).flatten(2)  # (R, P, 2D): scene's frame beside the view's
        return MarkFeatures(prompts=self.join(both), grid=grid, occupancy=self._occupancy(flat, num_marks))

    def _occupancy(self, flat: Tensor, num_marks: int) -> Tensor:
        covered = avg_pool2d(flat.amax(dim=1, keepdim=True), self.config.patch_size)
        return covered.flatten(1).unflatten(0, (num_marks, NUM_FRAMES))


class SpatialLayer(nn.Module):
    """Self-attention and feed-forward, both on normalised input."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, num_heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, tokens, D) -> (B, tokens, D)."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class CoordinateEncoder(nn.Module):
    """A mark as SPHINX-V encodes it: the corners of its bounds as sines, and whether it is a point.

    The corners are read off the canvases, to a canvas's pixel, so that both encoders are given the very same input.
    Its grid and occupancy are empty: where a mark lies is said by its prompts alone.
    """

    def __init__(self, config: SpatialConfig) -> None:
        super().__init__()
        self.config = config
        numbers = NUM_FRAMES * (4 * 2 * NUM_OCTAVES + 1)
        self.rise = nn.Linear(numbers, 4 * config.width)
        self.fall = nn.Linear(4 * config.width, config.num_prompt_tokens * config.width)

    def init_weights(self) -> None:
        """Nothing is looked up: the layers' own start serves."""

    def forward(self, canvases: Tensor) -> MarkFeatures:
        """Encodes marks.

        Args:
            canvases: (R, 2, 3, size, size) in [0, 1], as for `SpatialEncoder`.
        """
        corners = _bounds(canvases)  # (R, 2, 4) in [0, 1]
        octaves = math.pi * 2.0 ** torch.arange(NUM_OCTAVES, device=canvases.device)
        phases = (corners[..., None] * octaves).flatten(2)
        is_point = canvases[:, :, POINT_CHANNEL].flatten(2).amax(dim=2, keepdim=True) > 0
        numbers = torch.cat([phases.sin(), phases.cos(), is_point.to(phases.dtype)], dim=2).flatten(1)
        hidden = nn.functional.gelu(self.rise(numbers.to(self.rise.weight.dtype)))
        prompts = self.fall(hidden).unflatten(1, (self.config.num_prompt_tokens, self.config.width))
        cells = (len(canvases), NUM_FRAMES, VIEW_SIDE_TOKENS**2)
        return MarkFeatures(
            prompts=prompts, grid=prompts.new_zeros(*cells, self.config.width), occupancy=prompts.new_zeros(cells)
        )


def _bounds(canvases: Tensor) -> Tensor:
    """(R, 2, 3, size, size) -> (R, 2, 4): left, top, right and bottom of what is drawn, as shares of the side."""
    drawn = canvases.amax(dim=2) > 0
    size = drawn.shape[-1]
    places = torch.arange(size, device=canvases.device)
    sides = []
    for axis in (2, 3):  # over the rows: which columns are drawn on; then the other way round
        is_drawn = drawn.any(dim=axis)
        low = torch.where(is_drawn, places, size).amin(dim=2)
        high = torch.where(is_drawn, places + 1, 0).amax(dim=2)
        sides.append(torch.stack([low, high], dim=2))
    (x0, x1), (y0, y1) = (side.unbind(dim=2) for side in sides)
    return torch.stack([x0, y0, x1, y1], dim=2).float() / size
