"""Scenes on a local cluster of two workers: the same bytes as in one process, also where a worker is killed."""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from earthgptx.errors import BrokenCheckpoint, DeviceUnavailable, FolderNotShared, UnknownModel
from earthgptx.geo import ray_engine
from earthgptx.geo.asking import Wishes
from earthgptx.geo.many_scenes import Engine, Outcome, annotate_many, in_this_process, jobs_of
from earthgptx.geo.model_choice import ModelChoice
from earthgptx.geo.one_scene import Order
from earthgptx.geo.ray_engine import on_a_cluster
from earthgptx.geo.scene_list import list_scenes
from earthgptx.inference.assistant import Assistant
from tests.geo.blob_scene import blobs, write_regions, write_scene
from tests.tiny_model import tiny_model

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'earthgptx[ray]'")
pytest.importorskip("ray.data", reason="ray is installed without its data: pip install 'earthgptx[ray]'")
pytest.importorskip("shapely")

SIZE = (160, 120)
NAMES = ("a.tif", "b.tif", "c.tif", "d.tif", "e.tif", "f.tif")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two workers, no dashboard, nothing that calls home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else workers wait for all other tests on a full machine
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> ModelChoice:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model().save_pretrained(folder)
    return ModelChoice.of(str(folder), "cpu")


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Five scenes and a broken one, each with a region."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for seed, name in enumerate(NAMES):
        found = blobs(1, *SIZE, seed=seed)
        write_scene(folder / name, found, *SIZE)
        write_regions(folder / f"{name}.geojson", found, "utm")
    (folder / "c.tif").write_bytes(b"II*\0 but then nothing")
    (folder / "list.txt").write_text("\n".join(f"{name}, {name}.geojson" for name in NAMES))
    return folder / "list.txt"


def run(scenes: Path, out: Path, chosen: ModelChoice, engine: Engine) -> tuple[Outcome, ...]:
    order = Order(Wishes(captions=False), sensor="optical", checkpoint=chosen.checkpoint)
    jobs = jobs_of(list_scenes(str(scenes)), out, ".geojson")
    return annotate_many(jobs, folder=out, order=order, shared=None, engine=engine)


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def kill_one_worker(out: Path, killed: list[int], is_over: threading.Event) -> None:
    """Ends with -9 the process that began a scene, as soon as one has."""
    while not is_over.wait(0.01):
        for mark in out.rglob("*.begun"):
            try:
                pid = int(mark.read_text().split()[1])
            except (OSError, IndexError):
                continue  # written this very moment, or done
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            return


def test_a_killed_worker_loses_nothing_and_doubles_nothing(cluster, chosen, scenes: Path, tmp_path: Path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the cluster's workers have it
    try:
        here = run(scenes, tmp_path / "here", chosen, in_this_process(chosen.load))
    finally:
        torch.set_num_threads(threads)
    assert [one.status for one in here] == ["done", "done", "failed", "done", "done", "done"]
    out = tmp_path / "there"
    killed: list[int] = []
    is_over = threading.Event()
    killer = threading.Thread(target=kill_one_worker, args=(out, killed, is_over), daemon=True)
    killer.start()
    there = run(scenes, out, chosen, on_a_cluster(chosen.load, num_workers=2))
    is_over.set()
    killer.join()
    assert len(killed) == 1
    assert killed[0] != os.getpid()
    assert there == here
    assert contents(out) == contents(tmp_path / "here")


def test_weights_that_changed_under_way_stop_the_run(cluster, chosen, scenes: Path, tmp_path: Path):
    other = functools.partial(ModelChoice.load, ModelChoice(chosen.name, "cpu", "0" * 64))
    with pytest.raises(BrokenCheckpoint, match="others on another machine"):
        run(scenes, tmp_path / "out", chosen, on_a_cluster(other, num_workers=1))
    assert not list((tmp_path / "out").rglob("*.geojson"))


def no_such_model() -> Assistant:
    raise UnknownModel("There is no model 'x'.")


@pytest.mark.parametrize(
    ("folder", "kind", "words"),
    [("elsewhere", FolderNotShared, "does not see .*elsewhere"), ("", UnknownModel, "no model 'x'")],
)
def test_what_keeps_a_worker_from_working_is_told_by_its_class(
    scenes: Path, tmp_path: Path, folder: str, kind: type[Exception], words: str
):
    job, *_ = jobs_of(list_scenes(str(scenes)), tmp_path / folder, ".geojson")
    order = Order(Wishes(captions=False), sensor="optical", checkpoint="0" * 64)
    [told] = ray_engine._Worker(order, no_such_model)({"job": [job]})["outcome"]
    with pytest.raises(kind, match=words):
        ray_engine._outcome_of(json.loads(told))


def test_the_cluster_decides_which_gpu_is_whose(chosen):
    with pytest.raises(DeviceUnavailable, match="cuda:1"):
        on_a_cluster(chosen.load, num_workers=2, device="cuda:1")
