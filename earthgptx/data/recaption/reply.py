"""What an endpoint gives back for one question, and the two ways in which it does not.

The nouns between the client, the cache and the run; no network is known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from earthgptx.data.recaption.request import Question


@dataclass(frozen=True)
class Reply:
    """One paid answer.

    Attributes:
        text: as the model wrote it; empty where it refused.
        tokens_in, tokens_out: as billed; None where the endpoint does not say.
        finish_reason: "stop" for a whole answer; "length" for one that was cut, and so on.
    """

    text: str
    tokens_in: int | None
    tokens_out: int | None
    finish_reason: str


class NoAnswer(Exception):  # noqa: N818  (a sentence about one question)
    """One question got no answer, and others may: the message is the reason."""


class Endpoint(Protocol):
    """Whatever answers questions about pictures."""

    def ask(self, question: Question, picture: bytes, on_lost: Callable[[], None]) -> Reply:
        """One answer; called from several threads at once.

        Args:
            question: the words and the parameters.
            picture: PNG.
            on_lost: called after each attempt whose answer was lost on the way, since it may have been billed.

        Raises:
            NoAnswer: this question got none.
            EndpointFailed: no question will get any.
        """
        ...

    def halt(self) -> None:
        """Ends waiting between attempts, in every thread, for good."""
        ...
