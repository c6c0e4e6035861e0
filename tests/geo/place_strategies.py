"""Hypothesis strategies for places on the Earth: degrees, UTM zones and Web Mercator, turned, sheared and mirrored."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from earthgptx.data.georeference import Georeference, reproject

METRES_A_DEGREE = 111_000.0


@st.composite
def georeferences(draw, *, sheared: bool = True) -> Georeference:
    """Pixels of 0.1 to 30 m, the upper left corner between 70 degrees south and north, away from the antimeridian."""
    lon, lat = draw(st.floats(-178, 178)), draw(st.floats(-70, 70))
    zone = min(int((lon + 180) // 6) + 1, 60)
    utm = f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"
    crs = draw(st.sampled_from(["EPSG:4326", utm, "EPSG:3857"]))
    corner_x, corner_y = reproject([(lon, lat)], source="EPSG:4326", target=crs)[0]
    size = draw(st.sampled_from([0.1, 0.5, 3.0, 30.0]))
    across, down = size, size * draw(st.floats(0.7, 1.4))
    if crs == "EPSG:4326":
        across, down = across / METRES_A_DEGREE, down / METRES_A_DEGREE
    turn = draw(st.floats(0, 2 * math.pi)) if draw(st.booleans()) else 0.0
    shear = draw(st.floats(-0.3, 0.3)) if sheared else 0.0
    mirrored = draw(st.sampled_from([1, -1]))
    a, d = across * math.cos(turn), across * math.sin(turn)
    b, e = down * (math.sin(turn) + shear * math.cos(turn)), -down * mirrored * math.cos(turn)
    if abs(a * e - b * d) < 0.1 * across * down:  # turned and sheared into nearly a line
        b, e = down * math.sin(turn), -down * math.cos(turn)
    return Georeference(crs, (a, b, corner_x, d, e, corner_y))
