"""Every failure as RFC 9457 problem details, and none with more inside than its reader may see."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from loguru import logger
from pydantic import ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from utilities.context import current_or_none
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.models import FrozenModel

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[ErrorKind, int] = {
    ErrorKind.INVALID: 422,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.REFUSED: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.CONFLICT: 409,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.UNSUPPORTED: 415,
    ErrorKind.TOO_MANY: 429,
    ErrorKind.TIMEOUT: 504,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.STORAGE_FULL: 507,
    ErrorKind.CONFIGURATION: 500,
    ErrorKind.INTERNAL: 500,
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RETRY_AFTER_SECONDS = 5


class HttpError(PlatformError):
    """A fault of the HTTP exchange itself, which has a status of its own."""

    kind = ErrorKind.INVALID
    status: ClassVar[int] = 400
    headers: Mapping[str, str] = {}
    """Sent with the problem."""

    @property
    def members(self) -> Mapping[str, Any]:
        """Further members of the problem, which only this kind has."""
        return {}


class NoSuchPath(HttpError):
    """Nothing is served at this path."""

    kind = ErrorKind.NOT_FOUND
    status = 404


class MethodNotAllowed(HttpError):
    """This path is not served for this method."""

    status = 405

    def __init__(self, method: str, *, allowed: str) -> None:
        super().__init__(f"{_shown(method)} is not allowed here", hint=f"use {allowed}")
        self.headers = {"Allow": allowed}


class FaultAt(FrozenModel):
    """One fault: `pointer` leads to it in the body (RFC 6901), or is such as `/query/limit`."""

    pointer: str
    detail: str


class Problem(FrozenModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:civitas:problem:file_unknown",
                    "title": "There is no such file.",
                    "status": 404,
                    "detail": "no file has the id 01jd3k2m",
                    "instance": "/api/files/01jd3k2m",
                    "code": "file_unknown",
                    "kind": "not_found",
                    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                    "hint": "GET /api/files lists what there is",
                    "errors": [],
                    "success": False,
                }
            ]
        },
    )

    type: str = Field(description="stable, one for each kind of problem")
    title: str
    status: int
    detail: str
    instance: str
    code: str
    kind: ErrorKind = Field(description="what a caller can do about it")
    trace_id: str
    hint: str = ""
    errors: tuple[FaultAt, ...] = ()
    success: bool = False


def answer_with_problems(app: FastAPI) -> None:
    """Let every error a route may raise become a problem."""
    app.add_exception_handler(PlatformError, _of_platform_error)
    app.add_exception_handler(HTTPException, _of_http_exception)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(ClientDisconnect, _of_disconnect)


class SafetyNet:
    """ASGI: what nobody expected is logged with its trace id, and told as a bare 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # noqa: BLE001 - the HTTP edge: whatever it is, the client gets an answer and no inner detail
            logger.opt(exception=error).error("a request failed unexpectedly")
            if not started:
                await problem_response(scope, _UNEXPECTED, status=500)(scope, receive, send)


class Unexpected(PlatformError):
    """The city failed to do this."""


_UNEXPECTED = Unexpected(
    "the city met a fault of its own; it is in the log, under this trace id",
    hint="give the trace id to whoever runs this city",
)


def problem_response(
    scope: Scope,
    error: PlatformError,
    *,
    status: int,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """The problem of an error as a response."""
    context = current_or_none()
    facts = {
        "type": f"urn:civitas:problem:{error.code}",
        "title": error.title,
        "status": status,
        "detail": error.detail,
        "instance": quote(scope.get("path", ""), safe="/:@-._~!$&'()*+,;=")[:500],
        "code": error.code,
        "kind": error.kind,
        "trace_id": context.trace_id if context else "",
        "hint": error.hint,
        "errors": [{"pointer": f.pointer, "detail": f.detail} for f in error.errors],
    }
    problem = Problem.model_validate({**facts, **(members or {})})
    scope["civitas.problem"] = error.code
    content = orjson.dumps(problem.model_dump(mode="json"))
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def response_for(scope: Scope, error: PlatformError) -> Response:
    """The problem of an error with the status its kind has."""
    if isinstance(error, HttpError):
        return problem_response(
            scope, error, status=error.status, headers=error.headers, members=error.members
        )
    status = STATUS[error.kind]
    if status == 500:
        logger.opt(exception=error).error("a request failed: {}", error.detail)
        return problem_response(scope, _UNEXPECTED, status=status)
    if status == 503:
        logger.warning("a request was put off: {}", error.detail)
    headers = {}
    if error.retry_after is not None or status in {429, 503}:
        seconds = RETRY_AFTER_SECONDS if error.retry_after is None else ceil(error.retry_after)
        headers["Retry-After"] = str(seconds)
    return problem_response(scope, error, status=status, headers=headers)


async def _of_platform_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlatformError)
    return response_for(request.scope, error)


async def _of_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, PlatformError):  # a body that FastAPI failed to read
        return response_for(request.scope, error.__cause__)
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            told: PlatformError = NoSuchPath("nothing is served at this path")
        case 405:
            headers["Allow"] = _allowed(request)
            told = MethodNotAllowed(request.method, allowed=headers["Allow"])
        case _:
            told = _Told(error)
    return problem_response(request.scope, told, status=error.status_code, headers=headers)


def _allowed(request: Request) -> str:
    """Every method that is served at the path; Starlette names those of one route alone."""
    return ", ".join(
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    )


class _Told(PlatformError):
    """An HTTPException that a route raised by hand."""

    def __init__(self, error: HTTPException) -> None:
        super().__init__(str(error.detail))
        self._status = HTTPStatus(error.status_code)

    @property
    def code(self) -> str:
        return self._status.name.lower()

    @property
    def title(self) -> str:
        return self._status.phrase


class MalformedJson(HttpError):
    """The body is no JSON."""


class InvalidRequest(PlatformError):
    """The request does not fit what is served here."""

    kind = ErrorKind.INVALID


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return response_for(request.scope, MalformedJson("the body is no JSON"))
    found = [FieldError(_pointer_to_request(fault["loc"]), fault["msg"]) for fault in faults]
    detail = f"{len(found)} fault(s) in the request"
    return response_for(request.scope, InvalidRequest(detail, errors=found))


def pointer_to(location: tuple[int | str, ...]) -> str:
    """Pydantic's location of a fault as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


def _pointer_to_request(location: tuple[int | str, ...]) -> str:
    """FastAPI's location as a pointer; inside the body it begins at the body."""
    return pointer_to(location[1:] if location and location[0] == "body" else location)


class ClientWentAway(HttpError):
    """The client closed the connection before its request was complete."""

    status = 499


async def _of_disconnect(request: Request, _error: Exception) -> Response:
    """Nobody reads this answer; the access log does."""
    return response_for(request.scope, ClientWentAway("the connection was closed early"))


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:40])
