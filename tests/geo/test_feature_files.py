"""GeoJSON as it comes: read where its meaning is clear, one sentence each where it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earthgptx.errors import MalformedRegions
from earthgptx.geo.feature import positions_of, rewound, with_positions
from earthgptx.geo.feature_files import read_features

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


def feature(geometry: object, **members: object) -> dict:
    return {"type": "Feature", "geometry": geometry, "properties": {}, **members}


def polygon(*rings: list) -> dict:
    return {"type": "Polygon", "coordinates": list(rings)}


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def collection(*features: object, **members: object) -> dict:
    return {"type": "FeatureCollection", "features": list(features), **members}


def test_ids_and_properties_are_kept(tmp_path: Path):
    own = {"name": "berth", "depth": 3.5, "tags": ["a"]}
    content = collection(feature(polygon(SQUARE), id="a7", properties=own), feature(None, id=0), feature(None))
    found = read_features(write(tmp_path / "a.geojson", content))
    assert [one.id for one in found.features] == ["a7", 0, None]
    assert [one.name for one in found.features] == ["Feature 'a7'", "Feature 0", "Feature 3"]
    assert found.features[0].properties == own
    assert found.crs == "EPSG:4326"


def test_a_feature_or_a_geometry_alone_is_a_file(tmp_path: Path):
    for content in (feature(polygon(SQUARE)), polygon(SQUARE)):
        [one] = read_features(write(tmp_path / "a.json", content)).features
        assert one.geometry == polygon(SQUARE)


def test_a_bad_feature_does_not_spoil_the_file(tmp_path: Path):
    found = read_features(write(tmp_path / "a.geojson", collection(7, feature(polygon(SQUARE)), {"type": "Point"})))
    assert [bool(one.problem) for one in found.features] == [True, False, True]
    assert "'7'" in found.features[0].problem


def test_a_named_reference_system_is_read_and_an_unknown_one_refused(tmp_path: Path):
    utm = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    assert read_features(write(tmp_path / "a.geojson", collection(feature(None), crs=utm))).crs.endswith("32631")
    assert read_features(write(tmp_path / "a.geojson", collection(feature(None), crs=None))).crs is None
    utm["properties"]["name"] = "EPSG:999999"
    with pytest.raises(MalformedRegions, match="'EPSG:999999' is no coordinate reference system"):
        read_features(write(tmp_path / "a.geojson", collection(feature(None), crs=utm)))


def test_heights_and_winding_are_noted(tmp_path: Path):
    high = [[*position, 12.0] for position in SQUARE]
    content = collection(*[feature(polygon(SQUARE[::-1]), id=k) for k in range(5)], feature(polygon(high)))
    notes = read_features(write(tmp_path / "a.geojson", content)).notes
    assert any("Heights" in note and "Feature 6" in note for note in notes)
    assert any("wound" in note and "and 2 more" in note for note in notes)


def test_rings_are_rewound():
    hole = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.2]]
    right = polygon(SQUARE, hole[::-1])
    assert rewound(polygon(SQUARE[::-1], hole)) == right
    assert rewound(right) == right
    several = {"type": "MultiPolygon", "coordinates": [right["coordinates"]]}
    assert rewound({"type": "MultiPolygon", "coordinates": [[SQUARE[::-1], hole]]}) == several


def test_positions_go_out_and_come_back():
    for geometry in (
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "LineString", "coordinates": SQUARE},
        {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE, SQUARE]]},
    ):
        assert with_positions(geometry, iter(positions_of(geometry))) == geometry


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply|not JSON"),
        ([], "a list without a type"),
        ({"type": "Topology"}, "'Topology'"),
        ({"type": "GeometryCollection", "geometries": []}, "'GeometryCollection'"),
        (collection(), "0 features"),
        (collection(feature(None), crs=[]), "names no coordinate"),
    ],
)
def test_what_is_no_geojson_is_refused_with_one_sentence(tmp_path: Path, content: object, words: str):
    with pytest.raises(MalformedRegions, match=words) as caught:
        read_features(write(tmp_path / "a.geojson", content))
    assert "\n" not in str(caught.value)


def test_numbers_that_no_file_could_hold_again_are_no_ids_and_no_crash(tmp_path: Path):
    text = '{"type": "Feature", "id": NaN, "geometry": {"type": "Point", "coordinates": [1e999, %s]}}' % ("7" * 5000)
    [one] = read_features(write(tmp_path / "a.geojson", text)).features
    assert one.id is None
    assert one.geometry == {"type": "Point", "coordinates": [float("inf"), float("inf")]}
    kept = '{"type": "Feature", "id": 12345678901234567890, "geometry": null}'
    assert read_features(write(tmp_path / "a.geojson", kept)).features[0].id == 12345678901234567890


def test_no_file(tmp_path: Path):
    with pytest.raises(MalformedRegions, match="no file"):
        read_features(tmp_path / "a.geojson")
