"""Tasks about marked regions: what they are, what can be said of them, how two of them relate."""

from __future__ import annotations

import math
import random

from earthgptx.data import phrasing
from earthgptx.data.instructions.blocks import (
    MAX_REGIONS,
    Marking,
    choose_objects,
    draw,
    mark,
    names,
    one_turn,
    region_lines,
)
from earthgptx.data.sample import LabelledImage, Relation, Sample
from earthgptx.data.wording import describe, plain, relate, state

MAX_CAPTIONED_REGIONS = 2  # region captions are long


def roc(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """Referring object classification: the class of each marked region."""
    chosen = choose_objects(image, range(len(image.objects)), rng, MAX_REGIONS)
    if not chosen:
        return None
    is_single = len(chosen) == 1 and rng.random() < 0.5
    question = phrasing.choose("roc_single" if is_single else "roc", rng)
    answer = region_lines([image.objects[index].label for index in chosen])
    regions = mark(image, chosen, rng, marking)
    return one_turn(image, "roc", rng, (question, answer), regions=regions, marking=marking)


def region_caption(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """What the dataset says of each marked region; else its looks or size, class, position and nearest neighbour."""
    chosen = choose_objects(image, range(len(image.objects)), rng, MAX_CAPTIONED_REGIONS)
    if not chosen:
        return None
    answer = region_lines([_caption(image, index, rng) for index in chosen])
    turns = (phrasing.choose("region_caption", rng), answer)
    regions = mark(image, chosen, rng, marking)
    return one_turn(image, "region_caption", rng, turns, regions=regions, marking=marking)


def _caption(image: LabelledImage, index: int, rng: random.Random) -> str:
    descriptions = [text for text in map(plain, image.objects[index].descriptions) if text]
    return rng.choice(descriptions) if descriptions else describe(image, index)


def relation(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """What the dataset says of two regions; else where region 1 lies seen from region 2, and what both are."""
    stated = [found for found in image.relations if found.subject != found.object and plain(found.predicate)]
    if stated:
        return _stated_relation(image, rng.choice(stated), rng, marking)
    if len(image.objects) < 2:
        return None
    first, second = draw(image, range(len(image.objects)), rng, 2)
    if math.dist(image.objects[first].box.centre, image.objects[second].box.centre) < 1:
        return None  # two labels of one object: no direction to speak of
    question = phrasing.choose("relation", rng).format(regions=names((1, 2)))
    answer = relate(image.objects[first], image.objects[second])
    regions = mark(image, (first, second), rng, marking)
    return one_turn(image, "relation", rng, (question, answer), regions=regions, marking=marking)


def _stated_relation(image: LabelledImage, found: Relation, rng: random.Random, marking: Marking) -> Sample:
    """Subject, predicate and object by the numbers of their regions; either of the two may be region 1."""
    chosen = (found.subject, found.object) if rng.random() < 0.5 else (found.object, found.subject)
    question = phrasing.choose("relation_stated", rng).format(regions=names((1, 2)))
    subject, other = (f"<Region {chosen.index(index) + 1}>" for index in (found.subject, found.object))
    answer = state(subject, image.objects[found.subject], found.predicate, other, image.objects[found.object])
    regions = mark(image, chosen, rng, marking)
    return one_turn(image, "relation", rng, (question, answer), regions=regions, marking=marking)
