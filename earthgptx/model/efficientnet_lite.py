"""EfficientNet-Lite: the convolutional tower of `nano`, standing where the paper has CLIP-ConvNeXt.

Pixels come in, three feature maps at strides 8, 16 and 32 go out; the classifier head is not built.
Batch norms do not exist here: they are folded into the convolutions when the weights are converted
(`model/weights/efficientnet_lite.py`), so `train()` and `eval()` give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# ImageNet statistics, the normalisation that all pixels of this project arrive in.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
# What the Lite weights were trained on: (byte - 127) / 128, the same for the three channels.
_LITE_MEAN = 127.0
_LITE_STD = 128.0


class Stage(NamedTuple):
    """One row of the architecture table: `repeats` inverted residual blocks of one width.

    Attributes:
        kernel_size: side of the depthwise kernel, odd.
        stride: stride of the first block; the others have 1.
        expansion: the hidden width of a block is this many times its input width; 1 leaves the expansion out.
        width: output channels.
        repeats: number of blocks.
    """

    kernel_size: int
    stride: int
    expansion: int
    width: int
    repeats: int


# Table 1 of arXiv:1905.11946 scaled by width 1.1 and depth 1.2, stem and depth of the two ends not scaled.
LITE2_STEM_WIDTH = 32
LITE2_STAGES = (
    Stage(kernel_size=3, stride=1, expansion=1, width=16, repeats=1),
    Stage(kernel_size=3, stride=2, expansion=6, width=24, repeats=3),
    Stage(kernel_size=5, stride=2, expansion=6, width=48, repeats=3),
    Stage(kernel_size=3, stride=2, expansion=6, width=88, repeats=4),
    Stage(kernel_size=5, stride=1, expansion=6, width=120, repeats=4),
    Stage(kernel_size=5, stride=2, expansion=6, width=208, repeats=5),
    Stage(kernel_size=3, stride=1, expansion=6, width=352, repeats=1),
)
# The same strides with few channels, for tests.
TINY_STEM_WIDTH = 8
TINY_STAGES = (
    Stage(kernel_size=3, stride=2, expansion=1, width=8, repeats=1),
    Stage(kernel_size=5, stride=2, expansion=2, width=12, repeats=2),
    Stage(kernel_size=3, stride=2, expansion=2, width=16, repeats=1),
    Stage(kernel_size=5, stride=2, expansion=2, width=24, repeats=1),
)


class SameConv2d(nn.Conv2d):
    """A convolution whose output side is ceil(input side / stride), padded as TensorFlow's "SAME".

    An odd amount of padding puts the larger half at the bottom and the right, which for stride 2 samples
    other pixels than symmetric padding would; the pretrained weights expect exactly that.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        # With stride 1 "SAME" is symmetric and the convolution pads by itself, without a copy.
        padding = kernel_size // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups=groups)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve: (B, C, h, w) -> (B, C', ceil(h / stride), ceil(w / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride > 1:
            height, width = features.shape[-2:]
            rows = max((-(-height // stride) - 1) * stride + kernel - height, 0)
            columns = max((-(-width // stride) - 1) * stride + kernel - width, 0)
            features = F.pad(features, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return super().forward(features)


class InvertedResidual(nn.Module):
    """Expand, filter each channel by itself, project (arXiv:1801.04381); ReLU6, no squeeze-and-excitation.

    The input is added to the output where the two have one shape.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel_size: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = SameConv2d(in_channels, hidden, 1) if expansion != 1 else None
        self.depthwise = SameConv2d(hidden, hidden, kernel_size, stride=stride, groups=hidden)
        self.project = SameConv2d(hidden, out_channels, 1)
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Filter (B, in_channels, h, w) to (B, out_channels, ceil(h / stride), ceil(w / stride))."""
        hidden = features if self.expand is None else F.relu6(self.expand(features), inplace=True)
        hidden = F.relu6(self.depthwise(hidden), inplace=True)
        projected = self.project(hidden)
        return projected + features if self.is_residual else projected


class EfficientNetLite(nn.Module):
    """The feature pyramid of an EfficientNet-Lite.

    Args:
        stem_width: channels of the first convolution (stride 2).
        stages: the architecture table; rows may be plain lists, as a JSON configuration has them.

    Attributes:
        out_channels: channels of the maps at strides 8, 16 and 32.

    Raises:
        ValueError: if the table never reaches one of the three strides.
    """

    def __init__(self, *, stem_width: int, stages: Sequence[Sequence[int]]) -> None:
        super().__init__()
        table = [Stage(*row) for row in stages]
        self.stem = SameConv2d(3, stem_width, 3, stride=2)
        self.stages = nn.ModuleList()
        channels, stride = stem_width, 2
        last_at_stride: dict[int, int] = {}  # stride -> index of the last stage that has it
        for index, stage in enumerate(table):
            blocks = []
            for repeat in range(stage.repeats):
                step = stage.stride if repeat == 0 else 1
                blocks.append(
                    InvertedResidual(
                        channels,
                        stage.width,
                        kernel_size=stage.kernel_size,
                        stride=step,
                        expansion=stage.expansion,
                    )
                )
                channels = stage.width
            self.stages.append(nn.Sequential(*blocks))
            stride *= stage.stride
            last_at_stride[stride] = index
        missing = {8, 16, 32} - set(last_at_stride)
        if missing:
            raise ValueError(f"the stages have the strides {sorted(last_at_stride)}, but 8, 16 and 32 are needed")
        self._taps = tuple(last_at_stride[wanted] for wanted in (8, 16, 32))
        self.out_channels: tuple[int, int, int] = tuple(table[tap].width for tap in self._taps)  # type: ignore[assignment]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the feature maps at strides 8, 16 and 32 (Lite2: 48, 120 and 352 channels).

        Args:
            pixels: (B, 3, H, W) red, green, blue, ImageNet-normalised (mean 0.485, 0.456, 0.406; deviation
                0.229, 0.224, 0.225 of values in [0, 1]). The Lite weights themselves were trained on
                (byte - 127) / 128: on aerial photographs the means stored in the first batch norms agree with
                that to 0.05-0.08 standard deviations, with ImageNet's only to 0.16-0.24. The change of
                units happens here, so that one set of pixels serves both towers.

        Returns:
            Maps (B, C, ceil(H / 8), ceil(W / 8)) and so on: linear outputs of the last block at each stride.
        """
        mean, deviation = pixels.new_tensor(_IMAGENET_MEAN), pixels.new_tensor(_IMAGENET_STD)
        scale = 255.0 * deviation / _LITE_STD
        shift = (255.0 * mean - _LITE_MEAN) / _LITE_STD
        pixels = pixels.contiguous(memory_format=torch.channels_last)  # the order in which a CPU convolves faster
        features = F.relu6(self.stem(pixels * scale.view(1, 3, 1, 1) + shift.view(1, 3, 1, 1)), inplace=True)
        outputs = []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        at8, at16, at32 = (outputs[tap] for tap in self._taps)
        return at8, at16, at32


def lite2() -> EfficientNetLite:
    """EfficientNet-Lite2 with random weights: 4.33M parameters without the classifier."""
    return EfficientNetLite(stem_width=LITE2_STEM_WIDTH, stages=LITE2_STAGES)


def tiny() -> EfficientNetLite:
    """A few thousand parameters with the real strides, for tests."""
    return EfficientNetLite(stem_width=TINY_STEM_WIDTH, stages=TINY_STAGES)
