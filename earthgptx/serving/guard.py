"""The gate in front of every address: request id, host and origin, token, size of the body, headers, log and metrics.

It is plain ASGI, not a framework's middleware: those read a body before the first of ours could refuse it, and hide
that a client went away. What it lets through reaches the app; what fails behind it becomes an answer here.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from earthgptx.errors import EarthGPTXError, ForeignPage, UploadTooLarge, WrongToken
from earthgptx.serving.failures import ClientGone, response_to
from earthgptx.serving.settings import Settings, is_loopback
from earthgptx.serving.watch import Metrics

logger = logging.getLogger(__name__)

# Nothing of a user's is there, and a page must load before it can ask for the token.
OPEN_PATHS = frozenset({"/", "/health", "/ready", "/api/about", "/openapi.json"})
OPEN_FOLDER = "/assets/"
CHAT_PATH = "/v1/chat/completions"
MOST_CHAT_BYTES = 32 * 2**20  # of an image in a chat: unlike an upload, its request is held in memory
SECONDS_BETWEEN_PARTS = 30  # of a body; a client that is slower is sent away
SECONDS_FOR_A_BODY = 900  # in all: one that sends a byte now and then is sent away too
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Guard:
    """Wraps an app.

    Args:
        app: what is guarded.
        settings: token, limits and allowed origins.
        metrics: counts requests.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), request_id)
            await send(message)

        try:
            self._check(scope, headers)
            limit = self._limit(scope["path"])
            await self._app(scope, _limited(receive, limit), send_on)
        except (ClientGone, ClientDisconnect):  # before its answer, or amid its own body
            return
        except Exception as error:
            if not isinstance(error, EarthGPTXError):
                logger.exception("a request failed", extra={"request_id": request_id})
            if status:
                raise  # half an answer was sent: the connection must break, or it would look whole
            await response_to(error, request_id)(scope, receive, send_on)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            seconds = time.perf_counter() - started
            # Any word may stand for a method: each would be a row of its own, for ever.
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(method, route, status or 499).inc()
            self._metrics.request_seconds.labels(route).observe(seconds)
            logger.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status or 499,
                    "seconds": round(seconds, 4),
                    "client": (scope.get("client") or ("",))[0],
                },
            )

    def _limit(self, path: str) -> int:
        if path == CHAT_PATH:  # a data URL's base64 takes four bytes for three
            return min(self._settings.max_upload_bytes, MOST_CHAT_BYTES) * 4 // 3 + 65_536
        if path == "/scenes":
            return self._settings.max_upload_bytes + 65_536  # a form has some lines of its own
        return self._settings.max_body_bytes

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Raises:
        ForeignPage, WrongToken, UploadTooLarge: the request goes no further.
        """
        token, path = self._settings.token, scope["path"]
        if not token:
            self._check_is_ours(headers)
        elif not (path in OPEN_PATHS or path.startswith(OPEN_FOLDER)):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            # Compared as bytes and in constant time: how long it takes tells nothing of the token.
            is_same = hmac.compare_digest(given.strip().encode(), token.encode())
            if scheme.lower() != "bearer" or not is_same:
                raise WrongToken("This server wants its token: send the header 'Authorization: Bearer TOKEN'.")
        length, limit = headers.get("content-length", "0"), self._limit(path)
        if length.isdecimal() and (len(length) > 15 or int(length) > limit):  # int() refuses thousands of digits
            told = f"{int(length):,}" if len(length) <= 15 else "10^15 or more"
            raise UploadTooLarge(f"The request's body has {told} bytes; at most {limit:,} are taken here.")

    def _check_is_ours(self, headers: Headers) -> None:
        """Without a token any page in the user's browser could call: by our address, or by a name that leads to it."""
        host = _host_of("//" + headers.get("host", ""))
        if not is_loopback(host):
            raise ForeignPage(f"This server has no token and answers to 127.0.0.1 and localhost, not to {host[:80]!r}.")
        origin = headers.get("origin", "")
        if origin and origin not in self._settings.cors_origins and not is_loopback(_host_of(origin)):
            raise ForeignPage(f"Pages of {origin[:80]!r} may not call this server.")


def _host_of(address: str) -> str:
    """The host in an address; empty where it is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # a bracket that is not closed
        return ""


def _add_headers(headers: MutableHeaders, request_id: str) -> None:
    headers["X-Request-ID"] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")


def _limited(receive: Receive, limit: int) -> Receive:
    """A body that may be neither too long, whatever its header said, nor too slow."""
    num_bytes, is_whole, end = 0, False, time.monotonic() + SECONDS_FOR_A_BODY

    async def receive_some() -> Message:
        nonlocal num_bytes, is_whole, end
        if is_whole:  # what follows is the client going away, which may take any time
            return await receive()
        if not num_bytes:  # it may have waited for its turn to be read
            end = time.monotonic() + SECONDS_FOR_A_BODY
        try:
            message = await asyncio.wait_for(receive(), max(min(SECONDS_BETWEEN_PARTS, end - time.monotonic()), 0.0))
        except TimeoutError:
            limits = f"{SECONDS_BETWEEN_PARTS} s a part and {SECONDS_FOR_A_BODY} s in all"
            raise HTTPException(408, f"The body came too slowly: {limits} are waited for it") from None
        num_bytes += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if num_bytes > limit:
            raise HTTPException(413, f"The body has more than the {limit:,} bytes that are taken here")
        return message

    return receive_some
