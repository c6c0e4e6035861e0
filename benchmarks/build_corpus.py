"""Samples a second of `earthgptx data build`, source by source, and whether its memory grows with the corpus.

Seven sources are fabricated in their publishers' forms (`made_sources`), in a quarter, a half and the whole of the
number of images that give the samples asked for. Each is built by a process of its own, whose memory and that of
its workers is looked at ten times a second: the proportional set size, in which pages that processes share count once.
A table comes first, then a JSON line.

    python benchmarks/build_corpus.py [--samples 200000] [--workers 2] [--folder /var/tmp]
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
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FULL_SAMPLES = 200_000  # what the whole of `made_sources` gives, about
SHARES = (0.25, 0.5, 1.0)
TARGET_SECONDS, TARGET_GIGABYTES = 600.0, 2.0

# Runs in a process of its own: builds, and prints a line for each source when it is done.
BUILD = """
import json, sys, time
from pathlib import Path
from earthgptx.data.corpus.build import build

started = time.perf_counter()

def tell(told):
    global started
    if told.is_done and told.num_items:
        now = time.perf_counter()
        print(json.dumps([told.source, told.num_items, told.num_samples, now - started]), flush=True)
    if told.is_done:
        started = time.perf_counter()

if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]), num_workers=int(sys.argv[3]), on_progress=tell)
"""


@dataclass(frozen=True)
class SourceTime:
    """What one source took."""

    source: str
    num_items: int
    num_samples: int
    seconds: float


@dataclass(frozen=True)
class Build:
    """One build of all sources."""

    share: float
    num_samples: int
    seconds: float
    peak_gigabytes: float
    sources: list[SourceTime]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=FULL_SAMPLES, help="about so many in the largest corpus")
    parser.add_argument("--workers", type=int, default=2, help="processes that convert")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; the system's temporary folder")
    arguments = parser.parse_args()
    builds = [
        measure(share * arguments.samples / FULL_SAMPLES, share, arguments.workers, arguments.folder)
        for share in SHARES
    ]
    largest = builds[-1]
    print(f"{'source':14} {'items':>8} {'samples':>9} {'seconds':>8} {'items/s':>8} {'samples/s':>10}")
    for row in largest.sources:
        speeds = f"{row.num_items / row.seconds:8.0f} {row.num_samples / row.seconds:10.0f}"
        print(f"{row.source:14} {row.num_items:8,} {row.num_samples:9,} {row.seconds:8.1f} {speeds}")
    print(f"\n{'share':>5} {'samples':>9} {'seconds':>8} {'samples/s':>10} {'peak memory':>12}")
    for build in builds:
        speed, memory = build.num_samples / build.seconds, f"{build.peak_gigabytes:9.2f} GB"
        print(f"{build.share:5.2f} {build.num_samples:9,} {build.seconds:8.1f} {speed:10.0f} {memory}")
    expected = FULL_SAMPLES / largest.num_samples * largest.seconds
    print(f"\n{FULL_SAMPLES:,} samples at this speed: {expected:.0f} s (target {TARGET_SECONDS:.0f} s);", end=" ")
    print(f"memory {largest.peak_gigabytes:.2f} GB (target {TARGET_GIGABYTES:.0f} GB), {os.cpu_count()} cores")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"machine": machine, "workers": arguments.workers, "builds": [asdict(build) for build in builds]}))


def measure(made_share: float, share: float, workers: int, where: Path | None) -> Build:
    """Fabricates a share of the sources, builds them and cleans up."""
    from benchmarks.made_sources import make_sources

    with tempfile.TemporaryDirectory(dir=where) as folder:
        root, out, script = Path(folder) / "sources", Path(folder) / "corpus", Path(folder) / "build.py"
        make_sources(root, made_share)
        script.write_text(BUILD, encoding="utf-8")
        command = [sys.executable, str(script), str(root), str(out), str(workers)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started = time.perf_counter()
        with (Path(folder) / "told").open("w+") as told:
            child = subprocess.Popen(command, stdout=told, env=environment, cwd=ROOT)
            peak = 0
            while child.poll() is None:
                peak = max(peak, sum(map(memory_of, family_of(child.pid))))
                time.sleep(0.1)
            seconds = time.perf_counter() - started
            if child.returncode != 0:
                raise SystemExit(f"The build ended with {child.returncode}.")
            told.seek(0)
            sources = [SourceTime(*json.loads(line)) for line in told]
    return Build(share, sum(row.num_samples for row in sources), seconds, peak / 1e9, sources)


def family_of(process: int) -> list[int]:
    """A process and all that it started, directly or not."""
    found, waiting = [], [process]
    while waiting:
        number = waiting.pop()
        found.append(number)
        for path in Path(f"/proc/{number}/task").glob("*/children"):
            try:
                waiting += map(int, path.read_text().split())
            except OSError:  # it ended meanwhile
                continue
    return found


def memory_of(process: int) -> int:
    """The proportional set size of a process in bytes; 0 if it ended meanwhile."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # for the fabricator beside this file, when started as a script
    main()
