"""How large the head of a request may be, and that its query says nothing unknown."""

from collections.abc import Mapping
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from foundations.experience.problems import HttpError, InvalidRequest, response_for
from utilities.errors import ErrorKind, FieldError
from utilities.suggest import did_you_mean

MOST_HEADERS = 100
LARGEST_HEAD = 32 * 1024


class HeadTooLarge(HttpError):
    """The request has too many headers, or too large ones."""

    kind = ErrorKind.TOO_LARGE
    status = 431
    headers: Mapping[str, str] = {"Connection": "close"}


class HeadGuard:
    """ASGI: refuses heads that no honest client sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope.get("headers", ())
        size = sum(len(name) + len(value) for name, value in headers)
        if scope["type"] == "http" and (len(headers) > MOST_HEADERS or size > LARGEST_HEAD):
            error = HeadTooLarge(
                f"at most {MOST_HEADERS} headers with {LARGEST_HEAD} bytes are accepted"
            )
            await response_for(scope, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def check_query(request: Request) -> None:
    """Refuse parameters that the route does not know; a typo would be ignored silently.

    Raises:
        InvalidRequest: there are some.
    """
    route: Any = request.scope.get("route")
    known = _query_of(route.dependant) if isinstance(route, APIRoute) else set()
    unknown = sorted(set(request.query_params) - known)[:20]
    if unknown:
        faults = [FieldError(f"/query/{name[:100]}", _remark(name, known)) for name in unknown]
        raise InvalidRequest("the query has unknown parameters", errors=faults)


def _query_of(dependant: Dependant) -> set[str]:
    """The query parameters of a route and of all it depends on."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*(_query_of(below) for below in dependant.dependencies))


def _remark(name: str, known: set[str]) -> str:
    return f"is unknown here. {did_you_mean(name[:100], known)}".strip()
