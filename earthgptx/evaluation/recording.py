"""Questions and answers to predictions: the truth is put down first, then what was said is written beside it.

`blank` knows the labels and no answer; the functions after it fill in one kind of answer each. What they give is all
that scores ever see.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from earthgptx.evaluation.metrics.masks import overlap
from earthgptx.evaluation.predictions import PhraseMask, Prediction, RegionPrediction
from earthgptx.evaluation.questions import PosedQuestion
from earthgptx.inference.answer import Answer
from earthgptx.processing.answers import parse
from earthgptx.shapes import Mask

_TAG = re.compile(r"<[^<>]*>:?")


def blank(question: PosedQuestion, data: Path, *, with_masks: bool = False, with_captions: bool = False) -> Prediction:
    """The question with its truth, answered by nobody.

    Args:
        question: as posed.
        data: the folder of the data sets, below which the image's path is given.
        with_masks, with_captions: whether the regions' true masks or captions are wanted, too.
    """
    image = question.image
    height, width = image.height, image.width
    regions = []
    for place, index in enumerate(question.objects):
        item = image.objects[index]
        true_mask = item.mask(height, width) if with_masks else None
        regions.append(
            RegionPrediction(
                index=index,
                truth=item.label,
                label=None,
                confidence=0.0,
                mark=question.marks[place] if place < len(question.marks) else None,
                true_mask=None if true_mask is None else Mask.from_array(true_mask),
                overlap=None if true_mask is None else overlap(None, true_mask),
                references=item.descriptions if with_captions else (),
            )
        )
    phrases = parse(question.answers[0]).phrases if question.targets else ()
    return Prediction(
        key=question.key,
        dataset=image.dataset,
        sensor=image.sensor,
        text="",
        regions=tuple(regions),
        references=tuple(map(without_tags, question.answers)) if question.targets else question.answers,
        question=question.text,
        image=_below(image.path, data),
        size=(height, width),
        marks=question.marked_by,
        true_phrases=tuple(
            PhraseMask(phrase.text, Mask.from_array(target.mask(height, width)))
            for phrase, target in zip(phrases, question.targets, strict=True)
        ),
    )


def with_labels(asked: Prediction, answer: Answer) -> Prediction:
    """The words for each region."""
    answered = {region.number: region for region in answer.regions}
    regions = []
    for number, region in enumerate(asked.regions, start=1):
        found = answered.get(number)
        label = found.label.strip() if found else ""
        regions.append(replace(region, label=label or None, confidence=found.confidence if found and label else 0.0))
    return replace(asked, text=answer.text, regions=tuple(regions))


def with_masks(asked: Prediction, answer: Answer) -> Prediction:
    """The mask of each region; where none is marked, the first mask of the answer is that of the one region."""
    # Reversed: where a region was given two masks, the first one counts.
    given = {mask.region: mask for mask in reversed(answer.masks)}
    is_marked = any(region.mark is not None for region in asked.regions)
    regions = []
    for number, region in enumerate(asked.regions, start=1):
        mask = given.get(number) if is_marked else next(iter(answer.masks), None)
        assert region.true_mask is not None
        regions.append(
            replace(
                region,
                confidence=mask.confidence if mask else 0.0,
                mask=Mask.from_array(mask.array) if mask else None,
                overlap=overlap(mask.array if mask else None, region.true_mask.to_array()),
            )
        )
    return replace(asked, text=answer.text, regions=tuple(regions))


def with_text(asked: Prediction, answer: Answer) -> Prediction:
    """The words about the whole image."""
    return replace(asked, text=without_tags(answer.text))


def with_phrases(asked: Prediction, answer: Answer) -> Prediction:
    """The words, and each phrase that was given a mask."""
    phrases = tuple(
        PhraseMask(mask.phrase or "", Mask.from_array(mask.array), mask.confidence) for mask in answer.masks
    )
    return replace(asked, text=without_tags(answer.text), phrases=phrases)


def without_tags(text: str) -> str:
    """A caption as GLaMM scores it: without the tags of regions, phrases and masks."""
    return " ".join(_TAG.sub(" ", text).split())


def _below(path: Path, folder: Path) -> str:
    """The path below the folder, with forward slashes; only the file's name where it lies elsewhere."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
