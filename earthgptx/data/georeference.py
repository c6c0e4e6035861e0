"""Where a scene's pixels lie on the Earth, and outlines of pixel masks.

In come a coordinate reference system and an affine transform as a GeoTIFF carries them; out come map
coordinates, longitude and latitude, and back. Nothing here reads an image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import rasterio.crs
import rasterio.features
import rasterio.warp
from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError

from earthgptx.errors import MarkOutsideImage, UnreadableImagery
from earthgptx.rasters import BoolArray
from earthgptx.shapes import Vertices

WGS84 = "EPSG:4326"

# Semi-major axis in metres and squared eccentricity of the WGS84 ellipsoid.
_EQUATOR_RADIUS = 6378137.0
_ECCENTRICITY_SQUARED = 0.00669437999014

# Projections made for measuring stay within 1% of the ground; Web Mercator is off by half at 60 degrees.
_NOMINAL_TOLERANCE = 0.01


@lru_cache(maxsize=64)
def _reference_system(wkt: str) -> Any:
    """Parses a coordinate reference system once; also takes an `EPSG:...` code."""
    return rasterio.crs.CRS.from_user_input(wkt)


@dataclass(frozen=True)
class Georeference:
    """The affine map from pixels to a coordinate reference system.

    Pixel (0, 0) is the upper left corner of the image, (0.5, 0.5) the centre of its first pixel.

    Args:
        crs_wkt: the reference system as well-known text (or an `EPSG:...` code).
        transform: (a, b, c, d, e, f) with X = a x + b y + c and Y = d x + e y + f; rotation and shear are in
            b and d.
    """

    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]

    def __post_init__(self) -> None:
        """Refuses a transform that squeezes the image into a line, which no coordinate could leave again.

        Raises:
            UnreadableImagery: the determinant is zero or not finite.
        """
        if not math.isfinite(self._determinant) or self._determinant == 0:
            raise UnreadableImagery(f"The georeference has a transform of determinant {self._determinant:g}.")

    @property
    def is_geographic(self) -> bool:
        """Whether map coordinates are longitude and latitude in degrees."""
        return bool(_reference_system(self.crs_wkt).is_geographic)

    @property
    def full_turn(self) -> tuple[float, float] | None:
        """Pixels from a place eastwards around the Earth to the same place; None for a projected system."""
        if not self.is_geographic:
            return None
        (x0, y0), (x1, y1) = self.to_pixel(0.0, 0.0), self.to_pixel(360.0, 0.0)
        return x1 - x0, y1 - y0

    def nearest_turn(self, x: float, y: float, width: int, height: int) -> tuple[float, float]:
        """A pixel position moved by whole turns around the Earth to where it is nearest to the middle of an image.

        Args:
            x, y: from longitude and latitude; of a projected system they stay.
            width, height: of the image, in pixels.
        """
        if self.full_turn is None:
            return x, y
        right, down = self.full_turn
        ahead = (width / 2 - x) * right + (height / 2 - y) * down
        turns = round(ahead / (right**2 + down**2))
        return x + turns * right, y + turns * down

    @property
    def _determinant(self) -> float:
        """Signed area of a pixel in squared map units."""
        a, b, _, d, e, _ = self.transform
        return a * e - b * d

    def to_map(self, x: float, y: float) -> tuple[float, float]:
        """Pixel position to map coordinates X, Y in the reference system's own units."""
        a, b, c, d, e, f = self.transform
        return a * x + b * y + c, d * x + e * y + f

    def to_pixel(self, X: float, Y: float) -> tuple[float, float]:  # noqa: N803 - capitals are map coordinates
        """Map coordinates to pixel position."""
        a, b, c, d, e, f = self.transform
        right, up = X - c, Y - f
        return (e * right - b * up) / self._determinant, (a * up - d * right) / self._determinant

    def to_wgs84(self, x: float, y: float) -> tuple[float, float]:
        """Pixel position to longitude, latitude in degrees; infinite where the projection is undefined."""
        return self.ring_to_wgs84([(x, y)])[0]

    def from_wgs84(self, lon: float, lat: float) -> tuple[float, float]:
        """Longitude, latitude in degrees to pixel position.

        Raises:
            MarkOutsideImage: no place on Earth, or one that the image's projection does not reach.
        """
        map_x, map_y = reproject([(lon, lat)], source=WGS84, target=self.crs_wkt)[0]
        if abs(lat) > 90 or not (math.isfinite(map_x) and math.isfinite(map_y)):
            raise MarkOutsideImage(f"Longitude {lon:g}, latitude {lat:g} is outside the image's projection.")
        return self.to_pixel(map_x, map_y)

    def of_window(self, x: float, y: float, step_x: float = 1.0, step_y: float = 1.0) -> Georeference:
        """The georeference of a window whose upper left corner is pixel (x, y) and whose pixels are so many of these.

        Args:
            x, y: the corner in these pixels.
            step_x, step_y: pixels of this image a pixel of the window, above 1 where it is reduced.
        """
        a, b, _, d, e, _ = self.transform
        corner_x, corner_y = self.to_map(x, y)
        return Georeference(self.crs_wkt, (a * step_x, b * step_y, corner_x, d * step_x, e * step_y, corner_y))

    def ring_to_wgs84(self, points: Sequence[tuple[float, float]]) -> Vertices:
        """Many pixel positions at once, which is far quicker than one by one."""
        return reproject(self.ring_to_map(points), source=self.crs_wkt, target=WGS84)

    def ring_to_pixels(self, points: Sequence[tuple[float, float]], *, crs: str = WGS84) -> Vertices:
        """Many positions of any reference system to pixels at once.

        Args:
            points: x, y in the system's own units; longitude before latitude, whatever the system says.
            crs: the system as an `EPSG:...` code, an OGC name or well-known text.

        Returns:
            Positions in pixels; infinite where the image's projection is undefined.

        Raises:
            UnreadableImagery: there is no such reference system.
        """
        check_crs(crs)
        return tuple(self.to_pixel(x, y) for x, y in reproject(points, source=crs, target=self.crs_wkt))

    def ring_to_map(self, points: Sequence[tuple[float, float]]) -> Vertices:
        """Many pixel positions to map coordinates."""
        return tuple(self.to_map(x, y) for x, y in points)

    def ground_sample_distance(self) -> float | None:
        """Metres on the ground along one pixel (the root of its area), at the image's upper left corner.

        A projected system gives its nominal figure (0.5 for a product sold as 0.5 m) as long as that is true
        within 1%; degrees and Web Mercator are measured on the ellipsoid.

        Returns:
            Metres, or None for a reference system that is neither projected nor geographic.
        """
        system = _reference_system(self.crs_wkt)
        if not (system.is_projected or system.is_geographic):
            return None
        ground = self._ground_metres()
        if not system.is_projected:
            return ground
        nominal = math.sqrt(abs(self._determinant)) * float(system.linear_units_factor[1])
        if ground is None or abs(ground / nominal - 1) < _NOMINAL_TOLERANCE:
            return nominal
        return ground

    def _ground_metres(self) -> float | None:
        """Root of the first pixel's area on the ellipsoid; None where the projection is undefined."""
        corners = self.ring_to_wgs84([(0, 0), (1, 0), (0, 1)])
        if not all(math.isfinite(value) for corner in corners for value in corner):
            return None
        (lon, lat), (lon_right, lat_right), (lon_down, lat_down) = corners
        sine, cosine = math.sin(math.radians(lat)), math.cos(math.radians(lat))
        flattening = 1 - _ECCENTRICITY_SQUARED * sine**2
        # Metres a degree: along the parallel and along the meridian (radii of curvature of the ellipsoid).
        east = math.radians(_EQUATOR_RADIUS / math.sqrt(flattening)) * cosine
        north = math.radians(_EQUATOR_RADIUS * (1 - _ECCENTRICITY_SQUARED) / flattening**1.5)
        # Two of the corners may lie on either side of the antimeridian.
        along, down = ((other - lon + 180) % 360 - 180 for other in (lon_right, lon_down))
        area = along * (lat_down - lat) - down * (lat_right - lat)
        return math.sqrt(abs(area) * east * north) or None


