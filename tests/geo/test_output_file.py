"""Annotated features in every format: read back as they were written, and never half there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from earthgptx.errors import MalformedRegions
from earthgptx.geo.feature_files import read_features
from earthgptx.geo.output_file import Annotated, about_of, check_output, counts_of, write_features

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


def test_a_folder_is_refused_before_the_work(tmp_path: Path):
    (tmp_path / "out.geojson").mkdir()
    with pytest.raises(MalformedRegions, match="it is a folder"):
        check_output(tmp_path / "out.geojson")


@EVERY_FORMAT
def test_a_file_that_is_not_ours_says_nothing(tmp_path: Path, ending: str):
    path = tmp_path / f"out{ending}"
    assert about_of(path) is None
    for content in (b"", b"no such format", b'{"type": "FeatureCollection",\n"earthgptx": {"cut'):
        path.write_bytes(content)
        assert about_of(path) is None
    assert counts_of(path) == (0, 0)


@EVERY_FORMAT
def test_long_questions_are_kept_with_the_run(tmp_path: Path, ending: str):
    path = tmp_path / f"out{ending}"
    about = {"settings": {"questions": ["?" * 4000] * 60}, "features": 3, "problems": 1}
    write_features(path, FEATURES, crs="EPSG:4326", about=about)
    assert about_of(path) == about
    assert counts_of(path) == (3, 1)


@EVERY_FORMAT
def test_text_that_no_encoding_has_is_written_all_the_same(tmp_path: Path, ending: str):
    path = tmp_path / f"out{ending}"
    odd = [Annotated("\ud800", POINT, {"half\ud800": "a\ud800b", "zero\0": "a\0b", "": 1})]
    write_features(path, odd, crs="EPSG:4326", about={})
    [one] = read_features(path).features
    assert 1 in one.properties.values()


@EVERY_FORMAT
def test_no_features_are_a_file(tmp_path: Path, ending: str):
    path = tmp_path / f"out{ending}"
    write_features(path, [], crs="EPSG:4326", about={"run": 1})
    assert about_of(path) == {"run": 1}


def test_values_that_json_does_not_have_become_text(tmp_path: Path):
    import datetime
    import decimal

    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "year=2026" / "a.parquet"
    path.parent.mkdir()
    write_features(path, [Annotated(None, POINT, {})], crs="EPSG:4326", about={})
    table = pyarrow.parquet.ParquetFile(path).read()
    values = {
        "day": datetime.date(2026, 11, 24),
        "time": datetime.datetime(2026, 11, 24, 18, 30),
        "price": decimal.Decimal("1.50"),
        "raw": b"\x01\xff",
        "tags": [{"at": datetime.date(2026, 1, 1), "x": float("nan")}],
    }
    for name, value in values.items():
        table = table.append_column(name, pyarrow.array([value]))
    pyarrow.parquet.write_table(table, path)
    [one] = read_features(path).features
    assert one.properties == {
        "day": "2026-11-24",
        "time": "2026-11-24T18:30:00",
        "price": "1.50",
        "raw": "01ff",
        "tags": [{"at": "2026-01-01", "x": None}],
    }
    write_features(tmp_path / "b.geojson", [Annotated(None, POINT, one.properties)], crs="EPSG:4326", about={})


def test_one_damaged_geometry_is_one_features_problem(tmp_path: Path):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    write_features(path, FEATURES[:2], crs="EPSG:4326", about={})
    table = pyarrow.parquet.ParquetFile(path).read()
    place = table.column_names.index("geometry")
    whole = table.column("geometry")[0].as_py()
    for wrong in (b"\x01\x03", b"", whole[:20]):
        column = pyarrow.array([whole, wrong])
        pyarrow.parquet.write_table(table.set_column(place, "geometry", column), path)
        first, second = read_features(path).features
        assert (first.geometry, first.problem) == (SQUARE, "")
        assert second.geometry is None
        assert "damaged" in second.problem


@pytest.mark.parametrize("geo", ["{", "[]", "{}", '{"primary_column": "x", "columns": {"x": {"encoding": "WKB"}}}'])
def test_metadata_that_is_no_geoparquet_is_refused(tmp_path: Path, geo: str):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"a": [1]}).replace_schema_metadata({"geo": geo})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(MalformedRegions, match="cannot be read"):
        read_features(tmp_path / "a.parquet")


def test_a_layer_without_geometries_is_refused(tmp_path: Path):
    import pyogrio.raw

    path = tmp_path / "a.gpkg"
    columns = [np.array([1, 2])], np.array(["n"], dtype=object)
    pyogrio.raw.write(path, None, *columns, driver="GPKG", geometry_type=None, layer="table")
    with pytest.raises(MalformedRegions, match="no geometries"):
        read_features(path)


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
