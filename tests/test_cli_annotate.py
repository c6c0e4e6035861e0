"""`earthgptx annotate`: a file on disk, sentences on stderr, exit code 2 for what a user gets wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earthgptx.inference.assistant import Assistant
from tests.geo.blob_scene import blobs, write_regions, write_scene
from tests.geo.fake_store import served
from tests.geo.seeing_generator import SeeingGenerator
from tests.test_cli import refused, run

SIZE = (600, 400)


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> SeeingGenerator:
    seeing = SeeingGenerator()
    monkeypatch.setattr("earthgptx.inference.loading.load", lambda name="nano", device="cpu": Assistant(seeing))
    return seeing


@pytest.fixture
def scene(tmp_path: Path) -> str:
    return str(write_scene(tmp_path / "port.tif", blobs(3, *SIZE), *SIZE))


@pytest.fixture
def regions(tmp_path: Path) -> str:
    lost = {"type": "Feature", "id": "lost", "geometry": {"type": "Point", "coordinates": [0.0, 0.0]}}
    return str(write_regions(tmp_path / "in.geojson", blobs(3, *SIZE), "utm", lost))


def test_a_file_of_regions_is_annotated(generator, scene: str, regions: str, tmp_path: Path):
    out = tmp_path / "out.geojson"
    result = run("annotate", scene, regions, "-o", str(out), "--masks", "--sensor", "optical")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "Feature 'lost': It lies outside the scene" in result.stderr
    assert "4 features were written" in result.stderr
    assert "1 with a problem" in result.stderr
    features = json.loads(out.read_text())["features"]
    assert [feature["properties"]["egx_label"] for feature in features] == ["red", "green", "blue", None]
    assert [feature["properties"]["egx_geometry"] for feature in features] == ["mask"] * 3 + ["region"]


def test_a_complete_file_is_not_made_again(generator, scene: str, regions: str, tmp_path: Path):
    arguments = ("annotate", scene, regions, "-o", str(tmp_path / "out.geojson"))
    run(*arguments)
    asked = len(generator.requests)
    assert "complete already" in run(*arguments).stderr
    refused(run(*arguments, "--masks"), "--overwrite")
    assert len(generator.requests) == asked
    assert run(*arguments, "--masks", "--overwrite").exit_code == 0
    assert len(generator.requests) > asked


def test_a_stopped_run_is_completed_by_the_same_command(generator, scene: str, regions: str, tmp_path: Path):
    arguments = ("annotate", scene, regions, "-o", str(tmp_path / "out.geojson"))
    generator._dies_after = 1
    stopped = run(*arguments)
    assert stopped.exit_code == 130
    other = run(*arguments, "--ask", "What is it?")
    assert other.exit_code == 2
    assert "another questions" in other.stderr.splitlines()[-1]
    generator._dies_after = None
    assert run(*arguments).exit_code == 0


def test_a_grid_of_objects(generator, scene: str, tmp_path: Path):
    out = tmp_path / "out.geojson"
    result = run("annotate", scene, "-o", str(out), "--grid", "150", "--masks", "--ask", "Segment all blobs.")
    assert result.exit_code == 0, result.output
    assert len(json.loads(out.read_text())["features"]) == 3


def test_a_whole_scene_in_words(generator, scene: str, tmp_path: Path):
    out = tmp_path / "out.geojson"
    assert run("annotate", scene, "-o", str(out)).exit_code == 0
    [feature] = json.loads(out.read_text())["features"]
    assert feature["properties"]["egx_answer"] == "1 kinds of blobs"


def test_other_weights_do_not_go_on_with_old_answers(generator, scene: str, regions: str, tmp_path: Path):
    trained = tmp_path / "model"
    trained.mkdir()
    (trained / "config.json").write_text("{}")
    (trained / "trained.safetensors").write_bytes(b"old")
    arguments = ("annotate", scene, regions, "-o", str(tmp_path / "out.geojson"), "--model", str(trained))
    generator._dies_after = 1
    assert run(*arguments).exit_code == 130
    generator._dies_after = None
    (trained / "trained.safetensors").write_bytes(b"new")
    assert "another model" in run(*arguments).stderr.splitlines()[-1]
    (trained / "trained.safetensors").write_bytes(b"old")
    moved = trained.rename(tmp_path / "elsewhere")
    assert run(*arguments[:-1], str(moved)).exit_code == 0


def test_many_scenes_become_a_folder(generator, scene: str, regions: str, tmp_path: Path):
    (tmp_path / "broken.tif").write_bytes(b"II*\0 but then nothing")
    arguments = ("annotate", str(tmp_path), regions, "-o", str(tmp_path / "answers"), "--sensor", "optical")
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    *_, failed, summary = result.stderr.splitlines()
    assert f"{tmp_path}/broken.tif failed: broken.tif is damaged" in failed
    assert "1 of 2 scenes are annotated in" in summary
    assert "3 features" in summary
    assert "1 failed" in summary
    assert (tmp_path / "answers" / "port.tif.geojson").is_file()
    (tmp_path / "broken.tif").unlink()
    asked = len(generator.requests)
    result = run(*arguments)
    assert (result.exit_code, len(generator.requests)) == (0, asked)
    refused(run(*arguments, "--masks"), "another masks", "--overwrite")


def test_many_scenes_without_regions_in_another_format(generator, scene: str, tmp_path: Path):
    pytest.importorskip("pyogrio")
    out = tmp_path / "answers"
    result = run(
        "annotate", f"{tmp_path}/*.tif", "-o", str(out), "--grid", "300", "--ask", "What is it?", "--format", "gpkg"
    )
    assert result.exit_code == 0, result.output
    assert (out / "port.tif.gpkg").is_file()


def test_a_scene_in_an_object_store(generator, scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with served(tmp_path.parent, monkeypatch):
        out = tmp_path / "out.geojson"
        assert run("annotate", f"s3://{tmp_path.name}/port.tif", "-o", str(out)).exit_code == 0
        many = run("annotate", f"s3://{tmp_path.name}/", "-o", str(tmp_path / "many"))
        assert many.exit_code == 0, many.output
    [one], [same] = (json.loads(path.read_text())["features"] for path in (out, tmp_path / "many" / "port.tif.geojson"))
    assert one == same


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{folder}", "{regions}", "-o", "{out}"], "name a folder for their answers"),
        (["{folder}", "{regions}"], "name a folder for their answers"),
        (["{folder}", "{regions}", "-o", "{folder}/no/answers"], "there is no folder"),
        (["{folder}", "{regions}", "-o", "{folder}/a", "--format", "kml"], 'not as "kml"'),
        (["{folder}", "{regions}", "-o", "{folder}/a", "--crs", "scene"], "RFC 7946"),
        (["{folder}", "{regions}", "-o", "{folder}/a", "--engine", "spark"], 'no engine "spark"'),
        (["{folder}", "{regions}", "-o", "{folder}/a", "--workers", "2"], "--workers is for --engine ray"),
        (["{folder}", "{folder}/none.geojson", "-o", "{folder}/a"], "There is no file of regions"),
        (["{folder}", "-o", "{folder}/a", "--ask", "a?", "--ask", "b?"], "one question, but 2"),
        (["{folder}/*.jp2", "-o", "{folder}/a"], "names 0 scenes"),
        (["{folder}/none.txt", "-o", "{folder}/a"], "no list of scenes"),
        (["{scene}", "{regions}", "-o", "{out}", "--engine", "ray"], "are for many scenes"),
        (["{scene}", "{regions}", "-o", "{out}", "--format", "gpkg"], "are for many scenes"),
        (["{scene}", "{regions}", "-o", "{out}", "--simplify", "nan"], "less than or equal to 100"),
        (["{scene}", "{regions}", "-o", "{out}", "--model", "none"], "There is no model 'none'"),
        (["http://host/a.tif", "{regions}", "-o", "{out}"], "No pixels can be read from http://"),
        (["{scene}", "{regions}"], "Say with -o"),
        (["{scene}", "{regions}", "-o", "out.txt"], "must end in one of"),
        (["{scene}", "{regions}", "-o", "{folder}/no/out.geojson"], "there is no folder"),
        (["{scene}", "{regions}", "-o", "{out}", "--crs", "scene"], "RFC 7946"),
        (["{scene}", "{regions}", "-o", "{out}", "--crs", "utm"], 'not in "utm"'),
        (["{scene}", "{regions}", "-o", "{out}", "--view", "near"], 'no view "near"'),
        (["{scene}", "{regions}", "-o", "{out}", "--grid", "500"], "not both"),
        (["{scene}", "-o", "{out}", "--grid", "5"], "at least 64"),
        (["{scene}", "-o", "{out}", "--ask", "a?", "--ask", "b?"], "one question, but 2"),
        (["{scene}", "-o", "{out}", "--ask", "What is region 1?"], "names region 1"),
        (["{scene}", "{regions}", "-o", "{out}", "--ask", "Is <Region 2> like it?"], "region 2, but 1 mark"),
        (["{scene}", "{folder}/none.geojson", "-o", "{out}"], "There is no file of regions"),
        (["{scene}", "{scene}", "-o", "{out}"], "must end in one of"),
        (["{folder}/none.tif", "{regions}", "-o", "{out}"], "There is no file"),
        (["{scene}", "{regions}", "-o", "{regions}"], "exists and was made otherwise"),
    ],
)
def test_mistakes_are_told_before_the_model_is_loaded(generator, scene, regions, tmp_path: Path, arguments, words):
    known = {"scene": scene, "regions": regions, "folder": str(tmp_path), "out": str(tmp_path / "out.geojson")}
    refused(run("annotate", *[one.format(**known) for one in arguments]), words)
    assert generator.num_looks == 0
