"""Pixel perception (Eq. 13): M = P(R(L_pix), G(I)).

G gives an embedding of a frame (the scene, or a mark's own view), the hidden state of each `<pix>` becomes one sparse
prompt, and SAM's mask decoder draws. The box knows frames and grids, not scenes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import SamMaskDecoderConfig, SamVisionConfig
from transformers.models.sam.modeling_sam import SamMaskDecoder, SamPositionalEmbedding, SamVisionEncoder

from earthgptx.model.configuration import PixelsConfig, VisionConfig
from earthgptx.model.features import NUM_CANVAS_CHANNELS, VisionFeatures
from earthgptx.model.mask_decoder import draw_masks

# SAM's own pixel statistics, on 0..255 (segment-anything, build_sam).
SAM_MEAN = (123.675, 116.28, 103.53)
SAM_STD = (58.395, 57.12, 57.375)


class Pixels(nn.Module):
    """Grounding encoder G (or the neck that stands for it), prompts and SAM's mask decoder P."""

    def __init__(self, config: PixelsConfig, *, vision: VisionConfig, language_width: int) -> None:
        super().__init__()
        self.config = config
        self.neck: TowerNeck | None = None
        self.sam_encoder: SamVisionEncoder | None = None
        if config.encoder == "towers":
            self.neck = TowerNeck(config, vision)
        else:
            self.sam_encoder = SamVisionEncoder(SamVisionConfig(**config.sam_vision))
        # Named, since the decoder is no whole model and would else warn that nobody chose an attention for it.
        decoder = SamMaskDecoderConfig(**config.sam_decoder | {"attn_implementation": "eager"})
        self.decoder = SamMaskDecoder(decoder)
        self.positions = SamPositionalEmbedding(
            SamVisionConfig(hidden_size=2 * config.width, num_pos_feats=config.width // 2)
        )
        self.positions.positional_embedding = _fourier_frequencies(self.positions.positional_embedding)
        self.language_to_pixel = language_to_pixel(language_width, config.width)
        self.no_mark = nn.Parameter(torch.zeros(config.width))  # SAM's no-mask dense embedding
        self.mark_prompt = MarkPrompt(config.width) if config.mark_prompt else None

    def init_weights(self) -> None:
        """The dense no-mark embedding starts small."""
        nn.init.normal_(self.no_mark, std=0.02)

    def frame_of_views(self, features: VisionFeatures) -> Tensor:
        """Embeddings of single views: (K views) -> (K, 256, g, g)."""
        assert self.neck is not None
        return self.neck(features)

    def frame_of_scene(self, features: VisionFeatures) -> Tensor:
        """The embedding of one scene from its views, by slot: the sub-images' mosaic, or its only view.

        Args:
            features: the whole view, then its n x n sub-images.

        Returns:
            (1, 256, n g, n g): 64 x 64 for nano's 2 x 2 sub-images of 32 x 32.
        """
        embedded = self.frame_of_views(features)
        if len(embedded) == 1:
            return embedded
        across = round((len(embedded) - 1) ** 0.5)
        grid = embedded[1:].unflatten(0, (across, across))  # (n, n, 256, g, g)
        return grid.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)[None]

    def large_frame_shape(self) -> tuple[int, int, int]:
        """Shape of what `frame_of_large_images` says of one image: (256, 64, 64)."""
        assert self.sam_encoder is not None
        config = self.sam_encoder.config
        side = int(config.image_size) // int(config.patch_size)  # type: ignore[arg-type]  # transformers allows pairs
        return config.output_channels, side, side

    @torch.no_grad()
    def frame_of_large_images(self, images: Tensor) -> Tensor:
        """SAM's encoder on (B, 3, 1024, 1024) uint8, frozen -> (B, 256, 64, 64)."""
        assert self.sam_encoder is not None
        dtype = self.no_mark.dtype
        mean, std = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (SAM_MEAN, SAM_STD))
        frame: Tensor = self.sam_encoder(((images - mean) / std).to(dtype)).last_hidden_state
        if torch.is_autocast_enabled(images.device.type):  # a GPU's last norm is in fp32; kept frames are not
            frame = frame.to(torch.get_autocast_dtype(images.device.type))
        return frame

    def forward(self, frames: Tensor, pix_states: Tensor, canvases: Tensor | None) -> Tensor:
        """Draws one mask a `<pix>`.

        Args:
            frames: (K, 256, g, g) the frame each mask is drawn in, or (1, 256, g, g): one for all.
            pix_states: (K, D_llm) hidden states of the `<pix>` tokens themselves.
            canvases: (K, 3, c, c) the bound marks in those frames, or None: SAM's no-mask embedding.

        Returns:
            (K, 4 g, 4 g) logits; above 0 is object.
        """
        side = frames.shape[-1]
        prompts = self.language_to_pixel(pix_states)[:, None]  # (K, 1, 256)
        if canvases is None or self.mark_prompt is None:
            dense = self.no_mark[:, None, None]
        else:
            dense = self.mark_prompt(canvases, side)
        cells = (frames + dense.to(frames.dtype)).flatten(2).mT.contiguous()
        return draw_masks(self.decoder, cells, self._frame_positions(side, frames), prompts)

    def _frame_positions(self, side: int, like: Tensor) -> Tensor:
        """(side side, C) of the cells, row by row."""
        centres = (torch.arange(side, device=like.device, dtype=torch.float32) + 0.5) / side  # pixel centres, as SAM
        grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)
        with torch.autocast(like.device.type, enabled=False):  # bf16 cannot hold the phase of a sine
            encoded: Tensor = self.positions(grid.to(self.positions.positional_embedding.dtype))
        return encoded.flatten(0, 1).to(like.dtype)


