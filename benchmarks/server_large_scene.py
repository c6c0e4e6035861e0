"""A scene of 30,000 x 30,000 pixels on the server: how long it takes to open, show and ask about, and in what memory.

A tiled, compressed GeoTIFF with overviews lies below the server's root (mostly empty, so that it is small on disk). It
is opened, tiles of every zoom are fetched, and a question with marks far apart is asked, which takes a window each. A
table comes first, then a JSON line.

    python benchmarks/server_large_scene.py [--side 30000] [--model tiny]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from annotate_memory import TILE, write_scene
from server_load import resident_mb, server, tiny_checkpoint

TARGET_MB = 1_500
NUM_MARKS = 6
QUESTION = "Please segment each marked region."


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=30_000, help="pixels a side of the scene")
    parser.add_argument("--model", default="tiny", help="a model's name, tiny (random) or a folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_checkpoint(Path(folder) / "tiny") if arguments.model == "tiny" else arguments.model
        (Path(folder) / "root").mkdir()
        write_scene(Path(folder) / "root" / "large.tif", arguments.side)
        os.environ["EARTHGPTX_ROOT"] = str(Path(folder) / "root")
        with server(str(model), 8, 4) as (address, process), httpx.Client(base_url=address, timeout=600) as client:
            result = measure(client, process.pid, arguments.side)
    print(f"{'what':<24}{'measured':>10}{'target':>10}")
    for name, value in result.items():
        print(f"{name.replace('_', ' '):<24}{value:>10}{TARGET_MB if name == 'scene_costs_mb' else '':>10}")
    machine = f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}"
    print(json.dumps({**result, "side": arguments.side, "model": arguments.model, "machine": machine}))


def measure(client: httpx.Client, pid: int, side: int) -> dict[str, float]:
    """Opens, looks and asks."""
    before = resident_mb(pid)
    scene, opening = timed(lambda: client.post("/scenes", json={"path": "large.tif", "sensor": "optical"}))
    seconds = []
    for zoom in range(scene["max_zoom"] + 1):
        middle = (side // 2) // (256 << (scene["max_zoom"] - zoom))
        started = time.perf_counter()
        client.get(f"/scenes/{scene['id']}/tiles/{zoom}/{middle}/{middle}.png").raise_for_status()
        seconds.append(time.perf_counter() - started)
    places = [3 * TILE * (2 * number + 1) for number in range(NUM_MARKS)]
    marks = [{"kind": "box", "coordinates": [x + 20, x + 20, x + 60, x + 60]} for x in places]
    body = {"question": QUESTION, "marks": marks, "max_new_tokens": 32}
    answer, asking = timed(lambda: client.post(f"/scenes/{scene['id']}/ask", json=body))
    assert len(answer["windows"]) == NUM_MARKS
    drawing = timed(lambda: client.get(f"/scenes/{scene['id']}/answers/{answer['id']}.geojson"))[1]
    return {
        "opened_s": round(opening, 2),
        "tile_s_median": round(float(np.median(seconds)), 3),
        "tile_s_most": round(max(seconds), 3),
        "asked_windows": NUM_MARKS,
        "asked_s": round(asking, 2),
        "geojson_s": round(drawing, 2),
        "memory_before_mb": before,
        "memory_peak_mb": peak_mb(pid),
        "scene_costs_mb": peak_mb(pid) - before,
    }


def timed(call: Callable[[], httpx.Response]) -> tuple[Any, float]:
    """What a request gave, and how long it took."""
    started = time.perf_counter()
    content = call().raise_for_status().json()
    return content, time.perf_counter() - started


def peak_mb(pid: int) -> int:
    """The most that a process ever had resident, mapped files included."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
