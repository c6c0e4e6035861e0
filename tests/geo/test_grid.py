"""A whole scene cell by cell: every object once, whole, whatever borders it lies on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from earthgptx.geo import big_scene
from earthgptx.geo.annotate import annotate
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.grid import FoundObject, GridPlan, plan_grid, whole_objects
from earthgptx.geo.outlines import area_of
from earthgptx.geo.placing import coordinates_of
from earthgptx.inference.assistant import Assistant
from tests.geo.blob_scene import Blob, blobs, disc, georeference, write_scene
from tests.geo.seeing_generator import SeeingGenerator

pytest.importorskip("shapely")
from shapely.geometry import shape as read_shape

SIZE = (1500, 1100)
SEGMENT = "Segment all blobs."


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_scene, "HELD_PIXELS", 0)


def run(plan: GridPlan, out: Path, generator: SeeingGenerator | None = None) -> list[dict]:
    annotate(
        plan,
        load=lambda: Assistant(generator or SeeingGenerator()),
        out=out,
        target=coordinates_of(plan.scene, "wgs84"),
        settings={},
    )
    return json.loads(out.read_text())["features"]


def on_seams() -> list[Blob]:
    """Discs on the border of two cells, on the corner of four, and within cells."""
    return [
        Blob(400, 130, 30, "red"),
        Blob(800, 400, 25, "green"),
        Blob(1203, 800, 20, "blue"),
        Blob(200, 200, 15, "red"),
        Blob(1499, 1099, 40, "red"),
    ]


@pytest.mark.parametrize("side", [400, 800, 1100, 2000])
def test_objects_on_seams_are_whole_and_single(tmp_path: Path, side: int):
    found = on_seams() if side == 400 else [*on_seams()[:3], *blobs(6, *SIZE, seed=3, radius=12)]
    big = BigScene.open(write_scene(tmp_path / "a.tif", found, *SIZE, "rotated"), sensor="optical")
    plan = plan_grid(big, SEGMENT, side=side, masks=True, tolerance=0.5)
    features = run(plan, tmp_path / "o.geojson")
    truth = np.logical_or.reduce([disc(one, *SIZE) for one in found])
    assert len(features) == len(found)
    is_exact = side + 2 * min(128, side // 4) <= 1024  # larger cells are seen reduced
    total = sum(feature["properties"]["egx_area_px"] for feature in features)
    assert total == (truth.sum() if is_exact else pytest.approx(truth.sum(), rel=0.06))
    grid = georeference("rotated")
    middles = [grid.from_wgs84(*read_shape(f["geometry"]).centroid.coords[0]) for f in features]
    for one in found[:4]:
        assert min(np.hypot(x - one.x, y - one.y) for x, y in middles) < 1.5
    for feature in features:
        assert feature["properties"]["egx_label"] == "blobs"
        assert feature["properties"]["egx_confidence"] == 0.75
        assert read_shape(feature["geometry"]).is_valid


def test_without_masks_every_cell_has_its_answer(tmp_path: Path):
    big = BigScene.open(write_scene(tmp_path / "a.tif", on_seams()[:1], *SIZE), sensor="optical")
    features = run(plan_grid(big, "How many blobs?", side=500, masks=False, tolerance=1.0), tmp_path / "o.geojson")
    assert [feature["id"] for feature in features] == [f"{r}-{c}" for r in (1, 2, 3) for c in (1, 2, 3)]
    assert features[0]["properties"]["egx_answer"] == "1 kinds of blobs"
    assert features[8]["properties"]["egx_answer"] == "0 kinds of blobs"
    _, south, east, _ = read_shape(features[8]["geometry"]).bounds
    corner = georeference("utm").to_wgs84(1500, 1100)
    assert (east, south) == pytest.approx(corner, abs=5e-5)  # north on the map is not north in UTM


def test_the_whole_scene_is_one_reduced_cell(tmp_path: Path):
    big = BigScene.open(write_scene(tmp_path / "a.tif", on_seams(), *SIZE), sensor="optical")
    generator = SeeingGenerator()
    plan = plan_grid(big, "How many?", side=None, masks=False, tolerance=1.0)
    assert len(run(plan, tmp_path / "o.geojson", generator)) == 1
    assert generator.sizes == [(1024, 751)]


def test_a_stopped_grid_goes_on(tmp_path: Path):
    big = BigScene.open(write_scene(tmp_path / "a.tif", on_seams(), *SIZE), sensor="optical")
    plan = plan_grid(big, SEGMENT, side=400, masks=True, tolerance=0.5, cells_at_once=2)
    whole = run(plan, tmp_path / "whole.geojson")
    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "o.geojson", SeeingGenerator(5))
    assert run(plan, tmp_path / "o.geojson") == whole


def square(x: float, y: float, side: float, label: str, confidence: float) -> FoundObject:
    return FoundObject((((((x, y), (x + side, y), (x + side, y + side), (x, y + side))),),), label, confidence)


def test_parts_of_one_name_are_joined_and_others_are_not():
    parts = [square(0, 0, 4, "ship", 0.5), square(4, 0, 4, "Ships", 0.7), square(8, 0, 2, "tank", 0.9)]
    whole = whole_objects(parts)
    assert [(one.label, area_of(one.shape)) for one in whole] == [("ship", 32), ("tank", 4)]
    assert whole[0].confidence == pytest.approx(0.6)
