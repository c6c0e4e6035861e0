"""Short questions with short answers that the labels decide: how many, whether, where."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

from earthgptx.data import phrasing
from earthgptx.data.completeness import lists_all, may_show_more
from earthgptx.data.datasets.class_names import SCENES, absent_label, labels_every_class, plural, with_article
from earthgptx.data.instructions.blocks import Marking, choose_objects, is_clear, mark, names, one_turn
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.data.wording import position_word

MAX_COUNT = 20  # beyond it, the labels themselves are no longer reliable
ABSENT_SHARE = 0.15  # of count questions ask for a class that is not there


def count(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """How many objects of a class, 0 included."""
    turns = _count_turns(image, rng)
    return None if turns is None else one_turn(image, "count", rng, turns)


def _count_turns(image: LabelledImage, rng: random.Random) -> tuple[str, str] | None:
    counts = Counter(item.label for item in image.objects)
    countable = [label for label, count in counts.items() if count <= MAX_COUNT and lists_all(image, label)]
    absent = _absent(image, list(counts), rng)
    if counts and absent is not None and rng.random() < ABSENT_SHARE:
        label = absent
    elif countable:
        # Higher counts are rarer, so a class with more objects is asked for more often.
        label = rng.choices(countable, weights=[math.sqrt(counts[label]) for label in countable])[0]
    else:
        return None
    question = phrasing.choose("count", rng).format(label=label, labels=plural(label))
    return question, str(counts[label])


def vqa(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """A short question with a short answer: one of the kinds that the image's labels can answer."""
    kinds = [_vqa_presence, _vqa_identity, _vqa_position, _vqa_region_position, _vqa_count, _vqa_scene]
    rng.shuffle(kinds)
    for ask in kinds:
        sample = ask(image, rng, marking)
        if sample is not None:
            return sample
    return None


def _vqa_presence(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    present = list(dict.fromkeys(item.label for item in image.objects))
    absent = _absent(image, present, rng)
    if not present or absent is None:
        return None
    is_yes = rng.random() < 0.5
    turns = _yes_or_no("vqa_presence", rng.choice(present) if is_yes else absent, is_yes, rng)
    return one_turn(image, "vqa", rng, turns)


def _vqa_identity(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    if not image.objects:
        return None
    chosen = choose_objects(image, range(len(image.objects)), rng, 2)
    number = rng.randint(1, len(chosen))
    truth = image.objects[chosen[number - 1]].label
    other = absent_label(image.sensor, (truth,), rng, image.dataset)
    if other is None:  # only "yes" could be asked for
        return None
    is_yes = rng.random() < 0.5
    label = truth if is_yes else other
    turns = _yes_or_no("vqa_identity", label, is_yes, rng, regions=names((number,)))
    return one_turn(image, "vqa", rng, turns, regions=mark(image, chosen, rng, marking), marking=marking)


def _vqa_position(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    counts = Counter(item.label for item in image.objects)
    single = [
        item
        for item in image.objects
        if counts[item.label] == 1 and is_clear(item, image) and lists_all(image, item.label)
    ]
    # A chip is cut around its object: its position says nothing.
    is_chip = len(image.objects) == 1 and image.objects[0].box.area > 0.3 * image.width * image.height
    if not single or is_chip:
        return None
    item = rng.choice(single)
    question = phrasing.choose("vqa_position", rng).format(label=item.label)
    return one_turn(image, "vqa", rng, (question, position_word(item.box, image.width, image.height)))


def _vqa_region_position(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    clear = [index for index, item in enumerate(image.objects) if is_clear(item, image)]
    chosen = choose_objects(image, clear, rng, 2)
    if not chosen or len(image.objects) == 1:
        return None
    number = rng.randint(1, len(chosen))
    question = phrasing.choose("vqa_region_position", rng).format(regions=names((number,)))
    answer = position_word(image.objects[chosen[number - 1]].box, image.width, image.height)
    return one_turn(image, "vqa", rng, (question, answer), regions=mark(image, chosen, rng, marking), marking=marking)


def _vqa_count(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    turns = _count_turns(image, rng) if len(image.objects) > 1 else None
    return None if turns is None else one_turn(image, "vqa", rng, turns)


def _vqa_scene(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    if image.scene is None:
        return None
    is_yes = rng.random() < 0.5
    others = [scene for scene in SCENES.values() if scene != image.scene]
    label = image.scene if is_yes else rng.choice(others)
    return one_turn(image, "vqa", rng, _yes_or_no("vqa_scene", label, is_yes, rng))


def _absent(image: LabelledImage, present: Sequence[str], rng: random.Random) -> str | None:
    """A class of which the image surely shows nothing; None where there is none."""
    label = absent_label(image.sensor, present, rng, image.dataset)
    is_sure = label is not None and labels_every_class(image.dataset) and not may_show_more(image, label)
    return label if is_sure else None


def _yes_or_no(kind: str, label: str, is_yes: bool, rng: random.Random, regions: str = "") -> tuple[str, str]:
    """A question about a label, and its answer."""
    question = phrasing.choose(kind, rng).format(
        label=label, labels=plural(label), a_label=with_article(label), regions=regions
    )
    return question, "yes" if is_yes else "no"
