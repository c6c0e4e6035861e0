"""What one running app consists of; addresses get it through `serving_of`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from earthgptx.errors import MalformedRequest
from earthgptx.serving.jobs import Sampling
from earthgptx.serving.scenes import SceneStore
from earthgptx.serving.settings import Settings
from earthgptx.serving.stored import StoredScene
from earthgptx.serving.watch import Metrics
from earthgptx.serving.worker import Worker

UPLOADS_AT_ONCE = 8  # bodies with images that are read at the same time; the others wait unread
OPENED_AT_ONCE = 2  # one is copied while another is decoded; in threads of their own, or questions would wait for them


@dataclass(frozen=True)
class Serving:
    """The parts of an app.

    Attributes:
        settings, scenes, worker, metrics: its own.
        uploads: held while a body with an image is read and opened.
    """

    settings: Settings
    scenes: SceneStore
    worker: Worker
    metrics: Metrics
    uploads: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(UPLOADS_AT_ONCE))
    _opening: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(OPENED_AT_ONCE))

    async def open_scene(self, add: Callable[[], StoredScene]) -> StoredScene:
        """Runs what opens a scene, when its turn comes."""
        return await anyio.to_thread.run_sync(add, limiter=self._opening)

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
