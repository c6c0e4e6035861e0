"""What one running app consists of; addresses get it through `serving_of`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from earthgptx.errors import MalformedRequest
from earthgptx.serving.scenes import SceneStore
from earthgptx.serving.settings import Settings
from earthgptx.serving.watch import Metrics
from earthgptx.serving.worker import Sampling, Worker


@dataclass(frozen=True)
class Serving:
    """The parts of an app."""

    settings: Settings
    scenes: SceneStore
    worker: Worker
    metrics: Metrics

    def sampling(self, max_new_tokens: int, temperature: float, seed: int) -> Sampling:
        """How words are chosen, within the server's limit.

        Raises:
            MalformedRequest: more words than a question may ask for, or a temperature at which numbers overflow.
        """
        if max_new_tokens > self.settings.max_new_tokens:
            raise MalformedRequest(
                f"max_new_tokens is {max_new_tokens:,}; at most {self.settings.max_new_tokens:,} are written."
            )
        if 0 < temperature < 0.01:
            raise MalformedRequest(f"The temperature must be 0, or from 0.01 to 10, not {temperature:g}.")
        return Sampling(max_new_tokens, temperature, seed)


def serving_of(request: Request) -> Serving:
    """The app's parts."""
    serving = request.app.state.serving
    assert isinstance(serving, Serving)
    return serving


TheServing = Annotated[Serving, Depends(serving_of)]
