"""Whatever stands where a geometry should be: a mark, or one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earthgptx.data.georeference import Georeference
from earthgptx.errors import EarthGPTXError
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature import DEPTHS
from earthgptx.geo.feature_files import features_of
from earthgptx.geo.placing import coordinates_of, own_geometry
from earthgptx.geo.scene_marks import marks_of
from earthgptx.shapes import check_mark

UTM = Georeference("EPSG:32631", (0.5, 0.0, 590_000.0, 0.0, -0.5, 5_750_000.0))
SCENES = {
    "pixels": BigScene(Path("a.tif"), 300, 200, "optical", None, ()),
    "utm": BigScene(Path("a.tif"), 300, 200, "optical", UTM, ()),
    "globe": BigScene(Path("a.tif"), 360, 180, "optical", Georeference("EPSG:4326", (1, 0, -180, 0, -1, 90)), ()),
}

numbers = st.one_of(
    st.floats(-400, 400),
    st.floats(),
    st.integers(-5, 300),
    st.sampled_from([10**400, -(10**400), True, None, "4", {}, [], [1.0]]),
)
positions = st.lists(st.one_of(st.floats(-190, 310), numbers), max_size=4)
nested = st.recursive(st.one_of(numbers, positions), lambda inner: st.lists(inner, max_size=5), max_leaves=20)
good_rings = st.lists(st.tuples(st.floats(-10, 310), st.floats(-10, 210)).map(list), min_size=3, max_size=7).map(
    lambda ring: [*ring, ring[0]]
)
coordinates = st.one_of(
    nested, st.lists(good_rings, max_size=3), st.lists(st.lists(good_rings, max_size=3), max_size=3)
)
geometries = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from([*DEPTHS, "GeometryCollection", "", None])}, optional={"coordinates": coordinates}
    ),
    numbers,
)
properties = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from(["kind", "role", "coordinates"]), st.sampled_from(["mask", "pixels", "wgs84", 3])),
)


@settings(max_examples=400, deadline=None)
@given(geometry=geometries, own=properties, scene=st.sampled_from(list(SCENES.values())))
def test_marks_or_one_sentence(geometry: Any, own: Any, scene: BigScene):
    content = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": geometry, "properties": own}]}
    problem = problem_of(content, scene)
    assert "\n" not in problem
    assert len(problem) < 300


def problem_of(content: Any, scene: BigScene) -> str:
    """What is said of the marks; nothing where they can be used."""
    try:
        for mark in marks_of(content, scene, name="It"):
            check_mark(mark, scene.width, scene.height)
    except EarthGPTXError as error:
        return str(error)
    return ""


@settings(max_examples=200, deadline=None)
@given(geometry=geometries, scene=st.sampled_from(list(SCENES.values())))
def test_a_features_own_geometry_is_written_or_left_out(geometry: Any, scene: BigScene):
    content = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": geometry, "properties": {}}]}
    [feature] = features_of(content, "It").features
    written = own_geometry(feature, "EPSG:3857", scene, coordinates_of(scene, "wgs84"))
    assert written is None or np.isfinite(list(flat(written["coordinates"]))).all()


def flat(value: Any) -> Any:
    if isinstance(value, list | tuple):
        for item in value:
            yield from flat(item)
    else:
        yield float(value)


@pytest.mark.parametrize(
    "coordinates", [[[[10, 10], [90, 10], [90, 90], [10, 10]], []], [[], [[10, 10], [90, 10], [90, 90], [10, 10]]]]
)
def test_empty_rings_beside_whole_ones(coordinates: Any):
    geometry = {"type": "Polygon", "coordinates": coordinates}
    [mark] = marks_of(geometry, SCENES["pixels"], name="It")
    assert mark.bounds().x1 <= 90
