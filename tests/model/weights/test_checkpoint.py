"""A checkpoint of ours gives back what was trained: to bf16's last bit, or within half a step of its few bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.earthgptx import EarthGPTX, stored_parameters
from earthgptx.model.sizes import nano, tiny
from earthgptx.model.weights.checkpoint import (
    ATTENTION,
    GROUP,
    TRAINED,
    load_trained,
    quantise,
    read_configuration,
    restore,
    save_trained,
)
from tests.tiny_model import tiny_config, tiny_model

changes = npst.arrays(
    np.float32,
    npst.array_shapes(max_dims=3, max_side=40),
    elements=st.floats(-2, 2, width=32).map(lambda value: value**5),  # over five decades, zeros included
)


def trained_model() -> EarthGPTX:
    """As a run leaves it: in fp32, every trained weight a little off its start."""
    model = tiny_model()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in stored_parameters(model).items():
            if parameter.requires_grad or name.startswith(ATTENTION):
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return model


def attention_of(model: EarthGPTX) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items() if name.startswith(ATTENTION)}


@settings(max_examples=40)
@given(changes, st.sampled_from([4, 8]))
def test_a_restored_difference_is_off_by_half_a_step(array: np.ndarray, bits: int):
    change = torch.from_numpy(array)
    codes, scales = quantise(change, bits)
    restored = restore(codes, scales, change.shape, bits)
    most = 2 ** (bits - 1) - 1
    step = scales.float().repeat_interleave(GROUP)[: change.numel()].view(change.shape)
    # The scale itself is rounded to fp16: to 11 bits, and to multiples of 2^-24 where it is tiny.
    allowed = step / 2 + most * torch.maximum(step * 2**-11, torch.tensor(2.0**-25)) + 1e-12
    assert bool(((restored - change).abs() <= allowed).all())


@settings(max_examples=40)
@given(changes, st.sampled_from([4, 8]))
def test_what_was_restored_is_stored_without_loss(array: np.ndarray, bits: int):
    first = torch.from_numpy(array)
    once = restore(*quantise(first, bits), first.shape, bits)
    twice = restore(*quantise(once, bits), first.shape, bits)
    torch.testing.assert_close(twice, once, rtol=2**-10, atol=2**-24 * 127)


@pytest.mark.parametrize(("bits", "bytes_each"), [(4, 0.5), (8, 1)])
def test_codes_take_the_bits_they_should(bits: int, bytes_each: float):
    codes, scales = quantise(torch.randn(32, GROUP), bits)
    assert codes.numel() * codes.element_size() == 32 * GROUP * bytes_each
    assert (scales.dtype, scales.shape) == (torch.float16, (32,))


@pytest.mark.parametrize("bits", [4, 8])
def test_a_weight_that_did_not_change_stays_as_it_was(bits: int):
    change = torch.zeros(3, GROUP)
    change[1] = torch.linspace(-1, 1, GROUP)
    restored = restore(*quantise(change, bits), change.shape, bits)
    assert not restored[0].any()
    assert not restored[2].any()


def test_plain_weights_come_back_to_the_last_bit_of_bf16(tmp_path: Path):
    model = trained_model()
    save_trained(model, tmp_path)
    loaded = tiny_model(seed=1)
    load_trained(loaded, tmp_path)
    found = loaded.state_dict()
    for name, value in model.state_dict().items():
        wanted = value.bfloat16().float() if name in stored_parameters(model) else value
        assert torch.equal(found[name], wanted), name


@pytest.mark.parametrize("bits", [4, 8])
def test_attention_comes_back_within_its_rounding(tmp_path: Path, bits: int):
    model, base = trained_model(), attention_of(tiny_model())
    save_trained(model, tmp_path, base=base, bits=bits)
    loaded = tiny_model(seed=1)
    load_trained(loaded, tmp_path)
    errors = []
    for name, parameter in stored_parameters(model).items():
        if name.startswith(ATTENTION):
            change = parameter.detach() - base[name]
            errors.append((loaded.state_dict()[name] - parameter.detach()).abs().max() / change.abs().max())
    # Half a step of the largest group: 1 / 14 of the largest change at 4 bits, 1 / 254 at 8; fp16 scales add 1%.
    assert float(max(errors)) <= 1.01 * {4: 1 / 14, 8: 1 / 254}[bits]


def test_saving_what_was_loaded_gives_the_same_file(tmp_path: Path):
    base = attention_of(tiny_model())
    save_trained(trained_model(), tmp_path / "first", base=base, bits=8)
    loaded = tiny_model()
    load_trained(loaded, tmp_path / "first")
    save_trained(loaded, tmp_path / "second")
    again = tiny_model()
    load_trained(again, tmp_path / "second")
    first, second = (load_file(tmp_path / name / TRAINED) for name in ("first", "second"))
    plain = [name for name in first if not name.endswith((".codes", ".scales"))]
    assert all(torch.equal(first[name], second[name]) for name in plain)


def test_the_file_holds_no_part_of_a_package(tmp_path: Path):
    model = trained_model()
    save_trained(model, tmp_path, base=attention_of(model), bits=4)
    with safe_open(str(tmp_path / TRAINED), framework="pt") as file:
        names = {name.removesuffix(".codes").removesuffix(".scales") for name in list(file.keys())}
        assert file.metadata() == {"bits": "4", "group": str(GROUP)}
    assert names == set(stored_parameters(model))
    assert not any(name.startswith("vision.") or "embed_tokens" in name for name in names)
    assert "pixels.positions.positional_embedding" in names  # frozen, but drawn by us


def test_a_configuration_is_read_back(tmp_path: Path):
    config = tiny_config(kind="literal", zoom=False)
    save_trained(tiny_model(config), tmp_path)
    found = read_configuration(tmp_path)
    assert (found.fusion.kind, found.vision.zoom, found.size_name) == ("literal", False, "tiny")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tiny_model()
    return save_trained(model, tmp_path_factory.mktemp("saved"), base=attention_of(model), bits=8)


@pytest.fixture
def broken(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(broken: Path, kept: float):
    data = (broken / TRAINED).read_bytes()
    (broken / TRAINED).write_bytes(data[: int(kept * len(data))])
    with pytest.raises(BrokenCheckpoint, match=r"trained\.safetensors cannot be read"):
        load_trained(tiny_model(), broken)


@pytest.mark.parametrize("name", [TRAINED, "config.json"])
def test_a_missing_file_is_named(broken: Path, name: str):
    (broken / name).unlink()
    with pytest.raises(BrokenCheckpoint, match=r"needs config\.json and trained\.safetensors"):
        read_configuration(broken)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"text"', '{"model_type": "llama"}', '{"model_type": "earthgptx", "vision": 3}']
)
def test_a_configuration_that_is_none_is_refused(broken: Path, text: str):
    (broken / "config.json").write_text(text)
    with pytest.raises(BrokenCheckpoint, match=r"config\.json is not an EarthGPT-X configuration"):
        read_configuration(broken)


def test_an_impossible_configuration_is_refused(broken: Path):
    written = json.loads((broken / "config.json").read_text())
    written["fusion"]["kind"] = "additive"
    (broken / "config.json").write_text(json.dumps(written))
    with pytest.raises(BrokenCheckpoint, match="not 'additive'"):
        read_configuration(broken)


def test_a_model_of_another_depth_is_refused_with_both_counts(broken: Path):
    config = tiny()
    config.spatial.num_layers = 2
    with pytest.raises(BrokenCheckpoint, match=r"holds \d+ weights, this model has \d+; they differ in spatial"):
        load_trained(tiny_model(config), broken)


def test_a_model_of_another_width_is_refused_with_both_shapes(broken: Path):
    config = tiny()
    config.spatial.width = 64
    with pytest.raises(BrokenCheckpoint, match=r"has shape \(4, 32\), this model wants \(4, 64\)"):
        load_trained(tiny_model(config), broken)


def test_nano_is_not_taken_for_tiny(broken: Path):
    with torch.device("meta"):
        model = EarthGPTX(nano())
    with pytest.raises(BrokenCheckpoint, match="is a checkpoint of the size 'tiny', but the model is 'nano'"):
        load_trained(model, broken)


@pytest.mark.parametrize("change", ["shorter", "no scales"])
def test_codes_that_do_not_fit_are_refused(broken: Path, change: str):
    stored = load_file(broken / TRAINED)
    name = next(name for name in stored if name.endswith(".codes"))
    if change == "shorter":
        stored[name] = stored[name][:GROUP].clone()
    else:
        del stored[name.replace(".codes", ".scales")]
    save_file(stored, str(broken / TRAINED), metadata={"bits": "8", "group": str(GROUP)})
    with pytest.raises(BrokenCheckpoint, match=name.removesuffix(".codes").replace(".", r"\.")):
        load_trained(tiny_model(), broken)
