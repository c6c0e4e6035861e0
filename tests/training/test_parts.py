"""A run that starts from a folder of a whole model ends with one, from any number of processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.sizes import SIZES, tiny
from earthgptx.model.weights.assembly import assemble
from earthgptx.training.checkpoint import newest_state, read_parameters
from earthgptx.training.exporting import write_whole
from earthgptx.training.parts import open_parts
from earthgptx.training.world import World
from tests.training.small_run import small_recipe
from tests.training.together import Ended, run_together


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts") / "tiny"
    return write_whole(assemble(tiny()).model, folder, tokenizer_of=folder, world=World())


def test_what_was_written_is_what_is_opened(parts: Path):
    written, opened = assemble(tiny()).model.state_dict(), open_parts(parts, tiny()).model.state_dict()
    assert written.keys() == opened.keys()
    assert {name for name in written if written[name].dtype != opened[name].dtype} == set()
    frozen = [name for name in written if name.startswith(("vision.", "language.llama."))]
    assert all(torch.equal(written[name], opened[name]) for name in frozen)


def test_two_processes_go_on_from_parts_and_write_a_whole_model(data: Path, tmp_path: Path, parts: Path):
    recipe = small_recipe(data, tmp_path, parts=str(parts), features="", warm_steps=1, steps=1)
    assert run_together(recipe, 2, tmp_path / "told") == [Ended(0, "")] * 2
    run = tmp_path / "runs" / "tiny"
    state = newest_state(run)
    assert state is not None
    model = open_parts(run / "model", tiny()).model.state_dict()
    for name, value in read_parameters(state).items():
        assert torch.equal(model[name].float(), value.to(model[name].dtype).float()), name
    untouched = open_parts(parts, tiny()).model.state_dict()
    assert all(torch.equal(model[name], untouched[name]) for name in model if name.startswith("vision."))


def test_a_model_of_another_size_is_refused(parts: Path):
    with pytest.raises(BrokenCheckpoint, match="holds a model of the size 'tiny', the recipe is for 'nano'"):
        open_parts(parts, SIZES["nano"]())


def test_a_truncated_shard_is_refused_in_one_sentence(parts: Path, tmp_path: Path):
    for path in parts.iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[: len(content) // 2] if "model-" in path.name else content)
    with pytest.raises(BrokenCheckpoint, match="cannot be read") as raised:
        open_parts(tmp_path, tiny())
    assert "\n" not in str(raised.value)


def test_a_part_that_is_not_there_is_not_drawn_at_random(parts: Path, tmp_path: Path):
    for path in parts.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for path in tmp_path.glob("*.safetensors"):
        tensors = load_file(path)
        save_file({name: value for name, value in tensors.items() if name != "spatial.join.weight"}, path)
    with pytest.raises(BrokenCheckpoint, match=r"spatial\.join\.weight"):
        open_parts(tmp_path, tiny())


def test_there_must_be_a_model(tmp_path: Path):
    with pytest.raises(BrokenCheckpoint):
        open_parts(tmp_path / "absent", tiny())
