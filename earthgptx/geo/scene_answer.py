"""One answer about a scene of any size, put together from what was seen through its windows.

A `SceneAnswer` reads, writes and draws as an `Answer` does, in the scene's frame and the user's numbering; for a scene
that is seen whole at full resolution both are the same. Masks stay as large as the windows they were seen in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.scene_masks import extent_in_scene, in_scene_frame, mark_in, seen_in
from earthgptx.geo.windows import Frame
from earthgptx.inference.answer_features import feature_collection
from earthgptx.inference.drawing import MOST_SIDE, Note, Overlay, draw_scene
from earthgptx.inference.features import Place, mark_geometry, mask_geometry
from earthgptx.processing.answers import readable
from earthgptx.rasters import BoolArray
from earthgptx.shapes import Box, Mark, Mask, Vertices, mark_from_json

_DRAWN_SIDE = 4096  # pixels of a marked mask whose outline is exact; a larger one is outlined reduced


@dataclass(frozen=True, eq=False)
class SceneMask:
    """One mask of an answer, in the order of its ``<pix>`` tokens.

    Attributes:
        array: (h, w) of the window as it was read, True on the object.
        frame: the window, in scene pixels.
        region: the number of the region it belongs to, None where the answer names none.
        phrase: the words it belongs to, None where there are none.
        confidence: mean probability inside the mask, in [0, 1]; 0 for an empty one.
    """

    array: BoolArray
    frame: Frame
    region: int | None
    phrase: str | None
    confidence: float

    @property
    def box(self) -> Box | None:
        """The smallest box of scene pixels around the mask; None where it holds no pixel."""
        return extent_in_scene(self.array, self.frame)

    def in_scene(self, scene: BigScene) -> Mask:
        """The mask as run lengths of the whole scene."""
        return in_scene_frame(self.array, self.frame, width=scene.width, height=scene.height)


@dataclass(frozen=True, eq=False)
class SceneRegion:
    """One mark of the question and what was answered about it.

    Every mark of the question has one, in order, whether or not the answer speaks of it.

    Attributes:
        number: from 1, as in ``<Region k>``.
        mark: as the user drew it, in the scene's pixels.
        label: the words answered for it, without mask tokens or a full stop; empty where there are none.
        confidence: mean probability of the tokens that make up the label; 0 where there is no label.
        mask: the one bound to this region, None where there is none.
    """

    number: int
    mark: Mark
    label: str
    confidence: float
    mask: SceneMask | None

    @property
    def box(self) -> Box:
        """The smallest box around the region's mask; the mark's bounds where there is no mask or an empty one."""
        found = None if self.mask is None else self.mask.box
        return found or self.mark.bounds()


@dataclass(frozen=True, eq=False)
class SceneAnswer:
    """The model's answer to one question about one scene.

    Attributes:
        scene: what was asked about.
        question: as the user put it.
        text: the model's own words in the user's numbering; `words` is the same for people.
        regions: one a mark, in the order given.
        masks: one a ``<pix>`` of the text, in order.
        windows: of the scene, that the model saw.
    """

    scene: BigScene
    question: str
    text: str
    regions: tuple[SceneRegion, ...]
    masks: tuple[SceneMask, ...]
    windows: tuple[Box, ...]

    @property
    def words(self) -> str:
        """The text without phrase and mask tokens."""
        return readable(self.text)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain values: those of `Answer.to_json`, and the windows.

        Masks are COCO run lengths in the scene's frame, each with the ``window`` it was seen in and the ``view`` at
        which that was read, [height, width].
        """
        return {
            "question": self.question,
            "text": self.text,
            "words": self.words,
            "image": self._image_json(),
            "windows": [_corners(window) for window in self.windows],
            "regions": [self._region_json(region) for region in self.regions],
            "masks": [self._mask_json(mask) for mask in self.masks],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], scene: BigScene) -> SceneAnswer:
        """Inverse of `to_json`, for the scene that the answer is about.

        Args:
            content: as `to_json` gave it; other members are passed over.
            scene: that it is about.
        """
        masks = tuple(_mask_from_json(mask) for mask in content["masks"])
        return cls(
            scene=scene,
            question=content["question"],
            text=content["text"],
            regions=tuple(
                SceneRegion(
                    number=region["number"],
                    mark=mark_from_json(region["mark"]),
                    label=region["label"],
                    confidence=region["confidence"],
                    mask=None if region["mask"] is None else masks[region["mask"]],
                )
                for region in content["regions"]
            ),
            masks=masks,
            windows=tuple(Box(*corners) for corners in content["windows"]),
        )

    def to_geojson(self) -> dict[str, Any]:
        """A FeatureCollection of every mark and every mask that holds a pixel, as `Answer.to_geojson` has it."""
        return feature_collection(
            self.regions,
            self.masks,
            georeference=self.scene.georeference,
            outline_of_mark=_mark_geometry,
            outline_of_mask=lambda mask, place, wraps: mask_geometry(mask.array, _through(mask.frame, place), wraps),
            square_metres=self._square_metres,
            answer={"question": self.question, "words": self.words, "image": self._image_json()},
        )

    def draw(self) -> Image.Image:
        """What the model saw of the scene, all windows in one picture, with masks, marks and labels on it."""
        window = Box(
            min(one.x0 for one in self.windows),
            min(one.y0 for one in self.windows),
            max(one.x1 for one in self.windows),
            max(one.y1 for one in self.windows),
        )
        read = self.scene.read(window, MOST_SIDE)
        frame = Frame.of(window, read)
        notes = [
            Note(mark=mark_in(region.mark, frame), number=region.number, text=region.label, colour=region.number - 1)
            for region in self.regions
            if _touches(region.mark.bounds(), window)
        ]
        free_colour = len(self.regions)
        overlays = []
        for mask in self.masks:
            is_bound = mask.region is not None and mask.region <= len(self.regions)
            colour = (mask.region or 0) - 1 if is_bound else free_colour
            free_colour += not is_bound
            # A bound mask needs no words of its own: its region's label stands beside the mark.
            text = "" if is_bound else mask.phrase or ""
            array = seen_in(mask.in_scene(self.scene), frame)
            overlays.append(Overlay(array=array, text=text, colour=colour))
        return draw_scene(read.pixels, notes=notes, overlays=overlays)

    def _square_metres(self, mask: SceneMask) -> float | None:
        """The area on the ground, with pixels as large as in the middle of the mask."""
        box = mask.box
        if self.scene.georeference is None or box is None:
            return None
        metres = self.scene.georeference.of_window(*box.centre).ground_sample_distance()
        return None if metres is None else round(float(mask.array.sum()) * mask.frame.area_step * metres**2, 2)

    def _image_json(self) -> dict[str, Any]:
        return {
            "path": str(self.scene.path),
            "width": self.scene.width,
            "height": self.scene.height,
            "sensor": self.scene.sensor,
            "notes": list(self.scene.notes),
        }

    def _region_json(self, region: SceneRegion) -> dict[str, Any]:
        mask = next((index for index, mask in enumerate(self.masks) if mask is region.mask), None)
        return {
            "number": region.number,
            "label": region.label,
            "confidence": round(region.confidence, 6),
            "mark": region.mark.to_json(),
            "box": _corners(region.box),
            "mask": mask,
        }

    def _mask_json(self, mask: SceneMask) -> dict[str, Any]:
        whole = mask.in_scene(self.scene)
        return {
            "region": mask.region,
            "phrase": mask.phrase,
            "confidence": round(mask.confidence, 6),
            "box": None if mask.box is None else _corners(mask.box),
            "area_px": whole.area,
            "size": [whole.height, whole.width],
            "counts": whole.counts,
            "window": _corners(mask.frame.window),
            "view": [mask.frame.height, mask.frame.width],
        }


