"""The one table from what went wrong to what a client is told: a status, a code, one sentence.

Exceptions come in, JSON responses go out. Nothing else in `serving` builds an error response, and no traceback
leaves the process: it is written to the log under the request's id.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from earthgptx import errors
from earthgptx.errors import EarthGPTXError

# Everything that stands in no row is the request's fault: 422, it was understood and cannot be done.
STATUS: dict[type[EarthGPTXError], int] = {
    errors.MalformedRequest: 400,
    errors.WrongToken: 401,
    errors.ForeignPage: 403,
    errors.PathOutsideRoot: 403,
    errors.UnknownScene: 404,
    errors.UnknownAnswer: 404,
    errors.UnknownDialogue: 404,
    errors.UnknownModel: 404,
    errors.TileOutsideScene: 404,
    errors.UploadTooLarge: 413,
    errors.ImageTooLarge: 413,
    errors.UnreadableImagery: 415,
    errors.QueueFull: 429,
    errors.TooManyScenes: 429,
    errors.ModelNotReady: 503,
    errors.ServerStopping: 503,
    errors.AnswerTookTooLong: 504,
}
CODES = {400: "malformed_request", 404: "not_found", 405: "method_not_allowed", 413: "upload_too_large"}
OUR_FAULT = "The server failed on this request; its log says why under this request_id."


class ClientGone(Exception):  # noqa: N818 - what happened, and nobody is left to be told
    """The client went away before its answer."""


def status_of(error: Exception) -> int:
    """The HTTP status of an error."""
    if not isinstance(error, EarthGPTXError):
        return 500
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 422)


def body_of(error: Exception, request_id: str) -> dict[str, Any]:
    """The JSON that tells a client of an error; one that is the server's own fault gives no detail away."""
    if isinstance(error, EarthGPTXError):
        code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__).lower()
        return error_json(code, str(error), request_id)
    return error_json("internal_error", OUR_FAULT, request_id)


def error_json(code: str, message: str, request_id: str) -> dict[str, Any]:
    """The one shape of every error."""
    return {"error": {"code": code, "message": message, "request_id": request_id}}


def headers_of(error: Exception) -> dict[str, str]:
    """When to come again, and how to authenticate, where that is the matter."""
    if isinstance(error, errors.WrongToken):
        return {"WWW-Authenticate": "Bearer"}
    seconds = getattr(error, "retry_after", None)
    return {} if seconds is None else {"Retry-After": str(seconds)}


def response_to(error: Exception, request_id: str) -> JSONResponse:
    """What a client is told of an error."""
    return JSONResponse(body_of(error, request_id), status_of(error), headers_of(error))


def request_id_of(request: Request) -> str:
    """The id under which the log speaks of a request."""
    return str(getattr(request.state, "request_id", ""))


def add_handlers(app: FastAPI) -> None:
    """Makes an app answer with the table."""
    app.add_exception_handler(EarthGPTXError, _of_error)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RecursionError, _of_depth)


async def _of_error(request: Request, error: Exception) -> JSONResponse:
    return response_to(error, request_id_of(request))


async def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    sentence = f"{place or 'The request'}: {str(first['msg']).removeprefix('Value error, ').rstrip('.')}."
    return JSONResponse(error_json("malformed_request", sentence, request_id_of(request)), 422)


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "http_error")
    sentence = str(error.detail).rstrip(".") + "."
    body = error_json(code, sentence, request_id_of(request))
    return JSONResponse(body, error.status_code, dict(error.headers or {}))


async def _of_depth(request: Request, error: Exception) -> JSONResponse:
    sentence = "The request's JSON is nested too deeply."
    return JSONResponse(error_json("malformed_request", sentence, request_id_of(request)), 400)
