"""Who may ask: where there is an access token, those who bear it, and those with a role's token."""

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from foundations.experience.problems import HttpError, response_for
from utilities.context import bound, current_or_none
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

    def __init__(
        self, app: ASGIApp, *, token: SecretStr | None, roles: Mapping[str, SecretStr]
    ) -> None:
        self._app = app
        self._wanted = {_of(token): ""} if token else {}
        self._wanted |= {_of(other): role for role, other in roles.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error, role = self._judged(scope)
        if error is None:
            with _in_the_role(role):
                await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await response_for(scope, error)(scope, receive, send)

    def _judged(self, scope: Scope) -> tuple[AccessTokenNeeded | None, str]:
        """What is wrong with a request, if anything, and the role whose token it bears."""
        if not self._wanted or scope["type"] not in {"http", "websocket"}:
            return None, ""
        if scope["path"] in OPEN_TO_ALL:
            return None, ""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if not given:
            return AccessTokenNeeded("the request bears no access token", hint=_HINT), ""
        scheme, _, token = given[0].partition(b" ")
        digest = _digest(token.strip())
        roles = [role for own, role in self._wanted.items() if hmac.compare_digest(digest, own)]
        if len(given) == 1 and scheme.lower() == b"bearer" and roles:
            return None, roles[0]
        return AccessTokenWrong("the access token is not this city's", hint=_HINT), ""


@contextmanager
def _in_the_role(role: str) -> Iterator[None]:
    """Let the call in progress be made in a role, by whoever bears its token."""
    context = current_or_none()
    if not role or context is None:
        yield
        return
    user = context.user.model_copy(update={"principal": role, "roles": (role,)})
    with bound(context._replace(user=user)):
        yield


_HINT = "send the header `Authorization: Bearer TOKEN`; commands take it from CIVITAS_ACCESS_TOKEN"


def _of(token: SecretStr) -> bytes:
    return _digest(token.get_secret_value().encode())


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
