"""`torchrun ... -m earthgptx train` itself: a process that is killed is started again, and the run goes on exactly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from earthgptx.training.checkpoint import newest_state
from tests.training.small_run import ROOT, TINY, small_recipe, written_losses
from tests.training.together import Ended, run_together

DIES_ONCE = Path(__file__).with_name("dies_once.py")
SECONDS = 560  # of a crowded machine


def test_a_process_killed_by_minus_9_is_started_again_and_the_losses_go_on_exactly(data: Path, tmp_path: Path):
    undisturbed = small_recipe(data, tmp_path / "one", checkpoint_minutes=0.0)
    assert run_together(undisturbed, 2, tmp_path / "told") == [Ended(0, "")] * 2

    recipe = small_recipe(data, tmp_path / "two", checkpoint_minutes=0.0)
    settings = {name: getattr(recipe, name) for name in ("data", "runs", "features", "checkpoint_minutes")}
    changes = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    launch = ["--standalone", "--nproc-per-node", "2", "--max-restarts", "1", str(DIES_ONCE)]
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *launch, "train", str(TINY), *changes],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert (tmp_path / "died").read_text() == "1"  # the rank of the one that was killed
    folder = tmp_path / "two" / "runs" / "tiny"
    assert ended.stdout.count("The trained model is in") == 1  # one speaks for both
    assert "goes on at step 4 of 8" in " ".join(ended.stderr.split())
    starts = json.loads((folder / "run.json").read_text())["starts"]
    assert [(start["step"], start["processes"]) for start in starts] == [(0, 2), (4, 2)]
    assert written_losses(folder) == written_losses(tmp_path / "one" / "runs" / "tiny")
    state = newest_state(folder)
    assert state is not None
    assert state.name == "state-0000008"
    assert (folder / "model" / "trained.safetensors").is_file()
