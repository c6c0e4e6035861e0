"""What the model said about a scene: words, a label and a confidence for each region, masks.

An `Answer` is a value: it can be read in Python, written as JSON, laid on a map as GeoJSON and drawn as a
picture. It does not know the model that made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from earthgptx.data.imagery import Scene
from earthgptx.inference.answer_features import feature_collection
from earthgptx.inference.drawing import Note, Overlay, draw_scene
from earthgptx.inference.features import mark_geometry, mask_geometry
from earthgptx.processing.answers import readable
from earthgptx.shapes import Box, Mark, Mask, mark_from_json


@dataclass(frozen=True, eq=False)
class AnsweredMask:
    """One mask of an answer, in the order of its ``<pix>`` tokens.

    Attributes:
        array: (H, W), the scene's size, True on the object.
        region: the number of the region it belongs to, None where the answer names none.
        phrase: the words it belongs to, None where there are none.
        confidence: mean probability inside the mask, in [0, 1]; 0 for an empty one.
    """

    array: NDArray[np.bool_]
    region: int | None
    phrase: str | None
    confidence: float

    @property
    def box(self) -> Box | None:
        """The smallest box around the mask; None where it holds no pixel."""
        return _extent(self.array)


@dataclass(frozen=True, eq=False)
class AnsweredRegion:
    """One mark of the question and what was answered about it.

    Every mark of the question has one, in order, whether or not the answer speaks of it.

    Attributes:
        number: from 1, as in ``<Region k>``.
        mark: as the user drew it, in the scene's pixels.
        label: the words answered for it, without mask tokens or a full stop; empty where there are none.
        confidence: mean probability of the tokens that make up the label; 0 where there is no label.
        mask: (H, W) the mask bound to this region, None where there is none.
    """

    number: int
    mark: Mark
    label: str
    confidence: float
    mask: NDArray[np.bool_] | None

    @property
    def box(self) -> Box:
        """The smallest box around the region's mask; the mark's bounds where there is no mask or an empty one."""
        found = None if self.mask is None else _extent(self.mask)
        return found or self.mark.bounds()


@dataclass(frozen=True, eq=False)
class Answer:
    """The model's answer to one question about one scene.

    Attributes:
        scene: what was looked at.
        question: as the user put it.
        text: the model's own words, ``<p>`` and ``<pix>`` tokens included; `words` is the same for people.
        regions: one a mark, in the order given.
        masks: one a ``<pix>`` of the text, in order.
        num_prompt_tokens: read for it: image, marks and dialogue; not kept by `to_json`.
        num_answer_tokens: written; not kept by `to_json`.
    """

    scene: Scene
    question: str
    text: str
    regions: tuple[AnsweredRegion, ...]
    masks: tuple[AnsweredMask, ...]
    num_prompt_tokens: int = 0
    num_answer_tokens: int = 0

    @property
    def words(self) -> str:
        """The text without phrase and mask tokens."""
        return readable(self.text)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain values, masks as COCO run lengths.

        A region's ``mask`` is the index of its mask in ``masks``, or None.
        """
        return {
            "question": self.question,
            "text": self.text,
            "words": self.words,
            "image": self._image_json(),
            "regions": [self._region_json(region) for region in self.regions],
            "masks": [
                {
                    "region": mask.region,
                    "phrase": mask.phrase,
                    "confidence": round(mask.confidence, 6),
                    "box": None if mask.box is None else _corners(mask.box),
                    "area_px": int(mask.array.sum()),
                    **_without_kind(Mask.from_array(mask.array).to_json()),
                }
                for mask in self.masks
            ],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], scene: Scene) -> Answer:
        """Inverse of `to_json`, for the scene that the answer is about.

        Args:
            content: as `to_json` gave it; other members are passed over.
            scene: that it is about.
        """
        arrays = [_unpacked(mask) for mask in content["masks"]]
        return cls(
            scene=scene,
            question=content["question"],
            text=content["text"],
            regions=tuple(
                AnsweredRegion(
                    number=region["number"],
                    mark=mark_from_json(region["mark"]),
                    label=region["label"],
                    confidence=region["confidence"],
                    mask=None if region["mask"] is None else arrays[region["mask"]],
                )
                for region in content["regions"]
            ),
            masks=tuple(
                AnsweredMask(array, mask["region"], mask["phrase"], mask["confidence"])
                for array, mask in zip(arrays, content["masks"], strict=True)
            ),
        )

    def to_geojson(self) -> dict[str, Any]:
        """A FeatureCollection of every mark and every mask that holds a pixel.

        Coordinates are longitude and latitude (WGS84), cut at the antimeridian, where the scene has a georeference
        that gives degrees for all of them, else pixels (`answer_features.feature_collection`).
        """
        return feature_collection(
            self.regions,
            self.masks,
            georeference=self.scene.georeference,
            outline_of_mark=mark_geometry,
            outline_of_mask=lambda mask, place, wraps: mask_geometry(mask.array, place, wraps),
            square_metres=self._square_metres,
            answer={"question": self.question, "words": self.words, "image": self._image_json()},
        )

    def draw(self) -> Image.Image:
        """The scene with masks laid over it, marks outlined and numbered, and labels beside them."""
        notes = [
            Note(mark=region.mark, number=region.number, text=region.label, colour=region.number - 1)
            for region in self.regions
        ]
        free_colour = len(self.regions)
        overlays = []
        for mask in self.masks:
            is_bound = mask.region is not None and mask.region <= len(self.regions)
            colour = (mask.region or 0) - 1 if is_bound else free_colour
            free_colour += not is_bound
            # A bound mask needs no words of its own: its region's label stands beside the mark.
            text = "" if is_bound else mask.phrase or ""
            overlays.append(Overlay(array=mask.array, text=text, colour=colour))
        return draw_scene(self.scene.pixels, notes=notes, overlays=overlays)

    def _square_metres(self, mask: AnsweredMask) -> float | None:
        metres = self.scene.ground_sample_distance
        return None if metres is None else round(float(mask.array.sum()) * metres**2, 2)

    def _image_json(self) -> dict[str, Any]:
        return {
            "path": None if self.scene.path is None else str(self.scene.path),
            "width": self.scene.width,
            "height": self.scene.height,
            "sensor": self.scene.sensor,
            "notes": list(self.scene.notes),
        }

    def _region_json(self, region: AnsweredRegion) -> dict[str, Any]:
        mask = next((index for index, mask in enumerate(self.masks) if mask.array is region.mask), None)
        return {
            "number": region.number,
            "label": region.label,
            "confidence": round(region.confidence, 6),
            "mark": region.mark.to_json(),
            "box": _corners(region.box),
            "mask": mask,
        }


def _extent(mask: NDArray[np.bool_]) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _corners(box: Box) -> list[float]:
    return [box.x0, box.y0, box.x1, box.y1]


def _unpacked(mask: dict[str, Any]) -> NDArray[np.bool_]:
    height, width = mask["size"]
    return Mask(height, width, mask["counts"]).to_array()


def _without_kind(mask: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mask.items() if key != "kind"}
