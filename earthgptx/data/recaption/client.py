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
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from earthgptx.data.recaption.reply import NoAnswer, Reply
from earthgptx.data.recaption.request import Question
from earthgptx.data.recaption.schema import SCHEMA, SCHEMA_NAME
from earthgptx.errors import EndpointFailed, MissingExtra

_LOG = logging.getLogger(__name__)

# Statuses that say "not now": too early, a conflict, too many, and everything that is the server's own fault.
_PASSING = frozenset({408, 409, 425, 429})
# Statuses that speak of this one question; any other one between 400 and 499 speaks of all.
_OF_ONE_QUESTION = frozenset({400, 413, 415, 422})
_NO_KEY = "none"  # the client wants one, a server at home does not


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


def read_key(key_file: Path | None, environment: dict[str, str]) -> str | None:
    """The key: the file's only line, else the environment's OPENAI_API_KEY, else none.

    Raises:
        EndpointFailed: the file holds no key, or cannot be read.
    """
    if key_file is None:
        return environment.get("OPENAI_API_KEY") or None
    try:
        key = key_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EndpointFailed(f"The key file {key_file} cannot be read: {type(error).__name__}.") from error
    if not key or len(key.split()) != 1:
        raise EndpointFailed(
            f"The key file {key_file} must hold one line with the key; it has {len(key.split())} words."
        )
    return key


class ChatEndpoint:
    """One model at one endpoint.

    Args:
        url: up to and including the version, as in http://127.0.0.1:8000/v1.
        key: None where the endpoint wants none.
        patience: attempts and waits.
        pause: waits so many seconds; by default it wakes up when `halt` is called.
        rng: of the waits.

    Raises:
        EndpointFailed: the URL is none.
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
        self._key = key
        self._patience = patience
        self._halted = threading.Event()
        self._pause = self._halted.wait if pause is None else pause
        self._rng = random.Random() if rng is None else rng
        self._limit_field = "max_tokens"
        self._client: Any = openai.OpenAI(
            base_url=self.url, api_key=key or _NO_KEY, max_retries=0, timeout=patience.timeout
        )

    def halt(self) -> None:
        """Ends waiting between attempts, in every thread, for good."""
        self._halted.set()

    def ask(self, question: Question, picture: bytes, on_lost: Callable[[], None]) -> Reply:
        """One answer; see `reply.Endpoint`.

        Raises:
            NoAnswer: the endpoint refused this question, or all attempts met with passing trouble.
            EndpointFailed: it is unreachable, or it refuses the key, the model or the address.
        """
        reason, is_unreachable = "", False
        for attempt in range(1, self._patience.attempts + 1):
            limit_field = self._limit_field
            try:
                return self._attempt(question, picture, limit_field)
            except self._openai.APITimeoutError:
                reason, wait, is_unreachable = f"no answer within {self._patience.timeout:g} seconds", None, False
                on_lost()
            except self._openai.APIConnectionError as error:
                cause = error.__cause__ or error
                is_unreachable = type(cause).__name__ == "ConnectError"
                reason, wait = f"the connection failed ({type(cause).__name__}: {self._without_key(str(cause))})", None
                if not is_unreachable:  # it was there, and may have worked on the question
                    on_lost()
            except self._openai.APIStatusError as error:
                reason, wait, is_unreachable = (
                    self._of_status(error, question, limit_field),
                    _retry_after(error.response),
                    False,
                )
            except (self._openai.APIResponseValidationError, json.JSONDecodeError, _NotACompletion) as error:
                reason, wait, is_unreachable = f"the reply is no chat completion ({_first_line(error)})", None, False
                on_lost()
            if self._halted.is_set() or attempt == self._patience.attempts:
                break
            self._wait(attempt, wait, reason)
        if is_unreachable:
            raise EndpointFailed(f"{self.url} cannot be reached after {attempt} attempts: {reason}.")
        raise NoAnswer(f"No answer after {attempt} of {self._patience.attempts} attempts: {reason}.")

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
            key = "the key was refused" if self._key else "no key was given (OPENAI_API_KEY or --key-file)"
            raise EndpointFailed(f"{self.url}: {key}; {said}.")
        if status == 404:
            raise EndpointFailed(f"{self.url} has no model {question.parameters.model!r} or is no endpoint; {said}.")
        raise EndpointFailed(f"{self.url} cannot be used; {said}.")

    def _wait(self, attempt: int, wait: float | None, reason: str) -> None:
        patience = self._patience
        longest = min(patience.longest_wait, patience.first_wait * 2 ** (attempt - 1))
        seconds = longest * (1 - 0.5 * self._rng.random())
        if wait is not None:
            if wait > patience.longest_retry_after:
                raise EndpointFailed(
                    f"{self.url} asks to wait {wait:g} seconds, more than {patience.longest_retry_after:g}; {reason}."
                )
            seconds = max(wait, min(seconds, wait + patience.first_wait))
        _LOG.info("Attempt %d of %d: %s; the next in %.1f s.", attempt, patience.attempts, reason, seconds)
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
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EndpointFailed(f"{url!r} is no endpoint; it must look like http://127.0.0.1:8000/v1.")
    if parts.username or parts.password:
        raise EndpointFailed("The endpoint's URL holds a name or a password; put the key into OPENAI_API_KEY.")
    return url.rstrip("/")


def _retry_after(response: Any) -> float | None:
    """Seconds that the server asks to wait, in any of the three forms in use; None where it says nothing."""
    milliseconds = _number(response.headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = response.headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:  # neither a number nor a date: as if nothing had been said
        return None
    return max(0.0, moment.timestamp() - time.time())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None


def _message(error: Any) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return str(error.message)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
