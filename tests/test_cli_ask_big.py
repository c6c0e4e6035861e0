"""`earthgptx ask` on scenes that are not held: marks in pixels or map coordinates, one answer, files in place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from earthgptx.cli import app
from earthgptx.inference.assistant import Assistant
from earthgptx.shapes import Mask
from tests.geo.blob_scene import Blob, disc, georeference, square_around, write_scene
from tests.geo.seeing_generator import SeeingGenerator

SIZE = (4200, 4100)  # more than is ever held
FOUND = [Blob(300, 300, 9, "red"), Blob(4000, 3900, 14, "green"), Blob(360, 330, 9, "blue")]


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> SeeingGenerator:
    seeing = SeeingGenerator()
    monkeypatch.setattr("earthgptx.inference.loading.load", lambda name="nano", device="cpu": Assistant(seeing))
    return seeing


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_scene(tmp_path_factory.mktemp("big") / "a.tif", FOUND, *SIZE, "rotated"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ask", *arguments, "--sensor", "optical"], catch_exceptions=False)


def test_marks_of_all_kinds_and_places_make_one_answer(generator: SeeingGenerator, scene: str, tmp_path: Path):
    grid = georeference("rotated")
    ring = square_around(FOUND[1], None)["coordinates"][0]
    utm = [list(at) for at in grid.ring_to_map([tuple(at) for at in ring])]
    marks = tmp_path / "marks.geojson"
    content = {"type": "Polygon", "coordinates": [utm], "crs": "EPSG:32631"}
    marks.write_text(json.dumps(content))
    out, picture = tmp_path / "out.geojson", tmp_path / "out.png"
    options = ["--box", "290,290,310,310", "--marks", str(marks), "--circle", "360,330,10"]
    result = run(scene, *options, "Segment each region.", "--json", "--geojson", str(out), "--save", str(picture))
    assert result.exit_code == 0, result.output
    assert set(generator.sizes) == {(512, 512)}
    content = json.loads(result.stdout)
    assert [region["label"] for region in content["regions"]] == ["", "", ""]
    for mask, one in zip(content["masks"], FOUND, strict=True):
        assert (Mask(*mask["size"], mask["counts"]).to_array() == disc(one, *SIZE)).all()
    masks = [f for f in json.loads(out.read_text())["features"] if f["properties"]["role"] == "mask"]
    for feature, one in zip(masks, FOUND, strict=True):
        pixels = np.array(grid.ring_to_pixels([tuple(at) for at in feature["geometry"]["coordinates"][0][0]]))
        assert pixels.mean(axis=0) == pytest.approx((one.x, one.y), abs=0.6)
    assert max(Image.open(picture).size) <= 2048


def test_words_in_the_users_numbering(generator: SeeingGenerator, scene: str):
    result = run(scene, "--point", "4000,3900", "--point", "300,300", "--point", "360,330", "What are they?")
    assert result.stdout == "<Region 1>: green\n<Region 2>: red\n<Region 3>: blue\n"


@pytest.mark.parametrize("arguments", [["How many?"], ["--point=5,5", "Zoom out: what?"], ["--view=overview", "What?"]])
def test_the_overview(generator: SeeingGenerator, scene: str, arguments: list[str]):
    assert run(scene, *arguments).exit_code == 0
    assert generator.sizes == [(1024, 1000)]


def test_notes_on_the_file_of_marks_and_mistakes_in_it(generator: SeeingGenerator, scene: str, tmp_path: Path):
    lon, lat = georeference("rotated").to_wgs84(300, 300)
    marks = tmp_path / "marks.geojson"
    marks.write_text(json.dumps({"type": "Point", "coordinates": [lon, lat, 3.0]}))
    assert "Heights are not used" in run(scene, "--marks", str(marks), "What?").stderr
    marks.write_text(json.dumps({"type": "Point", "coordinates": [lon + 1, lat]}))
    before = generator.num_looks
    result = run(scene, "--marks", str(marks), "What?")
    assert (result.exit_code, result.stdout, generator.num_looks) == (2, "", before)
    assert len(result.stderr.strip().splitlines()) == 1
    assert "marks.geojson, Feature 1: It lies outside the scene" in result.stderr
    assert "0 to 4,200" in result.stderr
