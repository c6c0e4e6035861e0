"""SPICE's scoring: the F1 of what a caption says about objects against what its references say together.

In come tuples: (object), (object, attribute), (object, relation, object). How a sentence becomes tuples is not known
here (``scene_tuples``), nor where synonyms come from (``synsets``). Written from the paper alone.

Source: Anderson et al., SPICE: Semantic Propositional Image Caption Evaluation (ECCV 2016), section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

SceneTuple = tuple[str, ...]
SynsetsOf = Callable[[str], frozenset[int]]


@dataclass(frozen=True)
class Concept:
    """Words that stand for one thing, attribute or relation of an image."""

    words: frozenset[str]
    synsets: frozenset[int]

    def fits(self, other: Concept) -> bool:
        """Whether the two share a word or a meaning."""
        return bool(self.words & other.words or self.synsets & other.synsets)

    def likeness(self, other: Concept) -> float:
        """Jaccard index of the meanings, in [0, 1]."""
        union = self.synsets | other.synsets
        return len(self.synsets & other.synsets) / len(union) if union else 0.0

    def joined(self, other: Concept) -> Concept:
        """Both as one."""
        return Concept(self.words | other.words, self.synsets | other.synsets)


def spice(said: Iterable[SceneTuple], references: Sequence[Iterable[SceneTuple]], synsets_of: SynsetsOf) -> float:
    """F1 of one image in [0, 1]; 0 where the caption or all references together say nothing.

    Every tuple of the caption counts once, and is right where each of its words fits in some reference tuple of the
    same length. Several may be right by the same reference tuple; recall is held at 1 then.

    Args:
        said: the caption's tuples.
        references: those of each reference; the order of the references does not matter.
        synsets_of: the meanings of a word or phrase.
    """
    candidate = _Scene(synsets_of)
    candidate.add(said)
    truth = _Scene(synsets_of)
    for tuples in sorted(sorted(set(one)) for one in references):
        truth.add(tuples)
    given, true = candidate.tuples(), truth.tuples()
    right = sum(any(_matches(one, other) for other in true) for one in given)
    if not right:
        return 0.0
    precision, recall = right / len(given), min(1.0, right / len(true))
    return 2 * precision * recall / (precision + recall)


def _matches(one: tuple[Concept, ...], other: tuple[Concept, ...]) -> bool:
    return len(one) == len(other) and all(mine.fits(theirs) for mine, theirs in zip(one, other, strict=True))


class _Scene:
    """A scene graph that grows by captions: what means the same is one node."""

    def __init__(self, synsets_of: SynsetsOf) -> None:
        self._synsets_of = synsets_of
        self._objects: list[Concept] = []
        self._attributes: dict[int, list[Concept]] = {}
        self._relations: dict[tuple[int, int], list[Concept]] = {}

    def add(self, tuples: Iterable[SceneTuple]) -> None:
        """Adds one caption's tuples; words of one caption that mean the same are one node, too."""
        ordered = sorted(set(tuples))
        # A caption's names stand for the same nodes throughout it.
        names = sorted({one[0] for one in ordered} | {one[2] for one in ordered if len(one) == 3})
        node = {name: _place(self._objects, self._concept(name)) for name in names}
        for one in ordered:
            if len(one) == 2:
                _place(self._attributes.setdefault(node[one[0]], []), self._concept(one[1]))
            elif len(one) == 3:
                ends = (node[one[0]], node[one[2]])
                _place(self._relations.setdefault(ends, []), self._concept(one[1].removeprefix("be ")))

    def tuples(self) -> list[tuple[Concept, ...]]:
        """Every object, attribute and relation of the graph."""
        objects = self._objects
        return [
            *((one,) for one in objects),
            *((objects[place], one) for place, some in self._attributes.items() for one in some),
            *((objects[a], one, objects[b]) for (a, b), some in self._relations.items() for one in some),
        ]

    def _concept(self, phrase: str) -> Concept:
        return Concept(frozenset([phrase]), self._synsets_of(phrase))


def _place(known: list[Concept], new: Concept) -> int:
    """Joins a concept to the most alike of those that it fits, or adds it; its index."""
    fitting = [index for index, one in enumerate(known) if one.fits(new)]
    if not fitting:
        known.append(new)
        return len(known) - 1
    best = max(fitting, key=lambda index: (new.words <= known[index].words, known[index].likeness(new)))
    known[best] = known[best].joined(new)
    return best
