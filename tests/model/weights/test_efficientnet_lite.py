from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.efficientnet_lite import TINY_STAGES, TINY_STEM_WIDTH, lite2, tiny
from earthgptx.model.weights.efficientnet_lite import convert_efficientnet_lite
from earthgptx.model.weights.packages import EFFICIENTNET_LITE2
from earthgptx.wheels import cache_folder
from tests.model.weights.fabricated import published_efficientnet

IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
BYTES = torch.randint(0, 256, (2, 3, 224, 224), generator=torch.Generator().manual_seed(0)).float()


@pytest.fixture
def published(tmp_path):
    state = published_efficientnet(TINY_STEM_WIDTH, TINY_STAGES)

    def save(changed=None):
        torch.save(changed or state, tmp_path / "lite.pth")
        return tmp_path / "lite.pth"

    return state, save


def _unfolded(state, pixels):
    """The published network, its batch norms apart; returns the output of every stage."""

    def layer(x, convolution, norm, *, stride=1, groups=1):
        weight, side = state[f"{convolution}.weight"], x.shape[-1]
        padding = max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0)
        x = F.pad(x, (padding // 2, padding - padding // 2) * 2)
        x = F.conv2d(x, weight, stride=stride, groups=groups)
        part = {name: state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")}
        return F.batch_norm(x, **part, eps=1e-3)

    x = F.relu6(layer(pixels, "_conv_stem", "_bn0", stride=2))
    outputs, block = [], 0
    for stage in TINY_STAGES:
        for repeat in range(stage.repeats):
            name, before = f"_blocks.{block}", x
            if stage.expansion != 1:
                x = F.relu6(layer(x, f"{name}._expand_conv", f"{name}._bn0"))
            stride = stage.stride if repeat == 0 else 1
            x = F.relu6(layer(x, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, groups=x.shape[1]))
            x = layer(x, f"{name}._project_conv", f"{name}._bn2")
            x = x + before if stride == 1 and x.shape == before.shape else x
            block += 1
        outputs.append(x)
    return outputs


def test_folding_the_batch_norms_changes_nothing(published):
    state, save = published
    model = tiny()
    model.load_state_dict(convert_efficientnet_lite(save(), stages=TINY_STAGES), strict=True)
    with torch.no_grad():
        ours = model((BYTES / 255 - IMAGENET_MEAN) / IMAGENET_STD)
        theirs = _unfolded(state, (BYTES - 127) / 128)[1:]
    for one, other in zip(ours, theirs, strict=True):
        # Measured worst case 6e-6 of values up to 10.
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)


def test_weights_are_dense_whatever_their_layout_in_the_file(published):
    state, save = published
    turned = {
        name: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
        for name, tensor in state.items()
    }
    assert all(
        tensor.is_contiguous() for tensor in convert_efficientnet_lite(save(turned), stages=TINY_STAGES).values()
    )


@pytest.mark.parametrize("absent", ["_conv_stem.weight", "_blocks.1._bn0.running_var"])
def test_a_missing_tensor_is_an_error(published, absent):
    state, save = published
    path = save({name: tensor for name, tensor in state.items() if name != absent})
    with pytest.raises(BrokenCheckpoint, match=f"lacks 1 tensors of .*, first '{absent}'"):
        convert_efficientnet_lite(path, stages=TINY_STAGES)


@pytest.mark.parametrize("extra", ["_blocks.0._se_reduce.weight", "_blocks.9._bn1.bias"])
def test_a_left_over_tensor_is_an_error(published, extra):
    state, save = published
    path = save(state | {extra: torch.zeros(1)})
    with pytest.raises(BrokenCheckpoint, match=f"holds 1 tensors that no layer takes, first '{extra}'"):
        convert_efficientnet_lite(path, stages=TINY_STAGES)


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_an_unreadable_file_is_an_error(tmp_path, content):
    (tmp_path / "lite.pth").write_bytes(content)
    with pytest.raises(BrokenCheckpoint, match=r"lite\.pth is not a readable checkpoint"):
        convert_efficientnet_lite(tmp_path / "lite.pth")


def test_a_truncated_file_is_an_error(published):
    path = published[1]()
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BrokenCheckpoint, match="not a readable checkpoint"):
        convert_efficientnet_lite(path, stages=TINY_STAGES)


def test_code_in_a_file_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the file's code was run",))

    torch.save({"_conv_stem.weight": Trap()}, tmp_path / "lite.pth")
    with pytest.raises(BrokenCheckpoint, match="not a readable checkpoint"):
        convert_efficientnet_lite(tmp_path / "lite.pth")


# The authors' own module, read out of its wheel in a process of its own and never installed.
_REFERENCE = """
import sys
wheel, weights, pixels, out = sys.argv[1:]
sys.path.insert(0, wheel)
import numpy, torch
from efficientnet_lite_pytorch import EfficientNet
model = EfficientNet.from_name("efficientnet-lite2", image_size=224).eval()
model.load_state_dict(torch.load(weights, weights_only=True))
maps = {}
for index in (6, 14, 20):
    keep = lambda module, given, got, index=index: maps.update({str(index): got.numpy()})
    model._blocks[index].register_forward_hook(keep)
with torch.no_grad():
    model(torch.from_numpy(numpy.load(pixels)))
numpy.savez(out, **maps)
"""


def test_the_real_weights_give_what_the_authors_module_gives(real_file, tmp_path):
    weights = real_file(EFFICIENTNET_LITE2)
    wheel = cache_folder() / "packages" / "efficientnet_lite_pytorch-0.1.0-py3-none-any.whl"
    if not wheel.exists():
        pytest.skip(f"{wheel} is not there; `pip download --no-deps efficientnet-lite-pytorch` fetches it")
    np.save(tmp_path / "pixels.npy", ((BYTES - 127) / 128).numpy())
    out = tmp_path / "maps.npz"
    command = [
        sys.executable,
        "-c",
        _REFERENCE,
        str(wheel),
        str(weights),
        str(tmp_path / "pixels.npy"),
        str(out),
    ]
    subprocess.run(command, check=True, capture_output=True)
    model = lite2()
    model.load_state_dict(convert_efficientnet_lite(weights), strict=True)
    with torch.no_grad():
        ours = model((BYTES / 255 - IMAGENET_MEAN) / IMAGENET_STD)
    theirs = np.load(out)
    for name, feature_map in zip(("6", "14", "20"), ours, strict=True):
        # Measured worst case on four aerial photographs 3.5e-4, of values up to 47 (relative 7e-6).
        np.testing.assert_allclose(feature_map.numpy(), theirs[name], atol=2e-3, rtol=0)
