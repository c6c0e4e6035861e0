"""The file of annotated features: written whole or not at all, in the format that its ending names.

Features in their final coordinates come in; a file goes out that also says which run made it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earthgptx.errors import MalformedRegions
from earthgptx.geo.feature_files import GEOJSON_ENDINGS
from earthgptx.geo.vector_files import WRITE_ENDINGS, read_about, require_format, write_vectors

ENDINGS = (*GEOJSON_ENDINGS, *WRITE_ENDINGS)
_ABOUT = '"earthgptx": '  # how the second line of our GeoJSON begins
_LONGEST_ABOUT = 4_000_000  # characters of it; a thousand of the longest questions


@dataclass(frozen=True)
class Annotated:
    """A feature as it is written.

    Attributes:
        id: its own, None where it has none.
        geometry: in the file's coordinates; None where there is none that could be written.
        properties: its own and the answers.
    """

    id: str | int | float | None
    geometry: dict[str, Any] | None
    properties: dict[str, Any] = field(default_factory=dict)


def is_geojson(path: Path) -> bool:
    """Whether a file of this name is written as GeoJSON."""
    return path.suffix.lower() in GEOJSON_ENDINGS


def check_output(path: Path) -> None:
    """Says early what could not be written.

    Raises:
        MalformedRegions: it is a folder, or the ending names no format.
        MissingExtra: the format's package is not installed.
    """
    if path.is_dir():
        raise MalformedRegions(f"Nothing can be written to {path}: it is a folder.")
    if path.suffix.lower() not in ENDINGS:
        raise MalformedRegions(
            f"Nothing can be written to {path.name}: its name must end in one of {', '.join(ENDINGS)}."
        )
    if not is_geojson(path):
        require_format(path)


def write_features(path: Path, features: Sequence[Annotated], *, crs: str | None, about: dict[str, Any]) -> None:
    """Writes all features, beside the file first and then in its place.

    Args:
        path: replaced if it is there.
        features: in order.
        crs: of their coordinates; None for pixels, for which a GeoJSON file has a null `crs`.
        about: what is said of the run: plain values.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    partial.unlink(missing_ok=True)
    if is_geojson(path):
        _write_geojson(partial, features, crs, about)
    else:
        write_vectors(
            partial,
            ids=[one.id for one in features],
            geometries=[one.geometry for one in features],
            properties=[finite(one.properties) for one in features],
            crs=crs,
            about=json.dumps(about),
        )
    _write_through(partial)
    os.replace(partial, path)
    _write_through(path.parent)


def _write_through(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk: the journal goes after that."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def about_of(path: Path) -> dict[str, Any] | None:
    """What a file says of the run that wrote it; None where it is not one of ours, or damaged."""
    if not path.is_file() or path.stat().st_size == 0:
        return None
    if not is_geojson(path):
        told = read_about(path)
    else:
        with path.open(encoding="utf-8", errors="replace") as stream:
            stream.readline(1000)
            line = stream.readline(_LONGEST_ABOUT).strip()
        told = line.removeprefix(_ABOUT).removesuffix(",") if line.startswith(_ABOUT) else None
    try:
        found = None if told is None else json.loads(told)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def counts_of(path: Path) -> tuple[int, int]:
    """Features of one of our files, and how many of them could not be asked about."""
    about = about_of(path) or {}
    return int(about.get("features", 0)), int(about.get("problems", 0))


def _write_geojson(path: Path, features: Sequence[Annotated], crs: str | None, about: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"type": "FeatureCollection",\n' + _ABOUT + json.dumps(about) + ",\n")
        if crs is None:
            stream.write('"crs": null,\n')
        stream.write('"features": [')
        for place, one in enumerate(features):
            record: dict[str, Any] = {"type": "Feature"}
            if one.id is not None:
                record["id"] = one.id
            record |= {"geometry": one.geometry, "properties": finite(one.properties)}
            stream.write((",\n" if place else "\n") + json.dumps(record, allow_nan=False))
        stream.write("\n]}\n")


def finite(value: Any) -> Any:
    """A plain value with null where JSON has no number: NaN and infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value
