"""Many scenes: a file each, whatever becomes of the others, and nothing asked twice when the run is killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from earthgptx.errors import BrokenCheckpoint, FolderInUse, OutputExists
from earthgptx.geo.asking import Wishes
from earthgptx.geo.feature_files import read_features
from earthgptx.geo.journal import Journal
from earthgptx.geo.many_scenes import MANIFEST, Outcome, annotate_many, in_this_process, jobs_of
from earthgptx.geo.one_scene import Order
from earthgptx.geo.scene_list import list_scenes
from earthgptx.inference.assistant import Assistant
from tests.geo.blob_scene import blobs, write_regions, write_scene
from tests.geo.seeing_generator import SeeingGenerator

pytest.importorskip("shapely")

SIZE = (300, 200)
ORDER = Order(Wishes(captions=False), sensor="optical", checkpoint="1f")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five scenes at one place, of which c.tif is broken."""
    scenes = tmp_path / "scenes"
    (scenes / "deep").mkdir(parents=True)
    for name in ("a.tif", "b.tif", "d.tif", "deep/a.tif"):
        write_scene(scenes / name, blobs(3, *SIZE), *SIZE)
    (scenes / "c.tif").write_bytes(b"II*\0 but then nothing")
    write_regions(tmp_path / "in.geojson", blobs(3, *SIZE), "utm")
    return scenes


def run(folder: Path, out: Path, generator: Any = None, *, order: Order = ORDER, **extra: Any) -> tuple[Outcome, ...]:
    shared = extra.pop("shared", folder.parent / "in.geojson")
    ending = extra.pop("ending", ".geojson")
    load = extra.pop("load", lambda: Assistant(generator or SeeingGenerator()))
    jobs = jobs_of(list_scenes(str(folder)), out, ending, shared=shared)
    return annotate_many(jobs, folder=out, order=order, shared=shared, engine=in_this_process(load), **extra)


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_every_scene_has_its_file_and_the_broken_one_is_told(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    told: list[tuple[int, int]] = []
    outcomes = run(folder, out, progress=lambda done, total: told.append((done, total)))
    assert [one.name for one in outcomes] == [
        f"{name}.geojson" for name in ("a.tif", "b.tif", "c.tif", "d.tif", "deep/a.tif")
    ]
    assert [one.status for one in outcomes] == ["done", "done", "failed", "done", "done"]
    assert "c.tif is damaged or cut short" in outcomes[2].reason
    assert told == [(done, 5) for done in range(6)]
    assert contents(out).keys() == {one.name for one in outcomes if one.status == "done"} | {MANIFEST}
    labels = [one.properties["egx_label"] for one in read_features(out / "deep/a.tif.geojson").features]
    assert labels == ["red", "green", "blue"]
    manifest = json.loads((out / MANIFEST).read_text())
    assert [one["status"] for one in manifest["scenes"]] == [one.status for one in outcomes]
    assert [one["features"] for one in manifest["scenes"]] == [3, 3, 0, 3, 3]


def test_what_is_done_is_not_asked_again_and_new_scenes_are(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    run(folder, out)
    before = contents(out)
    untouched = SeeingGenerator()
    assert [one.status for one in run(folder, out, untouched)].count("done") == 4
    assert untouched.requests == []
    assert contents(out) == before
    (folder / "c.tif").unlink()
    write_scene(folder / "c.tif", blobs(3, *SIZE), *SIZE)
    write_scene(folder / "new.tif", blobs(3, *SIZE), *SIZE)
    again = SeeingGenerator()
    assert [one.status for one in run(folder, out, again)] == ["done"] * 6
    assert again.num_looks == 2
    assert all(contents(out)[name] == before[name] for name in before if name != MANIFEST)


def test_regions_outside_of_a_scene_are_left_out_where_they_are_those_of_many(folder: Path, tmp_path: Path):
    far = {"type": "Feature", "id": "far", "geometry": {"type": "Point", "coordinates": [5.0, 51.0]}}
    bad = {"type": "Feature", "id": "bad", "geometry": None}
    regions = write_regions(tmp_path / "in.geojson", blobs(3, *SIZE), "utm", far, bad)
    assert (run(folder, tmp_path / "out")[0].features, run(folder, tmp_path / "out")[0].problems) == (4, 1)
    (tmp_path / "l.txt").write_text(f"scenes/a.tif, {regions}")
    [own] = run(tmp_path / "l.txt", tmp_path / "own", shared=None)
    assert (own.features, own.problems) == (5, 2)


@pytest.mark.parametrize("ending", [".geojson", ".gpkg", ".parquet"])
def test_a_scene_without_regions_has_an_empty_file(folder: Path, tmp_path: Path, ending: str):
    pytest.importorskip("pyogrio")
    pytest.importorskip("pyarrow")
    far = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [5.0, 51.0]}, "properties": {}}
    (tmp_path / "in.geojson").write_text(json.dumps(far))
    generator = SeeingGenerator()
    outcomes = run(folder, tmp_path / "out", generator, ending=ending)
    assert [one.features for one in outcomes] == [0] * 5
    assert outcomes[0].status == "done"
    assert generator.num_looks == 0
    assert (tmp_path / "out" / f"a.tif{ending}").stat().st_size > 0


