"""Names of classes: a dataset's own name in, the project's label out, and how the label is spoken of.

The rows are in `class_table`. Datasets with a closed list of classes are looked up there; names of an open
vocabulary are tidied by rule and merged by the table's synonyms. Labels are lower-case words with spaces, as an
answer would say them.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Collection, Mapping

from earthgptx.data import grammar
from earthgptx.data.datasets.class_table import CLASSES, NUM_IMAGES, SCENES, ClassName
from earthgptx.data.datasets.synonyms import KINDS, SYNONYMS
from earthgptx.errors import MalformedDataset

__all__ = [
    "CLASSES",
    "SCENES",
    "ClassName",
    "absent_label",
    "canonical",
    "labels_every_class",
    "may_be_called",
    "plural",
    "tidied",
    "with_article",
]

# "OtherVehicle" is two words, "iPhone" and "SUVs" are one: a capital starts a word after two small letters, or
# before two small ones at the end of a run of capitals.
_CAPITAL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_SEPARATORS = re.compile(r"[\s_\-‐-―]+")
_LEADING_ARTICLE = re.compile(r"^(?:(?:a|an|the) )+(?=.)")
_EDGES = " .,;:!?\"'`()[]{}*"


def _squeezed(name: str) -> str:
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).lower())


def _key(source: str) -> tuple[str, str]:
    dataset, name = source.split(":", 1)
    return dataset, _squeezed(name)


_BY_SOURCE: dict[tuple[str, str], ClassName] = {_key(source): name for name in CLASSES for source in name.sources}
_BY_LABEL: dict[str, ClassName] = {name.label: name for name in CLASSES}
_LABELS_OF: dict[str, tuple[str, ...]] = {
    dataset: tuple(name.label for name in CLASSES if any(source.startswith(f"{dataset}:") for source in name.sources))
    for dataset in sorted({dataset for dataset, _ in _BY_SOURCE})
}
# The sets that share one mixture, in which a "no" question may ask about any class of the sensor.
_MIXED = ("vhr10", "ssdd", "hituav", "rsicd", "sar_acd", "mstar")
# Sets that were put together of others, each of which labels only some of the classes: SARDet-100K has images with
# harbors in them of which nothing but the ships is labelled.
_PUT_TOGETHER = ("sardet_100k",)


def canonical(dataset: str, name: str) -> str:
    """The canonical label of a dataset's own class name.

    A dataset with rows in the table has a closed list of classes; any other has an open vocabulary and is tidied.

    Raises:
        MalformedDataset: the dataset has rows, and none is of this name; or nothing is left of an open name.
    """
    if dataset not in _LABELS_OF:
        return tidied(name)
    found = _BY_SOURCE.get((dataset, _squeezed(name)))
    if found is None:
        names = (source.split(":", 1) for row in CLASSES for source in row.sources)
        known = sorted(name for owner, name in names if owner == dataset)
        raise MalformedDataset(f"{dataset} has no class named {name!r}; known are {', '.join(known)}.")
    return found.label


def tidied(name: str) -> str:
    """A name of an open vocabulary as lower-case words, merged with its synonyms: "SmallVehicle", "small-vehicle".

    Raises:
        MalformedDataset: the name holds no word.
    """
    words = _SEPARATORS.sub(" ", _CAPITAL.sub(" ", unicodedata.normalize("NFKC", name)))
    words = unicodedata.normalize("NFKC", words.lower())
    previous = None
    while words != previous:  # an article behind a quotation mark, a comma behind an article
        previous, words = words, _LEADING_ARTICLE.sub("", words.strip(_EDGES))
    if not words:
        raise MalformedDataset(f"The class name {name!r} holds no word.")
    return SYNONYMS.get(words, words)


def absent_label(sensor: str, present: Collection[str], rng: random.Random, dataset: str | None = None) -> str | None:
    """A label that is not among `present`: what a question with the answer "no" asks about.

    In the mixture of the first six sets it is any class of the sensor, drawn in proportion to the images that show
    it, so that every class is asked about as often where it is as where it is not, and the name alone does not
    give the answer away. Elsewhere it is a class of the dataset's own closed list, all alike, that is neither a kind
    of what is there nor a more general word for it: what a dataset does not label may be there.

    Args:
        sensor: of the image.
        present: the labels in the image.
        rng: the only source of chance.
        dataset: the image's dataset; None for the mixture.

    Returns:
        The label, or None where all are present or the dataset's vocabulary is open.
    """
    if dataset is None or dataset in _MIXED:
        weights: Mapping[str, int] = NUM_IMAGES.get(sensor, {})
    else:
        weights = {
            label: 1
            for label in _LABELS_OF.get(dataset, ())
            if not any(may_be_called(label, other) or may_be_called(other, label) for other in present)
        }
    absent = [label for label in weights if label not in present]
    return rng.choices(absent, weights=[weights[label] for label in absent])[0] if absent else None


def labels_every_class(dataset: str) -> bool:
    """Whether an image of the dataset shows nothing of the dataset's classes that has no label."""
    return dataset not in _PUT_TOGETHER


def may_be_called(label: str, word: str) -> bool:
    """Whether someone could call an object of this label by that word: "small vehicle" and "car" by "vehicle"."""
    return label == word or label.endswith(f" {word}") or label in KINDS.get(word, ())


def plural(label: str) -> str:
    """The word for several, as in storage tanks; by rule for a label that the table lacks."""
    found = _BY_LABEL.get(label)
    return found.plural if found else grammar.plural_of(label)


def with_article(label: str, adjective: str = "") -> str:
    """The label with its article, as in "an airplane", "a large airplane" and "some grass".

    Args:
        label: a class label.
        adjective: a word between article and label, or "".
    """
    found = _BY_LABEL.get(label)
    if not adjective:
        return f"{found.article if found else grammar.article_of(label)} {label}"
    is_counted = found is not None or not grammar.is_uncounted(label)
    return f"{grammar.indefinite(adjective) if is_counted else 'some'} {adjective} {label}"
