"""What every row is asked, and how its answers are scored.

The same regions for all rows, chosen by seed: their names in words (SS, S-IoU, accuracy), the class whose direction
is nearest to a region's tokens (no words are written, so many regions cost little), and masks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import normalize

from earthgptx.data.datasets import available
from earthgptx.data.freeform import fixed_mark
from earthgptx.data.imagery import Scene
from earthgptx.data.phrasing import usual
from earthgptx.data.sample import LabelledImage, Region, Sample, Turn
from earthgptx.evaluation.ablation.study import Questions
from earthgptx.evaluation.metrics import labels, masks
from earthgptx.evaluation.metrics.labels import LabelPair
from earthgptx.evaluation.metrics.similarity import Embed, mean_semantic_similarity
from earthgptx.evaluation.predictions import Prediction, RegionPrediction
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Assistant, Question
from earthgptx.shapes import Mark
from earthgptx.training.loop import Trainer

MARKS_AT_ONCE = 24  # regions whose nearest class is found together

Numbers = dict[str, float]


@dataclass(frozen=True)
class Asked:
    """Some objects of an image, marked."""

    image: LabelledImage
    objects: tuple[int, ...]
    marks: tuple[Mark, ...]
    marked_by: str

    @property
    def key(self) -> str:
        """Names the question."""
        return f"{self.image.id}:{','.join(map(str, self.objects))}"


@dataclass(frozen=True)
class Measured:
    """The numbers of one measure: over all regions, by sensor, and of how many regions they are."""

    overall: Numbers
    by_sensor: Mapping[str, Numbers]
    regions: Mapping[str, int]


def choose(
    data: Path, wanted: Mapping[str, int], questions: Questions, marked_by: str, *, outlined: bool = False
) -> list[Asked]:
    """At most so many regions of each data set, a few an image, the same for the same seed; absent sets are left out.

    Args:
        data: folder of the data sets.
        wanted: regions of each data set.
        questions: split, seed and regions a question.
        marked_by: "box", "point" or "freeform".
        outlined: take objects with an outline alone.
    """
    groups: dict[str, list[Asked]] = {}
    step = questions.regions_per_question
    for image in sorted(available(data, questions.split, names=tuple(wanted)), key=lambda image: image.id):
        indices = [index for index, item in enumerate(image.objects) if item.has_mask or not outlined]
        for start in range(0, len(indices), step):
            objects = tuple(indices[start : start + step])
            marks = tuple(fixed_mark(image, index, marked_by, questions.seed) for index in objects)
            groups.setdefault(image.dataset, []).append(Asked(image, objects, marks, marked_by))
    chosen: list[Asked] = []
    for name, group in sorted(groups.items()):
        random.Random(f"{questions.seed}/{name}").shuffle(group)
        missing = wanted[name]
        for one in group:
            if missing <= 0:
                break
            chosen.append(one)
            missing -= len(one.objects)
    return chosen


def ask_labels(assistant: Assistant, asked: Sequence[Asked], questions: Questions) -> list[Prediction]:
    """The name of every region, in words, greedily."""
    return _ask(assistant, asked, lambda _: usual("roc"), _labels_of, questions)


def ask_masks(assistant: Assistant, asked: Sequence[Asked], questions: Questions) -> list[Prediction]:
    """The mask of every region."""

    def words(one: Asked) -> str:
        return usual("segment_region").format(
            regions="each marked region" if len(one.objects) > 1 else "the marked region"
        )

    return _ask(assistant, asked, words, _masks_of, questions)


def score_labels(predictions: Sequence[Prediction], embed: Embed) -> Measured:
    """SS, S-IoU and accuracy in percent; a region without an answer scores 0."""

    def score(part: Sequence[Prediction]) -> Numbers:
        pairs = [LabelPair(region.label, region.truth) for one in part for region in one.regions]
        return {
            "ss": 100 * mean_semantic_similarity(pairs, embed),
            "s_iou": 100 * labels.mean_semantic_iou(pairs),
            "accuracy": 100 * labels.accuracy(pairs),
            "answered": 100 * sum(pair.prediction is not None for pair in pairs) / len(pairs),
        }

    return _measured(predictions, score)


def score_masks(predictions: Sequence[Prediction]) -> Measured:
    """cIoU and gIoU in percent; a region without a mask counts as an empty one."""

    def score(part: Sequence[Prediction]) -> Numbers:
        overlaps = [region.overlap for one in part for region in one.regions if region.overlap is not None]
        return {"ciou": 100 * masks.cumulative_iou(overlaps), "giou": 100 * masks.mean_iou(overlaps)}

    return _measured(predictions, score)


@torch.inference_mode()
def nearest_classes(trainer: Trainer, asked: Sequence[Asked]) -> Measured:
    """How often the class whose words' direction is nearest to a region's tokens is the true one, in percent.

    It needs no language model: what is measured is what towers, spatial encoder and fusion tell it. The views must be
    in the trainer's store.
    """
    corpus, directions = trainer.corpus, trainer.label_directions
    known = [one for one in asked if all(one.image.objects[index].label in corpus.labels for index in one.objects)]
    right: dict[str, list[bool]] = {}
    for part in _batches(known, MARKS_AT_ONCE):
        items = [corpus.encode(_sample(one)) for one in part]
        batch = corpus.join([item for item in items if item is not None]).to(trainer.model.device)
        with torch.autocast(trainer.model.device.type, torch.bfloat16):
            fused, _ = trainer.model.encode(batch.batch, batch.seen_by(trainer.model.vision))
        near = normalize(fused.regions.float().mean(dim=1), dim=-1) @ directions.T
        found = (near.argmax(dim=1) == batch.labels).tolist()
        sensors = [one.image.sensor for one, item in zip(part, items, strict=True) if item for _ in one.objects]
        for sensor, is_right in zip(sensors, found, strict=True):
            right.setdefault(sensor, []).append(is_right)
    everything = [one for some in right.values() for one in some]
    return Measured(
        overall={"accuracy": _share(everything)},
        by_sensor={sensor: {"accuracy": _share(some)} for sensor, some in sorted(right.items())},
        regions={sensor: len(some) for sensor, some in sorted(right.items())},
    )


def _sample(one: Asked) -> Sample:
    """The question as the trainer's corpus reads it, with an answer that nobody looks at."""
    image = one.image
    return Sample(
        id=f"{image.id}#nearest",
        image=image.path,
        sensor=image.sensor,
        width=image.width,
        height=image.height,
        regions=tuple(
            Region(mark=mark, object=image.objects[index]) for mark, index in zip(one.marks, one.objects, strict=True)
        ),
        turns=(Turn("user", usual("roc")), Turn("model", "")),
        targets=(),
        task="roc",
    )


