"""What the dialogues of all tasks are put together from: drawn objects, their marks, names of regions, one turn.

The order in which the generator is asked is part of what a corpus is: a change here gives another corpus.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from earthgptx.data.freeform import FIXED_MARKS, fixed_mark
from earthgptx.data.sample import LabelledImage, LabelledObject, PixelTarget, Region, Sample, Turn
from earthgptx.data.wording import is_clearly_placed, listed
from earthgptx.shapes import Box

MAX_REGIONS = 4  # of a usual question; one in five may have twice as many
LONG_SHARE = 0.2


@dataclass(frozen=True)
class Marking:
    """How the chosen objects are marked.

    Attributes:
        seed: of the corpus's fixed marks, as in `freeform.fixed_mark`.
        family: one of `freeform.FIXED_MARKS` for all; None draws one for each object.
        noise: one of `freeform.NOISES`.
    """

    seed: int = 0
    family: str | None = None
    noise: str = "gaussian"


def choose_objects(image: LabelledImage, indices: Sequence[int], rng: random.Random, at_most: int) -> list[int]:
    """Different objects among `indices`, in random order; none where there are none.

    One to `at_most` of them, and now and then up to twice as many, so that high numbers are met too.
    """
    most = 2 * at_most if rng.random() < LONG_SHARE else at_most
    return draw(image, indices, rng, rng.randint(1, min(most, len(indices)))) if indices else []


def draw(image: LabelledImage, indices: Sequence[int], rng: random.Random, num: int) -> list[int]:
    """Objects without repetition, a class being drawn in proportion to the square root of its number.

    So one bicycle among forty people is met often, and people still most often.
    """
    counts = Counter(image.objects[index].label for index in indices)
    # Weighted draws without repetition: the largest of u ** (1 / weight), weight = number ** -1/2.
    # Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
    keys = {index: rng.random() ** math.sqrt(counts[image.objects[index].label]) for index in indices}
    return sorted(indices, key=lambda index: -keys[index])[:num]


def mark(image: LabelledImage, chosen: Sequence[int], rng: random.Random, marking: Marking) -> tuple[Region, ...]:
    """The chosen objects as regions, each under one of its fixed marks."""
    # A family is drawn even where it is given, so that everything drawn later is the same for all families.
    families = [marking.family or drawn for drawn in (rng.choice(FIXED_MARKS) for _ in chosen)]
    return tuple(
        Region(
            mark=fixed_mark(image, index, family, seed=marking.seed, noise=marking.noise), object=image.objects[index]
        )
        for index, family in zip(chosen, families, strict=True)
    )


def outlined_groups(image: LabelledImage) -> dict[str, tuple[LabelledObject, ...]]:
    """The objects of each class of which every object has an outline, in order of first appearance."""
    groups: dict[str, list[LabelledObject]] = {}
    for item in image.objects:
        groups.setdefault(item.label, []).append(item)
    return {label: tuple(items) for label, items in groups.items() if all(item.has_mask for item in items)}


def whole_image(image: LabelledImage, rng: random.Random) -> tuple[Region, ...]:
    """No mark, or as often the paper's mark of image-level tasks: the box of the whole image."""
    box = Box(0.0, 0.0, float(image.width), float(image.height))
    return (Region(mark=box),) if rng.random() < 0.5 else ()


def is_clear(item: LabelledObject, image: LabelledImage) -> bool:
    """Whether words say beyond doubt in which field of the image the object lies."""
    return is_clearly_placed(item.box, image.width, image.height)


def names(numbers: Sequence[int]) -> str:
    """Regions as a question names them: "<Region 1>, <Region 2> and <Region 3>"."""
    return listed([f"<Region {number}>" for number in numbers])


def region_lines(texts: Sequence[str]) -> str:
    """One line a region, in the order that numbers them."""
    return "\n".join(f"<Region {number}>: {text}" for number, text in enumerate(texts, start=1))


def one_turn(
    image: LabelledImage,
    task: str,
    rng: random.Random,
    turns: tuple[str, str],
    *,
    regions: tuple[Region, ...] = (),
    targets: tuple[PixelTarget, ...] = (),
    marking: Marking | None = None,
) -> Sample:
    """A question and its answer as a sample.

    Args:
        image: what it is about.
        task: one of `instructions.TASKS`.
        rng: numbers the sample.
        turns: question and answer.
        regions, targets: as in `Sample`.
        marking: how the regions were marked; None where none is an object's.
    """
    question, answer = turns
    family = f"-{marking.family}" if marking is not None and marking.family is not None else ""
    return Sample(
        id=f"{image.id}#{task}-{rng.getrandbits(32):08x}{family}",
        image=image.path,
        sensor=image.sensor,
        width=image.width,
        height=image.height,
        regions=regions,
        turns=(Turn("user", question), Turn("model", answer)),
        targets=targets,
        task=task,
        window=image.window,
        orientation=image.orientation,
    )
