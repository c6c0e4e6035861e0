"""Marks read for a scene: in pixels as they are, in degrees where they lie, and refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import xy
from rasterio.warp import transform

from tests.serving.conftest import BOX, georeferenced, serving, upload


def feature(kind: str, coordinates: object) -> dict:
    return {"type": "Feature", "properties": {}, "geometry": {"type": kind, "coordinates": coordinates}}


def test_pixels_stay_what_they_are_and_nothing_is_kept():
    with serving() as client:
        scene = upload(client)["id"]
        response = client.post(f"/scenes/{scene}/marks", json={"marks": [BOX]})
        assert response.json() == {"marks": [BOX]}
        drawn = {"type": "FeatureCollection", "features": [feature("Point", [3, 4])]}
        assert client.post(f"/scenes/{scene}/marks", json={"marks": drawn}).json()["marks"][0]["kind"] == "point"
        assert client.get(f"/scenes/{scene}/answers").json() == {"answers": []}


def test_degrees_become_the_pixels_that_they_lie_on(tmp_path: Path):
    path = georeferenced(tmp_path / "a.tif")
    wanted = np.array([[20.0, 30.0], [80.0, 42.0], [50.0, 90.0]])
    with rasterio.open(path) as dataset:
        eastings, northings = xy(dataset.transform, wanted[:, 1], wanted[:, 0], offset="ul")
        longitudes, latitudes = transform(dataset.crs, "EPSG:4326", eastings, northings)
    ring = [list(place) for place in zip(longitudes, latitudes, strict=True)]
    drawn = {"type": "FeatureCollection", "features": [feature("Polygon", [[*ring, ring[0]]])]}
    with serving() as client:
        scene = upload(client, path.read_bytes(), "a.tif")["id"]
        body = {"marks": drawn, "coordinates": "wgs84"}
        [mark] = client.post(f"/scenes/{scene}/marks", json=body).json()["marks"]
    assert mark["kind"] == "polygon"
    np.testing.assert_allclose(np.array(mark["coordinates"]).reshape(-1, 2), wanted, atol=0.05)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"marks": [BOX] * 65}, 422, "65 marks were given; one question carries at most 64"),
        ({"marks": [{"kind": "point", "coordinates": [500, 5]}]}, 422, "outside the 200 x 150 image"),
        ({"marks": [BOX], "coordinates": "wgs84"}, 422, "FeatureCollection"),
        ({"marks": [BOX], "coordinates": "feet"}, 422, "coordinates"),
    ],
    ids=["too many", "outside", "degrees of pixels", "unknown coordinates"],
)
def test_marks_that_cannot_be_used_are_refused(body: dict, status: int, words: str):
    with serving() as client:
        scene = upload(client)["id"]
        response = client.post(f"/scenes/{scene}/marks", json=body)
    assert response.status_code == status
    assert words in response.json()["error"]["message"]


def test_an_unknown_scene_has_no_marks():
    with serving() as client:
        assert client.post("/scenes/none/marks", json={"marks": []}).status_code == 404
