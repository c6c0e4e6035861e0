"""The nouns of labelled data.

A `LabelledImage` is what a dataset's own files say; a `Sample` is one dialogue about one image, ready to be
trained on or scored. `sample_file` writes and reads them. Pixels are never looked at here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box, Mark, Polygon, rasterise_polygons

ANYTHING = "anything"  # among the gaps of an image: what is missing may be of any class

_REGION_NUMBER = re.compile(r"<Region (\d+)>")
_PIX = "<pix>"


@dataclass(frozen=True)
class LabelledObject:
    """One object of a dataset: where it is and what it is.

    Attributes:
        box: the object's bounds in image pixels.
        label: its canonical class name, as in `datasets.class_names`.
        polygons: the parts of its outline in image pixels, whose union is the object; empty where the dataset
            has only a box.
        rotated: the four corners of a box that follows the object's own direction, where the dataset has one.
        attributes: what the dataset says of it in a word each, as in "white" or "small".
        descriptions: phrases or sentences of the dataset about this object alone.
    """

    box: Box
    label: str
    polygons: tuple[Polygon, ...] = ()
    rotated: Polygon | None = None
    attributes: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()

    @property
    def has_mask(self) -> bool:
        """Whether the dataset outlines the object, not only boxes it."""
        return bool(self.polygons)

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """The object's pixels in the whole image, (height, width); its filled box where it has no outline."""
        return rasterise_polygons(self._rings(), Box(0, 0, width, height), (height, width))

    def mask_in(self, window: Box, size: int) -> NDArray[np.bool_]:
        """The object's pixels in a window of the image that is resampled to a square raster.

        The outline is scaled, not the raster, so that a small object keeps its shape in a magnified window.

        Args:
            window: the part of the image to look at, in image pixels; it may reach past the image.
            size: rows and columns of the raster; the two axes are scaled each by itself.

        Returns:
            Shape (size, size), True on the object; its filled box where the object has no outline.
        """
        return rasterise_polygons(self._rings(), window, (size, size))

    def flipped(self, width: int) -> LabelledObject:
        """The same object after the image is mirrored left to right."""
        return replace(
            self,
            box=self.box.flipped(width),
            polygons=tuple(polygon.flipped(width) for polygon in self.polygons),
            rotated=None if self.rotated is None else self.rotated.flipped(width),
        )

    def _rings(self) -> list[tuple[tuple[float, float], ...]]:
        return [polygon.points for polygon in self.polygons] or [self.box.outline()]


@dataclass(frozen=True)
class Relation:
    """What a dataset says of two objects of one image, as in (0, "parked on", 3).

    Attributes:
        subject, object: indices in `LabelledImage.objects`.
        predicate: the words between them, in lower case.
    """

    subject: int
    predicate: str
    object: int


@dataclass(frozen=True)
class LabelledImage:
    """One image of a dataset with everything its files say about it.

    Attributes:
        id: dataset, split and name, as in "vhr10/train/001"; unique over all datasets.
        path: the image file.
        dataset: the dataset's name in `datasets.DATASETS`.
        sensor: one of `imagery.SENSORS`.
        width, height: in pixels.
        objects: the labelled objects, in the order of the dataset's file; this order numbers them.
        captions: whole-image captions, as many as the dataset has.
        scene: the canonical name of the scene's class, where the dataset has one.
        relations: what the dataset says of pairs of objects.
        window: the part of the file that this image is, in pixels of the file; None for all of it. Everything else
            here is in the window's own pixels.
        orientation: how its pixels are turned after they are read, see `orientation.oriented`; 0 as on file.
        gaps: labels of things that the image shows, or may show, beside its objects: what a window shows too little
            of, and ANYTHING where labels were left out as broken. See `completeness`.
    """

    id: str
    path: Path
    dataset: str
    sensor: str
    width: int
    height: int
    objects: tuple[LabelledObject, ...] = ()
    captions: tuple[str, ...] = ()
    scene: str | None = None
    relations: tuple[Relation, ...] = ()
    window: Box | None = None
    orientation: int = 0
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """What a user draws, and the labelled object under it (None for a mark of the whole image)."""

    mark: Mark
    object: LabelledObject | None = None

    def flipped(self, width: int) -> Region:
        """The same region after the image is mirrored left to right."""
        return Region(mark=self.mark.flipped(width), object=None if self.object is None else self.object.flipped(width))


@dataclass(frozen=True)
class Turn:
    """One speaker's words. Marks are not written into the text here; `processing` adds their header."""

    role: Literal["user", "model"]
    text: str


@dataclass(frozen=True)
class PixelTarget:
    """The truth of one ``<pix>``: the union of these objects."""

    objects: tuple[LabelledObject, ...]

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """The union in the whole image, shape (height, width)."""
        union = np.zeros((height, width), dtype=bool)
        for item in self.objects:
            union |= item.mask(height, width)
        return union

    def mask_in(self, window: Box, size: int) -> NDArray[np.bool_]:
        """The union in a window of the image, shape (size, size); see `LabelledObject.mask_in`."""
        union = np.zeros((size, size), dtype=bool)
        for item in self.objects:
            union |= item.mask_in(window, size)
        return union

    def flipped(self, width: int) -> PixelTarget:
        """The same truth after the image is mirrored left to right."""
        return PixelTarget(tuple(item.flipped(width) for item in self.objects))


@dataclass(frozen=True)
class Sample:
    """One dialogue about one image.

    Attributes:
        id: unique among samples of one corpus.
        image: the image file.
        sensor: one of `imagery.SENSORS`.
        width, height: of the image, in pixels.
        regions: the marks in the order that numbers them: the first is ``<Region 1>``.
        turns: user and model in turn, the user first.
        targets: the truth of the k-th ``<pix>`` of the model's turns, in order of appearance.
        task: one of `instructions.TASKS`, or "dialogue" for data from elsewhere.
        window, orientation: the part of the file, and how its pixels are turned after they are read, as in
            `LabelledImage`.
    """

    id: str
    image: Path
    sensor: str
    width: int
    height: int
    regions: tuple[Region, ...]
    turns: tuple[Turn, ...]
    targets: tuple[PixelTarget, ...]
    task: str
    window: Box | None = None
    orientation: int = 0


def check_sample(sample: Sample) -> Sample:
    """Gives the sample back if its text, regions and masks agree.

    Raises:
        MalformedDataset: the turns do not alternate from user to model, a ``<Region k>`` has no mark, or the
            model's turns hold more or fewer ``<pix>`` than there are masks.
    """
    roles = [turn.role for turn in sample.turns]
    if not roles or roles != ["user", "model"] * (len(roles) // 2):
        raise MalformedDataset(f"sample {sample.id}: turns must alternate user, model; found {roles}.")
    num_pix = sum(turn.text.count(_PIX) for turn in sample.turns if turn.role == "model")
    if num_pix != len(sample.targets):
        raise MalformedDataset(f"sample {sample.id}: {num_pix} <pix> in the text but {len(sample.targets)} masks.")
    for turn in sample.turns:
        for written in _REGION_NUMBER.findall(turn.text):
            if len(written) > 9 or not 1 <= int(written) <= len(sample.regions):
                raise MalformedDataset(
                    f"sample {sample.id}: the text names <Region {written[:40]}> but there are "
                    f"{len(sample.regions)} regions."
                )
    return sample
