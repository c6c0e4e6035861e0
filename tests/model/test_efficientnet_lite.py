from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from earthgptx.model.efficientnet_lite import LITE2_STAGES, EfficientNetLite, SameConv2d, Stage, lite2, tiny


def test_lite2_has_the_published_size_and_channels():
    with torch.device("meta"):
        model = lite2()
    assert model.out_channels == (48, 120, 352)
    assert sum(parameter.numel() for parameter in model.parameters()) == 4_330_184


@pytest.mark.parametrize("side", [224, 225, 260, 64])
def test_maps_have_the_ceiling_of_the_side_over_the_stride(side):
    maps = tiny()(torch.zeros(2, 3, side, side))
    assert [tuple(m.shape) for m in maps] == [
        (2, channels, -(-side // stride), -(-side // stride))
        for channels, stride in zip(tiny().out_channels, (8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize(("kernel", "side", "before"), [(3, 8, 0), (3, 7, 1), (5, 8, 1), (5, 7, 2)])
def test_same_padding_puts_the_odd_row_last(kernel, side, before):
    # A kernel that copies one pixel shows where the window of the first output starts.
    layer = SameConv2d(1, 1, kernel, stride=2)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    layer.weight.data[0, 0, before, before] = 1
    image = torch.arange(1.0, side * side + 1).view(1, 1, side, side)
    torch.testing.assert_close(layer(image), image[..., ::2, ::2])


def test_one_block_is_expand_filter_project_and_add():
    block = EfficientNetLite(
        stem_width=4, stages=[Stage(3, 4, 1, 4, 1), Stage(3, 2, 1, 4, 1), Stage(5, 2, 3, 4, 2)]
    ).stages[2][1]
    x = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    hidden = F.relu6(F.conv2d(x, block.expand.weight, block.expand.bias))
    hidden = F.relu6(F.conv2d(hidden, block.depthwise.weight, block.depthwise.bias, padding=2, groups=12))
    expected = x + F.conv2d(hidden, block.project.weight, block.project.bias)
    torch.testing.assert_close(block(x), expected)


def test_training_mode_changes_nothing():
    model, pixels = tiny(), torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for trained, evaluated in zip(model.train()(pixels), model.eval()(pixels), strict=True):
        assert torch.equal(trained, evaluated)


def test_the_layout_in_memory_changes_nothing():
    model, pixels = tiny(), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    plain = model(pixels)
    model.to(memory_format=torch.channels_last)
    for one, other in zip(plain, model(pixels.contiguous(memory_format=torch.channels_last)), strict=True):
        torch.testing.assert_close(one, other)


def test_the_table_may_come_from_json():
    from_lists = EfficientNetLite(stem_width=32, stages=[list(row) for row in LITE2_STAGES[:3]] + [[3, 2, 1, 8, 1]] * 2)
    assert from_lists.out_channels == (48, 8, 8)


def test_a_table_without_stride_32_is_refused():
    with pytest.raises(ValueError, match=r"\[2, 4, 8\], but 8, 16 and 32"):
        EfficientNetLite(stem_width=8, stages=LITE2_STAGES[:3])