def _ask(
    assistant: Assistant,
    asked: Sequence[Asked],
    words: Callable[[Asked], str],
    record: Callable[[Asked, Answer], list[RegionPrediction]],
    questions: Questions,
) -> list[Prediction]:
    """Asks in batches of questions with as many marks each; an image is opened once a batch."""
    predictions: dict[str, Prediction] = {}
    order = sorted(asked, key=lambda one: -len(one.marks))
    for start in range(0, len(order), questions.batch_size):
        batch = order[start : start + questions.batch_size]
        images = {one.image.id: one.image for one in batch}
        sessions = {name: assistant.look(Scene.open(image.path, sensor=image.sensor)) for name, image in images.items()}
        answers = assistant.answer(
            [Question(session=sessions[one.image.id], text=words(one), marks=one.marks) for one in batch],
            max_new_tokens=questions.answer_tokens,
        )
        for one, answer in zip(batch, answers, strict=True):
            predictions[one.key] = Prediction(
                key=one.key,
                dataset=one.image.dataset,
                sensor=one.image.sensor,
                text=answer.text,
                regions=tuple(record(one, answer)),
                question=words(one),
                marks=one.marked_by,
            )
    return [predictions[one.key] for one in asked]


def _labels_of(one: Asked, answer: Answer) -> list[RegionPrediction]:
    said = {region.number: region for region in answer.regions}
    found = []
    for number, index in enumerate(one.objects, start=1):
        label = said[number].label.strip() if number in said else ""
        confidence = said[number].confidence if label else 0.0
        found.append(RegionPrediction(index, one.image.objects[index].label, label or None, confidence))
    return found


def _masks_of(one: Asked, answer: Answer) -> list[RegionPrediction]:
    # Reversed: where a region was given two masks, the first one counts.
    given = {mask.region: mask.array for mask in reversed(answer.masks) if mask.region is not None}
    found = []
    for number, index in enumerate(one.objects, start=1):
        item = one.image.objects[index]
        overlap = masks.overlap(given.get(number), item.mask(one.image.height, one.image.width))
        found.append(RegionPrediction(index, item.label, None, 0.0, overlap=overlap))
    return found


def _measured(predictions: Sequence[Prediction], score: Callable[[Sequence[Prediction]], Numbers]) -> Measured:
    groups: dict[str, list[Prediction]] = {}
    for one in predictions:
        groups.setdefault(one.sensor, []).append(one)
    return Measured(
        overall=score(predictions),
        by_sensor={sensor: score(part) for sensor, part in sorted(groups.items())},
        regions={sensor: sum(len(one.regions) for one in part) for sensor, part in sorted(groups.items())},
    )


def _batches(asked: Sequence[Asked], marks: int) -> Iterator[list[Asked]]:
    """Questions in their order, some that hold about so many marks at a time."""
    batch: list[Asked] = []
    for one in asked:
        if batch and sum(len(other.marks) for other in batch) + len(one.marks) > marks:
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _share(right: Sequence[bool]) -> float:
    return 100 * sum(right) / len(right)
