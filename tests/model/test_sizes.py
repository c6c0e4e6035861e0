"""How many parameters every box has at every size, and what each policy trains, counted on the meta device.

The numbers are exact on purpose: whoever changes a size sees here what the change costs.
"""

from __future__ import annotations

import functools

import pytest
import torch

from earthgptx.model.configuration import FusionConfig, SpatialConfig
from earthgptx.model.earthgptx import EarthGPTX, parameter_counts, trainable_parameters
from earthgptx.model.sizes import SIZES

COUNTS = {
    "tiny": {"vision": 45_432, "spatial": 27_968, "fusion": 130_622, "language": 107_136, "pixels": 130_372},
    "nano": {
        "vision": 26_386_376,
        "spatial": 680_448,
        "fusion": 7_333_144,
        "language": 134_517_888,
        "pixels": 4_540_116,
    },
    "7b": {
        "vision": 500_597_952,
        "spatial": 86_551_296,
        "fusion": 85_811_218,
        "language": 6_738_436_096,
        "pixels": 658_915_044,
    },
    "paper": {
        "vision": 500_597_952,
        "spatial": 86_551_296,
        "fusion": 106_786_834,
        "language": 13_015_889_920,
        "pixels": 668_615_396,
    },
    "paper-rn50x16": {
        "vision": 440_473_296,
        "spatial": 86_551_296,
        "fusion": 111_508_498,
        "language": 13_015_889_920,
        "pixels": 668_615_396,
    },
}
# "paper": four projections a layer of the LLM's attention, and the two cross-attentions of the fusion box.
TRAINED_AS_PUBLISHED = {
    "tiny": {"fusion": 18_816, "language": 24_576},
    "nano": {"fusion": 1_182_720, "language": 26_542_080},
    "7b": {"fusion": 8_396_800, "language": 2_147_483_648},
    "paper": {"fusion": 8_396_800, "language": 4_194_304_000},
    "paper-rn50x16": {"fusion": 8_396_800, "language": 4_194_304_000},
}
# "scratch": those, the five new words, and all of the other boxes but the grounding encoder and the frequencies.
TRAINED_FROM_SCRATCH = {
    "tiny": {"spatial": 27_968, "fusion": 130_622, "language": 24_896, "pixels": 130_340},
    "nano": {"spatial": 680_448, "fusion": 7_333_144, "language": 26_544_960, "pixels": 4_539_860},
    "7b": {"spatial": 86_551_296, "fusion": 85_811_218, "language": 2_147_504_128, "pixels": 21_888_740},
    "paper": {"spatial": 86_551_296, "fusion": 106_786_834, "language": 4_194_329_600, "pixels": 31_589_092},
    "paper-rn50x16": {
        "spatial": 86_551_296,
        "fusion": 111_508_498,
        "language": 4_194_329_600,
        "pixels": 31_589_092,
    },
}


@functools.cache
def on_meta(size: str) -> EarthGPTX:
    with torch.device("meta"):
        return EarthGPTX(SIZES[size]())


def trained(size: str, policy: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, parameter in trainable_parameters(on_meta(size), policy).items():
        box = name.split(".")[0]
        counts[box] = counts.get(box, 0) + parameter.numel()
    return counts


@pytest.mark.parametrize("size", SIZES)
def test_parameters_of_every_box(size: str):
    assert parameter_counts(on_meta(size)) == COUNTS[size]


def test_tiny_is_tiny():
    assert sum(COUNTS["tiny"].values()) < 2_000_000


@pytest.mark.parametrize("size", SIZES)
def test_what_the_published_policy_trains(size: str):
    assert trained(size, "paper") == TRAINED_AS_PUBLISHED[size]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_trained_from_scratch(size: str):
    assert trained(size, "scratch") == TRAINED_FROM_SCRATCH[size]


@pytest.mark.parametrize(("size", "width", "layers"), [("7b", 4096, 32), ("paper", 5120, 40)])
def test_trained_attention_is_four_square_projections_a_layer(size: str, width: int, layers: int):
    assert TRAINED_AS_PUBLISHED[size]["language"] == 4 * width**2 * layers


def test_new_words_are_all_that_scratch_adds_to_the_language_model():
    for size in SIZES:
        width = on_meta(size).config.language["hidden_size"]
        assert TRAINED_FROM_SCRATCH[size]["language"] - TRAINED_AS_PUBLISHED[size]["language"] == 5 * width


@pytest.mark.parametrize("size", SIZES)
def test_whole_model_counts_no_parameter_twice(size: str):
    model = on_meta(size)
    assert sum(parameter.numel() for parameter in model.parameters()) == sum(COUNTS[size].values())


def test_nano_s_own_weights_fit_in_64_megabytes():
    attention = TRAINED_FROM_SCRATCH["nano"]["language"]
    rest = sum(TRAINED_FROM_SCRATCH["nano"].values()) - attention
    for bits in (4, 8):
        size = attention * bits / 8 + attention / 64 * 2 + rest * 2  # codes, fp16 scales, bf16
        assert size < 64e6


@pytest.mark.parametrize(("size", "whole", "sub_image"), [("tiny", 17, 5), ("nano", 17, 5), ("paper", 257, 257)])
def test_visual_budget_of_the_language_model(size: str, whole: int, sub_image: int):
    fusion = SIZES[size]().fusion
    assert (fusion.words_per_view, fusion.words_per_sub_image) == (whole, sub_image)


def test_ids_of_our_words_follow_the_base_vocabulary():
    for make in SIZES.values():
        config = make()
        base = config.base_vocabulary_size
        assert [config.image_token_id, config.region_token_id, config.pix_token_id] == [base, base + 1, base + 2]


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="'everything'"):
        trainable_parameters(on_meta("tiny"), "everything")


@pytest.mark.parametrize("merge", [3, 5, 32])
def test_merges_that_do_not_divide_a_view_are_refused(merge: int):
    with pytest.raises(ValueError, match=f"Merges of {merge} "):
        FusionConfig(merge_before=merge)


def test_a_canvas_of_another_grid_is_refused():
    with pytest.raises(ValueError, match="100 px in patches of 7 px"):
        SpatialConfig(canvas_size=100, patch_size=7)


def test_an_unknown_kind_of_fusion_is_refused():
    with pytest.raises(ValueError, match="not 'additive'"):
        FusionConfig(kind="additive")
