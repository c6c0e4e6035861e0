"""OpenAI's chat completions: any client of theirs can ask, with the image in a message and marks in a field of ours.

The client keeps the dialogue and sends all of it each time; the image lives as long as its request.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from earthgptx.data.sample import Turn
from earthgptx.data.sensors import check_sensor
from earthgptx.errors import MalformedRequest, UnknownModel
from earthgptx.inference.assistant import Conversation
from earthgptx.processing.answers import without_tokens
from earthgptx.serving.asking import Asked, EventStream, read_marks, sse, submit
from earthgptx.serving.failures import ClientGone, body_of, request_id_of
from earthgptx.serving.jobs import Failed, Sampling, Usage, Word
from earthgptx.serving.routes import EVENTS, about
from earthgptx.serving.schemas import REFUSALS, ChatBody, ChatMessage, inlined
from earthgptx.serving.state import Serving, TheServing
from earthgptx.serving.stored import StoredScene

router = APIRouter(prefix="/v1", responses=REFUSALS)

# The body is parsed here and not by the framework, which would hold it, image and all, until the answer is there.
DOCUMENT = {"requestBody": {"required": True, "content": {"application/json": {"schema": inlined(ChatBody)}}}}


@router.get("/models")
async def models(serving: TheServing) -> dict[str, Any]:
    """The one model that answers."""
    name = (await about(serving))["model"]
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "earthgptx"}]}


@router.post("/chat/completions", responses=EVENTS, openapi_extra=DOCUMENT)
async def complete(request: Request, serving: TheServing) -> Any:
    """Answers the last message. The answer's masks come in `choices[0].message.earthgptx`, as `ask` gives them."""
    name = (await about(serving))["model"]
    async with serving.uploads:
        body, turns, stored = await _begun(request, serving, name)
    try:
        marks = await asyncio.to_thread(read_marks, body.marks, body.coordinates, stored.scene)
        sampling = _sampling(body, serving)
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
            wants_usage = body.stream_options is not None and body.stream_options.include_usage
            chunks = _chunks(asked, request, frame, wants_usage=wants_usage)
            return EventStream(chunks, on_end=lambda: _end(asked, serving, stored))
        answer = await asked.result(request)
    except BaseException:
        serving.scenes.discard(stored.id)
        raise
    serving.scenes.discard(stored.id)
    message = {"role": "assistant", "content": answer["words"], "earthgptx": answer}
    choice = {"index": 0, "message": message, "finish_reason": _reason(asked.usage), "logprobs": None}
    return JSONResponse(frame | {"object": "chat.completion", "choices": [choice], "usage": _usage(asked.usage)})


async def _begun(request: Request, serving: Serving, name: str) -> tuple[ChatBody, tuple[Turn, ...], StoredScene]:
    """The body without its messages, the dialogue, and the image as a scene: its text is not held any longer."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise MalformedRequest(f"A chat is sent as application/json, not {kind[:80] or 'nothing'!r}.")
    body = await asyncio.to_thread(_parsed, [part async for part in request.stream()])
    if body.model != name:
        raise UnknownModel(f"There is no model {body.model[:80]!r} here, only {name!r}.")
    turns, url = _read(body.messages)
    body.messages = []
    sensor = check_sensor(body.sensor)
    _sampling(body, serving)
    serving.worker.check_ready()
    image = await asyncio.to_thread(_decoded, url)

    def write(path: Path) -> None:
        path.write_bytes(image)

    stored = await serving.open_scene(lambda: serving.scenes.add_upload("image", write, sensor=sensor, is_listed=False))
    return body, turns, stored


def _parsed(parts: list[bytes]) -> ChatBody:
    try:
        return ChatBody.model_validate_json(b"".join(parts))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_context=False)) from error


def _sampling(body: ChatBody, serving: Serving) -> Sampling:
    most = body.max_completion_tokens or body.max_tokens or 256
    return serving.sampling(most, body.temperature or 0.0, body.seed or 0)


def _end(asked: Asked, serving: Serving, stored: StoredScene) -> None:
    asked.stop()
    serving.scenes.discard(stored.id)


def _reason(usage: Usage) -> str:
    return "length" if usage.is_cut else "stop"


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.num_prompt_tokens,
        "completion_tokens": usage.num_answer_tokens,
        "total_tokens": usage.num_prompt_tokens + usage.num_answer_tokens,
    }


async def _chunks(asked: Asked, request: Request, frame: dict[str, Any], *, wants_usage: bool) -> AsyncIterator[bytes]:
    def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
        # Where a client wants the usage, OpenAI's chunks say in all but the last that it is not told yet.
        told = {"usage": None} if wants_usage else {}
        return sse(frame | {"object": "chat.completion.chunk", "choices": choices} | told | more)

    def saying(delta: dict[str, Any], reason: str | None = None) -> bytes:
        return chunk([{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}])

    try:
        yield saying({"role": "assistant", "content": ""})
        async for event in asked.events(request):
            match event:
                case None:
                    yield b": still at work\n\n"
                case Word(text):
                    if words := without_tokens(text):
                        yield saying({"content": words})
                case Failed(error):
                    yield sse(body_of(error, request_id_of(request)))
                    return
                case answer:
                    yield saying({"earthgptx": answer}, _reason(asked.usage))
        if wants_usage:
            yield chunk([], usage=_usage(asked.usage))
        yield b"data: [DONE]\n\n"
    except ClientGone:
        return


def _read(messages: list[ChatMessage]) -> tuple[tuple[Turn, ...], str]:
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
    return tuple(turns), images[0]


def _decoded(url: str) -> bytes:
    head, comma, content = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise MalformedRequest("The image must be a data URL (data:image/png;base64,...); no address is fetched.")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest(f"The image's data URL is not base64: {error}.") from error