def killed(work: Callable[[Callable[[], None]], Any]) -> None:
    """Does something in a process that kills itself with -9 where it is told to."""
    child = os.fork()
    if child == 0:
        work(lambda: os.kill(os.getpid(), signal.SIGKILL))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def test_a_run_that_is_killed_anywhere_completes_the_same_files(folder: Path, tmp_path: Path):
    whole = SeeingGenerator()
    run(folder, tmp_path / "whole", whole)
    out = tmp_path / "out"
    asked = []
    for dies_after in (0, 1, 2):
        killed(lambda die, dies_after=dies_after: run(folder, out, SeeingGenerator(dies_after, die)))
        asked.append(dies_after)
    rest = SeeingGenerator()
    assert [one.status for one in run(folder, out, rest)].count("done") == 4
    assert contents(out) == contents(tmp_path / "whole")
    assert sum(asked) + len(rest.requests) == len(whole.requests)


def test_an_output_that_the_manifest_did_not_hear_of_is_not_made_again(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    before = run(folder, out)
    (out / MANIFEST).unlink()
    untouched = SeeingGenerator()
    assert run(folder, out, untouched) == before
    assert untouched.requests == []


def test_a_scene_that_kills_its_process_again_and_again_is_left_aside(folder: Path, tmp_path: Path):
    out = tmp_path / "out"

    class Deadly(SeeingGenerator):
        """Dies of d.tif."""

        def look(self, scene):
            if scene.path.name == "d.tif":
                self._die()
            return super().look(scene)

    for _ in range(3):
        killed(lambda die: run(folder, out, Deadly(die=die)))
    outcomes = run(folder, out, Deadly())
    assert [one.status for one in outcomes] == ["done", "done", "failed", "quarantined", "done"]
    assert "ended 3 times" in outcomes[3].reason
    assert run(folder, out)[3].status == "quarantined"
    (out / "d.tif.geojson.begun").unlink()
    assert run(folder, out)[3].status == "done"


def test_a_scene_that_was_whole_when_its_process_died_is_not_left_aside(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    before = run(folder, out)
    (out / MANIFEST).unlink()
    (out / "a.tif.geojson.begun").write_text("0 1\n0 2\n0 3\n")  # the third wrote the file and died then
    untouched = SeeingGenerator()
    assert run(folder, out, untouched) == before
    assert untouched.requests == []
    assert not (out / "a.tif.geojson.begun").exists()


def test_a_run_that_is_only_stopped_leaves_nothing_aside(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            run(folder, out, SeeingGenerator(0))
    assert run(folder, out)[0].status == "done"


def test_another_question_or_other_weights_do_not_go_on_with_it(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    run(folder, out)
    before = contents(out)
    asked = Order(Wishes(("What is it?",), captions=False), sensor="optical", checkpoint="1f")
    trained = Order(Wishes(captions=False), sensor="optical", checkpoint="2e")
    for order, words in ((asked, "another questions"), (trained, "another model")):
        with pytest.raises(OutputExists, match=words):
            run(folder, out, order=order)
    assert contents(out) == before
    generator = SeeingGenerator()
    assert [one.status for one in run(folder, out, generator, order=trained, overwrite=True)].count("done") == 4
    assert generator.num_looks == 4
    with pytest.raises(OutputExists, match="another model"):
        run(folder, out)


def test_a_scene_that_changed_is_told_and_not_overwritten(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    run(folder, out)
    before = (out / "a.tif.geojson").read_bytes()
    write_scene(folder / "a.tif", blobs(2, *SIZE), *SIZE)
    outcome = run(folder, out)[0]
    assert (outcome.status, "--overwrite" in outcome.reason) == ("failed", True)
    assert (out / "a.tif.geojson").read_bytes() == before


def test_an_error_that_nobody_thought_of_is_one_scenes_and_told(folder: Path, tmp_path: Path):
    class Faulty(SeeingGenerator):
        def look(self, scene):
            if scene.path.name == "a.tif":
                raise RuntimeError("out of\nmemory")
            return super().look(scene)

    outcomes = run(folder, tmp_path / "out", Faulty())
    assert [one.status for one in outcomes] == ["failed", "done", "failed", "done", "failed"]
    assert outcomes[0].reason == "RuntimeError: out of memory"


def test_a_model_that_cannot_be_loaded_stops_the_run(folder: Path, tmp_path: Path):
    def load() -> Assistant:
        raise BrokenCheckpoint("No weights.")

    with pytest.raises(BrokenCheckpoint, match="No weights"):
        run(folder, tmp_path / "out", load=load)
    assert not list((tmp_path / "out").rglob("*.begun"))


def test_one_run_at_a_time_and_no_other_manifest(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    with Journal(out / f"{MANIFEST}.journal", {}), pytest.raises(FolderInUse, match=MANIFEST):
        run(folder, out, overwrite=True)
    (out / MANIFEST).write_text("[]")
    with pytest.raises(OutputExists, match="no manifest"):
        run(folder, out)
