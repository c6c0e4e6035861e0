"""CLIP's ResNet: the other convolutional tower of the paper's Table IV (RN50x16), up to its last feature map.

Pixels come in, the map at stride 32 goes out. The attention that CLIP pools that map with is not built, nor are batch
norms: they are folded into the convolutions when weights are read (`model/weights/foreign/clip_resnet.py`), so
`train()` and `eval()` give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

WIDENING = 4  # a block's output is so many times as wide as its middle


class Bottleneck(nn.Module):
    """Narrow, filter, widen; what it halves, it halves by means of 2 x 2 and never by a stride (arXiv:2103.00020).

    Args:
        in_channels: C.
        middle: channels of the 3 x 3 filters; C' is `WIDENING` times as many.
        halves: whether the output has half the side.
    """

    def __init__(self, in_channels: int, middle: int, *, halves: bool) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(in_channels, middle, 1)
        self.filter = nn.Conv2d(middle, middle, 3, padding=1)
        self.widen = nn.Conv2d(middle, WIDENING * middle, 1)
        has_other_shape = halves or in_channels != WIDENING * middle
        self.shortcut = nn.Conv2d(in_channels, WIDENING * middle, 1) if has_other_shape else None
        self.halves = halves

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h, w), or half of h and w."""
        hidden = F.relu(self.filter(F.relu(self.narrow(features))))
        skipped = features
        if self.halves:
            hidden, skipped = F.avg_pool2d(hidden, 2), F.avg_pool2d(skipped, 2)
        if self.shortcut is not None:
            skipped = self.shortcut(skipped)
        return F.relu(self.widen(hidden) + skipped)


class ClipResNet(nn.Module):
    """The trunk of a CLIP ResNet.

    Args:
        width: channels of the stem, and of the first stage's middles; each stage has twice as many as the one before.
        depths: blocks of each stage.

    Attributes:
        out_channels: of the map.
    """

    def __init__(self, *, width: int, depths: Sequence[int]) -> None:
        super().__init__()
        half = width // 2
        self.stem = nn.ModuleList(
            [
                nn.Conv2d(3, half, 3, stride=2, padding=1),
                nn.Conv2d(half, half, 3, padding=1),
                nn.Conv2d(half, width, 3, padding=1),
            ]
        )
        self.stages = nn.ModuleList()
        channels = width
        for number, depth in enumerate(depths):
            middle = width * 2**number
            blocks = []
            for block in range(depth):
                blocks.append(Bottleneck(channels, middle, halves=number > 0 and block == 0))
                channels = WIDENING * middle
            self.stages.append(nn.Sequential(*blocks))
        self.out_channels = channels

    def forward(self, pixels: Tensor) -> Tensor:
        """The last map, with four stages at stride 32.

        Args:
            pixels: (B, 3, H, W) red, green, blue in CLIP's own statistics.

        Returns:
            (B, out_channels, H / 32, W / 32), at least 0 everywhere.
        """
        features = pixels
        for convolution in self.stem:
            features = F.relu(convolution(features))
        features = F.avg_pool2d(features, 2)
        for stage in self.stages:
            features = stage(features)
        return features
