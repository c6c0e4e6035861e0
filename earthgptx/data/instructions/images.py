"""Tasks about the whole image: its caption and its scene. The mark is the box of the whole image, or there is none."""

from __future__ import annotations

import random

from earthgptx.data import phrasing
from earthgptx.data.instructions.blocks import Marking, one_turn, whole_image
from earthgptx.data.sample import LabelledImage, Sample
from earthgptx.data.wording import plain


def image_caption(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """One of the dataset's own captions."""
    captions = [text for text in map(plain, image.captions) if text]
    if not captions:
        return None
    turns = (phrasing.choose("image_caption", rng), rng.choice(captions))
    return one_turn(image, "image_caption", rng, turns, regions=whole_image(image, rng))


def scene(image: LabelledImage, rng: random.Random, marking: Marking) -> Sample | None:
    """The scene's class."""
    if image.scene is None:
        return None
    turns = (phrasing.choose("scene", rng), image.scene)
    return one_turn(image, "scene", rng, turns, regions=whole_image(image, rng))
