"""Seconds and memory of `earthgptx ask` with three regions, and the cost of a second question on the scene.

Two child processes are measured. The first is the command itself, from its start to its exit, and its peak
resident memory as the kernel counted it. The second loads the model in Python, looks at the scene once and asks
about three regions, about the same three in another order, about three new ones (whose surroundings have to be
looked at first: the usual second question), and for the masks of those. A table comes first, then a JSON line.

    python benchmarks/ask_latency.py [IMAGE] [--sensor sar] [--model nano] [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

QUESTION = "Please identify the object category of each marked region in the image."
SECOND_QUESTION = "Please segment each marked region."
TARGETS = {"ask_seconds": 12.0, "second_question_new_marks_seconds": 2.5, "peak_memory_gb": 3.0}

# Runs in a process of its own, so that nothing this script has imported is warm.
TWO_QUESTIONS = """
import json, sys, time
started = time.perf_counter()
import earthgptx as egx
path, sensor, model, marks, other, first, second = json.loads(sys.argv[1])
marks, other = ([egx.Box(*three[0]), egx.Point(*three[1]), egx.Ellipse(*three[2])] for three in (marks, other))
assistant = egx.load(model)
loaded = time.perf_counter()
session = assistant.look(egx.Scene.open(path, sensor=sensor))
looked = time.perf_counter()
session.ask(first, marks)
asked = time.perf_counter()
session.ask(first, marks[::-1])
again = time.perf_counter()
session.ask(first, other)
moved = time.perf_counter()
session.ask(second)
end = time.perf_counter()
print(json.dumps([loaded - started, looked - loaded, asked - looked, again - asked, moved - again, end - moved]))
"""


@dataclass(frozen=True)
class ChildRun:
    """A finished process: wall time in seconds, peak resident memory in GB, and what it wrote to stdout."""

    seconds: float
    peak_memory_gb: float
    stdout: str


def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        image = arguments.image or draw_scene(Path(folder) / "scene.png")
        with Image.open(image) as opened:
            width, height = opened.size
        marks, others = place_marks(width, height), place_other_marks(width, height)
        command, in_python = commands(image, marks, others, arguments.sensor, arguments.model)
        asks = [run_child(command) for _ in range(arguments.runs)]
        steps = np.median(
            [json.loads(run_child(in_python).stdout.splitlines()[-1]) for _ in range(arguments.runs)], axis=0
        )
    load, look, first, same_marks, new_marks, more = (round(float(seconds), 2) for seconds in steps)
    result = {
        "ask_seconds": round(median(one.seconds for one in asks), 2),
        "ask_seconds_first_run": round(asks[0].seconds, 2),  # files not yet in the page cache, perhaps
        "peak_memory_gb": round(max(one.peak_memory_gb for one in asks), 2),
        "load_seconds": load,
        "look_seconds": look,
        "first_question_seconds": first,
        "second_question_same_marks_seconds": same_marks,
        "second_question_new_marks_seconds": new_marks,
        "masks_question_seconds": more,
    }
    show(result)
    print(json.dumps({**result, "model": arguments.model, "runs": arguments.runs, "machine": machine()}))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", type=Path, help="a drawn scene of 800 x 600 if not given")
    parser.add_argument("--sensor", default="optical")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--runs", type=int, default=3, help="medians are reported")
    return parser.parse_args()


def draw_scene(path: Path) -> Path:
    """A sea with bright boxes in it: speed does not depend on what there is to see."""
    rng = np.random.default_rng(0)
    pixels = rng.normal((40, 70, 90), 8, size=(600, 800, 3))
    for x, y in rng.integers((20, 20), (740, 560), size=(40, 2)):
        pixels[y : y + 14, x : x + 40] = 200
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path


def place_marks(width: int, height: int) -> list[list[float]]:
    """A box, a point and a circle (as an ellipse) in an image of this size."""
    radius = min(width, height) / 12
    return [
        [width * 0.2, height * 0.2, width * 0.35, height * 0.4],
        [width * 0.5, height * 0.5],
        [width * 0.75, height * 0.7, radius, radius],
    ]


def place_other_marks(width: int, height: int) -> list[list[float]]:
    """Three marks of the same kinds in other places, none of which shares a zoom window with those of `place_marks`."""
    radius = min(width, height) / 12
    return [
        [width * 0.65, height * 0.1, width * 0.8, height * 0.3],
        [width * 0.2, height * 0.75],
        [width * 0.45, height * 0.25, radius, radius],
    ]


def commands(
    image: Path, marks: list[list[float]], others: list[list[float]], sensor: str, model: str
) -> tuple[list[str], list[str]]:
    """The `earthgptx ask` command with three marks, and the same work as one Python process."""
    box, point, circle = (",".join(f"{value:g}" for value in mark) for mark in (marks[0], marks[1], marks[2][:3]))
    shapes = ["--box", box, "--point", point, "--circle", circle]
    options = ["--sensor", sensor, "--model", model, "--json"]
    ask = [sys.executable, "-m", "earthgptx", "ask", str(image), *shapes, *options, QUESTION]
    parameters = json.dumps([str(image), sensor, model, marks, others, QUESTION, SECOND_QUESTION])
    return ask, [sys.executable, "-c", TWO_QUESTIONS, parameters]


def run_child(command: list[str]) -> ChildRun:
    """Runs a command to its end; its own memory is counted, not that of its siblings before it."""
    with tempfile.TemporaryFile() as stdout:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=stdout)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)  # Popen did not see the child end
        if child.returncode != 0:
            raise SystemExit(f"exit code {child.returncode} of: {' '.join(command)[:300]}")
        stdout.seek(0)
        unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB elsewhere
        return ChildRun(seconds, usage.ru_maxrss * unit / 1e9, stdout.read().decode())


def show(result: dict[str, float]) -> None:
    """The table for people, targets beside the numbers that have one."""
    print(f"{'what':<36}{'measured':>10}{'target':>10}")
    for name, value in result.items():
        target = f"<= {TARGETS[name]:g}" if name in TARGETS else ""
        print(f"{name.replace('_', ' '):<36}{value:>10.2f}{target:>10}")


def machine() -> str:
    """Processor, cores, system and Python; not the host's name."""
    cores = os.cpu_count()
    return f"{platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
