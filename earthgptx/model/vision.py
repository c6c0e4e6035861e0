"""MVE, the mixed visual encoders (Eq. 1): a self-supervised ViT and a CNN on the same square views.

Views of 8-bit RGB come in, `VisionFeatures` come out; the towers are frozen and run without gradients. It knows
neither marks nor words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import ConvNextConfig, ConvNextModel, Dinov2Config, Dinov2Model

from earthgptx.model.clip_resnet import ClipResNet
from earthgptx.model.configuration import VIEW_SIDE_TOKENS, VisionConfig
from earthgptx.model.efficientnet_lite import EfficientNetLite
from earthgptx.model.features import VisionFeatures

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# CLIP's own pixel statistics, which both its CNNs were trained with (open_clip, OPENAI_DATASET_MEAN and _STD).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class Vision(nn.Module):
    """The two towers and their channel concatenation, token by token (SPHINX's fusion)."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.vit = Dinov2Model(Dinov2Config(**config.vit))
        self.cnn: nn.Module | None = None
        if config.cnn_kind == "efficientnet_lite":
            self.cnn = EfficientNetLite(**config.cnn)
        elif config.cnn_kind == "convnext":
            self.cnn = ConvNextModel(ConvNextConfig(**config.cnn))
        elif config.cnn_kind == "clip_resnet":
            self.cnn = ClipResNet(**config.cnn)
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.ones(1, 3, 1, 1), persistent=False)
        self.init_weights()

    @torch.no_grad()
    def init_weights(self) -> None:
        """ImageNet's statistics; `from_pretrained` builds on the meta device and asks for them anew."""
        self.mean.copy_(torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.std.copy_(torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    @torch.no_grad()
    def forward(self, views: Tensor) -> VisionFeatures:
        """Encodes views.

        Args:
            views: (S, 3, size, size) uint8 RGB.
        """
        with torch.autocast(views.device.type, enabled=False):  # the same numbers as are cached, whoever asks
            pixels = (views.to(self.vit.dtype) / 255 - self.mean) / self.std
            vit = self.vit(pixel_values=pixels).last_hidden_state  # (S, 257, C_vit)
            return VisionFeatures(vit=vit, cnn=self._cnn_maps(pixels))

    def feature_shapes(self) -> list[tuple[int, ...]]:
        """Shape of one view's ViT tokens, then of each CNN level."""
        size = self.config.view_size
        probe = self(torch.zeros(1, 3, size, size, dtype=torch.uint8, device=self.mean.device))
        return [tuple(level.shape[1:]) for level in (probe.vit, *probe.cnn)]

    def _cnn_maps(self, pixels: Tensor) -> tuple[Tensor, ...]:
        if self.cnn is None:
            return ()
        if isinstance(self.cnn, EfficientNetLite):
            return tuple(self.cnn(pixels))
        # CLIP's CNNs have stride 32: 512 px give the 16 x 16 grid itself (SPHINX's light pair feeds ConvNeXt so).
        side = 32 * VIEW_SIDE_TOKENS
        mean, std, clip_mean, clip_std = (
            torch.tensor(value, device=pixels.device).view(1, 3, 1, 1)
            for value in (IMAGENET_MEAN, IMAGENET_STD, CLIP_MEAN, CLIP_STD)
        )
        clip_pixels = (pixels.float() * std + mean - clip_mean) / clip_std
        # In fp32: bf16 has no antialiased bicubic on a CPU.
        large = interpolate(clip_pixels, size=(side, side), mode="bicubic", align_corners=False, antialias=True)
        large = large.to(pixels.dtype)
        if isinstance(self.cnn, ClipResNet):
            return (self.cnn(large),)
        return (self.cnn(pixel_values=large).last_hidden_state,)


def concatenated_tokens(features: VisionFeatures, config: VisionConfig) -> Tensor:
    """Channel concat, token by token (Eq. 1): (S, 1 + 256, C), the global token first.

    A CNN has no class token; the mean over its grid stands in for it, as in SPHINX.
    """
    parts = [features.vit] if config.use_vit else []
    for level in config.cnn_token_levels if config.use_cnn else ():
        level_map = features.cnn[level]
        side = (VIEW_SIDE_TOKENS, VIEW_SIDE_TOKENS)
        if level_map.shape[-2:] != side:
            level_map = interpolate(level_map, size=side, mode="bilinear", align_corners=False)
        grid = level_map.flatten(2).mT  # (S, 256, C_level)
        parts.append(torch.cat([grid.mean(dim=1, keepdim=True), grid], dim=1))
    return torch.cat(parts, dim=-1)
