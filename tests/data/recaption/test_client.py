"""The client against a server that misbehaves: what passes is waited out, what does not ends in one sentence."""

from __future__ import annotations

import email.utils
import json
import logging
import random
import socket
import sys
import time
import traceback

import pytest

from earthgptx.data.recaption.client import ChatEndpoint, NoAnswer, Patience
from earthgptx.data.recaption.request import Parameters, Question
from earthgptx.data.recaption.schema import SCHEMA
from earthgptx.errors import EndpointFailed, MissingExtra
from tests.fixtures.misbehaving_endpoint import EndpointState, Step, endpoint, error

KEY = "sk-very-secret-0123456789"
QUESTION = Question(system="system words", words="1: ship\n", parameters=Parameters(model="made-1"))


class Waits(list[float]):
    """A pause that only takes notes."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def client(state: EndpointState, waits: Waits, key: str | None = KEY, **patience: float) -> ChatEndpoint:
    settings = Patience(**{"attempts": 4, "timeout": 5.0, **patience})  # type: ignore[arg-type]
    return ChatEndpoint(state.url, key, patience=settings, pause=waits, rng=random.Random(0))


def ask(script: list[Step], question: Question = QUESTION, **patience: float):
    """The reply, the waits, the number of lost attempts and the server's state."""
    waits, lost = Waits(), []
    with endpoint(script) as state:
        reply = client(state, waits, **patience).ask(question, b"png", lambda: lost.append(1))
    return reply, waits, len(lost), state


def test_a_good_answer_comes_with_its_bill():
    reply, waits, lost, state = ask([])
    assert (reply.tokens_in, reply.tokens_out, reply.finish_reason) == (1000, 200, "stop")
    assert json.loads(reply.text)["regions"][0]["class"] == "ship"
    assert (waits, lost, len(state.requests)) == ([], 0, 1)


def test_what_is_sent_is_the_question_the_picture_and_the_schema():
    (_, _, _, state) = ask([], Question("s", "1: ship\n", Parameters("made-1", max_output_tokens=77, temperature=0.25)))
    (sent,) = state.requests
    assert sent["model"] == "made-1"
    assert (sent["max_tokens"], sent["temperature"]) == (77, 0.25)
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert sent["messages"][0] == {"role": "system", "content": "s"}
    assert state.pictures() == ["data:image/png;base64,cG5n"]
    assert state.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize(("form", "sent"), [("json_object", {"type": "json_object"}), ("text", None)])
def test_other_forms_can_be_asked_for(form, sent):
    (_, _, _, state) = ask([], Question("s", "1: ship\n", Parameters("made-1", response_format=form)))
    assert state.requests[0].get("response_format") == sent
    assert "temperature" not in state.requests[0]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_passing_trouble_is_tried_again(status):
    reply, waits, lost, state = ask([error(status, "later"), error(status, "later")])
    assert reply.text
    assert len(state.requests) == 3
    assert lost == 0
    assert 0.5 <= waits[0] <= 1.0 <= waits[1] <= 2.0


def test_waits_double_up_to_the_longest_and_differ():
    script = [error(503, "busy")] * 7
    _, waits, _, _ = ask(script, attempts=8, first_wait=1.0, longest_wait=10.0)
    for wait, longest in zip(waits, (1, 2, 4, 8, 10, 10, 10), strict=True):
        assert longest / 2 <= wait <= longest
    assert len(set(waits)) == 7


@pytest.mark.parametrize(
    ("header", "wait"),
    [("7", 7.0), ("0.25", 0.25)],
)
def test_retry_after_is_kept_to(header, wait):
    _, waits, _, _ = ask([error(429, "slow down", headers=(("Retry-After", header),))])
    assert wait <= waits[0] <= wait + 1.0


def test_retry_after_may_be_a_date():
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    _, waits, _, _ = ask([error(429, "slow down", headers=(("Retry-After", date),))])
    assert 5 <= waits[0] <= 31


def test_a_date_that_is_over_is_no_wait_at_all():
    header = ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")
    _, waits, _, _ = ask([error(429, "slow down", headers=(header,))])
    assert 0 <= waits[0] <= 1.0


@pytest.mark.parametrize("header", ["soon", "-5", "nan", "inf", ""])
def test_a_retry_after_that_means_nothing_is_no_wait_of_its_own(header):
    _, waits, _, _ = ask([error(429, "slow down", headers=(("Retry-After", header),))])
    assert 0.5 <= waits[0] <= 1.0


def test_a_server_that_asks_for_hours_is_given_up():
    with pytest.raises(EndpointFailed, match="asks to wait 7200 seconds, more than 600"):
        ask([error(429, "come back", headers=(("Retry-After", "7200"),))])


def test_a_time_out_is_tried_again_and_counted_as_lost():
    reply, waits, lost, state = ask([Step(hang=30)], timeout=0.75)
    assert reply.text
    assert len(waits) == lost == len(state.requests) - 1 >= 1


@pytest.mark.parametrize("step", [Step(drop="at once"), Step(drop="halfway"), Step(body="<html>"), Step(body="{}")])
def test_a_reply_that_is_lost_or_none_is_tried_again_and_counted(step):
    reply, waits, lost, state = ask([step])
    assert reply.text
    assert (len(waits), lost, len(state.requests)) == (1, 1, 2)


def test_trouble_that_does_not_pass_ends_with_its_reason():
    with pytest.raises(NoAnswer, match="after 4 of 4 attempts: it answered 503: overloaded"):
        ask([error(503, "overloaded")] * 4)