def check_crs(crs: str) -> str:
    """Gives the name of a reference system back.

    Raises:
        UnreadableImagery: there is no such reference system.
    """
    try:
        _reference_system(crs)
    except (CRSError, ValueError) as error:  # ValueError: EPSG and no number
        raise UnreadableImagery(f"{crs[:80]!r} is no coordinate reference system.") from error
    return crs


def is_same_crs(one: str, other: str) -> bool:
    """Whether two names mean the same reference system."""
    return bool(_reference_system(one) == _reference_system(other))


def projjson_of(crs: str) -> dict[str, Any]:
    """A reference system in the words of GeoParquet (PROJJSON)."""
    return dict(_reference_system(crs).to_dict(projjson=True))


def reproject(points: Sequence[tuple[float, float]], *, source: str, target: str) -> Vertices:
    """Positions of one known reference system in another; infinite where that has no place for them."""
    if not points:
        return ()
    xs, ys = zip(*points, strict=True)
    from_system, to_system = _reference_system(source), _reference_system(target)
    if from_system == to_system:
        return tuple(points)
    try:
        moved = rasterio.warp.transform(from_system, to_system, xs, ys)
    except CPLE_BaseError:  # some projections raise where others answer with infinity
        return ((math.inf, math.inf),) * len(points)
    return tuple(zip(moved[0], moved[1], strict=True))


def polygons_of(mask: BoolArray) -> list[tuple[Vertices, ...]]:
    """Outlines of a mask along its pixel edges.

    Args:
        mask: (H, W), True inside.

    Returns:
        One entry a connected part (pixels that share an edge): its exterior ring, then its holes. Rings are
        in pixels and open: the first vertex is not repeated at the end.
    """
    if not mask.any():
        return []
    parts = rasterio.features.shapes(mask.astype(np.uint8), mask=mask, connectivity=4)
    return [
        tuple(tuple((float(x), float(y)) for x, y in ring[:-1]) for ring in geometry["coordinates"])
        for geometry, _ in parts
    ]
