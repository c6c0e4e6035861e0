"""Pixels to map, to degrees and back, over upright, geographic and rotated images; outlines of masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from earthgptx.data.georeference import Georeference, polygons_of
from earthgptx.errors import MarkOutsideImage, UnreadableImagery
from earthgptx.rasters import fill_rings
from earthgptx.shapes import Box

rasterio = pytest.importorskip("rasterio")

GEOREFERENCES = {
    "degrees": Georeference("EPSG:4326", (1e-5, 0.0, 4.3, 0.0, -1e-5, 51.9)),
    "utm": Georeference("EPSG:32631", (0.5, 0.0, 590000.0, 0.0, -0.5, 5750000.0)),
    "utm rotated": Georeference("EPSG:32631", (0.4, 0.3, 590000.0, 0.3, -0.4, 5750000.0)),
    "utm south, sheared": Georeference("EPSG:32733", (2.0, 0.3, 300000.0, 0.0, -2.0, 6240000.0)),
    "web mercator": Georeference("EPSG:3857", (1.0, 0.0, 500000.0, 0.0, -1.0, 6750000.0)),
    "british feet-free grid": Georeference("EPSG:27700", (1.0, 0.0, 530000.0, 0.0, -1.0, 180000.0)),
}
everywhere = pytest.mark.parametrize("georeference", GEOREFERENCES.values(), ids=GEOREFERENCES.keys())
pixel = st.floats(-100, 20_000, allow_nan=False)


@everywhere
@given(x=pixel, y=pixel)
def test_pixels_return_from_the_map_and_from_degrees(georeference, x, y):
    assert georeference.to_pixel(*georeference.to_map(x, y)) == pytest.approx((x, y), abs=1e-4)
    lon, lat = georeference.to_wgs84(x, y)
    assert -180 <= lon <= 180
    assert -90 <= lat <= 90
    assert georeference.from_wgs84(lon, lat) == pytest.approx((x, y), abs=0.01)


@everywhere
def test_a_ring_gives_what_its_points_give(georeference):
    ring = [(0.0, 0.0), (10.0, 0.0), (10.0, 7.5)]
    assert georeference.ring_to_wgs84(ring) == tuple(georeference.to_wgs84(x, y) for x, y in ring)
    assert georeference.ring_to_wgs84([]) == ()


def test_a_known_place():
    # Dam Square, Amsterdam: 4.8932 E 52.3731 N is 628.9 km east, 5804.3 km north in UTM zone 31.
    georeference = Georeference("EPSG:32631", (1.0, 0.0, 628000.0, 0.0, -1.0, 5805000.0))
    x, y = georeference.from_wgs84(4.8932, 52.3731)
    east, north = georeference.to_map(x, y)
    assert east == pytest.approx(628_900, abs=150)
    assert north == pytest.approx(5_804_300, abs=300)


def test_well_known_text_and_code_agree():
    code = GEOREFERENCES["utm"]
    text = Georeference(rasterio.crs.CRS.from_epsg(32631).to_wkt(), code.transform)
    assert text.to_wgs84(30, 40) == pytest.approx(code.to_wgs84(30, 40), abs=1e-12)


def test_ground_sample_distance_is_nominal_where_the_projection_measures():
    assert GEOREFERENCES["utm"].ground_sample_distance() == 0.5
    assert GEOREFERENCES["utm rotated"].ground_sample_distance() == pytest.approx(0.5)


def test_ground_sample_distance_of_feet_is_in_metres():
    new_york = Georeference("EPSG:2263", (1.0, 0.0, 980000.0, 0.0, -1.0, 200000.0))
    assert new_york.ground_sample_distance() == pytest.approx(0.3048, rel=1e-4)


def test_ground_sample_distance_of_degrees_and_of_web_mercator_is_measured():
    # A degree of latitude at 51.9 N is 111.26 km; one of longitude 111.41 km * cos(51.9) = 68.8 km.
    metres = GEOREFERENCES["degrees"].ground_sample_distance()
    assert metres == pytest.approx(1e-5 * math.sqrt(111_260 * 68_800), rel=2e-3)
    mercator = GEOREFERENCES["web mercator"]
    latitude = mercator.to_wgs84(0, 0)[1]
    assert mercator.ground_sample_distance() == pytest.approx(math.cos(math.radians(latitude)), rel=5e-3)


def test_ground_sample_distance_is_unknown_on_a_local_grid():
    local = 'LOCAL_CS["site grid",UNIT["metre",1]]'
    assert Georeference(local, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)).ground_sample_distance() is None


@pytest.mark.parametrize(("lon", "lat"), [(93.0, 0.0), (4.0, 91.0), (400.0, 300.0), (math.nan, 0.0)])
def test_places_the_projection_does_not_reach_are_said(lon, lat):
    with pytest.raises(MarkOutsideImage, match="outside the image's projection"):
        GEOREFERENCES["utm"].from_wgs84(lon, lat)


def test_pixels_beyond_the_projection_have_no_degrees():
    assert GEOREFERENCES["utm"].to_wgs84(1e12, 1e13) == (math.inf, math.inf)


@pytest.mark.parametrize("transform", [(0.0,) * 6, (1.0, 2.0, 0.0, 2.0, 4.0, 0.0), (math.nan,) + (1.0,) * 5])
def test_a_transform_that_flattens_the_image_is_refused(transform):
    with pytest.raises(UnreadableImagery, match="determinant"):
        Georeference("EPSG:32631", transform)


@given(npst.arrays(bool, st.tuples(st.integers(1, 16), st.integers(1, 16))))
def test_outlines_filled_again_are_the_mask(mask):
    again = np.zeros_like(mask)
    for rings in polygons_of(mask):
        part = fill_rings([np.array(ring) for ring in rings], *mask.shape)
        assert not (again & part).any()
        again |= part
    assert (again == mask).all()


def test_a_box_has_its_corners_and_a_hole_its_own_ring():
    mask = Box(2, 3, 9, 8).to_mask(12, 12)
    ((exterior,),) = polygons_of(mask)
    assert set(exterior) == {(2, 3), (9, 3), (9, 8), (2, 8)}
    mask[5, 5] = False
    ((exterior, hole),) = polygons_of(mask)
    assert set(hole) == {(5, 5), (6, 5), (6, 6), (5, 6)}
    assert polygons_of(np.zeros((4, 4), dtype=bool)) == []
