"""The GPU's benchmark at a size that needs none: what it counts and what it says are right, how fast is not asked."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import earthgptx.training.plan

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--size", "tiny", "--device", "cpu", "--batch", "2", *options])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_recomputed_activations_are_counted_once(monkeypatch, capsys, tmp_path: Path):
    recomputed = run(monkeypatch, capsys, "--out", str(tmp_path / "page.md"))
    # The plan, which takes longest, was made once.
    monkeypatch.setattr(earthgptx.training.plan, "plan", lambda *_: SimpleNamespace(peak=lambda _: 0))
    kept = run(monkeypatch, capsys, "--keep-activations")
    assert kept["tera_operations_done_twice"] == 0
    assert recomputed["tera_operations_done_twice"] > 0
    assert recomputed["step_tera_operations"] == pytest.approx(kept["step_tera_operations"], rel=0.01)
    share = recomputed["training_tflops"] / recomputed["matmul_tflops"]
    assert recomputed["share_of_ceiling"] == pytest.approx(share, rel=0.01)
    page = (tmp_path / "page.md").read_text()
    assert 0.01 < recomputed["planned_peak_gib"] < 1
    assert page.startswith("# tiny on cpu")
    assert f"| step seconds | {recomputed['step_seconds']} |" in page
    assert recomputed["commit"] in page


@pytest.mark.parametrize(
    ("options", "reason"), [(["--device", "cuda:99"], "no device 'cuda:99'"), (["--batch", "0"], "at least 1")]
)
def test_what_cannot_be_is_refused(monkeypatch, capsys, options: list[str], reason: str):
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, capsys, *options)
    assert reason in capsys.readouterr().err