def test_a_refused_question_is_not_asked_again():
    waits = Waits()
    with endpoint([error(400, "the image is not allowed")]) as state:
        with pytest.raises(NoAnswer, match="it answered 400: the image is not allowed"):
            client(state, waits).ask(QUESTION, b"png", lambda: None)
        assert len(state.requests) == 1


def test_an_endpoint_without_schemas_gets_a_hint():
    with pytest.raises(NoAnswer, match="--response-format has others"):
        ask([error(400, "response_format json_schema is not supported")])


def test_a_model_that_knows_another_name_for_the_limit_is_asked_by_it():
    reply, _, _, state = ask([error(400, "'max_tokens' is not supported; use 'max_completion_tokens' instead.")])
    assert reply.text
    assert "max_tokens" in state.requests[0]
    assert state.requests[1]["max_completion_tokens"] == 3000
    assert "max_tokens" not in state.requests[1]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (error(401, f"Incorrect key {KEY}."), "the key was refused; it answered 401: Incorrect key [key]"),
        (error(403, "not yours"), "the key was refused; it answered 403: not yours"),
        (error(404, "no such model"), "has no model 'made-1' or is no endpoint; it answered 404: no such model"),
        (error(405, "not this way"), "cannot be used; it answered 405"),
        (error(429, "pay first", code="insufficient_quota"), "the account's own quota is used up"),
    ],
)
def test_what_will_not_get_better_ends_at_once(step, words):
    with endpoint([step]) as state:
        with pytest.raises(EndpointFailed) as failed:
            client(state, Waits()).ask(QUESTION, b"png", lambda: None)
        assert len(state.requests) == 1
    assert words in str(failed.value)
    assert len(str(failed.value).splitlines()) == 1
    assert KEY not in str(failed.value)


def test_a_refused_empty_key_says_how_to_give_one():
    with (
        endpoint([error(401, "who are you")]) as state,
        pytest.raises(EndpointFailed, match=r"no key was given \(OPENAI"),
    ):
        client(state, Waits(), key=None).ask(QUESTION, b"png", lambda: None)


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"  # bound, but not listening
        waits, lost = Waits(), []
        chat = ChatEndpoint(url, KEY, patience=Patience(attempts=3), pause=waits)
        with pytest.raises(EndpointFailed, match="cannot be reached after 3 attempts"):
            chat.ask(QUESTION, b"png", lambda: lost.append(1))
    assert len(waits) == 2
    assert not lost  # nothing can have been billed


@pytest.mark.parametrize(
    "url",
    ["", "api.example.com/v1", "ftp://example.com", "http:///v1", "http://a:b/v1", "http://[::1/v1", "http://a b/v1"],
)
def test_urls_that_are_none(url):
    with pytest.raises(EndpointFailed, match="is no endpoint"):
        ChatEndpoint(url, KEY, patience=Patience())


def test_without_the_package_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match=r"pip install 'earthgptx\[data\]'"):
        ChatEndpoint("http://127.0.0.1:9/v1", KEY, patience=Patience())


@pytest.mark.parametrize("url", [f"https://me:{KEY}@example.com/v1", f"https://a.com/v1?key={KEY}", f"me:{KEY}@a.com"])
def test_a_secret_in_the_url_is_refused_and_not_repeated(url):
    with pytest.raises(EndpointFailed, match="OPENAI_API_KEY") as failed:
        ChatEndpoint(url, None, patience=Patience())
    assert KEY not in str(failed.value)


@pytest.mark.parametrize("key", [f"{KEY} {KEY}", f"{KEY}\x00", f"{KEY}\N{EN DASH}"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated(key):
    with pytest.raises(EndpointFailed, match="The key in OPENAI_API_KEY is none") as failed:
        ChatEndpoint("http://127.0.0.1:9/v1", key, patience=Patience())
    assert KEY not in str(failed.value)


def test_space_around_the_key_is_not_sent():
    with endpoint() as state:
        client(state, Waits(), key=f" {KEY}\r\n").ask(QUESTION, b"png", lambda: None)
    assert state.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("step", [error(401, f"not {KEY}"), error(400, f"not {KEY}"), error(503, f"not {KEY}")])
def test_the_key_is_in_no_traceback(step):
    with pytest.raises((EndpointFailed, NoAnswer)) as failed:
        ask([step] * 4)
    assert KEY not in "".join(traceback.format_exception(failed.value))


def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        ask([error(429, f"slow down, {KEY}"), error(500, f"broken {KEY}"), Step(drop="at once")])
    assert "Attempt 1 of 4" in caplog.text
    assert KEY not in caplog.text


def test_halting_ends_the_waits():
    with endpoint([error(503, "busy")] * 9) as state:
        chat = ChatEndpoint(state.url, KEY, patience=Patience(attempts=9, first_wait=600, longest_wait=600))
        chat.halt()
        with pytest.raises(NoAnswer):
            chat.ask(QUESTION, b"png", lambda: None)
        assert len(state.requests) == 1


def test_a_reply_without_a_bill_or_with_a_refusal_is_said_so():
    reply, *_ = ask([Step(has_usage=False, finish_reason="length")])
    assert (reply.tokens_in, reply.tokens_out, reply.finish_reason) == (None, None, "length")
    message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "made-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }
    reply, *_ = ask([Step(body=json.dumps(body))])
    assert (reply.text, reply.finish_reason) == ("", "refusal")
