"""Who may ask: where there is an access token, those who bear it, and everybody how it is."""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from foundations.experience.problems import HttpError, response_for
from utilities.errors import ErrorKind

OPEN_TO_ALL = ("/livez", "/readyz")
"""What a load balancer or a supervisor asks, who have no token."""
_POLICY_VIOLATION = 1008


class AccessTokenNeeded(HttpError):
    """The request does not bear this city's access token."""

    kind = ErrorKind.UNAUTHENTICATED
    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="civitas"'}


class AccessTokenWrong(AccessTokenNeeded):
    """The request bears another token than this city's."""

    headers: Mapping[str, str] = {
        "WWW-Authenticate": 'Bearer realm="civitas", error="invalid_token"'
    }


class AccessGuard:
    """ASGI: lets pass who bears the token (RFC 6750), in the header and nowhere else.

    Digests are compared, in a time that tells neither length nor place of a difference.
    """

    def __init__(self, app: ASGIApp, *, token: SecretStr | None) -> None:
        self._app = app
        self._wanted = _digest(token.get_secret_value().encode()) if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._fault(scope)
        if error is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await response_for(scope, error)(scope, receive, send)

    def _fault(self, scope: Scope) -> AccessTokenNeeded | None:
        if self._wanted is None or scope["type"] not in {"http", "websocket"}:
            return None
        if scope["path"] in OPEN_TO_ALL:
            return None
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if not given:
            return AccessTokenNeeded("the request bears no access token", hint=_HINT)
        scheme, _, token = given[0].partition(b" ")
        right = hmac.compare_digest(_digest(token.strip()), self._wanted)
        if len(given) == 1 and scheme.lower() == b"bearer" and right:
            return None
        return AccessTokenWrong("the access token is not this city's", hint=_HINT)


_HINT = "send the header `Authorization: Bearer TOKEN`; commands take it from CIVITAS_ACCESS_TOKEN"


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
