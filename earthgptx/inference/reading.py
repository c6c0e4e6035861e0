"""Generated text and masks become an `Answer`: labels, their confidences, masks bound to their regions.

It reads the text with `processing.answers` and knows nothing of how the text came about.
"""

from __future__ import annotations

from collections.abc import Sequence

from earthgptx.data.imagery import Scene
from earthgptx.inference.answer import Answer, AnsweredMask, AnsweredRegion
from earthgptx.inference.generation import Generated
from earthgptx.processing.answers import RegionAnswer, label_of, parse, pix_bindings
from earthgptx.shapes import Mark


def read_answer(scene: Scene, question: str, marks: Sequence[Mark], generated: Generated) -> Answer:
    """Takes the model's text apart, for one question.

    Args:
        scene: what was looked at.
        question: as asked.
        marks: the regions in order.
        generated: text, tokens, and one mask a ``<pix>``.
    """
    bindings = pix_bindings(generated.text)
    assert len(bindings) == len(generated.masks), f"{len(bindings)} <pix> but {len(generated.masks)} masks"
    masks = tuple(
        AnsweredMask(array=array, region=binding.region, phrase=binding.phrase, confidence=float(score))
        for array, binding, score in zip(generated.masks, bindings, generated.mask_scores, strict=True)
    )
    written = {region.number: region for region in parse(generated.text).regions}
    # Tokens are laid end to end: their text can differ from the answer's by spaces at its ends.
    spoken = {region.number: region for region in parse("".join(generated.token_texts)).regions}
    regions = tuple(
        AnsweredRegion(
            number=number,
            mark=mark,
            label=label_of(written[number].text) if number in written else "",
            confidence=label_confidence(spoken[number], generated) if number in spoken else 0.0,
            mask=next((mask.array for mask in masks if mask.region == number), None),
        )
        for number, mark in enumerate(marks, start=1)
    )
    return Answer(
        scene=scene,
        question=question,
        text=generated.text,
        regions=regions,
        masks=masks,
        num_prompt_tokens=generated.num_prompt_tokens,
        num_answer_tokens=len(generated.token_texts),
    )


def label_confidence(region: RegionAnswer, generated: Generated) -> float:
    """Mean probability of the tokens that hold a character of the region's label; 0 where it has no label.

    Args:
        region: parsed from the tokens' texts laid end to end, so that `start` counts in them.
        generated: the tokens and the probability with which each was chosen.
    """
    label = label_of(region.text)
    if not label:
        return 0.0
    # A label broken by tokens ("<p>ship</p> at sea") is not found in one piece: then all its words count.
    offset = region.text.find(label)
    first = region.start + max(offset, 0)
    last = first + (len(label) if offset >= 0 else len(region.text))
    probabilities = []
    position = 0
    for text, probability in zip(generated.token_texts, generated.token_probabilities, strict=True):
        if text and position < last and position + len(text) > first:
            probabilities.append(probability)
        position += len(text)
    return float(sum(probabilities) / len(probabilities))
