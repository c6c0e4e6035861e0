"""How `earthgptx serve` bears many clients: answers a minute, waiting, memory, failures; batched and one at a time.

Two servers run one after the other, with the same model and the same clients: the first answers what waits in
batches, the second one question at a time. Every client uploads a scene of its own and asks about other marks of it,
again and again, without a pause. The time begins when all scenes are encoded. Memory is noted every ten seconds:
whether it is flat, the last third of the time says. A table comes first, then a JSON line.

    python benchmarks/server_load.py [--model nano | tiny | FOLDER] [--clients 50] [--seconds 60] [--batch-size 8]
        [--only batched]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

SIDE = 448  # five views for nano
QUESTION = "Please identify the object category of each marked region in the image."
SECONDS_A_SAMPLE = 10.0  # of memory
TARGETS = {"server_errors": 0, "batched_over_one_at_a_time": 1.5}


@dataclass
class Tally:
    """What the clients saw: statuses, and seconds of the questions that were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_checkpoint(Path(folder) / "tiny") if arguments.model == "tiny" else arguments.model
        runs = {
            name: measure(str(model), batch_size, arguments.clients, arguments.seconds)
            for name, batch_size in (("batched", arguments.batch_size), ("one_at_a_time", 1))
            if arguments.only in (None, name)
        }
    for name, run in runs.items():
        print(f"\n{name}")
        for key, value in run.items():
            print(f"  {key:28} {value}")
    result: dict[str, object] = {**runs, "targets": TARGETS}
    if arguments.only is None:
        gain = runs["batched"]["answers_a_minute"] / max(runs["one_at_a_time"]["answers_a_minute"], 1e-9)
        result["batched_over_one_at_a_time"] = round(gain, 2)
        print(f"\nbatched over one at a time: {gain:.2f} times the answers a minute")
    for name, run in runs.items():
        low, high = run["memory_last_third_grew_mb"], run["highest_last_third_grew_mb"]
        print(f"memory, {name}: between batches the last third grew by {low} MB, within them by {high} MB")
    about = {"model": arguments.model, "clients": arguments.clients, "seconds": arguments.seconds}
    print(json.dumps({**result, **about, "machine": f"{os.cpu_count()} cores, {platform.processor()}"}))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano", help="a model's name, tiny (random) or a folder")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--only", choices=("batched", "one_at_a_time"), help="one of the two servers")
    return parser.parse_args()


def tiny_checkpoint(folder: Path) -> Path:
    """A random model that is quick whatever it says."""
    from earthgptx.model.sizes import tiny
    from earthgptx.model.weights.assembly import assemble
    from earthgptx.model.weights.checkpoint import save_trained

    return save_trained(assemble(tiny()).model, folder)


def measure(model: str, batch_size: int, num_clients: int, seconds: float) -> dict[str, Any]:
    """Runs one server under load."""
    tally, lock = Tally(), threading.Lock()
    with (
        server(model, batch_size, num_clients) as (address, process),
        httpx.Client(base_url=address, timeout=600) as client,
    ):
        scenes = [upload(client, seed) for seed in range(num_clients)]
        ask(client, scenes[0], random.Random(0))  # the first answer is slower: it is not measured
        while gauge(client.get("/metrics").text, "encoded_scenes") < num_clients:
            time.sleep(0.2)
        before = resident_mb(process.pid)
        start = queue_histogram(client.get("/metrics").text)
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=ask_again_and_again, args=(address, scene, place, end, tally, lock))
            for place, scene in enumerate(scenes)
        ]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        memory = memory_while(threads, process.pid)
        took = time.monotonic() - started
        metrics = client.get("/metrics").text
        waits = queue_histogram(metrics)
    waits = {edge: count - start.get(edge, 0) for edge, count in waits.items()}
    answered = sorted(tally.seconds)
    return {
        "answers_a_minute": round(len(answered) / took * 60, 1),
        "answers": len(answered),
        "server_errors": sum(count for status, count in tally.statuses.items() if status >= 500),
        "refused_as_queue_full": tally.statuses[429],
        "queue_seconds_p50": round(quantile_of(waits, 0.5), 2),
        "queue_seconds_p95": round(quantile_of(waits, 0.95), 2),
        "answer_seconds_p50": round(float(np.quantile(answered, 0.5)), 2),
        "answer_seconds_p95": round(float(np.quantile(answered, 0.95)), 2),
        "memory_before_mb": before,
        "memory_lowest_mb": [low for low, _ in memory],
        "memory_highest_mb": [high for _, high in memory],
        "memory_last_third_grew_mb": last_third_grew([low for low, _ in memory]),
        "highest_last_third_grew_mb": last_third_grew([high for _, high in memory]),
        "features_kept_mb": round(gauge(metrics, "encoded_bytes") / 2**20),
    }


