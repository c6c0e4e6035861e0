"""What a system answered to each question of a benchmark, beside the truth, and one JSON object of it.

Predictions are the border between asking and scoring: `prediction_files` keeps them, and scores come from nothing
else. docs/evaluation.md describes each member for people who write them with their own code. Nothing here knows a model
or a data set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from earthgptx.evaluation.metrics.masks import Overlap
from earthgptx.rasters import pack_runs
from earthgptx.shapes import Mark, Mask, mark_from_json

Item = TypeVar("Item")


@dataclass(frozen=True)
class RegionPrediction:
    """What was said about one region, beside the truth.

    Attributes:
        index: the object's place among the image's objects, from 0.
        truth: its class name.
        label: the words that were given for it; None where there were none.
        confidence: the system's own probability of those words, in [0, 1]; 0 where it gave none.
        mask: the predicted pixels; None where none were asked for or given.
        overlap: predicted against true pixels, where masks were asked for.
        mark: how the region was marked, in pixels of the image; None where words referred to it.
        true_mask: the true pixels, where masks were asked for.
        references: the true captions, for captions of regions.
    """

    index: int
    truth: str
    label: str | None
    confidence: float
    mask: Mask | None = None
    overlap: Overlap | None = None
    mark: Mark | None = None
    true_mask: Mask | None = None
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class PhraseMask:
    """A phrase of a caption, the pixels it speaks of (None: it has no mask), and how sure the system is of them."""

    phrase: str
    mask: Mask | None
    confidence: float = 1.0


@dataclass(frozen=True)
class Prediction:
    """One question's answer.

    Attributes:
        key: names the question within its benchmark, data set and split included.
        dataset: name of the data set.
        sensor: the image's sensor.
        text: the answer as the system wrote it, without what scores cannot use (the tags of a caption).
        regions: one entry a region asked about, in the order asked; empty where the whole image was.
        references: the true answers, where the question is about the whole image: captions, a class, a short answer.
        question: the words that were asked.
        image: the image file, as a path below the folder of the data sets.
        size: (height, width) of the image in pixels; (0, 0) where unknown.
        marks: how regions were marked: box, point or freeform; empty where nothing was.
        phrases: the phrases of a grounded caption with their masks, in order.
        true_phrases: what the caption should have spoken of.
    """

    key: str
    dataset: str
    sensor: str
    text: str
    regions: tuple[RegionPrediction, ...] = ()
    references: tuple[str, ...] = ()
    question: str = ""
    image: str = ""
    size: tuple[int, int] = (0, 0)
    marks: str = ""
    phrases: tuple[PhraseMask, ...] = ()
    true_phrases: tuple[PhraseMask, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The prediction as one JSON object; `from_json` gives an equal prediction back."""
        about: dict[str, Any] = {"key": self.key, "dataset": self.dataset, "sensor": self.sensor}
        if self.image:
            about |= {"image": self.image, "size": list(self.size)}
        about |= {name: value for name, value in (("question", self.question), ("marks", self.marks)) if value}
        about |= {
            "text": self.text,
            "regions": [_region_to_json(region) for region in self.regions],
            "references": list(self.references),
        }
        for name, phrases in (("phrases", self.phrases), ("true_phrases", self.true_phrases)):
            if phrases:
                about[name] = [_phrase_to_json(one) for one in phrases]
        return about

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The prediction that `to_json` wrote; a `KeyError` or `TypeError` where it is none."""
        height, width = record.get("size", (0, 0))
        return cls(
            key=record["key"],
            dataset=record["dataset"],
            sensor=record["sensor"],
            text=record["text"],
            regions=tuple(_region_from_json(region) for region in record["regions"]),
            references=tuple(record["references"]),
            question=record.get("question", ""),
            image=record.get("image", ""),
            size=(int(height), int(width)),
            marks=record.get("marks", ""),
            phrases=_phrases_from_json(record.get("phrases", ())),
            true_phrases=_phrases_from_json(record.get("true_phrases", ())),
        )


def _region_to_json(region: RegionPrediction) -> dict[str, Any]:
    record: dict[str, Any] = {
        "index": region.index,
        "truth": region.truth,
        "label": region.label,
        "confidence": region.confidence,
    }
    if region.mask is not None:
        record["mask"] = _mask_to_json(region.mask)
    if region.overlap is not None:
        record["overlap"] = [region.overlap.intersection, region.overlap.union]
    if region.mark is not None:
        record["mark"] = region.mark.to_json()
    if region.true_mask is not None:
        record["true_mask"] = _mask_to_json(region.true_mask)
    if region.references:
        record["references"] = list(region.references)
    return record


def _region_from_json(record: Mapping[str, Any]) -> RegionPrediction:
    measured = record.get("overlap")
    return RegionPrediction(
        index=record["index"],
        truth=record["truth"],
        label=record["label"],
        confidence=record["confidence"],
        mask=_mask_from_json(record.get("mask")),
        overlap=Overlap(intersection=measured[0], union=measured[1]) if measured else None,
        mark=_given(record.get("mark"), mark_from_json),
        true_mask=_mask_from_json(record.get("true_mask")),
        references=tuple(record.get("references", ())),
    )


def _given(value: Any, read: Callable[[Any], Item]) -> Item | None:
    return None if value is None else read(value)


def _phrases_from_json(records: Sequence[Mapping[str, Any]]) -> tuple[PhraseMask, ...]:
    return tuple(
        PhraseMask(one["phrase"], _mask_from_json(one.get("mask")), one.get("confidence", 1.0)) for one in records
    )


def _phrase_to_json(one: PhraseMask) -> dict[str, Any]:
    return {"phrase": one.phrase, "mask": _mask_to_json(one.mask), "confidence": one.confidence}


def _mask_to_json(mask: Mask | None) -> dict[str, Any] | None:
    return None if mask is None else {"size": [mask.height, mask.width], "counts": mask.counts}


def _mask_from_json(record: Mapping[str, Any] | None) -> Mask | None:
    """COCO's run lengths, compressed or as a list of numbers."""
    if not record:
        return None
    (height, width), counts = record["size"], record["counts"]
    return Mask(height=height, width=width, counts=counts if isinstance(counts, str) else pack_runs(counts))
