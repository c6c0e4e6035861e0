"""Labelled images to dialogues: one function a task, all by rule, all checkable from the labels.

`make_sample` chooses objects, marks, a way of asking and the true answer with the generator it is given, so
that the same generator state gives the same sample. It knows which words are right, and nothing of tokens.
The tasks are grouped by what they ask about: `regions`, whole `images`, `pixels` and short `questions`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from earthgptx.data.freeform import FIXED_MARKS, NOISES
from earthgptx.data.instructions import images, pixels, questions, regions
from earthgptx.data.instructions.blocks import Marking
from earthgptx.data.sample import LabelledImage, Sample

__all__ = ["MARKED_TASKS", "MARK_FAMILIES", "TASKS", "converse", "make_sample"]

_MAKERS: dict[str, Callable[[LabelledImage, random.Random, Marking], Sample | None]] = {
    "roc": regions.roc,
    "region_caption": regions.region_caption,
    "image_caption": images.image_caption,
    "scene": images.scene,
    "relation": regions.relation,
    "segment_region": pixels.segment_region,
    "segment_class": pixels.segment_class,
    "grounded_caption": pixels.grounded_caption,
    "count": questions.count,
    "vqa": questions.vqa,
    "refer": pixels.refer,
}
TASKS: tuple[str, ...] = tuple(_MAKERS)
MARK_FAMILIES = FIXED_MARKS
# Every question of these comes with marks of objects; "vqa" has some that do; the others have none.
MARKED_TASKS = ("roc", "region_caption", "relation", "segment_region")


def make_sample(
    image: LabelledImage,
    task: str,
    rng: random.Random,
    seed: int = 0,
    *,
    marks: str | None = None,
    noise: str = "gaussian",
) -> Sample | None:
    """One dialogue of a task about an image, or None where the image's labels cannot serve the task.

    The same generator state gives the same question, objects and answer whichever marks are asked for, so that one
    corpus can hold a dialogue under several kinds of mark.

    Args:
        image: the labelled image.
        task: one of `TASKS`.
        rng: decides objects, kinds of mark, wording and, where there are several, the answer.
        seed: of the corpus's fixed marks, as in `freeform.fixed_mark`.
        marks: one of `MARK_FAMILIES` for every marked object; None draws a family for each object by itself. The
            sample's id ends in the family where it has marked objects.
        noise: one of `freeform.NOISES`, for free-form marks.

    Raises:
        ValueError: there is no such task, family or noise.
    """
    if task not in _MAKERS:
        raise ValueError(f"There is no task {task!r}; known are {', '.join(TASKS)}.")
    if marks is not None and marks not in MARK_FAMILIES:
        raise ValueError(f"There is no family of marks {marks!r}; known are {', '.join(MARK_FAMILIES)}.")
    if noise not in NOISES:
        raise ValueError(f"There is no noise {noise!r}; known are {', '.join(NOISES)}.")
    return _MAKERS[task](image, rng, Marking(seed=seed, family=marks, noise=noise))


def converse(
    image: LabelledImage,
    tasks: Sequence[str],
    rng: random.Random,
    seed: int = 0,
    *,
    marks: str | None = None,
    noise: str = "gaussian",
) -> Sample | None:
    """A dialogue of several turns: the first task with its marks, the others where they need no mark.

    Args:
        image: the labelled image.
        tasks: two or more of `TASKS`, asked in this order.
        rng: as in `make_sample`.
        seed: as in `make_sample`.
        marks: as in `make_sample`.
        noise: as in `make_sample`.

    Returns:
        The dialogue under the first task's name; None where the first task cannot be served. A later task
        that cannot be served, or comes with marks of its own, is left out.
    """
    sample = make_sample(image, tasks[0], rng, seed, marks=marks, noise=noise)
    if sample is None:
        return None
    for task in tasks[1:]:
        added = make_sample(image, task, rng, seed, marks=marks, noise=noise)
        if added is not None and not any(region.object for region in added.regions):
            sample = replace(sample, turns=(*sample.turns, *added.turns), targets=(*sample.targets, *added.targets))
    return sample
