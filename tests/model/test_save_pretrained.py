"""The ecosystem's own way to save and load: `save_pretrained`, `from_pretrained`, exact to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from earthgptx.model.configuration import EarthGPTXConfig, FusionConfig, PixelsConfig, SpatialConfig, VisionConfig
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.sizes import SIZES
from earthgptx.shapes import Box
from tests.tiny_model import dialogue_sample, prepare, tiny_config, tiny_model


@pytest.mark.parametrize("encoder", ["towers", "sam"])
def test_what_was_saved_is_what_is_loaded(tmp_path: Path, encoder: str):
    config = tiny_config(encoder=encoder)
    model = EarthGPTX(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # nothing may be drawn or set anew behind a loaded weight
            parameter.add_(0.01 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path)
    loaded = EarthGPTX.from_pretrained(tmp_path)
    wanted, found = model.state_dict(), loaded.state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    buffers, found_buffers = dict(model.named_buffers()), dict(loaded.named_buffers())
    assert buffers.keys() == found_buffers.keys()
    assert all(torch.equal(buffers[name], found_buffers[name]) for name in buffers)
    sample = dialogue_sample((300, 260), (Box(20, 30, 44, 54),), answer="<Region 1>: <pix>")
    batch = prepare([sample], config).batch()
    with torch.no_grad():
        before, after = model(batch), loaded.eval()(batch)
    assert torch.equal(before.answer_logits, after.answer_logits)
    for mask, expected in zip(after.masks, before.masks, strict=True):
        torch.testing.assert_close(mask, expected, atol=1e-6, rtol=0)  # 9e-8: the same sums in another order


def test_a_tied_output_layer_stays_tied(tmp_path: Path):
    model = tiny_model()
    model.save_pretrained(tmp_path)
    llama = EarthGPTX.from_pretrained(tmp_path).language.llama
    assert llama.lm_head.weight is llama.model.embed_tokens.weight


@pytest.mark.parametrize("size", SIZES)
def test_a_configuration_survives_json(tmp_path: Path, size: str):
    config = SIZES[size]()
    config.save_pretrained(tmp_path)
    loaded = EarthGPTXConfig.from_pretrained(tmp_path)
    for name, kind in (
        ("vision", VisionConfig),
        ("spatial", SpatialConfig),
        ("fusion", FusionConfig),
        ("pixels", PixelsConfig),
    ):
        assert isinstance(getattr(loaded, name), kind)
    own = {"vision", "spatial", "fusion", "pixels", "language", "dialogue", "size_name", "num_new_tokens"}
    ids = {"image_token_id", "region_token_id", "pix_token_id"}
    for name in own | ids:
        wanted, found = getattr(config, name), getattr(loaded, name)
        if hasattr(wanted, "to_dict"):
            wanted, found = wanted.to_json_string(use_diff=False), found.to_json_string(use_diff=False)
        assert found == wanted, name
