"""From a recipe to a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from earthgptx.model.sizes import SIZES
from earthgptx.training.command import configuration_of
from earthgptx.training.recipe import load_recipe
from tests.training.small_run import TINY


@pytest.mark.parametrize("size", SIZES)
def test_every_size_can_be_named_in_a_recipe(size: str):
    config = configuration_of(replace(load_recipe(TINY, []), size=size, overrides={"fusion.width": 192}))
    assert (config.size_name, config.fusion.width) == (size, 192)
