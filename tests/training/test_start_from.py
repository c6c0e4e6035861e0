"""A run may start from a checkpoint: to train a shipped model further, or to fine-tune it."""

from __future__ import annotations

from pathlib import Path

import torch

from earthgptx.training.command import export
from tests.training.small_run import small_recipe, small_trainer


def test_a_run_starts_where_the_checkpoint_ends(data: Path, tmp_path: Path) -> None:
    first = small_trainer(data, tmp_path / "first", warm_steps=0, steps=2)
    first.run()
    folder = export(small_recipe(data, tmp_path / "first"), first.model, tmp_path / "model")

    second = small_trainer(data, tmp_path / "second", warm_steps=0, steps=2, start_from=str(folder))

    scale = max(float(p.detach().abs().max()) for p in first.parameters.values())
    for name, parameter in first.parameters.items():
        # bf16 keeps 8 bits; the attention's difference is rounded to 8 bits of its group's largest.
        torch.testing.assert_close(second.parameters[name], parameter, rtol=1e-2, atol=scale * 4e-3, msg=name)
