"""How large the head of a request may be, and that its query says nothing unknown."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from foundations.experience.problems import HttpError, InvalidRequest, response_for
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.suggest import did_you_mean

MOST_HEADERS = 100
LARGEST_HEAD = 32 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class HeadTooLarge(HttpError):
    """The request has too many headers, or too large ones."""

    kind = ErrorKind.TOO_LARGE
    status = 431
    headers: Mapping[str, str] = {"Connection": "close"}


class ForeignPage(PlatformError):
    """The request was sent by a web page of another site."""

    kind = ErrorKind.REFUSED


class HeadGuard:
    """ASGI: refuses heads that no honest client sends.

    As long as there is no sign-in, a page of another site, opened in a browser on this machine,
    must not reach the city: neither by its own address (`Origin`) nor by a name of its own that
    leads here (`Host`, DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, host: str) -> None:
        self._app = app
        self._ours = {*_LOOPBACK, host.strip("[]").lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (error := self._fault(scope)) is not None:
            await response_for(scope, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _fault(self, scope: Scope) -> PlatformError | None:
        headers = scope["headers"]
        if len(headers) > MOST_HEADERS or sum(map(_size, headers)) > LARGEST_HEAD:
            return HeadTooLarge(
                f"at most {MOST_HEADERS} headers with {LARGEST_HEAD} bytes are accepted"
            )
        given = Headers(scope=scope)
        origin = given.get("origin")
        if not self._is_ours(f"//{given.get('host', 'localhost')}"):
            return ForeignPage(
                "the Host header names another host than this machine",
                hint="ask 127.0.0.1 or localhost",
            )
        if origin is not None and not self._is_ours(origin):
            return ForeignPage(
                "the Origin header names another site", hint="ask from a page of this machine"
            )
        return None

    def _is_ours(self, url: str) -> bool:
        try:
            return urlsplit(url).hostname in self._ours
        except ValueError:
            return False


def _size(header: tuple[bytes, bytes]) -> int:
    return len(header[0]) + len(header[1])


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
