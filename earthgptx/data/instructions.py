"""Labelled images to dialogues: one function a task, all by rule, all checkable from the labels.

`make_sample` chooses objects, marks, a way of asking and the true answer with the generator it is given, so
that the same generator state gives the same sample. It knows which words are right, and nothing of tokens.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from earthgptx.data import phrasing
from earthgptx.data.datasets.class_names import SCENES, absent_label, plural, with_article
from earthgptx.data.freeform import FIXED_MARKS, fixed_mark
from earthgptx.data.sample import LabelledImage, LabelledObject, PixelTarget, Region, Sample, Turn
from earthgptx.data.wording import (
    describe,
    group_phrase,
    is_clearly_placed,
    listed,
    position_word,
    relate,
    shared_position,
)
from earthgptx.shapes import Box

TASKS: tuple[str, ...] = (
    "roc",
    "region_caption",
    "image_caption",
    "scene",
    "relation",
    "segment_region",
    "segment_class",
    "grounded_caption",
    "count",
    "vqa",
)
MAX_REGIONS = 4  # of a usual question; one in five may have twice as many
MAX_CAPTIONED_REGIONS = 2  # region captions are long
LONG_SHARE = 0.2
MAX_COUNT = 20  # beyond it, the labels themselves are no longer reliable
ABSENT_SHARE = 0.15  # of count questions ask for a class that is not there

# How a sensor is named in front of the word "image".
_SENSOR_NAMES = {"optical": "optical", "sar": "SAR", "infrared": "infrared"}


def make_sample(image: LabelledImage, task: str, rng: random.Random, seed: int = 0) -> Sample | None:
    """One dialogue of a task about an image, or None where the image's labels cannot serve the task.

    Args:
        image: the labelled image.
        task: one of `TASKS`.
        rng: decides objects, kinds of mark, wording and, where there are several, the answer.
        seed: of the corpus's fixed marks, as in `freeform.fixed_mark`.

    Raises:
        ValueError: there is no such task.
    """
    if task not in _MAKERS:
        raise ValueError(f"There is no task {task!r}; known are {', '.join(TASKS)}.")
    return _MAKERS[task](image, rng, seed)


def converse(image: LabelledImage, tasks: Sequence[str], rng: random.Random, seed: int = 0) -> Sample | None:
    """A dialogue of several turns: the first task with its marks, the others where they need no mark.

    Args:
        image: the labelled image.
        tasks: two or more of `TASKS`, asked in this order.
        rng: as in `make_sample`.
        seed: as in `make_sample`.

    Returns:
        The dialogue under the first task's name; None where the first task cannot be served. A later task
        that cannot be served, or comes with marks of its own, is left out.
    """
    sample = make_sample(image, tasks[0], rng, seed)
    if sample is None:
        return None
    for task in tasks[1:]:
        added = make_sample(image, task, rng, seed)
        if added is not None and not any(region.object for region in added.regions):
            sample = replace(sample, turns=(*sample.turns, *added.turns), targets=(*sample.targets, *added.targets))
    return sample


def _roc(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """Referring object classification: the class of each marked region."""
    chosen = _choose_objects(image, range(len(image.objects)), rng, MAX_REGIONS)
    if not chosen:
        return None
    is_single = len(chosen) == 1 and rng.random() < 0.5
    question = phrasing.choose("roc_single" if is_single else "roc", rng)
    answer = _region_lines([image.objects[index].label for index in chosen])
    return _sample(image, "roc", rng, (question, answer), regions=_mark(image, chosen, rng, seed))


def _region_caption(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """Size, class, position and nearest neighbour of each marked region."""
    chosen = _choose_objects(image, range(len(image.objects)), rng, MAX_CAPTIONED_REGIONS)
    if not chosen:
        return None
    answer = _region_lines([describe(image, index) for index in chosen])
    turns = (phrasing.choose("region_caption", rng), answer)
    return _sample(image, "region_caption", rng, turns, regions=_mark(image, chosen, rng, seed))


def _image_caption(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """One of the dataset's own captions."""
    if not image.captions:
        return None
    turns = (phrasing.choose("image_caption", rng), rng.choice(image.captions))
    return _sample(image, "image_caption", rng, turns, regions=_whole_image(image, rng))


