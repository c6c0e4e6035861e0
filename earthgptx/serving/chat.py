"""OpenAI's chat completions: any client of theirs can ask, with the image in a message and marks in a field of ours.

The client keeps the dialogue and sends all of it each time; the image lives as long as its request.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse

from earthgptx.data.sample import Turn
from earthgptx.data.sensors import check_sensor
from earthgptx.errors import MalformedRequest, UnknownModel
from earthgptx.inference.assistant import Conversation
from earthgptx.processing.answers import without_tokens
from earthgptx.serving.asking import Asked, read_marks, sse, submit
from earthgptx.serving.failures import ClientGone, body_of, request_id_of
from earthgptx.serving.routes import EVENTS, about, copy_to
from earthgptx.serving.scenes import StoredScene
from earthgptx.serving.schemas import REFUSALS, ChatBody, ChatMessage
from earthgptx.serving.state import Serving, TheServing
from earthgptx.serving.worker import Failed, Word

router = APIRouter(prefix="/v1", responses=REFUSALS)


@router.get("/models")
async def models(serving: TheServing) -> dict[str, Any]:
    """The one model that answers."""
    name = (await about(serving))["model"]
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "earthgptx"}]}


@router.post("/chat/completions", responses=EVENTS)
async def complete(body: ChatBody, request: Request, serving: TheServing) -> Any:
    """Answers the last message. The answer's masks come in `choices[0].message.earthgptx`, as `ask` gives them."""
    name = (await about(serving))["model"]
    if body.model != name:
        raise UnknownModel(f"There is no model {body.model[:80]!r} here, only {name!r}.")
    turns, image = _read(body.messages)
    sampling = serving.sampling(
        body.max_completion_tokens or body.max_tokens or 256, body.temperature or 0.0, body.seed or 0
    )
    serving.worker.check_ready()
    stored = await asyncio.to_thread(
        serving.scenes.add_upload,
        "image",
        lambda path: copy_to(path, io.BytesIO(image)),
        sensor=check_sensor(body.sensor),
        is_listed=False,
    )
    try:
        marks = await asyncio.to_thread(read_marks, body.marks, body.coordinates, stored.scene)
        asked = submit(
            serving.worker,
            stored,
            text=turns[-1].text,
            marks=marks,
            dialogue=None,
            conversation=Conversation(marks, turns[:-1]),
            sampling=sampling,
            seconds=serving.settings.answer_seconds,
        )
        frame = {"id": f"chatcmpl-{stored.id}", "created": int(time.time()), "model": name}
        if body.stream:
            return StreamingResponse(_chunks(asked, request, serving, stored, frame), media_type="text/event-stream")
        answer = await asked.result(request)
    except BaseException:
        serving.scenes.discard(stored.id)
        raise
    serving.scenes.discard(stored.id)
    message = {"role": "assistant", "content": answer["words"], "earthgptx": answer}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return JSONResponse(frame | {"object": "chat.completion", "choices": [choice]})


async def _chunks(
    asked: Asked, request: Request, serving: Serving, stored: StoredScene, frame: dict[str, Any]
) -> AsyncIterator[bytes]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return sse(frame | {"object": "chat.completion.chunk", "choices": [choice]})

    try:
        yield chunk({"role": "assistant", "content": ""})
        async for event in asked.events(request):
            match event:
                case None:
                    yield b": still at work\n\n"
                case Word(text):
                    if words := without_tokens(text):
                        yield chunk({"content": words})
                case Failed(error):
                    yield sse(body_of(error, request_id_of(request)))
                    return
                case answer:
                    yield chunk({"earthgptx": answer}, "stop")
        yield b"data: [DONE]\n\n"
    except ClientGone:
        return
    finally:
        serving.scenes.discard(stored.id)


def _read(messages: list[ChatMessage]) -> tuple[tuple[Turn, ...], bytes]:
    """The dialogue, user and model in turn, and its one image; what the system is told, the model cannot hear."""
    turns: list[Turn] = []
    images: list[str] = []
    for message in messages:
        if message.role in ("system", "developer"):
            continue
        role: Literal["user", "model"] = "model" if message.role == "assistant" else "user"
        if (role == "user") != (len(turns) % 2 == 0):
            raise MalformedRequest("User and assistant must speak in turn, the user first.")
        parts = message.content if isinstance(message.content, list) else []
        text = (
            message.content if isinstance(message.content, str) else " ".join(part.text for part in parts if part.text)
        )
        images += [part.image_url.url for part in parts if part.image_url is not None]
        turns.append(Turn(role=role, text=text))
    if len(turns) % 2 == 0:
        raise MalformedRequest("The last message must be the user's.")
    if len(images) != 1:
        raise MalformedRequest(f"A dialogue is about one image, as an image_url part, but {len(images)} were sent.")
    return tuple(turns), _decoded(images[0])


def _decoded(url: str) -> bytes:
    head, comma, content = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise MalformedRequest("The image must be a data URL (data:image/png;base64,...); no address is fetched.")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest(f"The image's data URL is not base64: {error}.") from error
