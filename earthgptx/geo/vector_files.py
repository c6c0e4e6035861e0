"""Vector files other than GeoJSON, in and out: GeoPackage, FlatGeobuf and shapefiles by pyogrio, GeoParquet by pyarrow.

Columns become properties and the other way round. It is the one file that imports the two packages, which come with
the extra `geo`; what a file is, its first bytes say, so that no text is handed to GDAL that names other files.
"""

from __future__ import annotations

import datetime
import importlib
import json
import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.georeference import WGS84, check_crs, projjson_of
from earthgptx.errors import MalformedRegions, MissingExtra, UnreadableImagery
from earthgptx.geo.feature import Feature, FeatureFile
from earthgptx.geo.outlines import from_wkb, to_wkb

_SIGNATURES = {
    ".gpkg": b"SQLite format 3\0",
    ".fgb": b"fgb\x03",
    ".shp": b"\x00\x00\x27\x0a",
    ".parquet": b"PAR1",
    ".geoparquet": b"PAR1",
}
READ_ENDINGS = tuple(_SIGNATURES)
WRITE_ENDINGS = (".gpkg", ".parquet", ".geoparquet")
RUN_KEY = "earthgptx"  # under which a file's metadata tells of the run that made it
_GEOPARQUET_VERSION = "1.1.0"


def _package(name: str) -> Any:
    """An optional package.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"This vector format needs {name}: pip install 'earthgptx[geo]'.") from error


def require_format(path: Path) -> None:
    """Says early that a file of this ending cannot be written here.

    Raises:
        MissingExtra: its package is not installed.
    """
    _package("pyogrio" if path.suffix.lower() == ".gpkg" else "pyarrow")


def read_vectors(path: Path) -> FeatureFile:
    """Reads the first layer of a vector file.

    Raises:
        MalformedRegions: an ending that is not known, another content than it promises, no features, no geometries,
            or a reference system that there is not.
        MissingExtra: the extra `geo` is not installed.
    """
    signature = _SIGNATURES.get(path.suffix.lower())
    if signature is None:
        known = ", ".join((".geojson", ".json", *READ_ENDINGS))
        raise MalformedRegions(f"No regions can be read from {path.name}: its name must end in one of {known}.")
    with path.open("rb") as stream:
        if not stream.read(len(signature)) == signature:
            raise MalformedRegions(f"{path.name} is no {path.suffix[1:]} file: it begins otherwise.")
    is_parquet = signature == b"PAR1"
    ids, geometries, columns, crs = _read_parquet(path) if is_parquet else _read_ogr(path)
    if not geometries:
        raise MalformedRegions(f"{path.name} holds 0 features.")
    rows = zip(*columns.values(), strict=True) if columns else [()] * len(geometries)
    features = tuple(
        Feature(
            number,
            identity,
            geometry if isinstance(geometry, dict) else None,
            dict(zip(columns, row, strict=True)),
            problem=geometry if isinstance(geometry, str) else "",
        )
        for number, (identity, geometry, row) in enumerate(zip(ids, geometries, rows, strict=True), start=1)
    )
    try:
        return FeatureFile(features, None if crs is None else check_crs(crs))
    except UnreadableImagery as error:
        raise MalformedRegions(f"{path.name}: {error}") from error


_Contents = tuple[list[Any], list[dict[str, Any] | str | None], dict[str, list[Any]], str | None]


def _read_ogr(path: Path) -> _Contents:
    """Ids, geometries, columns and reference system of a file that GDAL reads."""
    raw, errors = _package("pyogrio.raw"), _package("pyogrio.errors")
    try:
        about, ids, binaries, data = raw.read(path, layer=0, return_fids=True)
    except (errors.DataSourceError, errors.DataLayerError, errors.FeatureError) as error:
        raise MalformedRegions(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
    if binaries is None:
        raise MalformedRegions(f"{path.name} holds no geometries in its first layer.")
    geometries = _parsed(binaries.tolist())
    columns = {
        str(name): [_plain(value) for value in column] for name, column in zip(about["fields"], data, strict=True)
    }
    return ids.tolist(), geometries, columns, about["crs"]


def _read_parquet(path: Path) -> _Contents:
    """The same of a GeoParquet file; features have the id of their column `id`, or none."""
    parquet, arrow = _package("pyarrow.parquet"), _package("pyarrow")
    try:
        table = parquet.ParquetFile(path).read()  # `read_table` would make columns of folders' names
    except (arrow.ArrowException, OSError) as error:
        raise MalformedRegions(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
    written = (table.schema.metadata or {}).get(b"geo")
    if written is None:
        raise MalformedRegions(f"{path.name} is Parquet without geometries: its metadata has no 'geo'.")
    try:
        about = json.loads(written)
        name = about["primary_column"]
        column = about["columns"][name]
        binaries = table.column(name).to_pylist()
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedRegions(
            f"{path.name} cannot be read: its metadata 'geo' is not as GeoParquet has it."
        ) from error
    if column.get("encoding") != "WKB":
        raise MalformedRegions(f"{path.name} holds geometries in {column.get('encoding')}, but only WKB is read.")
    columns = {key: _plain(table.column(key).to_pylist()) for key in table.column_names if key != name}
    geometries = _parsed(binaries)
    crs = column.get("crs", WGS84)
    ids = [one if isinstance(one, str | int | float) else None for one in columns.pop("id", [None] * len(geometries))]
    return ids, geometries, columns, json.dumps(crs) if isinstance(crs, dict) else crs


def _parsed(binaries: list[Any]) -> list[dict[str, Any] | str | None]:
    """Geometries from their bytes; a sentence for one that is damaged, or of a kind that GeoJSON does not have."""
    errors = _package("shapely.errors")
    try:
        return list(from_wkb(binaries))
    except (errors.ShapelyError, TypeError, RuntimeError) as error:
        if len(binaries) == 1:
            reason = str(error).splitlines()[0]
            return [f"Its geometry is damaged, or of a kind that cannot be read: {reason}."]
    return [geometry for one in binaries for geometry in _parsed([one])]


def _plain(value: Any) -> Any:
    """A value of a column as JSON has it; None for a gap. What JSON does not know becomes text."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def write_vectors(
    path: Path,
    *,
    ids: Sequence[str | int | float | None],
    geometries: Sequence[dict[str, Any] | None],
    properties: Sequence[dict[str, Any]],
    crs: str | None,
    about: str,
) -> None:
    """Writes a GeoPackage or a GeoParquet file, which its ending tells apart.

    Args:
        path: replaced if it is there.
        ids, geometries, properties: of each feature.
        crs: the reference system of the geometries; None for pixels.
        about: text on the run, kept in the file's metadata.

    Raises:
        MissingExtra: the extra `geo` is not installed.
    """
    columns = _columns(ids, properties)
    write = _write_geopackage if path.suffix.lower() == ".gpkg" else _write_parquet
    write(path, to_wkb(geometries), columns, crs, about)


