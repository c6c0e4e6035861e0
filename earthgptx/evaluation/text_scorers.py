"""How answers in words about a whole image are scored: captions, short answers, captions with masks.

Each scorer is one of `scorers.Scorer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from earthgptx.evaluation.items import count_of, grouped, image_of, is_right, truth_of
from earthgptx.evaluation.metrics import counting, grounded, labels
from earthgptx.evaluation.metrics.bootstrap import CorpusScore, mean_of, ratio_of
from earthgptx.evaluation.metrics.caption_measures import measure
from earthgptx.evaluation.metrics.labels import LabelPair, clean_label
from earthgptx.evaluation.metrics.similarity import Embed
from earthgptx.evaluation.predictions import Prediction
from earthgptx.evaluation.scorers import Numbers, Plain


class CaptionScorer(Plain):
    """One caption an image, or one a region, against all its references, over the whole corpus."""

    def __init__(self, predictions: Sequence[Prediction], *, of_regions: bool = False) -> None:
        self._predictions, self._of_regions = predictions, of_regions
        self._items = self._items_of(predictions)
        self._measures = measure(
            {name: said for name, (said, _) in self._items.items()},
            {name: true for name, (_, true) in self._items.items()},
        )

    def numbers(self, part: Sequence[Prediction]) -> Numbers:
        """BLEU-1 to 4, ROUGE-L, METEOR and SPICE (spaCy parser) as fractions, CIDEr on its own scale."""
        return self._measures.metrics(self._items_of(part).keys())

    def corpus_scores(self) -> Mapping[str, CorpusScore]:
        """All of them, over captions."""
        return self._measures.corpus_scores

    def images(self) -> list[str]:
        """One item a caption, in the order in which they were measured."""
        of_item = {name: image_of(one) for one in self._predictions for name in self._items_of([one])}
        return [of_item[name] for name in self._measures.ids]

    def notes(self) -> tuple[str, ...]:
        """Which scores cannot be had on this machine."""
        return self._measures.notes

    def counts(self) -> Mapping[str, int]:
        """Captions, and those that are empty."""
        return {"captions": len(self._items), "unanswered": sum(not said for said, _ in self._items.values())}

    def _items_of(self, part: Sequence[Prediction]) -> dict[str, tuple[str, tuple[str, ...]]]:
        """What was said and what is true, by the item's name."""
        if not self._of_regions:
            return {one.key: (one.text, one.references) for one in part}
        return {
            f"{one.key}#{place}": (region.label or "", region.references)
            for one in part
            for place, region in enumerate(one.regions)
            if region.references
        }


class AnswerScorer(Plain):
    """Short answers about an image, right or wrong: a class, yes or no, a place, a number."""

    def __init__(self, predictions: Sequence[Prediction], *, are_classes: bool) -> None:
        self._predictions, self._are_classes = predictions, are_classes

    def numbers(self, part: Sequence[Prediction]) -> Numbers:
        """``accuracy`` in percent; of questions how many also ``count_error``, the mean of |said - true| in objects."""
        scores = {"accuracy": 100 * sum(map(is_right, part)) / len(part)}
        counted = [pair for pair in self._counted(part) if pair is not None]
        if counted:
            scores["count_error"] = counting.counting_scores(counted).mean_absolute_error
        return scores

    def corpus_scores(self) -> Mapping[str, CorpusScore]:
        """The mean over questions, and over those of how many."""
        scores = {"accuracy": mean_of([100.0 * is_right(one) for one in self._predictions])}
        pairs = self._counted(self._predictions)
        if any(pairs):
            errors = [counting.count_errors([pair])[0] if pair else 0 for pair in pairs]
            num_counted = sum(pair is not None for pair in pairs)
            # A draw without a question of how many says nothing of them.
            scores["count_error"] = ratio_of(
                errors, [pair is not None for pair in pairs], of_nothing=sum(errors) / num_counted
            )
        return scores

    def images(self) -> list[str]:
        """One item a question."""
        return [image_of(one) for one in self._predictions]

    def by_class(self) -> Mapping[str, Numbers]:
        """By the true class, or by the kind of answer that is wanted."""
        parts = grouped(self._predictions, truth_of if self._are_classes else _kind_of_answer)
        return {name: {**self.numbers(part), "questions": len(part)} for name, part in parts.items()}

    def confusion(self) -> Mapping[str, Mapping[str, int]]:
        """True class -> answered class -> images; of short answers none."""
        pairs = [LabelPair(one.text or None, truth_of(one)) for one in self._predictions]
        return labels.confusion(pairs) if self._are_classes else {}

    def counts(self) -> Mapping[str, int]:
        """Questions without a word of answer, and questions of how many without a number in theirs."""
        pairs = [pair for pair in self._counted(self._predictions) if pair is not None]
        counts = {"unanswered": sum(not one.text for one in self._predictions)}
        return counts | ({"without_a_number": counting.counting_scores(pairs).num_without_number} if pairs else {})

    def _counted(self, part: Sequence[Prediction]) -> list[counting.CountPair | None]:
        """Answers to how many beside the true number, None for every other question."""
        numbers = [None if self._are_classes else count_of(one) for one in part]
        return [
            None if number is None else counting.CountPair(one.text, number)
            for one, number in zip(part, numbers, strict=True)
        ]


