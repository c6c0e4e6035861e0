"""Who may call: tokens, foreign pages, sizes; and what every answer carries."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from earthgptx.errors import BadSetting
from earthgptx.serving.guard import OPEN_PATHS, SECURITY_HEADERS
from earthgptx.serving.settings import PREFIX, Settings
from earthgptx.serving.watch import JSONLines
from tests.serving.conftest import ASK, png_bytes, serving, upload

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with serving(token=TOKEN, max_body_bytes=5_000) as client:
        yield client


def test_every_address_but_the_open_ones_wants_the_token(client: TestClient):
    document = client.get("/openapi.json").json()
    addresses = [(method, path) for path, methods in document["paths"].items() for method in methods]
    assert len(addresses) > 15
    for method, path in addresses:
        concrete = path.format(scene_id="a", answer_id="b", index=0, z=0, x=0, y=0)
        for header in (None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"):
            headers = {} if header is None else {"Authorization": header.encode("latin-1")}
            bare = TestClient(client.app, base_url="http://127.0.0.1")
            response = bare.request(method, concrete, headers=headers)
            assert (response.status_code == 401) == (path not in OPEN_PATHS), (method, path, header)
            if response.status_code == 401:
                assert response.json()["error"]["code"] == "wrong_token"
                assert response.headers["www-authenticate"] == "Bearer"
        assert client.request(method, concrete).status_code != 401
    assert document["components"]["securitySchemes"]


def test_an_upload_without_a_token_is_not_even_read(client: TestClient):
    bare = TestClient(client.app, base_url="http://127.0.0.1")

    def never() -> Iterator[bytes]:
        yield b"x"
        pytest.fail("the body was read")

    response = bare.post("/scenes", content=never(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert response.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "[::1"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Origin": "http://localhost:5173"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_without_a_token_only_this_machine_s_pages_may_call(headers: dict, status: int):
    with serving() as client:
        assert client.get("/scenes", headers=headers).status_code == status


def test_other_origins_are_let_in_one_by_one():
    with serving() as closed:
        preflight = {"Origin": "http://map.example", "Access-Control-Request-Method": "POST"}
        assert "access-control-allow-origin" not in closed.options("/scenes", headers=preflight).headers
    with serving(cors_origins=("http://map.example",), token=TOKEN) as client:
        allowed = client.options("/scenes", headers=preflight)
        assert allowed.headers["access-control-allow-origin"] == "http://map.example"
        other = client.get("/scenes", headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_every_answer_carries_an_id_and_the_security_headers(client: TestClient):
    for path in ("/", "/health", "/nowhere", "/scenes", "/scenes/x"):
        response = client.get(path, headers={"X-Request-ID": "mine-1"})
        assert response.headers["x-request-id"] == "mine-1"
        assert all(response.headers[name] == value for name, value in SECURITY_HEADERS.items())
    assert client.get("/health", headers={"X-Request-ID": "a\tb<script>"}).headers["x-request-id"].isalnum()


@pytest.mark.parametrize("is_honest", [True, False])
def test_a_body_that_is_too_long_is_refused(client: TestClient, is_honest: bool):
    scene = upload(client)["id"]
    body = json.dumps(ASK | {"question": "x" * 6_000}).encode()
    content = body if is_honest else iter([body[:3_000], body[3_000:]])  # an iterator is sent without a length
    response = client.post(f"/scenes/{scene}/ask", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "upload_too_large")
    assert "5,000" in response.json()["error"]["message"]


@pytest.mark.parametrize("length", ["1" + "0" * 14, "9" * 5_000])
def test_a_length_of_any_length_is_read(client: TestClient, length: str):
    response = client.post("/scenes", content=b"x", headers={"Content-Length": length})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "upload_too_large")


@pytest.mark.parametrize("path", ["/scenes", "/scenes/x/ask", "/v1/chat/completions"])
def test_a_client_that_leaves_amid_its_body_is_no_failure_of_ours(
    client: TestClient, caplog: pytest.LogCaptureFixture, path: str
):
    kind = b"multipart/form-data; boundary=x" if path == "/scenes" else b"application/json"
    headers = [(b"authorization", b"Bearer " + TOKEN.encode()), (b"content-type", kind), (b"content-length", b"999")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(client.app(scope, receive, send))
    assert not [record for record in caplog.records if record.exc_info]
    assert all(message.get("status", 499) < 500 for message in sent)


def test_a_body_that_trickles_is_sent_away(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("earthgptx.serving.guard.SECONDS_FOR_A_BODY", 0.3)

    async def trickle() -> int:
        status, head = 0, [b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n']

        async def receive() -> Message:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": head.pop() if head else b"x", "more_body": True}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        kind = (b"content-type", b"multipart/form-data; boundary=x")
        headers = [(b"authorization", b"Bearer " + TOKEN.encode()), kind]
        scope = {"type": "http", "method": "POST", "path": "/scenes", "query_string": b"", "headers": headers}
        await asyncio.wait_for(client.app(scope, receive, send), 10)
        return status

    assert asyncio.run(trickle()) == 408


def test_a_failure_of_ours_gives_nothing_away(client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr(client.app.state.serving.scenes, "listed", lambda: 1 / 0)
    response = client.get("/scenes")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (500, "internal_error")
    assert "division" not in response.text
    [record] = [one for one in caplog.records if one.exc_info]
    line = json.loads(JSONLines().format(record))
    assert line["request_id"] == error["request_id"]
    assert "ZeroDivisionError" in line["traceback"]


def test_requests_are_logged_with_what_came_of_them(client: TestClient, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="earthgptx.serving.guard"):
        client.get("/scenes/x", headers={"X-Request-ID": "mine"})
    line = json.loads(JSONLines().format(caplog.records[-1]))
    expected = {"request_id": "mine", "method": "GET", "path": "/scenes/x", "status": 404, "level": "info"}
    assert {key: line[key] for key in expected} == expected
    assert TOKEN not in str(line)


def test_metrics_count_by_route_and_not_by_address(client: TestClient):
    client.get("/scenes/somewhere")
    scene = upload(client, png_bytes())["id"]
    client.post(f"/scenes/{scene}/ask", json=ASK)
    text = client.get("/metrics").text
    assert 'earthgptx_requests_total{method="GET",route="/scenes/{scene_id}",status="404"}' in text
    assert "somewhere" not in text
    client.request("BREW", "/health")
    text = client.get("/metrics").text
    assert "BREW" not in text  # or whoever invents methods fills the memory
    assert 'earthgptx_requests_total{method="other",route="/health",status="405"} 1.0' in text
    assert 'earthgptx_questions_total{outcome="answered"} 1.0' in text
    assert "earthgptx_queue_seconds_count 1.0" in text
    assert "earthgptx_queue_length 0.0" in text


def test_settings_come_from_the_environment():
    environment = {"PORT": "8080", "ROOT": "/", "CORS_ORIGINS": "http://a.example/, http://b.example", "TOKEN": ""}
    read = Settings.read({PREFIX + name: value for name, value in environment.items()} | {"HOME": "/x"})
    assert (read.port, str(read.root), read.token) == (8080, "/", "")
    assert read.cors_origins == ("http://a.example", "http://b.example")
    assert Settings.read({}) == Settings()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"PORT": "http"}, "whole number, not 'http'"),
        ({"PORT": "70000"}, "at most 65535, not 70000"),
        ({"QUEUE_SIZE": "0"}, "1 or more, not 0"),
        ({"ROOT": "/no/such/folder"}, "no folder"),
        ({"CORS_ORIGINS": "*"}, "one by one"),
        ({"TOKEN": "two words"}, "without spaces"),
        ({"HOST": "0.0.0.0"}, r"at least 16 characters \(0 were given\)"),
        ({"HOST": "::", "TOKEN": "short"}, r"\(5 were given\)"),
        ({"HOST": "127.0.0.1.evil.example"}, "needs EARTHGPTX_TOKEN"),
    ],
)
def test_a_wrong_variable_is_named(environment: dict, sentence: str):
    with pytest.raises(BadSetting, match=sentence):
        Settings.read({PREFIX + name: value for name, value in environment.items()})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_token(host: str):
    assert Settings(host=host).token == ""
    assert Settings(host="0.0.0.0", token=TOKEN).host == "0.0.0.0"
