"""From an HTTP request to the model's queue and back: marks are read, a job is submitted, its events are awaited.

The model's thread speaks to the event loop here and nowhere else. Whoever stops listening stops the work.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from earthgptx.data.imagery import Scene
from earthgptx.errors import MalformedMark, TooManyMarks, UnknownDialogue
from earthgptx.geo import scene_marks
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.scene_asking import plan_question
from earthgptx.inference.assistant import Conversation
from earthgptx.inference.marks_file import marks_of
from earthgptx.inference.questions import MAX_MARKS
from earthgptx.processing.answers import without_tokens
from earthgptx.serving.failures import ClientGone, body_of
from earthgptx.serving.jobs import Answered, Event, Failed, Job, Sampling, Usage, Word
from earthgptx.serving.stored import StoredScene
from earthgptx.serving.worker import Worker
from earthgptx.shapes import Mark, mark_from_json

SECONDS_BETWEEN_SIGNS = 1.0  # after which a listener is asked whether it is still there


class Asked:
    """A question whose events are awaited; it stops when its listener does."""

    def __init__(self, stored: StoredScene, dialogue: str) -> None:
        self._stored = stored
        self._dialogue = dialogue
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Word | Failed | dict[str, Any]] = asyncio.Queue()
        self.job: Job | None = None
        self.usage = Usage()

    def hear(self, event: Event) -> None:
        """Called on the model's thread: keeps an answer, and hands the event to the event loop."""
        told: Word | Failed | dict[str, Any]
        if isinstance(event, Answered):
            self.usage = event.usage
            told = self._stored.record(self._dialogue, event.answer, event.conversation)
        else:
            told = event
        with suppress(RuntimeError):  # the loop was closed: nobody is left to be told
            self._loop.call_soon_threadsafe(self._events.put_nowait, told)

    def stop(self) -> None:
        """Nobody listens any more."""
        if self.job is not None:
            self.job.stop()

    async def events(self, request: Request) -> AsyncIterator[Word | Failed | dict[str, Any] | None]:
        """Words, then an answer or a failure; None now and then while nothing happens.

        Raises:
            ClientGone: nobody listens any more.
        """
        checked = time.monotonic()
        try:
            while True:
                if time.monotonic() - checked >= SECONDS_BETWEEN_SIGNS:  # though words may come all the time
                    checked = time.monotonic()
                    if await request.is_disconnected():
                        raise ClientGone
                try:
                    event = await asyncio.wait_for(self._events.get(), SECONDS_BETWEEN_SIGNS)
                except TimeoutError:
                    yield None
                    continue
                yield event
                if not isinstance(event, Word):
                    return
        finally:
            self.stop()

    async def result(self, request: Request) -> dict[str, Any]:
        """The answer.

        Raises:
            ClientGone: nobody listens any more.
            Exception: whatever kept the question from being answered.
        """
        async for event in self.events(request):
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, dict):
                return event
        raise AssertionError("a question ended without an answer")

    async def server_sent(self, request: Request, request_id: str) -> AsyncIterator[bytes]:
        """The events as a text/event-stream: `word`*, then `answer` or `error`."""
        try:
            async for event in self.events(request):
                match event:
                    case None:
                        yield b": still at work\n\n"
                    case Word(text):
                        if words := without_tokens(text):
                            yield sse({"text": words}, "word")
                    case Failed(error):
                        yield sse(body_of(error, request_id), "error")
                    case answer:
                        yield sse(answer, "answer")
        except ClientGone:
            return


