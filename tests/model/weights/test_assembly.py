"""Assembling a size: the parts that a checkpoint does not hold must be the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from earthgptx.errors import UnknownModel
from earthgptx.model.earthgptx import trainable_parameters
from earthgptx.model.sizes import paper, tiny
from earthgptx.model.weights.assembly import assemble
from earthgptx.model.weights.checkpoint import ATTENTION, load_trained, save_trained


@pytest.mark.parametrize("bits", [4, 8])
def test_a_tiny_checkpoint_means_the_same_in_another_process(tmp_path: Path, bits: int):
    torch.manual_seed(1)
    trained = assemble(tiny()).model
    start = {name: value.clone() for name, value in trained.state_dict().items() if name.startswith(ATTENTION)}
    for parameter in trainable_parameters(trained, "scratch").values():
        parameter.data = parameter.data.float() + 0.01 * torch.randn_like(parameter.data, dtype=torch.float32)
    save_trained(trained, tmp_path, base=start, bits=bits)
    torch.manual_seed(2)  # another process has drawn other numbers before
    loaded = assemble(tiny()).model
    load_trained(loaded, tmp_path)
    largest_error = {4: 0.01, 8: 1e-3}[bits]
    for name, value in loaded.state_dict().items():
        wanted = trained.state_dict()[name].float()
        assert torch.allclose(value.float(), wanted, atol=largest_error, rtol=0.01), name


def test_assembling_leaves_the_random_numbers_of_the_caller_alone():
    torch.manual_seed(3)
    first = assemble(tiny()).model.spatial.queries
    torch.manual_seed(3)
    assert torch.equal(assemble(tiny()).model.spatial.queries, first)
    assert not torch.equal(assemble(tiny()).model.spatial.queries, first)


def test_sizes_that_no_package_holds_are_refused():
    with pytest.raises(UnknownModel, match="'paper'"):
        assemble(paper())
