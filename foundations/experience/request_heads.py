"""How large the head of a request may be, and that its query says nothing unknown."""

from collections.abc import Mapping
from ipaddress import ip_address
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


class OpenToAll(PlatformError):
    """Anybody could ask, and nothing would tell them apart."""

    kind = ErrorKind.REFUSED


class HeadGuard:
    """ASGI: refuses heads that no honest client sends.

    A page of another site, opened in a browser, must not reach the city by its own address
    (`Origin`). Without an access token nobody else than this machine may: neither a page by a name
    of its own that leads here (`Host`, DNS rebinding) nor a connection from elsewhere. With one the
    city may have any name; who comes by another's bears no token.
    """

    def __init__(self, app: ASGIApp, *, host: str, guarded: bool = False) -> None:
        self._app = app
        self._guarded = guarded
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
        host, origin = given.get("host", "localhost"), given.get("origin")
        if not self._guarded and (fault := self._from_elsewhere(scope, host)) is not None:
            return fault
        if origin is not None and not self._is_ours(origin) and _name(origin) != _name(f"//{host}"):
            return ForeignPage(
                "the Origin header names another site", hint="ask from a page of this machine"
            )
        return None

    def _from_elsewhere(self, scope: Scope, host: str) -> PlatformError | None:
        if not self._is_ours(f"//{host}"):
            return ForeignPage(
                "the Host header names another host than this machine",
                hint="ask 127.0.0.1 or localhost",
            )
        if _reached_from_elsewhere(scope):
            return OpenToAll(
                "this address is reached from other machines, and there is no access token",
                hint="set CIVITAS_ACCESS_TOKEN, or serve 127.0.0.1",
            )
        return None

    def _is_ours(self, url: str) -> bool:
        return _name(url) in self._ours


def _name(url: str) -> str | None:
    """The host that a URL names, without its port; None when it names none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _reached_from_elsewhere(scope: Scope) -> bool:
    """Whether the request came in by an address of this machine that others reach too."""
    address = (scope.get("server") or ("", None))[0]
    try:
        return not ip_address(address).is_loopback
    except ValueError:
        return False  # a socket of the file system, or the name that a test gives itself


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