class EventStream(StreamingResponse):
    """Server-sent events whose end is told, also when the client left before the first of them was made.

    Args:
        events: what is sent.
        on_end: called once the response is over, whichever way.
    """

    def __init__(self, events: AsyncIterator[bytes], on_end: Callable[[], None]) -> None:
        # The header tells nginx not to gather the words.
        super().__init__(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


def sse(content: object, event: str | None = None) -> bytes:
    """One server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(content, allow_nan=False)}\n\n".encode()


def submit(
    worker: Worker,
    stored: StoredScene,
    *,
    text: str,
    marks: tuple[Mark, ...],
    dialogue: str | None,
    conversation: Conversation | None = None,
    sampling: Sampling,
    seconds: float,
) -> Asked:
    """Puts a question into the queue; what can be wrong with it is found before.

    Args:
        worker: the model's.
        stored: the scene.
        text: the question.
        marks: in the scene's pixels.
        dialogue: id of the one that it goes on with; None begins one.
        conversation: what was said before, where the client keeps it; None looks the dialogue up.
        sampling: how words are chosen.
        seconds: after which it is given up.

    Raises:
        UnknownDialogue: no such dialogue.
        QueueFull, ModelNotReady: come again later.
        EarthGPTXError: one of those of `Conversation.asked`.
    """
    if dialogue is not None and not stored.has_dialogue(dialogue):
        raise UnknownDialogue(f"Scene {stored.id} has no session {dialogue[:40]!r}: it was removed, or never there.")
    worker.check_ready()
    name = dialogue or secrets.token_hex(8)
    before = conversation or stored.conversation(name)
    _check(text, marks, stored.scene, before)
    asked = Asked(stored, name)
    asked.job = Job(
        scene_id=stored.id,
        scene=stored.scene,
        text=text,
        marks=marks,
        dialogue=name,
        conversation=lambda: conversation or stored.conversation(name),
        sampling=sampling,
        on_event=asked.hear,
        seconds=seconds,
    )
    worker.submit(asked.job)
    return asked


def _check(text: str, marks: tuple[Mark, ...], scene: Scene | BigScene, before: Conversation) -> None:
    """Refuses what could not be asked, before it waits for the model."""
    if isinstance(scene, BigScene):
        plan_question(scene, text, marks, conversation=before)
    else:
        before.asked(text, marks, scene)


def read_marks(content: list[Any] | dict[str, Any], coordinates: str, scene: Scene | BigScene) -> tuple[Mark, ...]:
    """The marks of a request: a list as `Mark.to_json` gives them, or GeoJSON.

    Args:
        content: plain values.
        coordinates: "pixel" or "wgs84"; a feature that says itself what it is in is believed.
        scene: what they are drawn on.

    Raises:
        MalformedMark, MarkOutsideImage, TooManyMarks: they cannot be used.
    """
    num_marks = len(content) if isinstance(content, list) else _num_features(content)
    if num_marks > MAX_MARKS:  # before each of them is drawn
        raise TooManyMarks(f"{num_marks:,} marks were given; one question carries at most {MAX_MARKS}.")
    if not content:
        return ()
    if isinstance(content, list):
        if coordinates == "wgs84":
            raise MalformedMark("Marks in degrees (wgs84) must be given as a GeoJSON FeatureCollection.")
        return tuple(mark_from_json(mark) for mark in content)
    if content.get("type") == "FeatureCollection" and content.get("features") == []:
        return ()
    stated = _stating(content, coordinates)
    if isinstance(scene, BigScene):
        return scene_marks.marks_of(stated, scene, name="The marks")
    return marks_of(stated, scene, name="The marks")


def _num_features(content: dict[str, Any]) -> int:
    """Features of a collection, those of collections in it too."""
    waiting: list[Any] = [content]
    num_features = 0
    while waiting:
        one = waiting.pop()
        members = one.get("features") if isinstance(one, dict) else None
        if isinstance(members, list):
            waiting += members
        else:
            num_features += 1
    return num_features


def _stating(content: Any, coordinates: str) -> Any:
    """GeoJSON whose features say what their coordinates are; what is no GeoJSON is left for its reader to refuse."""
    if not isinstance(content, dict):
        return content
    if isinstance(content.get("features"), list):
        return content | {"features": [_stating(feature, coordinates) for feature in content["features"]]}
    if content.get("type") == "Feature":
        own = content.get("properties")
        stated = {"coordinates": "pixels" if coordinates == "pixel" else coordinates}
        return content | {"properties": stated | (own if isinstance(own, dict) else {})}
    return _stating({"type": "Feature", "geometry": content, "properties": {}}, coordinates)
