"""An answer as a GeoJSON FeatureCollection: every mark, then every mask that holds a pixel.

Regions and masks come in as they are, and ways to outline and measure them; a collection in degrees, or else in pixels,
goes out. It does not know how large the scene is, nor in which frame its masks lie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from earthgptx.data.georeference import Georeference
from earthgptx.inference.features import Place, is_finite
from earthgptx.rasters import BoolArray
from earthgptx.shapes import Mark


class FeatureRegion(Protocol):
    """What is told of a mark."""

    @property
    def number(self) -> int:
        """From 1."""

    @property
    def mark(self) -> Mark:
        """In the scene's pixels."""

    @property
    def label(self) -> str:
        """Empty where nothing was said of it."""

    @property
    def confidence(self) -> float:
        """Of the label."""


class FeatureMask(Protocol):
    """What is told of a mask."""

    @property
    def array(self) -> BoolArray:
        """True on the object."""

    @property
    def region(self) -> int | None:
        """The number of the region it belongs to."""

    @property
    def phrase(self) -> str | None:
        """The words it belongs to."""

    @property
    def confidence(self) -> float:
        """Mean probability inside."""


MaskKind = TypeVar("MaskKind", bound=FeatureMask)


def feature_collection(
    regions: Sequence[FeatureRegion],
    masks: Sequence[MaskKind],
    *,
    georeference: Georeference | None,
    outline_of_mark: Callable[[Mark, Place, bool], dict[str, Any]],
    outline_of_mask: Callable[[MaskKind, Place, bool], dict[str, Any]],
    square_metres: Callable[[MaskKind], float | None],
    answer: dict[str, Any],
) -> dict[str, Any]:
    """A FeatureCollection of every mark and every mask that holds a pixel.

    Coordinates are longitude and latitude (WGS84) where there is a georeference, and what crosses the antimeridian is
    cut there. Where there is none, or it gives no degrees for one of them, they are pixels, x right and y down: then
    the collection has a null ``crs`` and every feature says ``"coordinates": "pixels"``.

    Args:
        regions: one a mark.
        masks: of the answer.
        georeference: of the scene.
        outline_of_mark, outline_of_mask: its geometry, from a way to place pixels, and whether
            that gives degrees, which end at the antimeridian.
        square_metres: a mask's area on the ground.
        answer: what the collection says of the answer itself.
    """

    def features(place: Place, coordinates: str) -> list[dict[str, Any]]:
        wraps = coordinates == "wgs84"
        drawn = [
            _feature(
                outline_of_mark(region.mark, place, wraps),
                role="mark",
                region=region.number,
                kind=region.mark.kind,
                label=region.label or None,
                confidence=round(region.confidence, 6) if region.label else None,
                coordinates=coordinates,
            )
            for region in regions
        ]
        return drawn + [
            _feature(
                outline_of_mask(mask, place, wraps),
                role="mask",
                region=mask.region,
                phrase=mask.phrase,
                label=_label(regions, mask.region),
                confidence=round(mask.confidence, 6),
                area_m2=square_metres(mask),
                coordinates=coordinates,
            )
            for mask in masks
            if mask.array.any()
        ]

    found = [] if georeference is None else features(georeference.ring_to_wgs84, "wgs84")
    is_placed = georeference is not None and all(is_finite(feature["geometry"]) for feature in found)
    collection: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": found if is_placed else features(tuple, "pixels"),
    }
    if not is_placed:
        collection["crs"] = None
    return collection | {"answer": answer}


def _label(regions: Sequence[FeatureRegion], number: int | None) -> str | None:
    labels = (region.label for region in regions if region.number == number)
    return next((label for label in labels if label), None)


def _feature(geometry: dict[str, Any], **properties: object) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}