def read_about(path: Path) -> str | None:
    """The text on the run that wrote a file; None where there is none, or no such file."""
    if path.suffix.lower() == ".gpkg":
        raw, errors = _package("pyogrio"), _package("pyogrio.errors")
        try:
            metadata = raw.read_info(path, layer=0).get("layer_metadata") or {}
        except (errors.DataSourceError, errors.DataLayerError):
            return None
        return metadata.get(RUN_KEY)
    try:
        schema = _package("pyarrow.parquet").read_schema(path)
    except (_package("pyarrow").ArrowException, OSError):
        return None
    found = (schema.metadata or {}).get(RUN_KEY.encode())
    return None if found is None else bytes(found).decode()


def _columns(ids: Sequence[str | int | float | None], properties: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """One list a property, in order of appearance; lists, objects and columns of mixed types become JSON text."""
    properties = [{_as_text(name): value for name, value in one.items()} for one in properties]
    names = list(dict.fromkeys(name for one in properties for name in one))
    columns: dict[str, list[Any]] = {}
    if any(identity is not None for identity in ids):
        columns[_free_name("id", (*names, "fid"))] = _one_type(ids)
    for name in names:
        # GDAL names its own key column fid, and SQLite does not tell A from a.
        columns[_free_name(name, (*columns, "fid", "geom"))] = _one_type([one.get(name) for one in properties])
    return columns


def _free_name(name: str, taken: Iterable[str]) -> str:
    lower, candidate, number = {one.lower() for one in taken}, name, 2
    while candidate.lower() in lower:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _as_text(value: str) -> str:
    """Text that UTF-8 and C can hold; JSON may have halves of characters, and zeros."""
    return value.encode("utf-8", errors="replace").decode("utf-8").replace("\0", "")


def _one_type(values: Sequence[Any]) -> list[Any]:
    values = [_as_text(value) if isinstance(value, str) else value for value in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and len(kinds) == 2:
        return [None if value is None else float(value) for value in values]
    # Numbers past 64 bits have no column type.
    is_plain = len(kinds) <= 1 and kinds <= {bool, int, float, str}
    if is_plain and (kinds != {int} or all(value is None or abs(value) < 2**63 for value in values)):
        return list(values)
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]


def _write_geopackage(
    path: Path, binaries: NDArray[np.object_], columns: dict[str, list[Any]], crs: str | None, about: str
) -> None:
    raw = _package("pyogrio.raw")
    data: list[NDArray[Any]] = []
    gaps: list[NDArray[np.bool_]] = []
    for values in columns.values():
        kind = next((type(value) for value in values if value is not None), str)
        gap = np.array([value is None for value in values])
        filler = kind()
        dtype = {bool: np.bool_, int: np.int64, float: np.float64}.get(kind, np.object_)
        data.append(np.array([filler if value is None else value for value in values], dtype=dtype))
        gaps.append(gap)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)  # pixels have none
        raw.write(
            path,
            binaries,
            data,
            np.array(list(columns), dtype=object),
            field_mask=gaps,
            layer="annotations",
            driver="GPKG",
            geometry_type="Unknown",
            crs=crs,
            layer_metadata={RUN_KEY: about},
        )


def _write_parquet(
    path: Path, binaries: NDArray[np.object_], columns: dict[str, list[Any]], crs: str | None, about: str
) -> None:
    arrow, parquet = _package("pyarrow"), _package("pyarrow.parquet")
    name = _free_name("geometry", columns)
    geo = {
        "version": _GEOPARQUET_VERSION,
        "primary_column": name,
        "columns": {name: {"encoding": "WKB", "geometry_types": [], "crs": None if crs is None else projjson_of(crs)}},
    }
    table = arrow.table({**columns, name: arrow.array(binaries.tolist(), arrow.binary())})
    table = table.replace_schema_metadata({"geo": json.dumps(geo), RUN_KEY: about})
    parquet.write_table(table, path, compression="zstd")
