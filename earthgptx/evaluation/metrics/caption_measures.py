"""Every caption score of a corpus, measured once: then any part and any resample of it is scored by arithmetic.

Java is started once and every different sentence is parsed once, however many parts a report shows. A score that
cannot be had on this machine is left out, and a note says why; nothing takes its place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from earthgptx.errors import MetricUnavailable
from earthgptx.evaluation.metrics.bleu import bleu_of
from earthgptx.evaluation.metrics.bootstrap import CorpusScore, mean_of
from earthgptx.evaluation.metrics.captions import caption_scores, scores_of_each, tokenise
from earthgptx.evaluation.metrics.meteor import find_jar, meteor_counts, meteor_of, meteor_of_counts
from earthgptx.evaluation.metrics.scene_tuples import load_scene_parser
from earthgptx.evaluation.metrics.spice import spice
from earthgptx.evaluation.metrics.synsets import Synsets

SPICE_LABEL = "SPICE (spaCy parser)"


@dataclass(frozen=True)
class CaptionMeasures:
    """The scores of one caption an image.

    Attributes:
        ids: the images' ids, sorted.
        corpus_scores: metric -> score as a function of how often each of ``ids`` is drawn, for ``bootstrap``. CIDEr's
            n-grams keep the rarity that they have in the whole corpus: in a resample an image meets copies of itself,
            nothing looks rare, and the interval would lie below the score.
        by_item: metric -> id -> score of that caption alone. BLEU has none; METEOR's mean over captions is not the
            corpus's METEOR; CIDEr is weighed by the whole corpus.
        notes: a sentence on each metric that is left out.
    """

    ids: tuple[str, ...]
    corpus_scores: Mapping[str, CorpusScore]
    by_item: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]
    _predictions: Mapping[str, str] = field(repr=False)
    _references: Mapping[str, Sequence[str]] = field(repr=False)

    def metrics(self, part: Collection[str] | None = None) -> dict[str, float]:
        """``bleu_1`` to ``bleu_4``, ``rouge_l``, ``cider``, and where they could be had ``meteor``, ``spice_spacy``.

        Args:
            part: ids of the images to score, as a corpus of their own; None is all of them.

        Raises:
            ValueError: the part is empty, or holds an id that was not measured.
        """
        chosen = set(self.ids if part is None else part)
        if unknown := chosen - set(self.ids):
            raise ValueError(f"{len(unknown)} of {len(chosen)} images were not measured, {min(unknown)} first")
        scores = caption_scores(
            {image: self._predictions[image] for image in self.ids if image in chosen},
            {image: self._references[image] for image in self.ids if image in chosen},
        )
        weights = np.array([[float(image in chosen) for image in self.ids]])
        rest = self.corpus_scores.keys() - scores.keys()
        return scores | {name: float(self.corpus_scores[name](weights)[0]) for name in sorted(rest)}


def measure(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    *,
    with_meteor: bool = True,
    with_spice: bool = True,
) -> CaptionMeasures:
    """Measures a corpus of captions by every metric that this machine can compute.

    Args:
        predictions: one caption for each image id; an empty one is allowed and scores 0.
        references: at least one caption for each of the same image ids.
        with_meteor, with_spice: whether to try the two that take a while to start.

    Raises:
        ValueError: as `captions.caption_scores`.
    """
    caption_scores(predictions, references)  # refuses what cannot be scored before anything slow starts
    ids = tuple(sorted(predictions))
    said = [tokenise(predictions[image]) for image in ids]
    true = [[tokenise(text) for text in references[image]] for image in ids]
    each = {name: list(scores.values()) for name, scores in scores_of_each(predictions, references).items()}
    corpus: dict[str, CorpusScore] = {
        f"bleu_{length}": score for length, score in enumerate(bleu_of(said, true), start=1)
    }
    corpus |= {name: mean_of(scores) for name, scores in each.items()}
    captions = [" ".join(words) for words in said]
    of_references = [[" ".join(words) for words in some] for some in true]
    notes = []
    if with_meteor:
        try:
            counts = meteor_counts(captions, of_references)
            corpus["meteor"], each["meteor"] = meteor_of(counts), meteor_of_counts(counts).tolist()
        except MetricUnavailable as reason:
            notes.append(f"METEOR is left out: {reason}")
    if with_spice:
        try:
            each["spice_spacy"] = _spice_of_each(captions, of_references)
            corpus["spice_spacy"] = mean_of(each["spice_spacy"])
        except MetricUnavailable as reason:
            notes.append(f"{SPICE_LABEL} is left out: {reason}")
    by_item = {name: dict(zip(ids, values, strict=True)) for name, values in each.items()}
    return CaptionMeasures(ids, corpus, by_item, tuple(notes), predictions, references)


def _spice_of_each(captions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    parse = load_scene_parser()
    synsets = Synsets.read(find_jar())
    parsed = iter(parse([*captions, *(text for some in references for text in some)]))
    said = [next(parsed) for _ in captions]
    return [spice(own, [next(parsed) for _ in some], synsets.of) for own, some in zip(said, references, strict=True)]
