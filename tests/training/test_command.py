"""From a recipe to a run: sizes that the loop cannot train are refused before anything is read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from earthgptx.errors import MalformedRecipe
from earthgptx.model.sizes import SIZES
from earthgptx.training.command import configuration_of
from earthgptx.training.recipe import load_recipe
from tests.training.small_run import TINY


@pytest.mark.parametrize("size", [name for name, size in SIZES.items() if size().pixels.encoder == "sam"])
def test_a_size_with_sam_s_encoder_is_refused(size: str):
    with pytest.raises(MalformedRecipe, match=f"'{size}' draws masks with SAM's own encoder"):
        configuration_of(replace(load_recipe(TINY, []), size=size, overrides={}))