def language_to_pixel(language_width: int, width: int) -> nn.Sequential:
    """LISA's projection (and GeoPixel's): Linear - ReLU - Linear to the decoder's width."""
    return nn.Sequential(nn.Linear(language_width, language_width), nn.ReLU(), nn.Linear(language_width, width))


def _fourier_frequencies(like: nn.Parameter) -> nn.Parameter:
    """SAM's random frequencies at SAM's own scale of 1 (transformers draws them hundreds of times as high).

    Always the same numbers, exact in bf16, so that a checkpoint means the same wherever it is loaded.
    """
    drawn = torch.randn(tuple(like.shape), generator=torch.Generator().manual_seed(0), device="cpu")
    return nn.Parameter(drawn.bfloat16().float().to(like.device), requires_grad=False)


class TowerNeck(nn.Module):
    """nano's G: every tower map to one width and grid, summed, then two convolutions (SAM's neck ends alike)."""

    def __init__(self, config: PixelsConfig, vision: VisionConfig) -> None:
        super().__init__()
        self.grid = config.view_grid
        width = config.neck_width
        channels = vision.map_channels
        self.use_vit, self.use_cnn = vision.use_vit, vision.use_cnn
        self.norms = nn.ModuleList(ChannelNorm(c) for c in channels)
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.out = nn.Conv2d(width, config.width, 3, padding=1)
        self.norm = ChannelNorm(config.width)

    def forward(self, features: VisionFeatures) -> Tensor:
        """(K views) -> (K, 256, g, g)."""
        tokens = features.vit[:, 1:].mT
        side = round(tokens.shape[2] ** 0.5)
        maps = [tokens.unflatten(2, (side, side))] if self.use_vit else []
        maps += features.cnn if self.use_cnn else ()
        size = (self.grid, self.grid)
        total: Tensor | float = 0.0
        for level, norm, lateral in zip(maps, self.norms, self.laterals, strict=True):
            narrow = lateral(norm(level))
            total = total + interpolate(narrow, size=size, mode="bilinear", align_corners=False)
        assert isinstance(total, Tensor)
        x = nn.functional.gelu(total)
        x = x + nn.functional.gelu(self.mix(x))
        return self.norm(self.out(x))


class MarkPrompt(nn.Module):
    """A mark's canvas as SAM's dense prompt, in the frame of the mask (docs/decisions/0003)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(NUM_CANVAS_CHANNELS, width // 8, 4, stride=2, padding=1)
        self.first_norm = ChannelNorm(width // 8)
        self.second = nn.Conv2d(width // 8, width // 2, 4, stride=2, padding=1)
        self.second_norm = ChannelNorm(width // 2)
        self.out = nn.Conv2d(width // 2, width, 1)

    def forward(self, canvases: Tensor, side: int) -> Tensor:
        """(K, 3, c, c) -> (K, 256, side, side)."""
        fine = interpolate(
            canvases.to(self.first.weight.dtype),
            size=(4 * side, 4 * side),
            mode="bilinear",
            align_corners=False,
        )
        x = nn.functional.gelu(self.first_norm(self.first(fine)))
        return self.out(nn.functional.gelu(self.second_norm(self.second(x))))


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of a (B, C, h, w) map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        return self.norm(x.movedim(1, -1)).movedim(-1, 1)
