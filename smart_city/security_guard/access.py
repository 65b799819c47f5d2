"""Decides who may call what, by a table of rules: the first that applies decides."""

from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger

from foundations.declarations import Effect, service, soa_api
from smart_city.security_guard.api import (
    Access,
    AccessDecision,
    AccessDenied,
    NotOffered,
    SecurityGuard,
)
from utilities.context import UserContext, current
from utilities.errors import PlatformError

WRITERS = frozenset({"owner", "member", "data_steward"})
"""Roles that may call what leaves something behind."""
READERS = frozenset({"reader"})
"""Roles that may change nothing, whoever would serve them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`refusal` makes the error of a rule that refuses; a rule without one allows."""

    name: str
    applies: Callable[[Access, UserContext], bool]
    refusal: Callable[[Access], PlatformError] | None = None


def _not_offered(access: Access) -> PlatformError:
    return NotOffered(
        f"{access.service}.{access.api} is not offered to callers from outside",
        hint="GET /api/curator/apis tells which APIs are public",
    )


def _denied(access: Access) -> PlatformError:
    return AccessDenied(
        f"{access.service}.{access.api} changes something, and the caller has no role that may",
        hint=f"ask for one of the roles {', '.join(sorted(WRITERS))}",
    )


RULES = (
    Rule("only_inside", lambda access, _: not (access.public or access.inside), _not_offered),
    Rule("anyone_reads", lambda access, _: access.effect is Effect.PURE),
    Rule("writers_write", lambda _, user: bool(WRITERS & set(user.roles))),
    Rule(
        "who_is_asked_answers",
        lambda access, user: access.asks_roles and bool(set(user.roles) - READERS),
    ),
    Rule("nobody_else", lambda _access, _user: True, _denied),
)


@service
class SecurityGuardService(SecurityGuard):
    """The policy check point: every request passes it once."""

    @soa_api()
    async def check_access(
        self, access: Access, user_context: UserContext | None = None
    ) -> AccessDecision:
        """Allow an access or refuse it; either way the decision is logged.

        Raises:
            NotOffered: the API is not public, and the request came from outside.
            AccessDenied: the caller's roles do not allow it.
        """
        user = current().user
        rule = next(rule for rule in RULES if rule.applies(access, user))
        level = "WARNING" if rule.refusal else "DEBUG"
        logger.bind(principal=user.principal, rule=rule.name).log(
            level, "access to {}.{} {}", access.service, access.api, _said(rule)
        )
        if rule.refusal:
            raise rule.refusal(access)
        return AccessDecision(service=access.service, api=access.api, rule=rule.name)


def _said(rule: Rule) -> str:
    return "refused" if rule.refusal else "allowed"
