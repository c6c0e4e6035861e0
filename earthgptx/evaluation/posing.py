"""Labelled images to the questions of each task, in the words that evaluation always asks.

Which object is asked about, how it is marked and what is true follow from the labels and the seed alone, so two runs
ask the same. Nothing here opens an image or knows a model.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from earthgptx.data.completeness import may_show_more
from earthgptx.data.freeform import fixed_mark
from earthgptx.data.instructions import make_sample
from earthgptx.data.phrasing import usual
from earthgptx.data.referring import unique_expressions
from earthgptx.data.sample import LabelledImage, LabelledObject, Sample
from earthgptx.evaluation.questions import Conditions, PosedQuestion

SHORT_QUESTIONS = 3  # of an image, beside the one of how many: a different draw each, repeated ones dropped


def classes(images: Sequence[LabelledImage], conditions: Conditions) -> list[PosedQuestion]:
    """The class of every labelled object, in the paper's own words."""
    return about_objects(images, lambda _: usual("roc"), conditions)


def region_captions(images: Sequence[LabelledImage], conditions: Conditions) -> list[PosedQuestion]:
    """A caption of every object that the data set describes, in the paper's own words."""
    return about_objects(
        images, lambda _: usual("region_caption"), conditions, wanted=lambda item: bool(item.descriptions)
    )


def outlines(images: Sequence[LabelledImage], conditions: Conditions) -> list[PosedQuestion]:
    """The mask of every marked object that the data set outlines."""

    def words(num_regions: int) -> str:
        return usual("segment_region").format(regions="each marked region" if num_regions > 1 else "the marked region")

    return about_objects(images, words, conditions, wanted=lambda item: item.has_mask)


def captions(images: Sequence[LabelledImage], conditions: Conditions) -> list[PosedQuestion]:
    """One caption of every image that has captions; nothing is marked."""
    return [_about_image(image, usual("image_caption"), image.id, image.captions) for image in images if image.captions]


def scenes(images: Sequence[LabelledImage], conditions: Conditions) -> list[PosedQuestion]:
    """The class of every scene that has one; nothing is marked."""
    return [_about_image(image, usual("scene"), image.id, (image.scene,)) for image in images if image.scene]


def referred(images: Sequence[LabelledImage], conditions: Conditions) -> list[PosedQuestion]:
    """The mask of every outlined object that words tell from all others: the data set's own, else words by rule."""
    questions = []
    for image in images:
        own = _own_descriptions(image)
        for index, item in enumerate(image.objects):
            if not item.has_mask or may_show_more(image, item.label):
                continue
            expressions = own[index] or unique_expressions(image, index)
            if expressions:
                words = random.Random(f"{conditions.seed}/{image.id}/{index}").choice(expressions)
                text = usual("refer_description" if own[index] else "refer").format(expression=words)
                question = _about_image(image, text, f"{image.id}:{index}", ())
                questions.append(replace(question, objects=(index,)))
    return questions


def grounded_captions(images: Sequence[LabelledImage], conditions: Conditions) -> list[PosedQuestion]:
    """A caption with a mask for each phrase, of every image whose objects are all outlined; the truth is by rule."""
    questions = []
    for image in images:
        sample = make_sample(image, "grounded_caption", random.Random(0))
        if sample is not None:
            question = _about_image(image, usual("grounded_caption"), image.id, (sample.turns[1].text,))
            questions.append(replace(question, targets=sample.targets))
    return questions


def short_answers(images: Sequence[LabelledImage], conditions: Conditions) -> list[PosedQuestion]:
    """Whether, which, where and how many, as the labels decide: a few questions an image, drawn by the seed.

    What is asked about marked regions is asked once with each kind of mark, everything else once.
    """
    kinds = conditions.kinds_of_marks
    questions: list[PosedQuestion] = []
    for image in images:
        asked: dict[tuple[str, tuple[int, ...], str], PosedQuestion] = {}
        for kind in kinds:
            for place, sample in enumerate(_short_samples(image, conditions.seed, kind)):
                objects = tuple(image.objects.index(region.object) for region in sample.regions if region.object)
                key = f"{image.id}:{place}"
                question = PosedQuestion(
                    key=f"{key}:{kind}" if objects and len(kinds) > 1 else key,
                    image=image,
                    objects=objects,
                    marks=tuple(region.mark for region in sample.regions if region.object),
                    text=sample.turns[0].text,
                    marked_by=kind if objects else "",
                    answers=(sample.turns[1].text,),
                )
                asked.setdefault((question.text, question.objects, question.marked_by), question)
        questions.extend(asked.values())
    return questions


def about_objects(
    images: Sequence[LabelledImage],
    text: Callable[[int], str],
    conditions: Conditions,
    *,
    wanted: Callable[[LabelledObject], bool] = lambda _: True,
) -> list[PosedQuestion]:
    """Marks every wanted object once with each kind of mark, in the data set's order, a few to a question.

    Args:
        images: whose objects are asked about; one without objects gives no question.
        text: the words, given the number of marks.
        conditions: kind and seed of the marks, and how many regions one question may hold.
        wanted: which objects are asked about.
    """
    kinds = conditions.kinds_of_marks
    questions = []
    for image in images:
        indices = [index for index, item in enumerate(image.objects) if wanted(item)]
        for start in range(0, len(indices), conditions.regions_per_question):
            chosen = tuple(indices[start : start + conditions.regions_per_question])
            for kind in kinds:
                key = f"{image.id}:{','.join(map(str, chosen))}"
                questions.append(
                    PosedQuestion(
                        key=f"{key}:{kind}" if len(kinds) > 1 else key,
                        image=image,
                        objects=chosen,
                        marks=tuple(fixed_mark(image, index, kind, conditions.seed) for index in chosen),
                        text=text(len(chosen)),
                        marked_by=kind,
                    )
                )
    return questions


def _about_image(image: LabelledImage, text: str, key: str, answers: tuple[str, ...]) -> PosedQuestion:
    return PosedQuestion(key=key, image=image, objects=(), marks=(), text=text, answers=answers)


def _own_descriptions(image: LabelledImage) -> list[tuple[str, ...]]:
    """For each object what the data set calls it and no other object of the image, without a full stop."""
    texts = [{" ".join(text.split()).rstrip(".") for text in item.descriptions} - {""} for item in image.objects]
    shared = Counter(text.lower() for own in texts for text in own)
    return [tuple(sorted(text for text in own if shared[text.lower()] == 1)) for own in texts]


def _short_samples(image: LabelledImage, seed: int, marks: str) -> Iterator[Sample]:
    for place, task in enumerate((*["vqa"] * SHORT_QUESTIONS, "count")):
        rng = random.Random(f"{seed}/{image.id}/{place}")
        sample = make_sample(image, task, rng, seed, marks=marks)
        if sample is not None:
            yield sample
