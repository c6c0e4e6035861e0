"""Any endpoint that speaks OpenAI's chat completions, through the `openai` client, which only this file imports.

A question and a picture go out, a `Reply` comes in. What is worth another attempt gets one, after a wait that
doubles; what is not ends at once with one sentence. The key is never in a message or a log.
"""

from __future__ import annotations

import base64
import email.utils
import json
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from earthgptx.data.recaption.answers import Reply
from earthgptx.data.recaption.request import Question
from earthgptx.data.recaption.schema import SCHEMA, SCHEMA_NAME
from earthgptx.errors import EndpointFailed, MissingExtra

_LOG = logging.getLogger(__name__)

# Statuses that say "not now": too early, a conflict, too many; so does everything from 500 on.
_PASSING = frozenset({408, 409, 425, 429})
# Statuses that speak of this one question; any other one between 400 and 499 speaks of all.
_OF_ONE_QUESTION = frozenset({400, 413, 415, 422})
_NO_KEY = "none"  # the client wants one, a server at home does not


class NoAnswer(Exception):  # noqa: N818  (a sentence about one question)
    """One question got no answer, and others may: the message is the reason."""


@dataclass(frozen=True)
class Patience:
    """How long to go on.

    Attributes:
        attempts: for one question, the first included.
        first_wait, longest_wait: seconds; the wait doubles from one to the other, and a random part of up to a half
            is taken off, so that threads do not come back all at once. A Retry-After of the server is kept to.
        longest_retry_after: seconds; a server that asks for more is given up.
        timeout: seconds for one attempt.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_retry_after: float = 600.0
    timeout: float = 180.0


@dataclass(frozen=True)
class _Trouble:
    """Why an attempt failed that another may mend.

    Attributes:
        reason: a clause.
        was_lost: whether the endpoint may have worked on the question, and bill it.
        is_unreachable: whether nobody answered the call.
        retry_after: seconds that the server asks to wait; None where it says nothing.
    """

    reason: str
    was_lost: bool = False
    is_unreachable: bool = False
    retry_after: float | None = None


class ChatEndpoint:
    """One model at one endpoint; it may be asked from several threads at once.

    Args:
        url: up to and including the version, as in http://127.0.0.1:8000/v1.
        key: None where the endpoint wants none.
        patience: attempts and waits.
        pause: waits so many seconds; by default it wakes up when `halt` is called.
        rng: of the waits.

    Raises:
        EndpointFailed: the URL or the key is none.
        MissingExtra: the `openai` package is not installed.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        patience: Patience,
        pause: Callable[[float], object] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtra("Asking an endpoint needs the openai package: pip install 'earthgptx[data]'.") from error
        self._openai: Any = openai
        self.url = _checked_url(url)
        self._key = _checked_key(key)
        self._patience = patience
        self._halted = threading.Event()
        self._pause = self._halted.wait if pause is None else pause
        self._rng = random.Random() if rng is None else rng
        self._limit_field = "max_tokens"
        self._client: Any = openai.OpenAI(
            base_url=self.url, api_key=self._key or _NO_KEY, max_retries=0, timeout=patience.timeout
        )

    def halt(self) -> None:
        """Ends waiting between attempts, in every thread, for good."""
        self._halted.set()

    def ask(self, question: Question, picture: bytes, on_lost: Callable[[], None]) -> Reply:
        """One answer.

        Args:
            question: the words and the parameters.
            picture: PNG.
            on_lost: called after each attempt whose answer was lost on the way, since it may have been billed; what
                it raises ends the attempts.

        Raises:
            NoAnswer: the endpoint refused this question, or all attempts met with passing trouble.
            EndpointFailed: it is unreachable, or it refuses the key, the model or the address.
        """
        for attempt in range(1, self._patience.attempts + 1):
            limit_field = self._limit_field
            try:
                return self._attempt(question, picture, limit_field)
            except (self._openai.OpenAIError, json.JSONDecodeError, _NotACompletion) as error:
                failure = error
            # Outside the block: the client's own words may hold the key, and would be in the traceback.
            trouble = self._trouble(failure, question, limit_field)
            if trouble.was_lost:
                on_lost()
            if self._halted.is_set() or attempt == self._patience.attempts:
                break
            self._wait(attempt, trouble)
        if trouble.is_unreachable:
            raise EndpointFailed(f"{self.url} cannot be reached after {attempt} attempts: {trouble.reason}.")
        raise NoAnswer(f"No answer after {attempt} of {self._patience.attempts} attempts: {trouble.reason}.")

    def _attempt(self, question: Question, picture: bytes, limit_field: str) -> Reply:
        parameters = question.parameters
        optional: dict[str, Any] = {limit_field: parameters.max_output_tokens}
        if parameters.temperature is not None:
            optional["temperature"] = parameters.temperature
        if parameters.response_format == "json_schema":
            schema = {"name": SCHEMA_NAME, "strict": True, "schema": SCHEMA}
            optional["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif parameters.response_format == "json_object":
            optional["response_format"] = {"type": "json_object"}
        image = "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
        content = [{"type": "text", "text": question.words}, {"type": "image_url", "image_url": {"url": image}}]
        completion = self._client.chat.completions.create(
            model=parameters.model,
            messages=[{"role": "system", "content": question.system}, {"role": "user", "content": content}],
            **optional,
        )
        return _reply(completion)

    def _trouble(self, failure: Exception, question: Question, limit_field: str) -> _Trouble:
        """What went wrong, where another attempt may help; raises where it cannot."""
        if isinstance(failure, self._openai.APIStatusError):
            return _Trouble(self._of_status(failure, question, limit_field), retry_after=_retry_after(failure))
        if not isinstance(failure, self._openai.APIConnectionError):
            words = self._without_key(str(failure)) or type(failure).__name__
            return _Trouble(f"the reply is no chat completion ({words})", was_lost=True)
        cause = failure.__cause__ or failure
        is_unreachable = type(cause).__name__ in ("ConnectError", "ConnectTimeout")
        if isinstance(failure, self._openai.APITimeoutError):
            reason = f"no answer within {self._patience.timeout:g} seconds"
        else:
            reason = f"the connection failed ({type(cause).__name__}: {self._without_key(str(cause))})"
        return _Trouble(reason, was_lost=not is_unreachable, is_unreachable=is_unreachable)

    def _of_status(self, error: Any, question: Question, limit_field: str) -> str:
        """The reason, where another attempt may help; raises where it cannot."""
        status = error.status_code
        said = f"it answered {status}: {self._without_key(_message(error))}"
        if status in _PASSING or status >= 500:
            if error.code == "insufficient_quota":
                raise EndpointFailed(f"{self.url}: the account's own quota is used up; {said}.")
            return said
        if status == 400 and limit_field == "max_tokens" and "max_completion_tokens" in _message(error):
            self._limit_field = "max_completion_tokens"  # newer models know the limit by this name only
            return said
        if status in _OF_ONE_QUESTION:
            hint = ""
            if "response_format" in _message(error) or "json_schema" in _message(error):
                hint = f" (asked for {question.parameters.response_format}; --response-format has others)"
            raise NoAnswer(f"The endpoint refused the question{hint}: {said}.")
        if status in (401, 403):
            key = "the key was refused" if self._key else "no key was given (OPENAI_API_KEY holds none)"
            raise EndpointFailed(f"{self.url}: {key}; {said}.")
        if status == 404:
            raise EndpointFailed(f"{self.url} has no model {question.parameters.model!r} or is no endpoint; {said}.")
        raise EndpointFailed(f"{self.url} cannot be used; {said}.")

    def _wait(self, attempt: int, trouble: _Trouble) -> None:
        patience, wait = self._patience, trouble.retry_after
        longest = min(patience.longest_wait, patience.first_wait * 2 ** (attempt - 1))
        seconds = longest * (1 - 0.5 * self._rng.random())
        if wait is not None:
            if wait > patience.longest_retry_after:
                raise EndpointFailed(
                    f"{self.url} asks to wait {wait:.0f} seconds, more than {patience.longest_retry_after:g}; "
                    f"{trouble.reason}."
                )
            seconds = max(wait, min(seconds, wait + patience.first_wait))
        _LOG.info("Attempt %d of %d: %s; the next in %.1f s.", attempt, patience.attempts, trouble.reason, seconds)
        self._pause(seconds)

    def _without_key(self, text: str) -> str:
        """The text with the key blotted out, on one line and not too long."""
        if self._key:
            text = text.replace(self._key, "[key]")
        return " ".join(text.split())[:300].rstrip(". ")


class _NotACompletion(Exception):  # noqa: N818  (as its neighbours)
    """The reply came whole, but it is not what chat completions look like."""


def _reply(completion: Any) -> Reply:
    choices = getattr(completion, "choices", None)
    if not choices:
        raise _NotACompletion(f"a {type(completion).__name__} without choices")
    choice = choices[0]
    usage = completion.usage
    refusal = getattr(choice.message, "refusal", None)
    return Reply(
        text=choice.message.content or "",
        tokens_in=None if usage is None else usage.prompt_tokens,
        tokens_out=None if usage is None else usage.completion_tokens,
        finish_reason="refusal" if refusal else choice.finish_reason or "stop",
    )


def _checked_url(url: str) -> str:
    """The URL, where it is one; it is not repeated where it may hold a secret."""
    if any(sign in url for sign in "@?#"):
        raise EndpointFailed("The endpoint's URL holds a name, a password or a query; the key goes to OPENAI_API_KEY.")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.split() == [url]
    except ValueError:  # a port that is no number, half a bracket
        is_url = False
    if not is_url:
        raise EndpointFailed(f"{url!r} is no endpoint; it must look like http://127.0.0.1:8000/v1.")
    return url.rstrip("/")


def _checked_key(key: str | None) -> str | None:
    """The key without space around it; None for an empty one."""
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable() and len(key.split()) <= 1):  # no header can hold it
        raise EndpointFailed("The key in OPENAI_API_KEY is none: there are spaces in it, or signs beyond ASCII.")
    return key or None


def _retry_after(error: Any) -> float | None:
    """Seconds that the server asks to wait, said as a number or as a date; None where it says nothing."""
    value = error.response.headers.get("retry-after", "")
    for read in (float, _seconds_until):
        try:
            seconds = read(value)
        except (ValueError, OverflowError):  # not in this form
            continue
        return seconds if 0 <= seconds < float("inf") else None
    return None


def _seconds_until(date: str) -> float:
    return max(0.0, email.utils.parsedate_to_datetime(date).timestamp() - time.time())


def _message(error: Any) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return str(error.message)
