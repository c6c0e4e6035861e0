"""From a scene and regions to a vector file: truth, resuming, and what is said of bad features."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earthgptx.data.imagery import Scene
from earthgptx.errors import FolderInUse, OutputExists, UnreadableImagery
from earthgptx.geo import asking, big_scene
from earthgptx.geo.annotate import Summary, annotate, is_complete
from earthgptx.geo.asking import Wishes
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature_files import read_features
from earthgptx.geo.journal import Journal, journal_of
from earthgptx.geo.placing import coordinates_of
from earthgptx.geo.region_plan import plan_regions
from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.rasters import fill_rings
from earthgptx.shapes import Box
from tests.geo.blob_scene import PLACES, blobs, disc, georeference, write_regions, write_scene
from tests.geo.seeing_generator import SeeingGenerator
from tests.tiny_model import tiny_model, tiny_processor

pytest.importorskip("shapely")
from shapely.geometry import shape as read_shape

SIZE = (1700, 1200)
MASKS = Wishes(captions=True, masks=True, tolerance=0.5)
SETTINGS = {"of": "test"}


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_scene, "HELD_PIXELS", 0)


def run(
    scene: Path,
    regions: Path,
    out: Path,
    *,
    wishes: Wishes = MASKS,
    generator: Any = None,
    crs: str = "wgs84",
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    big = BigScene.open(scene, sensor="optical")
    plan = plan_regions(big, read_features(regions), wishes, windows_at_once=2)
    return annotate(
        plan,
        load=lambda: Assistant(generator or SeeingGenerator()),
        out=out,
        target=coordinates_of(big, crs),
        settings=SETTINGS,
        progress=progress,
    )


@pytest.mark.parametrize("place", PLACES)
def test_masks_lie_where_the_objects_are(tmp_path: Path, place: str):
    found = blobs(12, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE, place)
    out = tmp_path / "out.geojson"
    summary = run(scene, write_regions(tmp_path / "in.geojson", found, place), out)
    assert summary.problems == ()
    features = json.loads(out.read_text())["features"]
    grid = georeference(place)
    for number, (one, feature) in enumerate(zip(found, features, strict=True)):
        properties = feature["properties"]
        assert (feature["id"], properties["own"]) == (f"blob-{number}", number)
        assert properties["egx_label"] == one.colour
        assert properties["egx_caption"].startswith(f"a {one.colour} blob")
        assert properties["egx_geometry"] == "mask"
        assert read_shape(feature["geometry"]).is_valid
        [ring] = feature["geometry"]["coordinates"]
        back = np.array(grid.ring_to_pixels([tuple(position) for position in ring[:-1]]))
        truth = disc(one, *SIZE)
        filled = fill_rings([back], SIZE[1], SIZE[0])
        assert (filled & truth).sum() / (filled | truth).sum() > 0.95
        metres = 0.25 if place != "degrees" else 1e-5**2 * 111_260 * 68_800
        assert properties["egx_area_px"] == truth.sum()
        assert properties["egx_area_m2"] == pytest.approx(truth.sum() * metres, rel=4e-3)


def test_windows_are_read_at_full_resolution_and_shared(tmp_path: Path):
    found = blobs(12, *SIZE)
    generator = SeeingGenerator()
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    run(scene, write_regions(tmp_path / "in.geojson", found, "utm"), tmp_path / "o.geojson", generator=generator)
    assert set(generator.sizes) == {(512, 512)}
    assert generator.num_looks <= 12
    assert all(len(request.marks) <= 4 for request in generator.requests)


def test_own_questions_and_the_overview(tmp_path: Path):
    found = blobs(3, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    wishes = Wishes(("What colour is it?", "Where in the whole image is its caption?"), captions=False)
    generator = SeeingGenerator()
    regions = write_regions(tmp_path / "in.geojson", found, "utm")
    run(scene, regions, tmp_path / "o.geojson", wishes=wishes, generator=generator)
    features = json.loads((tmp_path / "o.geojson").read_text())["features"]
    for one, feature in zip(found, features, strict=True):
        properties = feature["properties"]
        assert properties["egx_answer"] == one.colour
        assert properties["egx_answer_2"] == f"a {one.colour} blob of 1024 pixels"
        assert "egx_caption" not in properties
        own = json.loads(regions.read_text())["features"]
        assert feature["geometry"] == own[properties["own"]]["geometry"]
    assert (1024, 723) in generator.sizes


BAD = [
    {"type": "Feature", "id": "nan", "geometry": {"type": "Point", "coordinates": [float("nan"), 51.0]}},
    {"type": "Feature", "id": "empty", "geometry": {"type": "Polygon", "coordinates": []}, "properties": None},
    {"type": "Feature", "id": "far", "geometry": {"type": "Point", "coordinates": [5.0, 51.0]}},
    {"type": "Feature", "geometry": None},
    "nonsense",
]


def test_bad_features_are_told_by_id_and_do_not_stop_the_rest(tmp_path: Path):
    found = blobs(2, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    regions = write_regions(tmp_path / "in.geojson", found, "utm", *BAD)
    summary = run(scene, regions, tmp_path / "o.geojson")
    assert summary.num_features == 7
    assert [one.split(":")[0] for one in summary.problems] == [
        "Feature 'nan'",
        "Feature 'empty'",
        "Feature 'far'",
        "Feature 6",
        "Feature 7",
    ]
    features = json.loads((tmp_path / "o.geojson").read_text())["features"]
    assert [feature["properties"]["egx_label"] for feature in features] == ["red", "green"] + [None] * 5
    assert "NaN" in features[2]["properties"]["egx_problem"]
    assert features[2]["geometry"] is None
    assert features[4]["geometry"] == BAD[2]["geometry"]


def test_a_region_without_data_is_told(tmp_path: Path):
    found = blobs(2, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    import rasterio

    with rasterio.open(scene, "r+") as dataset:
        mask = np.full(SIZE[::-1], 255, np.uint8)
        x, y = int(found[0].x), int(found[0].y)
        mask[y - 20 : y + 20, x - 20 : x + 20] = 0
        dataset.write_mask(mask)
    [problem] = run(scene, write_regions(tmp_path / "i.geojson", found, "utm"), tmp_path / "o.geojson").problems
    assert problem.startswith("Feature 'blob-0': The scene holds no data there: 0 of the")


def test_what_cannot_be_seen_from_afar_is_that_regions_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = blobs(2, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    speck = {"type": "MultiPolygon", "coordinates": []}
    for shift in (0.0, 0.9):
        corners = [(x + shift, y + shift) for x, y in ((900.1, 600.1), (900.7, 600.1), (900.7, 600.7), (900.1, 600.7))]
        ring = [list(point) for point in georeference("utm").ring_to_wgs84(corners)]
        speck["coordinates"].append([[*ring, ring[0]]])
    regions = write_regions(
        tmp_path / "in.geojson", found, "utm", {"type": "Feature", "id": "speck", "geometry": speck, "properties": {}}
    )
    wishes = Wishes(("What is in the whole image?",), captions=False)
    monkeypatch.setattr(asking, "VIEW_SIDE", 600)  # a window is read at full resolution, the whole scene reduced
    summary = run(scene, regions, tmp_path / "o.geojson", wishes=wishes)
    assert [one.split(":")[0] for one in summary.problems] == ["Feature 'speck'"]
    features = json.loads((tmp_path / "o.geojson").read_text())["features"]
    assert [feature["properties"]["egx_answer"] for feature in features] == ["red", "green", None]


def test_an_overview_that_cannot_be_read_does_not_stop_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = blobs(2, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    read = BigScene.read

    def damaged(self: BigScene, window: Box, max_side: int) -> Scene:
        if window.width == SIZE[0]:
            raise UnreadableImagery("The overview is damaged.")
        return read(self, window, max_side)

    monkeypatch.setattr(BigScene, "read", damaged)
    wishes = Wishes(("What is in the whole image?", "What is it?"), captions=False)
    regions = write_regions(tmp_path / "in.geojson", found, "utm")
    summary = run(scene, regions, tmp_path / "o.geojson", wishes=wishes)
    assert summary.problems == tuple(f"Feature 'blob-{k}': The overview is damaged." for k in range(2))
    features = json.loads((tmp_path / "o.geojson").read_text())["features"]
    assert [feature["properties"]["egx_answer"] for feature in features] == [None, None]
    assert [feature["properties"]["egx_answer_2"] for feature in features] == ["red", "green"]


def test_a_run_that_is_stopped_anywhere_completes_the_same_file(tmp_path: Path):
    found = blobs(10, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    regions = write_regions(tmp_path / "in.geojson", found, "utm", *BAD)
    run(scene, regions, tmp_path / "whole.geojson")
    whole = (tmp_path / "whole.geojson").read_bytes()
    out = tmp_path / "o.geojson"
    for dies_after in (0, 7, 13):
        with pytest.raises(KeyboardInterrupt):
            run(scene, regions, out, generator=SeeingGenerator(dies_after))
        assert not out.exists()
        with journal_of(out).open("ab") as stream:  # a line that was being written
            stream.write(b'{"batch": 3, "rec')
    told: list[tuple[int, int]] = []
    summary = run(scene, regions, out, progress=lambda done, total: told.append((done, total)))
    assert summary.num_resumed > 0
    assert told[0] == (summary.num_resumed, 10)
    assert told[-1] == (10, 10)
    assert out.read_bytes() == whole
    assert not journal_of(out).exists()


def test_a_killed_process_loses_nothing_that_was_answered(tmp_path: Path):
    found = blobs(8, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    regions = write_regions(tmp_path / "in.geojson", found, "utm")
    out = tmp_path / "o.geojson"
    child = os.fork()
    if child == 0:
        run(scene, regions, out, generator=SeeingGenerator(9, lambda: os.kill(os.getpid(), signal.SIGKILL)))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    generator = SeeingGenerator()
    assert run(scene, regions, out, generator=generator).num_resumed > 0
    labels = [feature["properties"]["egx_label"] for feature in json.loads(out.read_text())["features"]]
    assert labels == [one.colour for one in found]
    whole = SeeingGenerator()
    run(scene, regions, tmp_path / "whole.geojson", generator=whole)
    assert len(generator.requests) < len(whole.requests)
    assert out.read_bytes() == (tmp_path / "whole.geojson").read_bytes()


def test_what_is_complete_is_known_and_what_is_not_ours_is_kept(tmp_path: Path):
    found = blobs(2, *SIZE)
    out = tmp_path / "o.geojson"
    assert not is_complete(out, SETTINGS)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    run(scene, write_regions(tmp_path / "i.geojson", found, "utm"), out)
    assert is_complete(out, SETTINGS)
    with pytest.raises(OutputExists, match="--overwrite"):
        is_complete(out, {"of": "another"})
    with pytest.raises(OutputExists, match="--overwrite"):
        is_complete(tmp_path / "i.geojson", SETTINGS)


def test_a_journal_serves_one_run_and_one_process(tmp_path: Path):
    path = tmp_path / "o.geojson.journal"
    with Journal(path, {"questions": ["a"], "grid": 1}) as journal:
        journal.add(0, [{"x": 1}])
        with pytest.raises(FolderInUse, match=r"o\.geojson\.journal"):
            Journal(path, {"questions": ["a"], "grid": 1})
    with pytest.raises(OutputExists, match="another questions"):
        Journal(path, {"questions": ["b"], "grid": 1})
    with Journal(path, {"grid": 1, "questions": ["a"]}) as journal:
        assert journal.batches == {0: [{"x": 1}]}


def test_a_journal_begun_anew_waits_for_the_run_that_has_it(tmp_path: Path):
    path = tmp_path / "o.geojson.journal"
    with Journal(path, {"a": 1}) as journal:
        journal.add(0, [])
        with pytest.raises(FolderInUse):
            Journal(path, {"a": 2}, is_new=True)
        assert journal.batches == {0: []}
    with Journal(path, {"a": 2}, is_new=True) as journal:
        assert journal.batches == {}
    with pytest.raises(OutputExists, match="another a:"):
        Journal(path, {"a": 1})


@pytest.mark.parametrize("content", ["my notes\n", "{}\n", '{"settings": {"a": 1}}\n{"batch": 0}\n', "[1]\n2\n"])
def test_what_is_no_journal_is_kept(tmp_path: Path, content: str):
    path = tmp_path / "o.geojson.journal"
    path.write_text(content)
    with pytest.raises(OutputExists, match="no journal"):
        Journal(path, {"a": 1})
    assert path.read_text() == content


def test_batches_cut_otherwise_are_not_gone_on_with(tmp_path: Path):
    found = blobs(10, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE)
    regions = write_regions(tmp_path / "in.geojson", found, "utm")
    with pytest.raises(KeyboardInterrupt):
        run(scene, regions, tmp_path / "o.geojson", generator=SeeingGenerator(7))
    big = BigScene.open(scene, sensor="optical")
    plan = plan_regions(big, read_features(regions), MASKS, windows_at_once=1)
    with pytest.raises(OutputExists, match="another batches"):
        annotate(
            plan,
            load=lambda: Assistant(SeeingGenerator()),
            out=tmp_path / "o.geojson",
            target=coordinates_of(big, "wgs84"),
            settings=SETTINGS,
        )


@pytest.mark.parametrize("ending", [".gpkg", ".parquet"])
def test_the_scenes_own_system_in_other_formats(tmp_path: Path, ending: str):
    pytest.importorskip("pyogrio")
    pytest.importorskip("pyarrow")
    found = blobs(3, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE, "rotated")
    out = tmp_path / f"o{ending}"
    run(scene, write_regions(tmp_path / "in.geojson", found, "rotated", *BAD), out, crs="scene")
    read = read_features(out)
    for one, feature in zip(found, read.features, strict=False):
        centre = read_shape(feature.geometry).centroid
        assert (centre.x, centre.y) == pytest.approx(georeference("rotated").to_map(one.x, one.y), abs=0.3)
        assert read_shape(feature.geometry).area == pytest.approx(feature.properties["egx_area_m2"], rel=0.06)
    assert read.features[3].geometry is None
    again = run(scene, out, tmp_path / "again.geojson")  # an annotated file can be annotated
    assert len(again.problems) == len(BAD)


def test_pixels_stay_pixels_without_a_georeference(tmp_path: Path):
    found = blobs(3, *SIZE)
    scene = write_scene(tmp_path / "a.tif", found, *SIZE, None)
    run(scene, write_regions(tmp_path / "in.geojson", found, None), tmp_path / "o.geojson")
    content = json.loads((tmp_path / "o.geojson").read_text())
    assert content["crs"] is None
    for one, feature in zip(found, content["features"], strict=True):
        centre = read_shape(feature["geometry"]).centroid
        assert (centre.x, centre.y) == pytest.approx((one.x, one.y), abs=0.3)
        assert feature["properties"]["egx_area_m2"] is None
        assert feature["properties"]["coordinates"] == "pixels"


def test_a_small_scene_is_answered_as_ask_answers_it(tmp_path: Path):
    found = blobs(2, 300, 200)
    scene = write_scene(tmp_path / "a.tif", found, 300, 200)
    assistant = Assistant(Generator(tiny_model(), tiny_processor()))
    big = BigScene.open(scene, sensor="optical")
    plan = plan_regions(big, read_features(write_regions(tmp_path / "i.geojson", found, "utm")), Wishes(captions=False))
    records = plan.answer(0, assistant)
    marks = [Box(one.x - 11, one.y - 11, one.x + 11, one.y + 11) for one in found]
    asked = assistant.look(Scene.open(scene, sensor="optical")).ask(
        "Please identify the object category of each marked region in the image.", marks
    )
    assert [record["label"] for record in records] == [region.label for region in asked.regions]
