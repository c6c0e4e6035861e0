"""Annotated features in every format: read back as they were written, and never half there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earthgptx.errors import MalformedRegions
from earthgptx.geo.feature_files import read_features
from earthgptx.geo.output_file import Annotated, about_of, check_output, write_features

pytest.importorskip("pyogrio")
pytest.importorskip("pyarrow")

SQUARE = {"type": "Polygon", "coordinates": [[[4.0, 51.0], [4.1, 51.0], [4.1, 51.1], [4.0, 51.1], [4.0, 51.0]]]}
POINT = {"type": "Point", "coordinates": [4.0, 51.0]}
FEATURES = [
    Annotated("a", SQUARE, {"name": "Ärger", "depth": 3, "fid": 7, "tags": ["x", 1], "ok": True}),
    Annotated("b", POINT, {"name": None, "depth": 2.5, "fid": 8, "Name": "twice", "ok": None}),
    Annotated("c", None, {"depth": float("nan")}),
]
EVERY_FORMAT = pytest.mark.parametrize("ending", [".geojson", ".gpkg", ".parquet"])


@EVERY_FORMAT
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32631"])
def test_features_come_back(tmp_path: Path, ending: str, crs: str):
    path = tmp_path / f"out{ending}"
    if ending == ".geojson" and crs != "EPSG:4326":
        pytest.skip("RFC 7946 knows one reference system")
    write_features(path, FEATURES, crs=crs, about={"run": "1f"})
    read = read_features(path)
    assert [one.geometry for one in read.features] == [SQUARE, POINT, None]
    first, second, third = (one.properties for one in read.features)
    assert (first["name"], first["depth"], second["depth"], third["depth"]) == ("Ärger", 3, 2.5, None)
    assert first["ok"] is True or first["ok"] == 1
    assert not second["ok"]
    tags = first["tags"]
    assert (tags if isinstance(tags, list) else json.loads(tags)) == ["x", 1]
    assert about_of(path) == {"run": "1f"}
    if ending == ".gpkg":
        assert [one.properties["id"] for one in read.features] == ["a", "b", "c"]
    else:
        assert [one.id for one in read.features] == ["a", "b", "c"]
    import rasterio.crs

    assert rasterio.crs.CRS.from_user_input(read.crs).to_epsg() == int(crs[5:])


@EVERY_FORMAT
def test_pixels_have_no_reference_system(tmp_path: Path, ending: str):
    path = tmp_path / f"out{ending}"
    write_features(path, FEATURES[:2], crs=None, about={})
    assert read_features(path).crs is None


@EVERY_FORMAT
def test_a_file_is_replaced_whole(tmp_path: Path, ending: str):
    path = tmp_path / f"out{ending}"
    for count in (3, 1):
        write_features(path, FEATURES[:count], crs="EPSG:4326", about={"count": count})
        assert len(read_features(path).features) == count
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_geojson_is_plain_geojson(tmp_path: Path):
    path = tmp_path / "out.geojson"
    write_features(path, FEATURES, crs="EPSG:4326", about={"run": "1f"})
    content = json.loads(path.read_text())
    assert content["type"] == "FeatureCollection"
    assert "crs" not in content
    assert content["features"][2] == {"type": "Feature", "id": "c", "geometry": None, "properties": {"depth": None}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    assert about_of(path) is None


def test_unknown_endings_are_refused(tmp_path: Path):
    with pytest.raises(MalformedRegions, match=r"out\.txt.*\.gpkg"):
        check_output(tmp_path / "out.txt")
    (tmp_path / "in.kml").write_text("x")
    with pytest.raises(MalformedRegions, match=r"in\.kml.*\.gpkg"):
        read_features(tmp_path / "in.kml")


@pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb", ".shp"])
def test_text_under_another_name_is_refused(tmp_path: Path, ending: str):
    path = tmp_path / f"in{ending}"
    path.write_text("<OGRVRTDataSource></OGRVRTDataSource>")
    with pytest.raises(MalformedRegions, match="begins otherwise"):
        read_features(path)


def test_a_damaged_file_is_refused(tmp_path: Path):
    for ending in (".gpkg", ".parquet"):
        path = tmp_path / f"out{ending}"
        write_features(path, FEATURES, crs="EPSG:4326", about={})
        path.write_bytes(path.read_bytes()[:900])
        with pytest.raises(MalformedRegions, match="cannot be read"):
            read_features(path)


def test_parquet_without_geometries_is_refused(tmp_path: Path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(MalformedRegions, match="without geometries"):
        read_features(tmp_path / "a.parquet")
