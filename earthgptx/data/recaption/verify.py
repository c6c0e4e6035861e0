"""Whether an answer agrees with the labels: every number covered, no class, count or direction that they deny.

A reply and its subject come in, an answer or the reasons against it go out. It can only deny what the labels deny: a
colour or a purpose is the model's word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from earthgptx.data.recaption.answers import Reply
from earthgptx.data.recaption.schema import Answer, AnswerRefused, RegionDescription, Relationship, parse_answer
from earthgptx.data.recaption.spoken_counts import Mention, mentions
from earthgptx.data.recaption.subject import Subject
from earthgptx.data.sample import LabelledObject

CAPTION_WORDS = (12, 300)
DESCRIPTION_WORDS = (3, 100)
PREDICATE_WORDS = (1, 12)

# A source with more classes than this names what it likes, and leaves more unnamed: a class that is missing from
# its labels may be in the image all the same.
LARGEST_CLOSED_SET = 100

_SPEAKS_OF_MARKS = re.compile(
    r"\b(?:region|mark|marker|number|object|item|label|box)s?\s*#?\d|#\d|\[\d+\]|\(\d+\)"
    r"|\b(?:numbered|annotated|annotations?|bounding box(?:es)?|outlined in|labell?ed (?:as|with|by))\b",
    re.IGNORECASE,
)
_COMPASS = re.compile(r"\b(?:north|south)(?:-?(?:east|west))?(?:ern)?\b|\b(?:east|west)(?:ern)?\b", re.IGNORECASE)
_PREDICATE = re.compile(r"[a-z][a-z ,'-]*")

# Words of a predicate, and whether two middles agree with them: (word, axis, sign of subject - object).
_DIRECTIONS: tuple[tuple[re.Pattern[str], int, int], ...] = (
    (re.compile(r"\bleft\b"), 0, -1),
    (re.compile(r"\bright\b"), 0, +1),
    (re.compile(r"\b(?:above|upper)\b"), 1, -1),
    (re.compile(r"\b(?:below|lower)\b"), 1, +1),
)


# Whatever else an endpoint says of the end of an answer, the answer itself shows whether it is whole.
_NOT_WHOLE = {
    "length": "The answer was cut at its largest length; --max-output-tokens allows more.",
    "content_filter": "The model gave no answer: the endpoint's filter stopped it.",
    "refusal": "The model gave no answer: it refused.",
}


def accepted(reply: Reply, subject: Subject, classes: Collection[str]) -> Answer:
    """The answer of a reply, if it is whole, in the schema's form and in agreement with the labels.

    Args:
        reply: what came back.
        subject, classes: as in `reasons_against`.

    Raises:
        AnswerRefused: it is not.
    """
    if reply.finish_reason in _NOT_WHOLE:
        raise AnswerRefused(_NOT_WHOLE[reply.finish_reason])
    answer = parse_answer(reply.text)
    reasons = reasons_against(answer, subject, classes)
    if reasons:
        raise AnswerRefused(*reasons)
    return answer


def reasons_against(answer: Answer, subject: Subject, classes: Collection[str]) -> tuple[str, ...]:
    """Why the answer cannot be kept, a sentence each; empty where it agrees with the labels.

    Args:
        answer: in the form of the schema.
        subject: what was shown.
        classes: every class that the subject's source labels anywhere; a text that names one of them which this
            image lacks is wrong, unless there are more than `LARGEST_CLOSED_SET`.
    """
    counts, totals = subject.counts, subject.totals
    known = set(counts) | (set(classes) if len(classes) <= LARGEST_CLOSED_SET else set())
    found = [*_coverage(answer, len(subject.numbered)), *_caption(answer.caption, counts, totals, known)]
    for region in answer.regions:
        if 1 <= region.number <= len(subject.numbered):
            found += _region(region, subject.numbered[region.number - 1].label, totals, counts, known)
    for relationship in answer.relationships:
        found += _relationship(relationship, subject.numbered, known)
    return tuple(found)


def _coverage(answer: Answer, num_regions: int) -> Iterator[str]:
    times = Counter(region.number for region in answer.regions)
    missing = [number for number in range(1, num_regions + 1) if not times[number]]
    if missing:
        yield f"Of {num_regions} regions, {_listed(missing)} have no description."
    unknown = sorted(number for number in times if not 1 <= number <= num_regions)
    if unknown:
        yield f"The answer describes region {_listed(unknown)}; the last one is {num_regions}."
    twice = sorted(number for number, count in times.items() if count > 1)
    if twice:
        yield f"The answer describes region {_listed(twice)} more than once."


def _caption(
    caption: str, counts: Mapping[str, int], totals: Mapping[str, int], known: Collection[str]
) -> Iterator[str]:
    yield from _wording(caption, "The caption", CAPTION_WORDS)
    named = mentions(caption, known)
    yield from _absent(named, "The caption", counts)
    for label in sorted(counts):
        own = [mention for mention in named if mention.label == label]
        if not own:
            yield f"The caption does not name the class {label!r}, of which {counts[label]} are labelled."
        yield from _caption_counts(own, label, totals.get(label))


def _caption_counts(own: Collection[Mention], label: str, count: int | None) -> Iterator[str]:
    """The whole number must be said somewhere, or the parts must add up to it; none at all where it is not known."""
    said = [mention.count for mention in own if mention.count is not None]
    if count is None:
        if said:
            yield f"The caption counts {_listed(said)} of the class {label!r}; how many there are is not known."
        return
    if said and (max(said) > count or (count not in said and sum(said) != count)):
        yield f"The caption counts {_listed(said)} of the class {label!r}; {count} are labelled."
    if any(mention.at_least is not None and mention.at_least > count for mention in own):
        yield f"The caption speaks of several of the class {label!r}; {count} is labelled."


def _region(
    region: RegionDescription,
    label: str,
    totals: Mapping[str, int],
    counts: Mapping[str, int],
    known: Collection[str],
) -> Iterator[str]:
    where = f"Region {region.number}"
    if region.label.lower() != label.lower():
        yield f"{where} is called {region.label!r}; its label is {label!r}."
    yield from _wording(region.description, where, DESCRIPTION_WORDS)
    named = mentions(region.description, known)
    if label not in {mention.label for mention in named}:
        yield f"The description of region {region.number} does not name its class {label!r}."
    yield from _absent(named, where, counts)
    for mention in named:
        smallest = mention.count or mention.at_least or 0
        if smallest > totals.get(mention.label, smallest):
            yield f"{where} speaks of {smallest} or more of {mention.label!r}; {totals[mention.label]} are labelled."


def _relationship(stated: Relationship, objects: tuple[LabelledObject, ...], known: Collection[str]) -> Iterator[str]:
    where = f"The relationship of {stated.subject} and {stated.object}"
    if not (1 <= stated.subject <= len(objects) and 1 <= stated.object <= len(objects)):
        yield f"{where} names a region that does not exist; the last one is {len(objects)}."
        return
    if stated.subject == stated.object:
        yield f"{where} relates a region to itself."
    yield from _wording(stated.predicate, where, PREDICATE_WORDS)
    if not _PREDICATE.fullmatch(stated.predicate):
        yield f"{where} is no plain phrase: {stated.predicate!r}."
    if mentions(stated.predicate, known):
        yield f"{where} names a class in its predicate: {stated.predicate!r}."
    first, second = objects[stated.subject - 1].box.centre, objects[stated.object - 1].box.centre
    for word, axis, sign in _DIRECTIONS:
        if word.search(stated.predicate) and sign * (first[axis] - second[axis]) <= 0:
            yield f"{where} says {stated.predicate!r}; the boxes lie the other way."


def _absent(named: Collection[Mention], where: str, counts: Mapping[str, int]) -> Iterator[str]:
    """Classes that are named though none is labelled; "no ships" names none."""
    absent = {mention.label for mention in named if mention.label not in counts and mention.count != 0}
    for label in sorted(absent):
        yield f"{where} names the class {label!r}, of which none is labelled."


def _wording(text: str, where: str, limits: tuple[int, int]) -> Iterator[str]:
    """What no text of an answer may hold, whatever it says."""
    num_words = len(text.split())
    if not limits[0] <= num_words <= limits[1]:
        yield f"{where} has {num_words} words; {limits[0]} to {limits[1]} are asked for."
    if "<" in text or ">" in text:
        yield f"{where} holds an angle bracket, which marks this project's own tokens."
    marks = _SPEAKS_OF_MARKS.search(text)
    if marks:
        yield f"{where} speaks of the drawn marks ({marks.group()!r}), which the image itself does not have."
    compass = _COMPASS.search(text)
    if compass:
        yield f"{where} speaks of {compass.group()!r}; nothing is known of where north lies."


def _listed(numbers: Collection[int]) -> str:
    return ", ".join(map(str, numbers))
