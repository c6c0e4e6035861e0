"""Tasks about the whole image: its caption and its scene. The mark is the box of the whole image, or there is none."""

from __future__ import annotations

import random

from earthgptx.data import phrasing
from earthgptx.data.instructions.blocks import Marking, one_turn, whole_image
from earthgptx.data.overlap import overlap, runs_of
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.data.wording import plain


def image_caption(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """One of the dataset's own captions, the likelier the more the image's other captions agree with it.

    Captions are scored against all of an image's references; the odd one out teaches a model to be wrong about the
    rest.
    """
    captions = [text for text in map(plain, image.captions) if text]
    if not captions:
        return None
    turns = (phrasing.choose("image_caption", rng), rng.choices(captions, weights=agreement(captions))[0])
    return one_turn(image, "image_caption", rng, turns, regions=whole_image(image, rng))


def scene(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """The scene's class."""
    if image.scene is None:
        return None
    turns = (phrasing.choose("scene", rng), image.scene)
    return one_turn(image, "scene", rng, turns, regions=whole_image(image, rng))


def agreement(captions: list[str]) -> list[float]:
    """How much each caption of an image says what the others say, from a little above 0 to 1.

    The square of its mean overlap with each of the others, so that a caption which nobody else would have written is
    rare and still possible.
    """
    runs = [runs_of(caption.lower().split()) for caption in captions]
    weights = []
    for place, own in enumerate(runs):
        others = runs[:place] + runs[place + 1 :]
        mean = sum(overlap(own, other) for other in others) / max(len(others), 1)
        weights.append(max(mean, 0.1) ** 2)
    return weights