class GroundedScorer(Plain):
    """Captions whose phrases have masks: AP50, mIoU and recall by the mended rules, and by GLaMM's."""

    def __init__(self, predictions: Sequence[Prediction], embed: Embed) -> None:
        self._predictions = predictions
        self._images = dict(zip(map(id, predictions), _grounded_images(predictions, embed), strict=True))

    def numbers(self, part: Sequence[Prediction]) -> Numbers:
        """``ap50``, ``miou`` and ``recall`` as fractions."""
        return grounded.grounded_scores(self._of(part))

    def corpus_scores(self) -> Mapping[str, CorpusScore]:
        """Over images."""
        return grounded.grounded_corpus_scores(self._of(self._predictions))

    def images(self) -> list[str]:
        """One item an image."""
        return [image_of(one) for one in self._predictions]

    def variants(self) -> Mapping[str, Numbers]:
        """As GLaMM's script counts."""
        return {"glamm": grounded.grounded_scores(self._of(self._predictions), "glamm")}

    def counts(self) -> Mapping[str, int]:
        """Captions, true phrases, and captions without a phrase that has a mask."""
        return {
            "captions": len(self._predictions),
            "phrases": sum(len(one.true_phrases) for one in self._predictions),
            "unanswered": sum(not one.phrases for one in self._predictions),
        }

    def _of(self, part: Sequence[Prediction]) -> list[grounded.GroundedImage]:
        return [self._images[id(one)] for one in part]


def _kind_of_answer(prediction: Prediction) -> str:
    if count_of(prediction) is not None:
        return "how many"
    truth = clean_label(truth_of(prediction))
    return "yes or no" if truth in ("yes", "no") else "which or where"


def _grounded_images(predictions: Sequence[Prediction], embed: Embed) -> list[grounded.GroundedImage]:
    texts = sorted({phrase.phrase for one in predictions for phrase in (*one.phrases, *one.true_phrases)})
    vectors = np.asarray(embed(texts), dtype=np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    row = dict(zip(texts, vectors, strict=True))
    images = []
    for one in predictions:
        said = [phrase for phrase in one.phrases if phrase.mask is not None]
        true = [phrase for phrase in one.true_phrases if phrase.mask is not None]
        similarities = [[float(row[a.phrase] @ row[b.phrase]) for b in true] for a in said]
        images.append(
            grounded.GroundedImage(
                ious=grounded.mask_ious(
                    [phrase.mask.to_array() for phrase in said if phrase.mask],
                    [phrase.mask.to_array() for phrase in true if phrase.mask],
                ),
                similarities=np.array(similarities, dtype=np.float64).reshape(len(said), len(true)),
                confidences=np.array([phrase.confidence for phrase in said], dtype=np.float64),
            )
        )
    return images
