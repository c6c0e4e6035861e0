"""A server in a process of its own fashion: uvicorn on a free port, spoken to by the `openai` client and by sockets."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
import uvicorn
from starlette.requests import ClientDisconnect

from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.serving.app import create_app
from earthgptx.serving.asking import EventStream
from earthgptx.serving.settings import Settings
from tests.inference.fake_generator import generated
from tests.serving.conftest import ASK, BOX, Dictated, png_bytes, upload, wait_until
from tests.tiny_model import tiny_model, tiny_processor

TOKEN = "a-token-of-some-length"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(png_bytes()).decode()}}


@contextmanager
def listening(generator: Any, **settings: Any) -> Iterator[tuple[str, uvicorn.Server]]:
    """A server's address."""
    app = create_app(Settings(token=TOKEN, **settings), lambda: Assistant(generator))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        wait_until(lambda: httpx.get(address + "/ready", headers=headers).status_code == 200)
        yield address, app
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def client_of(address: str, token: str = TOKEN) -> openai.OpenAI:
    return openai.OpenAI(base_url=address + "/v1", api_key=token, max_retries=0, timeout=30)


def question(text: str = "What is marked?") -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}, IMAGE]}


def test_the_openai_client_gets_what_ask_gets():
    with listening(Generator(tiny_model(), tiny_processor())) as (address, app):
        client = client_of(address)
        [model] = client.models.list().data
        completion = client.chat.completions.create(
            model=model.id, messages=[question()], max_tokens=8, temperature=0, extra_body={"marks": [BOX]}
        )
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}) as plain:
            scene = upload(plain)["id"]
            answer = plain.post(f"/scenes/{scene}/ask", json=ASK).json()
            assert [one["id"] for one in plain.get("/scenes").json()["scenes"]] == [scene]  # no chat is listed
        usage = completion.usage
        assert usage.completion_tokens == 8  # a random model does not end by itself
        assert completion.choices[0].finish_reason == "length"
        assert 0 < usage.prompt_tokens == usage.total_tokens - 8
        message = completion.choices[0].message
        assert (message.role, message.content) == ("assistant", answer["words"])
        assert message.earthgptx["regions"] == answer["regions"]
        chunks = list(
            client.chat.completions.create(
                model=model.id,
                messages=[question()],
                max_tokens=8,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"marks": [BOX]},
            )
        )
        assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
        last = chunks.pop()
        assert (last.choices, last.usage) == ([], usage)
        assert {chunk.usage for chunk in chunks} == {None}
        assert chunks[-1].choices[0].finish_reason == "length"
        assert chunks[-1].choices[0].delta.earthgptx["text"] == answer["text"]
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert said.split() == answer["words"].split()
        wait_until(lambda: len(app.state.serving.scenes) == 1)  # images go with their requests


def test_a_dialogue_of_the_openai_client():
    generator = Dictated(["yes"])
    with listening(generator) as (address, _):
        completion = client_of(address).chat.completions.create(
            model="nano",
            messages=[
                {"role": "system", "content": "Be brief."},
                question("What is <Region 1>?"),
                {"role": "assistant", "content": "<Region 1>: a ship"},
                {"role": "user", "content": "Is it big?"},
            ],
            extra_body={"marks": [BOX], "sensor": "sar"},
        )
    assert completion.choices[0].message.content == "yes"
    assert (completion.choices[0].finish_reason, completion.usage.completion_tokens) == ("stop", 1)
    [asked] = generator.requests
    assert [turn.text for turn in asked.turns] == ["What is <Region 1>?", "<Region 1>: a ship", "Is it big?"]
    assert (len(asked.marks), asked.views.sensor) == (1, "sar")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening(Dictated()) as (address, _):
        yield address


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"model": "gpt-4"}, openai.NotFoundError, "no model 'gpt-4'"),
        ({"messages": [{"role": "user", "content": "What?"}]}, openai.BadRequestError, "0 were sent"),
        ({"messages": [question(), question()]}, openai.BadRequestError, "in turn"),
        ({"messages": []}, openai.UnprocessableEntityError, "messages"),
        ({"messages": [question("What is <Region 3>?")]}, openai.UnprocessableEntityError, "region 3"),
        ({"max_tokens": 10**9}, openai.BadRequestError, "1,000,000,000"),
        ({"n": 2}, openai.UnprocessableEntityError, "n: "),
    ],
    ids=range(7),
)
def test_the_openai_client_is_told_what_is_wrong(address: str, change: dict, error: type[Exception], sentence: str):
    with pytest.raises(error, match=sentence):
        client_of(address).chat.completions.create(**{"model": "nano", "messages": [question()], **change})


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/a.png", "file:///etc/passwd", "data:image/png,abc", "data:image/png;base64,???", ""],
)
def test_no_address_is_fetched(address: str, url: str):
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is this?"}]
    with pytest.raises(openai.BadRequestError, match="data URL"):
        client_of(address).chat.completions.create(model="nano", messages=[{"role": "user", "content": content}])


def test_the_openai_client_needs_the_token(address: str):
    with pytest.raises(openai.AuthenticationError, match="token"):
        client_of(address, "wrong").models.list()


class Endless(Dictated):
    """Says a word every few milliseconds until nobody listens."""

    def __init__(self) -> None:
        super().__init__()
        self.num_stopped = 0

    def generate(self, requests: Any, *, on_text: Any, is_stopped: Any, **settings: Any) -> Any:
        end = time.monotonic() + 20
        while time.monotonic() < end and not all(is_stopped(place) for place in range(len(requests))):
            for place in range(len(requests)):
                on_text(place, "word ")
            time.sleep(0.01)
        self.num_stopped += time.monotonic() < end
        return [generated("word") for _ in requests]


@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_client_that_goes_away_stops_its_work(is_streamed: bool):
    generator = Endless()
    with listening(generator) as (address, app):
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}) as plain:
            scene = upload(plain)["id"]
        host, port = address.removeprefix("http://").split(":")
        body = json.dumps(ASK | {"stream": is_streamed}).encode()
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"POST /scenes/{scene}/ask HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            if is_streamed:
                received = b""
                while received.count(b"event: word") < 3:
                    received += connection.recv(4096)
                assert b"event: answer" not in received  # words come before the answer is whole
            else:
                wait_until(lambda: app.state.serving.worker.num_waiting == 0)
                time.sleep(0.1)
        wait_until(lambda: generator.num_stopped == 1)
        assert app.state.serving.scenes.get(scene).answers == []


def test_a_stream_that_nobody_began_to_read_ends_its_work():
    ended: list[str] = []

    async def never() -> AsyncIterator[bytes]:
        yield b"x"

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise OSError("the client is gone")

    stream = EventStream(never(), on_end=lambda: ended.append("once"))
    with pytest.raises((ClientDisconnect, OSError, BaseExceptionGroup)):
        asyncio.run(stream({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send))
    assert ended == ["once"]


def test_a_client_that_sends_half_a_body_is_sent_away(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("earthgptx.serving.guard.SECONDS_BETWEEN_PARTS", 0.2)
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST /scenes HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100\r\n\r\n--x\r\n".encode()
        )
        assert b" 408 " in connection.recv(4096).splitlines()[0]