def _scene(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """The scene's class."""
    if image.scene is None:
        return None
    turns = (phrasing.choose("scene", rng), image.scene)
    return _sample(image, "scene", rng, turns, regions=_whole_image(image, rng))


def _relation(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """Where region 1 lies seen from region 2, and what both are."""
    if len(image.objects) < 2:
        return None
    first, second = _draw(image, range(len(image.objects)), rng, 2)
    if math.dist(image.objects[first].box.centre, image.objects[second].box.centre) < 1:
        return None  # two labels of one object: no direction to speak of
    question = phrasing.choose("relation", rng).format(regions=_names((1, 2)))
    answer = relate(image.objects[first], image.objects[second])
    regions = _mark(image, (first, second), rng, seed)
    return _sample(image, "relation", rng, (question, answer), regions=regions)


def _segment_region(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """The masks of some of the marked regions, or of all."""
    outlined = [index for index, item in enumerate(image.objects) if item.has_mask]
    chosen = _choose_objects(image, outlined, rng, MAX_REGIONS)
    if not chosen:
        return None
    numbers = list(range(1, len(chosen) + 1))
    asked = numbers if rng.random() < 0.5 else sorted(rng.sample(numbers, rng.randint(1, len(numbers))))
    named = _names(asked)
    if asked == numbers and rng.random() < 0.5:
        named = "each marked region" if len(numbers) > 1 else "the marked region"
    question = phrasing.choose("segment_region", rng).format(regions=named)
    answer = "\n".join(f"<Region {number}>: <pix>" for number in asked)
    targets = tuple(PixelTarget((image.objects[chosen[number - 1]],)) for number in asked)
    regions = _mark(image, chosen, rng, seed)
    return _sample(image, "segment_region", rng, (question, answer), regions=regions, targets=targets)


def _segment_class(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """One mask of everything of a class."""
    groups = _outlined_groups(image)
    if not groups:
        return None
    label = rng.choice(list(groups))
    question = phrasing.choose("segment_class", rng).format(label=label, labels=plural(label))
    answer = f"All {plural(label)}: <pix>"
    return _sample(image, "segment_class", rng, (question, answer), targets=(PixelTarget(groups[label]),))


def _grounded_caption(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """A sentence that names every class with its number, each with its mask; the largest area comes first."""
    groups = _outlined_groups(image)
    if not groups or sum(map(len, groups.values())) != len(image.objects):
        return None
    ordered = sorted(groups.items(), key=lambda group: (-sum(item.box.area for item in group[1]), group[0]))
    parts = [
        f"<p>{group_phrase(label, len(items))}</p> <pix>{shared_position(items, image.width, image.height)}"
        for label, items in ordered
    ]
    answer = f"The {_SENSOR_NAMES[image.sensor]} image shows {listed(parts)}."
    turns = (phrasing.choose("grounded_caption", rng), answer)
    targets = tuple(PixelTarget(items) for _, items in ordered)
    return _sample(image, "grounded_caption", rng, turns, targets=targets)


def _count(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """How many objects of a class, 0 included."""
    turns = _count_turns(image, rng)
    return None if turns is None else _sample(image, "count", rng, turns)


def _count_turns(image: LabelledImage, rng: random.Random) -> tuple[str, str] | None:
    counts = Counter(item.label for item in image.objects)
    countable = [label for label, count in counts.items() if count <= MAX_COUNT]
    absent = absent_label(image.sensor, counts, rng)
    if counts and absent is not None and rng.random() < ABSENT_SHARE:
        label = absent
    elif countable:
        # Higher counts are rarer, so a class with more objects is asked for more often.
        label = rng.choices(countable, weights=[math.sqrt(counts[label]) for label in countable])[0]
    else:
        return None
    question = phrasing.choose("count", rng).format(label=label, labels=plural(label))
    return question, str(counts[label])


def _vqa(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    """A short question with a short answer: one of the kinds that the image's labels can answer."""
    kinds = [_vqa_presence, _vqa_identity, _vqa_position, _vqa_region_position, _vqa_count, _vqa_scene]
    rng.shuffle(kinds)
    for ask in kinds:
        sample = ask(image, rng, seed)
        if sample is not None:
            return sample
    return None


def _vqa_presence(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    present = list(dict.fromkeys(item.label for item in image.objects))
    absent = absent_label(image.sensor, present, rng)
    if not present or absent is None:
        return None
    is_yes = rng.random() < 0.5
    turns = _yes_or_no("vqa_presence", rng.choice(present) if is_yes else absent, is_yes, rng)
    return _sample(image, "vqa", rng, turns)


def _vqa_identity(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    if not image.objects:
        return None
    chosen = _choose_objects(image, range(len(image.objects)), rng, 2)
    number = rng.randint(1, len(chosen))
    truth = image.objects[chosen[number - 1]].label
    other = absent_label(image.sensor, (truth,), rng)
    is_yes = other is None or rng.random() < 0.5
    label = truth if is_yes or other is None else other
    turns = _yes_or_no("vqa_identity", label, is_yes, rng, regions=_names((number,)))
    return _sample(image, "vqa", rng, turns, regions=_mark(image, chosen, rng, seed))


def _vqa_position(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    counts = Counter(item.label for item in image.objects)
    single = [item for item in image.objects if counts[item.label] == 1 and _is_clear(item, image)]
    # A chip is cut around its object: its position says nothing.
    is_chip = len(image.objects) == 1 and image.objects[0].box.area > 0.3 * image.width * image.height
    if not single or is_chip:
        return None
    item = rng.choice(single)
    question = phrasing.choose("vqa_position", rng).format(label=item.label)
    return _sample(image, "vqa", rng, (question, position_word(item.box, image.width, image.height)))


def _vqa_region_position(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    clear = [index for index, item in enumerate(image.objects) if _is_clear(item, image)]
    chosen = _choose_objects(image, clear, rng, 2)
    if not chosen or len(image.objects) == 1:
        return None
    number = rng.randint(1, len(chosen))
    question = phrasing.choose("vqa_region_position", rng).format(regions=_names((number,)))
    answer = position_word(image.objects[chosen[number - 1]].box, image.width, image.height)
    return _sample(image, "vqa", rng, (question, answer), regions=_mark(image, chosen, rng, seed))


def _vqa_count(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    turns = _count_turns(image, rng) if len(image.objects) > 1 else None
    return None if turns is None else _sample(image, "vqa", rng, turns)


def _vqa_scene(image: LabelledImage, rng: random.Random, seed: int) -> Sample | None:
    if image.scene is None:
        return None
    is_yes = rng.random() < 0.5
    others = [scene for scene in SCENES.values() if scene != image.scene]
    label = image.scene if is_yes else rng.choice(others)
    return _sample(image, "vqa", rng, _yes_or_no("vqa_scene", label, is_yes, rng))


def _yes_or_no(kind: str, label: str, is_yes: bool, rng: random.Random, regions: str = "") -> tuple[str, str]:
    """A question about a label, and its answer."""
    question = phrasing.choose(kind, rng).format(
        label=label, labels=plural(label), a_label=with_article(label), regions=regions
    )
    return question, "yes" if is_yes else "no"


def _choose_objects(image: LabelledImage, indices: Sequence[int], rng: random.Random, at_most: int) -> list[int]:
    """Different objects among `indices`, in random order; none where there are none.

    One to `at_most` of them, and now and then up to twice as many, so that high numbers are met too.
    """
    most = 2 * at_most if rng.random() < LONG_SHARE else at_most
    return _draw(image, indices, rng, rng.randint(1, min(most, len(indices)))) if indices else []


def _draw(image: LabelledImage, indices: Sequence[int], rng: random.Random, num: int) -> list[int]:
    """Objects without repetition, a class being drawn in proportion to the square root of its number.

    So one bicycle among forty people is met often, and people still most often.
    """
    counts = Counter(image.objects[index].label for index in indices)
    # Weighted draws without repetition: the largest of u ** (1 / weight), weight = number ** -1/2.
    # Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
    keys = {index: rng.random() ** math.sqrt(counts[image.objects[index].label]) for index in indices}
    return sorted(indices, key=lambda index: -keys[index])[:num]


def _mark(image: LabelledImage, chosen: Sequence[int], rng: random.Random, seed: int) -> tuple[Region, ...]:
    """The chosen objects as regions, each under one of its fixed marks."""
    return tuple(
        Region(mark=fixed_mark(image, index, rng.choice(FIXED_MARKS), seed=seed), object=image.objects[index])
        for index in chosen
    )


def _whole_image(image: LabelledImage, rng: random.Random) -> tuple[Region, ...]:
    """No mark, or as often the paper's mark of image-level tasks: the box of the whole image."""
    box = Box(0.0, 0.0, float(image.width), float(image.height))
    return (Region(mark=box),) if rng.random() < 0.5 else ()


def _outlined_groups(image: LabelledImage) -> dict[str, tuple[LabelledObject, ...]]:
    """The objects of each class of which every object has an outline, in order of first appearance."""
    groups: dict[str, list[LabelledObject]] = {}
    for item in image.objects:
        groups.setdefault(item.label, []).append(item)
    return {label: tuple(items) for label, items in groups.items() if all(item.has_mask for item in items)}


def _is_clear(item: LabelledObject, image: LabelledImage) -> bool:
    return is_clearly_placed(item.box, image.width, image.height)


def _names(numbers: Sequence[int]) -> str:
    return listed([f"<Region {number}>" for number in numbers])


def _region_lines(texts: Sequence[str]) -> str:
    return "\n".join(f"<Region {number}>: {text}" for number, text in enumerate(texts, start=1))


def _sample(
    image: LabelledImage,
    task: str,
    rng: random.Random,
    turns: tuple[str, str],
    *,
    regions: tuple[Region, ...] = (),
    targets: tuple[PixelTarget, ...] = (),
) -> Sample:
    question, answer = turns
    return Sample(
        id=f"{image.id}#{task}-{rng.getrandbits(32):08x}",
        image=image.path,
        sensor=image.sensor,
        width=image.width,
        height=image.height,
        regions=regions,
        turns=(Turn("user", question), Turn("model", answer)),
        targets=targets,
        task=task,
        orientation=image.orientation,
    )


_MAKERS: dict[str, Callable[[LabelledImage, random.Random, int], Sample | None]] = {
    "roc": _roc,
    "region_caption": _region_caption,
    "image_caption": _image_caption,
    "scene": _scene,
    "relation": _relation,
    "segment_region": _segment_region,
    "segment_class": _segment_class,
    "grounded_caption": _grounded_caption,
    "count": _count,
    "vqa": _vqa,
}
