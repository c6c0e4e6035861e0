"""Where a run trains: everything a step reads goes to the device of the model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from earthgptx.errors import DeviceUnavailable
from tests.training.small_run import small_trainer


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(data: Path, tmp_path: Path, device: str):
    with pytest.raises(DeviceUnavailable, match=f"no device '{device}'"):
        small_trainer(data, tmp_path, device=device)


def test_every_tensor_of_a_batch_moves(data: Path, tmp_path: Path):
    batch = small_trainer(data, tmp_path).corpus.batch(0, 2).to("meta")
    parts = [batch.labels, batch.features.vit, *batch.features.cnn, *batch.batch.targets]
    parts += [value for value in vars(batch.batch).values() if isinstance(value, torch.Tensor)]
    assert {tensor.device.type for tensor in parts} == {"meta"}


@pytest.mark.gpu
def test_a_run_trains_and_resumes_on_a_gpu(data: Path, tmp_path: Path):
    trainer = small_trainer(data, tmp_path, device="cuda", warm_steps=1, steps=1)
    trainer.run()
    features = str(tmp_path / "features again")  # the first store is locked as long as its trainer lives
    again = small_trainer(data, tmp_path, device="cuda", warm_steps=1, steps=2, features=features)
    assert again.resume()
    again.run()
    assert {parameter.device.type for parameter in again.parameters.values()} == {"cuda"}
