from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from earthgptx.shapes import Box, Ellipse, Point, check_mark, parse_mark


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "ask_latency.py"
    spec = importlib.util.spec_from_file_location("ask_latency", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ask_latency"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_a_child_is_timed_and_its_memory_counted(script: ModuleType):
    """From a small process of its own, as the benchmark runs: a child's peak begins at that of the one who forks it."""
    child = "import time; kept = b'x' * 200_000_000; time.sleep(0.2); print('done')"
    measure = (
        "import runpy, sys; run = runpy.run_path(sys.argv[1])['run_child']([sys.executable, '-c', sys.argv[2]]);"
        "print(run.seconds, run.peak_memory_gb, run.stdout)"
    )
    command = [sys.executable, "-c", measure, str(script.__file__), child]
    seconds, memory, said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert said == "done"
    assert float(seconds) >= 0.2
    assert 0.2 < float(memory) < 0.6


def test_a_child_that_fails_ends_the_measurement(script: ModuleType):
    with pytest.raises(SystemExit, match="exit code 3"):
        script.run_child([sys.executable, "-c", "raise SystemExit(3)"])


def test_the_command_marks_what_the_python_process_marks(script: ModuleType, tmp_path: Path):
    image = script.draw_scene(tmp_path / "scene.png")
    with Image.open(image) as opened:
        width, height = opened.size
    marks, others = script.place_marks(width, height), script.place_other_marks(width, height)
    ask, _ = script.commands(image, marks, others, "optical", "nano")
    written = {word[2:]: ask[place + 1] for place, word in enumerate(ask) if word in ("--box", "--point", "--circle")}
    drawn = [Box(*marks[0]), Point(*marks[1]), Ellipse(*marks[2])]
    assert [parse_mark(kind, text) for kind, text in written.items()] == drawn
    new = [Box(*others[0]), Point(*others[1]), Ellipse(*others[2])]
    for mark in (*drawn, *new):
        check_mark(mark, width, height)
    assert all(mark.bounds().iou(other.bounds()) == 0 for mark in drawn for other in new)
