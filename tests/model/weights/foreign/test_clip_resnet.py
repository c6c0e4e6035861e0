"""CLIP's ResNet: with open_clip's weights it computes open_clip's map, and each of their tensors has the same gradient.

Batch norms are folded, so that gradients are taken through the folding, back to the tensors that were published.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.clip_resnet import ClipResNet
from earthgptx.model.weights.foreign import clip_resnet
from earthgptx.model.weights.foreign.key_map import Part
from tests.fixtures.make_foreign_goldens import CLIP_RESNET, FOLDER, direction, drawn
from tests.model.weights.foreign.small import original

CNN = {"width": CLIP_RESNET["width"], "depths": list(CLIP_RESNET["layers"])}
SLOPE = "slope of "


def part_from(state: dict[str, Tensor], folder: Path) -> Part:
    path = folder / "clip.safetensors"
    save_file(state, str(path))
    return clip_resnet.open_clip_resnet(path, CNN)


def wanted_shapes() -> dict[str, tuple[int, ...]]:
    return {f"vision.cnn.{name}": tuple(value.shape) for name, value in ClipResNet(**CNN).state_dict().items()}


def in_timm_s_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    open_clip, timm = clip_resnet.layouts(CNN)
    pairs = zip(open_clip.rows, timm.rows, strict=True)
    names = {theirs: other for mine, its in pairs for theirs, other in zip(mine.names, its.names, strict=True)}
    return {names[name]: value for name, value in state.items() if name in names}


# Measured on x86_64 with torch 2.13.0 against open_clip 3.3.0: the map differs by at most 6.6e-7, a slope by 9.5e-8
# of the largest.
def test_the_map_and_every_gradient_are_open_clip_s(tmp_path: Path):
    golden = load_file(FOLDER / "clip_resnet.safetensors")
    state = original("clip_resnet")
    part = part_from(state, tmp_path)
    part.check(wanted_shapes(), clip_resnet.size_of(CNN), "paper-rn50x16")
    leaves = {name: value.requires_grad_() for name, value in state.items()}
    folded = {row.ours: row.make([leaves[name] for name in row.names]) for row in part.layout.rows}
    image = drawn("image", (1, 3, 64, 64)).requires_grad_()
    tower = ClipResNet(**CNN)
    assert folded.keys() == tower.state_dict().keys()
    found = torch.func.functional_call(tower, folded, (image,))
    (found * direction("map", found.shape)).sum().backward()
    wanted = {key.removeprefix(SLOPE): float(value) for key, value in golden.items() if key.startswith(SLOPE)}
    slopes = {}
    for name in wanted:
        value = (leaves | {"image": image})[name]
        assert value.grad is not None, name
        slopes[name] = float((value.grad.double() * direction(name, value.shape).double()).sum())
    assert float((found.detach() - golden["map"]).abs().max()) < 1e-5
    assert float(golden["map"].abs().max()) > 0.5
    worst = max(abs(slopes[name] - wanted[name]) for name in wanted)
    assert worst < 1e-5 * max(map(abs, wanted.values()))


def test_timm_s_names_are_read_as_open_clip_s(tmp_path: Path):
    state = original("clip_resnet")
    mine = dict(part_from(state, tmp_path).tensors())
    its = part_from(in_timm_s_names(state), tmp_path)
    assert its.layout.name == "timm"
    its.check(wanted_shapes(), clip_resnet.size_of(CNN), "paper-rn50x16")
    found = dict(its.tensors())
    assert found.keys() == mine.keys()
    assert all(torch.equal(value, mine[name]) for name, value in found.items())


def test_half_precision_is_folded_without_loss(tmp_path: Path):
    state = original("clip_resnet")
    halved = {name: value.half() if value.ndim == 4 else value for name, value in state.items()}
    weights = dict(part_from(halved, tmp_path).tensors())
    assert {value.dtype for value in weights.values()} == {torch.float32}
    norm = nn.BatchNorm2d(4).eval()
    norm.load_state_dict({name: state[f"visual.bn1.{name}"] for name in norm.state_dict()})
    pixels = torch.randn(1, 3, 8, 8)
    plain = nn.functional.conv2d(pixels, halved["visual.conv1.weight"].float(), stride=2, padding=1)
    folded = nn.functional.conv2d(
        pixels, weights["vision.cnn.stem.0.weight"], weights["vision.cnn.stem.0.bias"], stride=2, padding=1
    )
    torch.testing.assert_close(folded, norm(plain), atol=1e-5, rtol=1e-5)


def test_training_mode_changes_nothing():
    tower = ClipResNet(**CNN)
    pixels = torch.randn(1, 3, 64, 64)
    assert torch.equal(tower.train()(pixels), tower.eval()(pixels))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"visual.layer2.0.bn2.running_var": None}, ["1 missing", "visual.layer2.0.bn2.running_var"]),
        ({"visual.layer5.0.conv1.weight": torch.zeros(1)}, ["7 layers", "needs 6 layers"]),
        (
            {"visual.bn1.weight": torch.zeros(5)},
            ["of another shape", "visual.conv1.weight with visual.bn1.weight", "(5,)"],
        ),
        ({"visual.extra": torch.zeros(1)}, ["1 left over", "visual.extra"]),
        ({"visual.bn1.running_var": torch.zeros(4, dtype=torch.int8)}, ["1 quantised", "visual.bn1.running_var"]),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict[str, Tensor | None], words: list[str]):
    state = {name: value for name, value in (original("clip_resnet") | change).items() if value is not None}
    with pytest.raises(BrokenCheckpoint) as caught:
        part_from(state, tmp_path).check(wanted_shapes(), clip_resnet.size_of(CNN), "paper-rn50x16")
    assert all(word in str(caught.value) for word in words), caught.value
