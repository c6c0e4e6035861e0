"""Nothing is on the wrong device: the model, a run and answers on a device apart from the CPU.

CI has no GPU. Fake CUDA tensors would do for a forward pass, but hold no numbers, and how many views, marks and words
there are is read from numbers; so `apart_device` computes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The device of a process is for good. Inference mode would hide from it what operations are made of.
CHECK = "import torch; torch.inference_mode = torch.no_grad; from tests.apart_checks import main; main()"
NAMES = (
    "the_device_is_strict",
    "every_kind_of_model_runs_forward_and_back",
    "a_convnext_looks",
    "a_run_trains",
    "questions_are_answered",
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    command = [sys.executable, "-c", CHECK, str(tmp_path_factory.mktemp("apart"))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, str] = json.loads(run.stdout.splitlines()[-1])
    assert tuple(found) == NAMES
    return found


@pytest.mark.parametrize("name", NAMES)
def test_on_a_device_apart_from_the_cpu(outcomes: dict[str, str], name: str):
    assert outcomes[name] == ""
