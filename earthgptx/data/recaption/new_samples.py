"""An accepted answer as samples: a detailed caption of the image, captions of its regions, and relations of pairs.

A subject and an answer come in, samples in the project's form go out. Marks are the corpus's own that never
change, and the wording is drawn by the subject's id, so the same answer always gives the same samples.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from earthgptx.data import phrasing
from earthgptx.data.freeform import FIXED_MARKS, fixed_mark
from earthgptx.data.recaption.schema import Answer
from earthgptx.data.recaption.subject import Subject
from earthgptx.data.sample import Region, Sample, Turn, check_sample
from earthgptx.data.wording import listed, state
from earthgptx.shapes import Box

MAX_REGIONS = 4  # of one region caption; descriptions are long


def samples_of(subject: Subject, answer: Answer, *, seed: int = 0) -> Iterator[Sample]:
    """Every sample that an answer gives.

    Args:
        subject: what was shown.
        answer: one that agrees with its labels.
        seed: of the marks, as in `freeform.fixed_mark`, and of the wording.
    """
    rng = random.Random(f"{seed}/{subject.image.id}/recaption")
    whole = Region(mark=Box(0.0, 0.0, float(subject.image.width), float(subject.image.height)))
    question = phrasing.choose("detailed_caption", rng)
    # No mark, or as often the paper's mark of image-level tasks.
    regions = (whole,) if rng.random() < 0.5 else ()
    yield _sample(subject, "image_caption", 1, regions, (question, answer.caption))

    texts = {region.number: region.description for region in answer.regions}
    numbers = list(texts)
    rng.shuffle(numbers)
    chunks = [numbers[start : start + MAX_REGIONS] for start in range(0, len(numbers), MAX_REGIONS)]
    for place, chunk in enumerate(chunks, start=1):
        lines = [f"<Region {index}>: {texts[number]}" for index, number in enumerate(chunk, start=1)]
        turns = (phrasing.choose("detailed_region_caption", rng), "\n".join(lines))
        yield _sample(subject, "region_caption", place, _marked(subject, chunk, rng, seed), turns)

    for place, stated in enumerate(answer.relationships, start=1):
        pair = (stated.subject, stated.object)
        first, second = (subject.numbered[number - 1] for number in pair)
        question = phrasing.choose("relation_stated", rng).format(regions=listed(["<Region 1>", "<Region 2>"]))
        # "is" is said by the prompt, and by some models once more.
        predicate = f"is {stated.predicate.removeprefix('is ').removeprefix('are ')}"
        turns = (question, state("<Region 1>", first, predicate, "<Region 2>", second))
        yield _sample(subject, "relation", place, _marked(subject, pair, rng, seed), turns)


def _marked(subject: Subject, numbers: Sequence[int], rng: random.Random, seed: int) -> tuple[Region, ...]:
    """The numbered objects under one of their fixed marks each."""
    image = subject.image
    indices = [subject.marked[number - 1] for number in numbers]
    return tuple(
        Region(mark=fixed_mark(image, index, rng.choice(FIXED_MARKS), seed=seed), object=image.objects[index])
        for index in indices
    )


def _sample(subject: Subject, task: str, place: int, regions: tuple[Region, ...], turns: tuple[str, str]) -> Sample:
    (question, answer), image = turns, subject.image
    return check_sample(
        Sample(
            id=f"{image.id}#recaption-{task}-{place}",
            image=image.path,
            sensor=image.sensor,
            width=image.width,
            height=image.height,
            regions=regions,
            turns=(Turn("user", question), Turn("model", answer)),
            targets=(),
            task=task,
            window=image.window,
            orientation=image.orientation,
        )
    )
