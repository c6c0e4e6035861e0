"""Tokens and money: what a question may cost at most, what has been paid, and whether the next one fits the budget.

Estimates are made before a question is sent and kept aside until its bill is known, so that questions in flight
never pass the budget together. No currency is known here: prices and budget are in the same one.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from earthgptx.data.recaption.answers import Reply
from earthgptx.data.recaption.request import Question
from earthgptx.data.recaption.schema import SCHEMA
from earthgptx.data.recaption.set_of_marks import picture_size

_LETTERS_PER_TOKEN = 3  # English has four and more; the estimate should rather be high
_SCHEMA_LETTERS = len(str(SCHEMA))

# What an answer of the schema takes, for the dry run: words of the caption, and of each region and its relation.
_TYPICAL_OUTPUT = 220
_TYPICAL_OUTPUT_PER_REGION = 75


@dataclass(frozen=True)
class Prices:
    """Money per million tokens."""

    per_million_in: float = 0.0
    per_million_out: float = 0.0

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


@dataclass(frozen=True)
class Estimate:
    """Tokens of a question before it is asked: of the input, of a usual answer and of the longest one."""

    tokens_in: int
    usual_tokens_out: int
    most_tokens_out: int


@dataclass(frozen=True)
class Spending:
    """What has been paid so far.

    Attributes:
        answers: replies paid for.
        lost: attempts whose reply never came; they may have been billed, and are counted at their full estimate.
        tokens_in, tokens_out: of both.
        cost: of both.
    """

    answers: int = 0
    lost: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


def estimate(question: Question, *, width: int, height: int, num_regions: int) -> Estimate:
    """What a question will take; the input is estimated rather too high than too low.

    Args:
        question: its words.
        width, height: of the image, in its own pixels.
        num_regions: how many descriptions the answer will have.
    """
    parameters = question.parameters
    letters = len(question.system) + len(question.words) + _SCHEMA_LETTERS
    tokens_in = math.ceil(letters / _LETTERS_PER_TOKEN) + image_tokens(*picture_size(width, height, parameters.side))
    usual = _TYPICAL_OUTPUT + _TYPICAL_OUTPUT_PER_REGION * num_regions
    return Estimate(tokens_in, min(usual, parameters.max_output_tokens), parameters.max_output_tokens)


def image_tokens(width: int, height: int) -> int:
    """Tokens of a picture by the dearer of two usual rules: one per 28 x 28 pixels, or 170 per 512 x 512 and 85."""
    patches = math.ceil(width / 28) * math.ceil(height / 28)
    tiles = 85 + 170 * math.ceil(width / 512) * math.ceil(height / 512)
    return max(patches, tiles)


class Ledger:
    """What is paid and what is kept aside; every method may be called from any thread.

    Args:
        prices: of tokens.
        budget: the most that may be spent, `earlier_cost` included; None for no limit.
        earlier_cost: what earlier runs paid.
    """

    def __init__(self, prices: Prices, budget: float | None, earlier_cost: float) -> None:
        self._prices = prices
        self._budget = math.inf if budget is None else budget
        self._earlier_cost = earlier_cost
        self._spent = Spending()
        self._reserved = 0.0
        self._factor = 1.0  # on the estimates of the input: raised where a bill was higher
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spending:
        """What this run has paid."""
        with self._lock:
            return self._spent

    def total_cost(self) -> float:
        """What this run and the earlier ones have paid."""
        return self._earlier_cost + self.spent.cost

    def reserve(self, asked: Estimate) -> float | None:
        """Keeps aside what the question may cost at most, and says how much; None where the budget lacks it."""
        with self._lock:
            most = self._prices.of(math.ceil(asked.tokens_in * self._factor), asked.most_tokens_out)
            if self._earlier_cost + self._spent.cost + self._reserved + most > self._budget:
                return None
            self._reserved += most
            return most

    def release(self, reserved: float) -> None:
        """Gives back what was kept aside for a question that was not answered."""
        with self._lock:
            self._reserved -= reserved

    def settle(self, asked: Estimate, reserved: float, reply: Reply) -> None:
        """Replaces what was kept aside by the bill; where the endpoint states none, by the estimate."""
        tokens_in, tokens_out = billed(asked, reply)
        with self._lock:
            self._factor = max(self._factor, tokens_in / max(asked.tokens_in, 1))
            self._reserved -= reserved
            self._add(tokens_in, tokens_out, answers=1)

    def lose(self, asked: Estimate) -> bool:
        """Counts an attempt whose reply was lost as paid in full; says whether the budget allows another."""
        with self._lock:
            self._add(asked.tokens_in, asked.most_tokens_out, lost=1)
            return self._earlier_cost + self._spent.cost + self._reserved <= self._budget

    def _add(self, tokens_in: int, tokens_out: int, *, answers: int = 0, lost: int = 0) -> None:
        spent = self._spent
        self._spent = Spending(
            answers=spent.answers + answers,
            lost=spent.lost + lost,
            tokens_in=spent.tokens_in + tokens_in,
            tokens_out=spent.tokens_out + tokens_out,
            cost=spent.cost + self._prices.of(tokens_in, tokens_out),
        )


def billed(asked: Estimate, reply: Reply) -> tuple[int, int]:
    """Tokens in and out of a reply, by the endpoint's own count or else by the estimate."""
    tokens_in = asked.tokens_in if reply.tokens_in is None else reply.tokens_in
    tokens_out = math.ceil(len(reply.text) / _LETTERS_PER_TOKEN) if reply.tokens_out is None else reply.tokens_out
    return tokens_in, tokens_out
