"""What a run will ask, before anything is sent: settings, one item a subject, and the forecast of its cost.

Subjects and kept answers come in; image files are read for their hash only. Nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from earthgptx.data.recaption.cache import AnswerCache
from earthgptx.data.recaption.cost import Estimate, Prices, Spending, billed, estimate
from earthgptx.data.recaption.judging import judged
from earthgptx.data.recaption.request import Parameters, content_key, question_of
from earthgptx.data.recaption.subject import Subject, classes_by_source
from earthgptx.errors import EarthGPTXError


@dataclass(frozen=True)
class Settings:
    """How to run.

    Attributes:
        parameters: what shapes the answers.
        out: the folder to write.
        cache: where answers are kept; `out`/answers if None. Runs may share one.
        concurrency: questions in flight at once.
        prices, budget: see `cost.Ledger`.
        seed: of marks and wording.
        samples_per_shard: lines of one file.
        asks_refused_again: pay once more for answers that were refused.
    """

    parameters: Parameters
    out: Path
    cache: Path | None = None
    concurrency: int = 8
    prices: Prices = field(default_factory=Prices)
    budget: float | None = None
    seed: int = 0
    samples_per_shard: int = 10_000
    asks_refused_again: bool = False

    @property
    def cache_folder(self) -> Path:
        """Where answers are kept."""
        return self.out / "answers" if self.cache is None else self.cache


@dataclass(frozen=True)
class Forecast:
    """What a run would take, nothing sent: images, questions not yet answered, tokens, and money.

    Attributes:
        images: with labelled objects.
        unreadable: of them, those whose file cannot be read.
        questions: to be paid for; copies of one image count once.
        tokens_in, usual_tokens_out, most_tokens_out: of these questions.
        usual_cost, most_cost: of these questions.
        earlier_cost: of the answers that are there already.
    """

    images: int
    unreadable: int
    questions: int
    tokens_in: int
    usual_tokens_out: int
    most_tokens_out: int
    usual_cost: float
    most_cost: float
    earlier_cost: float


@dataclass(frozen=True)
class Item:
    """One subject with all that is known before anything is sent; `trouble` where its image cannot be read."""

    subject: Subject
    estimate: Estimate
    key: str = ""
    trouble: str = ""


def forecast(subjects: Sequence[Subject], settings: Settings) -> Forecast:
    """Counts what `recaption` would ask and pay, without sending anything."""
    items = list(planned(subjects, settings))
    cache = AnswerCache(settings.cache_folder)
    earlier, open_items = split_by_cache(items, cache, settings, classes_by_source(subjects))
    tokens_in, usual, most = (
        sum(getattr(item.estimate, name) for item in open_items)
        for name in ("tokens_in", "usual_tokens_out", "most_tokens_out")
    )
    return Forecast(
        images=len(items),
        unreadable=sum(1 for item in items if item.trouble),
        questions=len(open_items),
        tokens_in=tokens_in,
        usual_tokens_out=usual,
        most_tokens_out=most,
        usual_cost=settings.prices.of(tokens_in, usual),
        most_cost=settings.prices.of(tokens_in, most),
        earlier_cost=earlier.cost,
    )


def planned(subjects: Sequence[Subject], settings: Settings) -> Iterator[Item]:
    """One item a subject; one whose image cannot be read says so."""
    for subject in subjects:
        question = question_of(subject, settings.parameters)
        asked = estimate(
            question, width=subject.image.width, height=subject.image.height, num_regions=len(subject.marked)
        )
        try:
            yield Item(subject, asked, key=content_key(subject, question))
        except EarthGPTXError as error:
            yield Item(subject, asked, trouble=str(error))


def split_by_cache(
    items: Sequence[Item], cache: AnswerCache, settings: Settings, classes: Mapping[str, frozenset[str]]
) -> tuple[Spending, list[Item]]:
    """What the answers at hand have cost, and the items that must be asked about, one a key."""
    earlier = Spending()
    open_items: list[Item] = []
    seen: set[str] = {""}  # the key of an item in trouble
    for item in items:
        if item.key in seen:
            continue
        seen.add(item.key)
        reply = cache.get(item.key)
        if reply is not None:
            tokens_in, tokens_out = billed(item.estimate, reply)
            earlier = replace(
                earlier,
                answers=earlier.answers + 1,
                tokens_in=earlier.tokens_in + tokens_in,
                tokens_out=earlier.tokens_out + tokens_out,
                cost=earlier.cost + settings.prices.of(tokens_in, tokens_out),
            )
            again = (
                settings.asks_refused_again and judged(item.subject, reply, classes[item.subject.image.dataset]).reasons
            )
        if reply is None or again:
            open_items.append(item)
    return earlier, open_items
