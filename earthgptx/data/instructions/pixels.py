"""Tasks whose answers hold masks: of marked regions, of a class, of a caption's phrases, of what words refer to."""

from __future__ import annotations

import random
from collections import Counter

from earthgptx.data import phrasing
from earthgptx.data.completeness import lists_all, may_show_more
from earthgptx.data.datasets.class_names import plural
from earthgptx.data.instructions.blocks import (
    MAX_REGIONS,
    Marking,
    choose_objects,
    draw,
    mark,
    names,
    one_turn,
    outlined_groups,
)
from earthgptx.data.referring import unique_expressions
from earthgptx.data.sample import LabelledImage, PixelTarget, Sample
from earthgptx.data.wording import group_phrase, listed, plain, shared_position

# How a sensor is named in front of the word "image".
_SENSOR_NAMES = {"optical": "optical", "sar": "SAR", "infrared": "infrared"}


def segment_region(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """The masks of some of the marked regions, or of all."""
    outlined = [index for index, item in enumerate(image.objects) if item.has_mask]
    chosen = choose_objects(image, outlined, rng, MAX_REGIONS)
    if not chosen:
        return None
    numbers = list(range(1, len(chosen) + 1))
    asked = numbers if rng.random() < 0.5 else sorted(rng.sample(numbers, rng.randint(1, len(numbers))))
    named = names(asked)
    if asked == numbers and rng.random() < 0.5:
        named = "each marked region" if len(numbers) > 1 else "the marked region"
    question = phrasing.choose("segment_region", rng).format(regions=named)
    answer = "\n".join(f"<Region {number}>: <pix>" for number in asked)
    targets = tuple(PixelTarget((image.objects[chosen[number - 1]],)) for number in asked)
    regions = mark(image, chosen, rng, marking)
    turns = (question, answer)
    return one_turn(image, "segment_region", rng, turns, regions=regions, targets=targets, marking=marking)


def segment_class(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """One mask of everything of a class."""
    groups = {label: items for label, items in outlined_groups(image).items() if lists_all(image, label)}
    if not groups:
        return None
    label = rng.choice(list(groups))
    question = phrasing.choose("segment_class", rng).format(label=label, labels=plural(label))
    answer = f"All {plural(label)}: <pix>"
    return one_turn(image, "segment_class", rng, (question, answer), targets=(PixelTarget(groups[label]),))


def grounded_caption(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """A sentence that names every class with its number, each with its mask; the largest area comes first."""
    groups = {} if image.gaps else outlined_groups(image)
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
    return one_turn(image, "grounded_caption", rng, turns, targets=targets)


def refer(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """The mask of the one object that words refer to: the dataset's own, else words that are unique by rule."""
    described = _own_descriptions(image)
    outlined = [
        index for index, item in enumerate(image.objects) if item.has_mask and not may_show_more(image, item.label)
    ]
    choices = {index: described[index] or unique_expressions(image, index) for index in outlined}
    possible = [index for index in outlined if choices[index]]
    if not possible:
        return None
    (index,) = draw(image, possible, rng, 1)
    expression = rng.choice(choices[index])
    if described[index]:
        question = phrasing.choose("refer_description", rng).format(expression=expression)
        answer = f"The {image.objects[index].label}: <pix>"
    else:
        question = phrasing.choose("refer", rng).format(expression=expression)
        answer = f"{expression[0].upper()}{expression[1:]}: <pix>"
    return one_turn(image, "refer", rng, (question, answer), targets=(PixelTarget((image.objects[index],)),))


def _own_descriptions(image: LabelledImage) -> list[tuple[str, ...]]:
    """For each object the dataset's descriptions that no other object of the image shares, without full stop."""
    texts = [{plain(text).rstrip(".") for text in item.descriptions} - {""} for item in image.objects]
    shared = Counter(text.lower() for own in texts for text in own)
    return [tuple(sorted(text for text in own if shared[text.lower()] == 1)) for own in texts]