@contextmanager
def server(model: str, batch_size: int, num_clients: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server on a free port that keeps as many scenes encoded as there are clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"MODEL": model, "PORT": port, "BATCH_SIZE": batch_size, "QUEUE_SIZE": num_clients + 1}
    own |= {"ENCODED_SCENES": num_clients, "MAX_SCENES": num_clients}
    environment = os.environ | {f"EARTHGPTX_{name}": str(value) for name, value in own.items()}
    process = subprocess.Popen([sys.executable, "-m", "earthgptx", "serve"], env=environment, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while not is_ready(address):
            if process.poll() is not None:
                sys.exit(f"The server ended with {process.returncode} before it was ready.")
            time.sleep(0.2)
        yield address, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def is_ready(address: str) -> bool:
    """Whether questions are taken."""
    try:
        return httpx.get(address + "/ready").status_code == 200
    except httpx.TransportError:
        return False


def upload(client: httpx.Client, seed: int) -> str:
    """A scene of noise: speed does not depend on what there is to see."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    response = client.post("/scenes", files={"file": ("noise.png", stream.getvalue())}, data={"sensor": "optical"})
    return str(response.raise_for_status().json()["id"])


def ask(client: httpx.Client, scene: str, rng: random.Random) -> int:
    """Asks about two boxes somewhere; gives the status."""
    corners = [(rng.randrange(SIDE - 60), rng.randrange(SIDE - 60)) for _ in range(2)]
    marks = [{"kind": "box", "coordinates": [x, y, x + 40, y + 40]} for x, y in corners]
    body = {"question": QUESTION, "marks": marks, "max_new_tokens": 32}
    return client.post(f"/scenes/{scene}/ask", json=body).status_code


def ask_again_and_again(address: str, scene: str, seed: int, end: float, tally: Tally, lock: threading.Lock) -> None:
    """One client."""
    rng = random.Random(seed)
    with httpx.Client(base_url=address, timeout=600) as client:
        while time.monotonic() < end:
            started = time.monotonic()
            status = ask(client, scene, rng)
            with lock:
                tally.statuses[status] += 1
                if status == 200:
                    tally.seconds.append(time.monotonic() - started)


def resident_mb(pid: int) -> int:
    """Resident memory of a process without the pages of files that are mapped, which the kernel can drop."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("RssAnon"))


def memory_while(threads: list[threading.Thread], pid: int) -> list[tuple[int, int]]:
    """The lowest and the highest resident memory of each ten seconds until the threads end, looked at every 0.2 s.

    It goes up and down with each batch: the lowest is what is kept between two of them.
    """
    memory: list[tuple[int, int]] = []
    while any(thread.is_alive() for thread in threads):
        end = time.monotonic() + SECONDS_A_SAMPLE
        seen = [resident_mb(pid)]
        while time.monotonic() < end and any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            seen.append(resident_mb(pid))
        memory.append((min(seen), max(seen)))
    return memory


def last_third_grew(memory: list[int]) -> int:
    """By how much the median of the last third is above that of the third before it."""
    third = max(len(memory) // 3, 1)
    return round(float(np.median(memory[-third:]) - np.median(memory[-2 * third : -third] or memory[:1])))


def gauge(metrics: str, name: str) -> float:
    """A number of the server's own."""
    prefix = f"earthgptx_{name} "
    return next(float(line.removeprefix(prefix)) for line in metrics.splitlines() if line.startswith(prefix))


def queue_histogram(metrics: str) -> dict[float, float]:
    """Questions that waited at most so many seconds, by seconds."""
    prefix = 'earthgptx_queue_seconds_bucket{le="'
    rows = [line.removeprefix(prefix).split('"} ') for line in metrics.splitlines() if line.startswith(prefix)]
    return {float(edge): float(count) for edge, count in rows}


def quantile_of(histogram: dict[float, float], share: float) -> float:
    """A quantile, as Prometheus estimates it: evenly spread inside its bucket."""
    edges = sorted(histogram)
    wanted = histogram[edges[-1]] * share
    low, below = 0.0, 0.0
    for edge in edges:
        count = histogram[edge]
        if count >= wanted and count > below:
            return low if edge == float("inf") else low + (edge - low) * (wanted - below) / (count - below)
        low, below = edge, count
    return low


if __name__ == "__main__":
    main()
