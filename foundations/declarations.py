"""@service, @soa_api and @agent: what a class says of itself. Declaring has no effect elsewhere."""

import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar, cast, overload

from utilities.context import LOCAL_USER, CallContext, UserContext, bound, current_or_none
from utilities.observability.trace_id_generator import TraceIDGenerator

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)

FROM_CONTEXT = frozenset({"trace_id", "user_context"})
"""Parameters that are filled from the call context and from nowhere else."""


class Effect(StrEnum):
    """What a call leaves behind, which decides what a crash before its checkpoint may do again."""

    PURE = "pure"
    """Reads only: may be repeated freely."""
    TRANSACTIONAL = "transactional"
    """Adds writes that are committed together with the milestone's checkpoint."""
    KEYED = "keyed"
    """Idempotent under the call's idempotency key, or by what it does: once in effect."""
    GUARDED = "guarded"
    """Not repeatable: after an ambiguous crash the run waits for a person."""


@dataclass(frozen=True, slots=True)
class ServiceDeclaration:
    """Says that a class is a service of the city; its class name is its public name."""

    version: str = "1"
    owner: str = ""


@dataclass(frozen=True, slots=True)
class ApiDeclaration:
    """Says that others may call a method; `public` offers it outside the city too.

    One that `asks_roles` decides by itself whom it serves, by their roles.
    """

    public: bool = False
    effect: Effect | None = None
    asks_roles: bool = False


@dataclass(frozen=True, slots=True)
class AgentDeclaration:
    """Says that a class is an agent: its instructions and the tools (`Service.api`) it may use."""

    instructions: str
    tools: tuple[str, ...] = ()


_SERVICE = "__civitas_service__"
_AGENT = "__civitas_agent__"
_API = "__civitas_api__"


@overload
def service(cls: C, /) -> C: ...
@overload
def service(*, version: str = "1", owner: str = "") -> Callable[[C], C]: ...
def service(
    cls: type | None = None, /, *, version: str = "1", owner: str = ""
) -> type | Callable[[Any], Any]:
    """Declare a class as a service. Use bare, or with its contract's version and its owner."""

    def declare(declared: C) -> C:
        setattr(declared, _SERVICE, ServiceDeclaration(version=version, owner=owner))
        return declared

    return declare if cls is None else declare(cls)


def agent(*, instructions: str, tools: tuple[str, ...] = ()) -> Callable[[C], C]:
    """Declare a class as an agent (and thereby as a service)."""

    def declare(declared: C) -> C:
        setattr(declared, _AGENT, AgentDeclaration(instructions=instructions, tools=tools))
        setattr(declared, _SERVICE, ServiceDeclaration())
        return declared

    return declare


def soa_api(
    *, public: bool = False, effect: Effect | None = None, asks_roles: bool = False
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Declare an async method as an API that others may call.

    With `asks_roles` it changes something and decides by itself whom it serves, by their roles, so
    that it is open to roles which may change nothing else.

    Besides its own parameters the method takes `trace_id=` and `user_context=` from code inside the
    city: given, they become the call context for the call; not given, the context stays as it is.
    """

    def declare(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        declaration = ApiDeclaration(public=public, effect=effect, asks_roles=asks_roles)
        entered = _entered(method) if inspect.iscoroutinefunction(method) else method
        setattr(entered, _API, declaration)
        return entered

    return declare


def _entered(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Wrap `method` so that `trace_id` and `user_context` come from the call context, always."""
    signature = inspect.signature(method)
    own = FROM_CONTEXT & set(signature.parameters)
    takes_trace_id, takes_user = "trace_id" in own, "user_context" in own

    @functools.wraps(method)
    def enter(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, R]:
        context = current_or_none()
        if context is None or len(args) > 1 or "trace_id" in kwargs or "user_context" in kwargs:
            return entered(context, args, kwargs)
        return method(*args, **(filled(context, kwargs) if own else kwargs))  # as it is bound

    async def entered(
        context: CallContext | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        context, args = given(context, args, kwargs)
        with bound(context):
            return await method(*args, **filled(context, kwargs))

    def given(
        context: CallContext | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[CallContext, tuple[Any, ...]]:
        """The context the caller asks for, and the other positional arguments."""
        named = {name: kwargs.pop(name) for name in FROM_CONTEXT & set(kwargs)}
        if own and len(args) > 1:
            positional = signature.bind_partial(*args).arguments
            named |= {name: positional[name] for name in own if name in positional}
            args = tuple(value for name, value in positional.items() if name not in own)
        return _context(context, named.get("trace_id"), named.get("user_context")), args

    def filled(context: CallContext, kwargs: dict[str, Any]) -> dict[str, Any]:
        if takes_trace_id:
            kwargs["trace_id"] = context.trace_id
        if takes_user:
            kwargs["user_context"] = context.user
        return kwargs

    return cast("Callable[P, Coroutine[Any, Any, R]]", enter)


def _context(
    context: CallContext | None, trace_id: str | None, user: UserContext | None
) -> CallContext:
    """The current context, changed by what was given; a new one where there is none."""
    if context is None:
        return CallContext(trace_id or TraceIDGenerator.generate(), user or LOCAL_USER)
    if trace_id in (None, context.trace_id) and user in (None, context.user):
        return context
    return context._replace(trace_id=trace_id or context.trace_id, user=user or context.user)


def service_of(cls: type) -> ServiceDeclaration | None:
    """The declaration a class makes itself; a base class's does not count."""
    return cls.__dict__.get(_SERVICE)


def agent_of(cls: type) -> AgentDeclaration | None:
    """The agent declaration a class makes itself."""
    return cls.__dict__.get(_AGENT)


def apis_of(cls: type) -> dict[str, ApiDeclaration]:
    """Every declared API of a class by name, in the order of definition, bases first."""
    found: dict[str, ApiDeclaration] = {}
    for base in reversed(cls.__mro__):
        for name, member in base.__dict__.items():
            declaration = getattr(member, _API, None)
            if declaration is not None:
                found[name] = declaration
    return found
