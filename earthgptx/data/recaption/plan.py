"""What a run will ask, before anything is sent: settings, one item a subject, and the forecast of its cost.

Subjects and kept answers come in; image files are read for their hash only. Nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earthgptx.data.recaption.answers import AnswerCache
from earthgptx.data.recaption.cost import Estimate, Prices, billed, estimate
from earthgptx.data.recaption.request import Parameters, content_key, question_of
from earthgptx.data.recaption.subject import Subject
from earthgptx.errors import EarthGPTXError


@dataclass(frozen=True)
class Settings:
    """How to run.

    Attributes:
        parameters: what shapes the answers.
        out: the folder to write; answers are kept in it.
        concurrency: questions in flight at once.
        prices, budget: see `cost.Ledger`.
        seed: of marks and wording.
    """

    parameters: Parameters
    out: Path
    concurrency: int = 8
    prices: Prices = field(default_factory=Prices)
    budget: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Item:
    """One subject with all that is known before anything is sent; `trouble` where its image cannot be read."""

    subject: Subject
    estimate: Estimate
    key: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what is done already.

    Attributes:
        items: one a subject, in their order.
        to_ask: of them, those without an answer; copies of one image count once.
        earlier_cost: of the kept answers that are used here, and of all that got lost on the way to this folder.
        cache: holds the answers.
    """

    items: tuple[Item, ...]
    to_ask: tuple[Item, ...]
    earlier_cost: float
    cache: AnswerCache


@dataclass(frozen=True)
class Forecast:
    """What a run would take, nothing sent: images, questions not yet answered, tokens, and money.

    Attributes:
        images: with labelled objects.
        unreadable: of them, those whose file cannot be read.
        questions: to be paid for; copies of one image count once.
        tokens_in, usual_tokens_out, most_tokens_out: of these questions.
        usual_cost, most_cost: of these questions.
        earlier_cost: as in `Plan`.
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


def make_plan(subjects: Sequence[Subject], settings: Settings) -> Plan:
    """Finds out what has been answered by earlier runs into the same folder."""
    cache = AnswerCache(settings.out / "answers")
    items = tuple(_item(subject, settings.parameters) for subject in subjects)
    earlier_cost = settings.prices.of(*cache.lost())
    to_ask: list[Item] = []
    for item in {item.key: item for item in items if item.key}.values():
        reply = cache.get(item.key)
        if reply is None:
            to_ask.append(item)
        else:
            earlier_cost += settings.prices.of(*billed(item.estimate, reply))
    return Plan(items=items, to_ask=tuple(to_ask), earlier_cost=earlier_cost, cache=cache)


def forecast(subjects: Sequence[Subject], settings: Settings) -> Forecast:
    """Counts what `run.recaption` would ask and pay, without sending anything."""
    plan = make_plan(subjects, settings)
    tokens_in = sum(item.estimate.tokens_in for item in plan.to_ask)
    usual = sum(item.estimate.usual_tokens_out for item in plan.to_ask)
    most = sum(item.estimate.most_tokens_out for item in plan.to_ask)
    return Forecast(
        images=len(plan.items),
        unreadable=sum(1 for item in plan.items if item.trouble),
        questions=len(plan.to_ask),
        tokens_in=tokens_in,
        usual_tokens_out=usual,
        most_tokens_out=most,
        usual_cost=settings.prices.of(tokens_in, usual),
        most_cost=settings.prices.of(tokens_in, most),
        earlier_cost=plan.earlier_cost,
    )


def _item(subject: Subject, parameters: Parameters) -> Item:
    question = question_of(subject, parameters)
    asked = estimate(question, width=subject.image.width, height=subject.image.height, num_regions=len(subject.marked))
    try:
        return Item(subject, asked, key=content_key(subject, question))
    except EarthGPTXError as error:
        return Item(subject, asked, trouble=str(error))
