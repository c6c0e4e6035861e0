"""A build that was ended on the way, by whatever means, goes on and comes to the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from earthgptx.data.corpus import build as building
from earthgptx.data.corpus.build import build
from earthgptx.data.corpus.manifest import read_manifest
from tests.data.corpus.reading import content

ROOT = Path(__file__).parents[3]


class Ended(BaseException):
    """Stands in for the end of the process; nothing may catch it."""


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
def test_a_build_that_was_ended_goes_on(after, root, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "ROWS_A_SHARD", 30)
    build(root, tmp_path / "whole", num_workers=1)
    write, num_written = building.write_shard, 0

    def write_some(path, rows):
        nonlocal num_written
        num_written += 1
        if num_written > after:
            path.with_name(f"{path.name}.part").write_bytes(b"cut off")
            raise Ended
        return write(path, rows)

    monkeypatch.setattr(building, "write_shard", write_some)
    with pytest.raises(Ended):
        build(root, tmp_path / "ended", num_workers=1)
    assert not (tmp_path / "ended" / "manifest.json").exists()
    monkeypatch.setattr(building, "write_shard", write)
    build(root, tmp_path / "ended", num_workers=1)
    assert content(tmp_path / "ended") == content(tmp_path / "whole")


KILLED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from earthgptx.data.corpus.build import build

num_splits = 0

def kill_after_three(told):
    global num_splits
    num_splits += told.is_done
    if num_splits == 3:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]), num_workers=2, on_progress=kill_after_three)
"""


def is_running(process: int) -> bool:
    """Whether a process is there and is not only waiting to be buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux to look at processes")
def test_a_build_that_was_killed_goes_on(corpus, root, tmp_path):
    """Killed by a signal that cannot be caught; its other processes end by themselves."""
    out = tmp_path / "killed"
    (tmp_path / "run.py").write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "run.py"), str(root), str(out)]
    child = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert not (out / "manifest.json").exists()
    others = [int(number) for number in child.stdout.split()]
    assert others
    end = time.monotonic() + 30
    while any(map(is_running, others)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_running, others))
    build(root, out, num_workers=1)
    assert content(out) == content(corpus)


def test_damaged_shards_and_torn_records_are_made_again(corpus, root, tmp_path):
    out = shutil.copytree(corpus, tmp_path / "damaged")
    shard = out / read_manifest(out).shards[2].path
    shard.write_bytes(shard.read_bytes()[:-9])
    records = out / "progress" / "rsicd-val.jsonl"
    records.write_text(records.read_text()[:-30])
    (out / "samples" / "left-over.parquet.part").write_bytes(b"")
    build(root, out, num_workers=1)
    assert content(out) == content(corpus)


def test_a_source_that_changed_is_read_again(root, tmp_path):
    sources = shutil.copytree(root, tmp_path / "sources")
    build(sources, tmp_path / "out", only=["ssdd"], num_workers=1)
    path = sources / "ssdd" / "instances_val.json"
    labels = json.loads(path.read_text())
    labels["annotations"] = [row for row in labels["annotations"] if row["image_id"] == labels["images"][0]["id"]]
    path.write_text(json.dumps(labels))
    before = read_manifest(tmp_path / "out").num_samples
    manifest = build(sources, tmp_path / "out", only=["ssdd"], num_workers=1)
    assert manifest.num_samples < before
    build(sources, tmp_path / "anew", only=["ssdd"], num_workers=1)
    assert (tmp_path / "anew" / "manifest.json").read_bytes() == (tmp_path / "out" / "manifest.json").read_bytes()


def test_a_corpus_may_grow_by_a_source(root, corpus, tmp_path):
    build(root, tmp_path / "out", only=["ssdd", "vhr10"], num_workers=1)
    build(root, tmp_path / "out", num_workers=1)
    assert content(tmp_path / "out") == content(corpus)