def _mask_from_json(content: dict[str, Any]) -> SceneMask:
    height, width = content["view"]
    frame = Frame(Box(*content["window"]), width, height)
    scene_height, scene_width = content["size"]
    array = seen_in(Mask(scene_height, scene_width, content["counts"]), frame)
    return SceneMask(array, frame, content["region"], content["phrase"], content["confidence"])


def _mark_geometry(mark: Mark, place: Place, wraps: bool) -> dict[str, Any]:
    """A mark's outline; that of a mask is cut out of the scene, and reduced where it is very large."""
    if not isinstance(mark, Mask):
        return mark_geometry(mark, place, wraps)
    box = mark.bounds()
    factor = min(1.0, _DRAWN_SIDE / max(box.width, box.height))
    frame = Frame(box, max(1, round(box.width * factor)), max(1, round(box.height * factor)))
    return mask_geometry(seen_in(mark, frame), _through(frame, place), wraps)


def _through(frame: Frame, place: Place) -> Place:
    """From pixels of a window as read to where `place` puts their scene pixels."""

    def placed(points: Sequence[tuple[float, float]]) -> Vertices:
        return place(frame.to_scene(points))

    return placed


def _touches(bounds: Box, window: Box) -> bool:
    across = bounds.x0 < window.x1 and bounds.x1 >= window.x0
    return across and bounds.y0 < window.y1 and bounds.y1 >= window.y0


def _corners(box: Box) -> list[float]:
    return [box.x0, box.y0, box.x1, box.y1]
