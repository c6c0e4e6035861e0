"""The benchmarks, as plain functions: referring object classification, pixel grounding, image captioning.

Each asks an assistant about every labelled object or image of its data sets, keeps the answers in a journal
and scores them. A data set that is not in the folder is skipped, with a sentence in the report. Answers are
greedy, so a benchmark run twice gives one report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from earthgptx.data.phrasing import usual
from earthgptx.data.sample import LabelledObject
from earthgptx.errors import MalformedDataset
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.metrics import captions, labels, masks
from earthgptx.evaluation.metrics.labels import LabelPair
from earthgptx.evaluation.metrics.masks import Overlap
from earthgptx.evaluation.metrics.similarity import Embed, mean_semantic_similarity
from earthgptx.evaluation.predictions import Prediction, RegionPrediction
from earthgptx.evaluation.questions import (
    Answerer,
    Conditions,
    PosedQuestion,
    Progress,
    ask_all,
    labelled_images,
    questions_about_objects,
)
from earthgptx.evaluation.report import Scores
from earthgptx.inference.answer import Answer
from earthgptx.shapes import Mask

DATASETS_OF: dict[str, tuple[str, ...]] = {
    "roc": ("vhr10", "ssdd", "hituav", "sar_acd", "mstar"),
    "grounding": ("vhr10", "ssdd"),
    "captioning": ("rsicd",),
}

# The usual sentence of each task; for classification it is the paper's own.
ROC_QUESTION = usual("roc")
GROUNDING_QUESTION = usual("segment_region")
CAPTIONING_QUESTION = usual("image_caption")

# Eight regions of the longest class name need some 120 tokens; a mask costs seven tokens a region.
LEAST_ANSWER_TOKENS = 192
ANSWER_TOKENS_A_REGION = 24
MAX_CAPTION_TOKENS = 64

_TAG = re.compile(r"<[^<>]*>:?")

Part = TypeVar("Part")


@dataclass(frozen=True)
class QuestionSet:
    """All questions of a benchmark, and a sentence on each data set that is left out or cut short."""

    questions: tuple[PosedQuestion, ...]
    notes: tuple[str, ...] = ()


def pose(benchmark: str, conditions: Conditions) -> QuestionSet:
    """Reads the data sets of a benchmark and poses its questions; no image is opened.

    Args:
        benchmark: a name of `BENCHMARKS`.
        conditions: where the data are and how objects are marked; captioning draws no mark, whatever they say.

    Raises:
        MalformedDataset: none of the data sets is there, one cannot be read, or all of them together give no question.
    """
    names = DATASETS_OF[benchmark]
    images, notes = labelled_images(names, conditions)
    if benchmark == "roc":
        questions = questions_about_objects(images, lambda _: ROC_QUESTION, conditions)
    elif benchmark == "grounding":
        questions = questions_about_objects(images, _grounding_question, conditions, wanted=lambda item: item.has_mask)
    else:
        questions = [
            PosedQuestion(key=image.id, image=image, objects=(), marks=(), text=CAPTIONING_QUESTION)
            for image in images
            if image.captions
        ]
    if not questions:
        wanted = {"roc": "object", "grounding": "outlined object", "captioning": "caption"}[benchmark]
        raise MalformedDataset(
            f"The {len(images):,} images of the {conditions.split} split in {conditions.data} that {benchmark} asks "
            f"about hold no {wanted}."
        )
    return QuestionSet(tuple(questions), notes)


def _quiet(_done: int, _total: int) -> None:
    """Progress that is told to nobody."""


def roc(
    assistant: Answerer,
    asked: QuestionSet,
    journal: Journal,
    *,
    embed: Embed,
    batch_size: int = 8,
    progress: Progress = _quiet,
) -> Scores:
    """Referring object classification: the name of every labelled object of all sensors, some a question.

    The headline is over all regions of all data sets together. The SAR chips (SAR-ACD's aircraft and MSTAR's
    vehicles, where the whole chip is the region and the label is a type) count like any other region; they
    have rows of their own under ``by_dataset``. A region without an answer scores 0 in every metric.

    Args:
        assistant: who is asked.
        asked: what `pose` gives.
        journal: the run's answers.
        embed: sentence embeddings for SS.
        batch_size: questions answered together; bf16 rounds otherwise in another batch, so a close word can differ.
        progress: is told how far the run is.
    """
    predictions = _ask(assistant, asked, journal, _record_labels, batch_size, progress, _answer_tokens(asked))

    def score(part: Sequence[Prediction]) -> dict[str, float]:
        pairs = _label_pairs(part)
        return {
            "ss": 100 * mean_semantic_similarity(pairs, embed),
            "s_iou": 100 * labels.mean_semantic_iou(pairs),
            "accuracy": 100 * labels.accuracy(pairs),
        }

    pairs = _label_pairs(predictions)
    by_class = _grouped(pairs, lambda pair: pair.truth)
    return Scores(
        metrics=score(predictions),
        by_sensor=_scored(predictions, lambda one: one.sensor, score),
        by_dataset=_scored(predictions, lambda one: one.dataset, score),
        by_class={
            name: {
                "accuracy": 100 * labels.accuracy(part),
                "s_iou": 100 * labels.mean_semantic_iou(part),
                "regions": len(part),
            }
            for name, part in by_class.items()
        },
        confusion=labels.confusion(pairs),
        counts=_counts(asked.questions, journal)
        | {"regions": len(pairs), "unanswered": sum(pair.prediction is None for pair in pairs)},
        notes=asked.notes,
    )


def grounding(
    assistant: Answerer, asked: QuestionSet, journal: Journal, *, batch_size: int = 8, progress: Progress = _quiet
) -> Scores:
    """Pixel grounding: asks for the mask of every outlined object and compares it at the image's own size.

    A region that gets no mask counts as an empty mask: IoU 0. cIoU and gIoU are LISA's; mIoU is the mean over
    classes; pr_50 to pr_90 are the shares of masks at or above that IoU.

    Args:
        assistant: who is asked.
        asked: what `pose` gives.
        journal: the run's answers, masks included.
        batch_size: questions answered together; bf16 rounds otherwise in another batch, so a close word can differ.
        progress: is told how far the run is.
    """
    predictions = _ask(assistant, asked, journal, _record_masks, batch_size, progress, _answer_tokens(asked))
    regions = [region for one in predictions for region in one.regions]
    by_class = _grouped(regions, lambda region: region.truth)
    return Scores(
        metrics=_mask_scores(predictions),
        by_sensor=_scored(predictions, lambda one: one.sensor, _mask_scores),
        by_dataset=_scored(predictions, lambda one: one.dataset, _mask_scores),
        by_class={
            name: {
                "ciou": masks.cumulative_iou(_overlaps(part)),
                "giou": masks.mean_iou(_overlaps(part)),
                "regions": len(part),
            }
            for name, part in by_class.items()
        },
        counts=_counts(asked.questions, journal)
        | {"regions": len(regions), "unanswered": sum(region.mask is None for region in regions)},
        notes=asked.notes,
    )


def captioning(
    assistant: Answerer, asked: QuestionSet, journal: Journal, *, batch_size: int = 8, progress: Progress = _quiet
) -> Scores:
    """Image captioning: one caption an image against all its references, over the whole corpus.

    No mark is drawn: the caption is of the whole image.

    Args:
        assistant: who is asked.
        asked: what `pose` gives.
        journal: the run's answers.
        batch_size: questions answered together; bf16 rounds otherwise in another batch, so a close word can differ.
        progress: is told how far the run is.
    """
    predictions = _ask(assistant, asked, journal, _record_caption, batch_size, progress, MAX_CAPTION_TOKENS)
    return Scores(
        metrics=_caption_scores(predictions),
        by_sensor=_scored(predictions, lambda one: one.sensor, _caption_scores),
        by_dataset=_scored(predictions, lambda one: one.dataset, _caption_scores),
        counts=_counts(asked.questions, journal)
        | {"captions": len(predictions), "unanswered": sum(not one.text for one in predictions)},
        notes=asked.notes,
    )


BENCHMARKS: dict[str, Callable[..., Scores]] = {"roc": roc, "grounding": grounding, "captioning": captioning}


def _ask(
    assistant: Answerer,
    asked: QuestionSet,
    journal: Journal,
    record: Callable[[PosedQuestion, Answer], Prediction],
    batch_size: int,
    progress: Progress,
    max_new_tokens: int,
) -> list[Prediction]:
    return ask_all(
        assistant,
        asked.questions,
        journal,
        record,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        progress=progress,
    )


def _answer_tokens(asked: QuestionSet) -> int:
    """Where an answer is cut: of the set, not of a batch, so that batching changes no answer."""
    most_regions = max(len(question.marks) for question in asked.questions)
    return max(LEAST_ANSWER_TOKENS, ANSWER_TOKENS_A_REGION * most_regions)


def _grounding_question(num_regions: int) -> str:
    return GROUNDING_QUESTION.format(regions="each marked region" if num_regions > 1 else "the marked region")


def _record_labels(question: PosedQuestion, answer: Answer) -> Prediction:
    answered = {region.number: region for region in answer.regions}
    regions = []
    for number, index in enumerate(question.objects, start=1):
        region = answered.get(number)
        label = region.label.strip() if region else ""
        regions.append(
            RegionPrediction(
                index=index,
                truth=question.image.objects[index].label,
                label=label or None,
                confidence=region.confidence if region and label else 0.0,
            )
        )
    return _prediction(question, answer.text, regions)


def _record_masks(question: PosedQuestion, answer: Answer) -> Prediction:
    # Reversed: where a region was given two masks, the first one counts.
    given = {mask.region: mask for mask in reversed(answer.masks) if mask.region is not None}
    regions = []
    for number, index in enumerate(question.objects, start=1):
        item: LabelledObject = question.image.objects[index]
        mask = given.get(number)
        truth = item.mask(question.image.height, question.image.width)
        regions.append(
            RegionPrediction(
                index=index,
                truth=item.label,
                label=None,
                confidence=mask.confidence if mask else 0.0,
                mask=Mask.from_array(mask.array) if mask else None,
                overlap=masks.overlap(mask.array if mask else None, truth),
            )
        )
    return _prediction(question, answer.text, regions)


def _record_caption(question: PosedQuestion, answer: Answer) -> Prediction:
    # As GLaMM scores captions: without the tags of regions, phrases and masks.
    text = " ".join(_TAG.sub(" ", answer.text).split())
    return Prediction(
        key=question.key,
        dataset=question.image.dataset,
        sensor=question.image.sensor,
        text=text,
        references=question.image.captions,
    )


def _prediction(question: PosedQuestion, text: str, regions: Sequence[RegionPrediction]) -> Prediction:
    return Prediction(
        key=question.key,
        dataset=question.image.dataset,
        sensor=question.image.sensor,
        text=text,
        regions=tuple(regions),
    )


def _label_pairs(predictions: Sequence[Prediction]) -> list[LabelPair]:
    return [LabelPair(region.label, region.truth) for one in predictions for region in one.regions]


def _overlaps(regions: Sequence[RegionPrediction]) -> list[Overlap]:
    return [region.overlap for region in regions if region.overlap is not None]


def _mask_scores(predictions: Sequence[Prediction]) -> dict[str, float]:
    regions = [region for one in predictions for region in one.regions]
    overlaps = _overlaps(regions)
    by_class = _grouped(regions, lambda region: region.truth)
    scores = {
        "ciou": masks.cumulative_iou(overlaps),
        "giou": masks.mean_iou(overlaps),
        "miou": masks.class_mean_iou({name: _overlaps(part) for name, part in by_class.items()}),
    }
    precision = {f"pr_{t * 100:.0f}": masks.precision_at(overlaps, t) for t in masks.PRECISION_THRESHOLDS}
    return scores | precision


def _caption_scores(predictions: Sequence[Prediction]) -> dict[str, float]:
    return captions.caption_scores(
        {one.key: one.text for one in predictions}, {one.key: one.references for one in predictions}
    )


def _grouped(parts: Sequence[Part], name_of: Callable[[Part], str]) -> dict[str, list[Part]]:
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(name_of(part), []).append(part)
    return dict(sorted(groups.items()))


def _scored(
    predictions: Sequence[Prediction],
    name_of: Callable[[Prediction], str],
    score: Callable[[Sequence[Prediction]], dict[str, float]],
) -> Mapping[str, dict[str, float]]:
    return {name: score(part) for name, part in _grouped(predictions, name_of).items()}


def _counts(questions: Sequence[PosedQuestion], journal: Journal) -> dict[str, int]:
    return {
        "images": len({question.image.id for question in questions}),
        "questions": len(questions),
        "resumed": journal.num_resumed,
    }
