"""What hand-made routes stand on: the road as a dependency, and the shapes of what they answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, cast

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import JsonSchemaMode
from starlette.responses import Response

from foundations.curator.described import surely_described
from foundations.curator.registry import Registry
from foundations.experience.json_bodies import json_object
from foundations.experience.problems import InvalidRequest, pointer_to
from foundations.experience.request_heads import check_query
from foundations.experience.request_tracing import RequestTrace
from foundations.experience.road import CityRequest, InsideRequest, Outcome, RoadSocket
from foundations.public_works.settings import Settings
from utilities.errors import FieldError
from utilities.models import FrozenModel

R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_ANSWERS = "__civitas_answers__"
_LONGEST_SESSION_ID = 200


class Answer(FrozenModel, Generic[R]):
    """What an answer looks like when all went well."""

    success: bool = True
    trace_id: str
    result: R


class Nothing(FrozenModel):
    """An empty object, or no body at all: a word in it would be misunderstood."""

    model_config = ConfigDict(extra="forbid")


class JsonResponse(Response):
    """JSON-able data as a response; NaN becomes null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        if isinstance(content, BaseModel):
            content = content.model_dump(mode="json")
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)


class Caller:
    """Calls APIs by the road on behalf of one request."""

    def __init__(self, road: RoadSocket, session_id: str | None) -> None:
        self._road = road
        self._session_id = session_id

    async def outcome(self, service: str, api: str, /, **arguments: Any) -> Outcome:
        """What a public API answers."""
        return await self._road.route_request(
            CityRequest(service=service, api=api, arguments=arguments, session_id=self._session_id)
        )

    async def inside(self, service: str, api: str, /, **arguments: Any) -> Outcome:
        """What an API answers, public or not: for routes that stand before it on purpose."""
        return await self._road.route_request(
            InsideRequest(
                service=service, api=api, arguments=arguments, session_id=self._session_id
            )
        )

    async def __call__(self, service: str, api: str, /, **arguments: Any) -> Response:
        """What a public API answers, as a response."""
        return JsonResponse(await self.outcome(service, api, **arguments))


async def caller(request: Request) -> Caller:
    """A caller with the session that the request names in `X-Session-ID`.

    Raises:
        InvalidRequest: that cannot be one, or the query has parameters the route does not know.
    """
    check_query(request)
    return Caller(request.app.state.road, session_id_of(request))


async def registry_of(request: Request) -> Registry:
    """The city's registry."""
    return cast("Registry", request.app.state.registry)


async def settings_of(request: Request) -> Settings:
    """The city's settings."""
    return cast("Settings", request.app.state.settings)


async def trace_of(request: Request) -> RequestTrace:
    """The request's trace id, and whether the client chose it."""
    return cast("RequestTrace", request.scope["civitas.trace"])


Call = Annotated[Caller, Depends(caller)]
TheRegistry = Annotated[Registry, Depends(registry_of)]
TheSettings = Annotated[Settings, Depends(settings_of)]
Trace = Annotated[RequestTrace, Depends(trace_of)]


class StrictBody(Generic[M]):
    """A dependency that reads the body as strict JSON, in the form of a model.

    The OpenAPI document describes the body by it.

    Raises:
        InvalidRequest: it is JSON of another form. See `json_object` for what is no JSON.
    """

    def __init__(self, model: type[M]) -> None:
        _refuse_undescribed(model, "validation")
        self.model = model

    async def __call__(self, request: Request) -> M:
        try:
            return self.model.model_validate(await json_object(request))
        except ValidationError as error:
            found = [FieldError(pointer_to(f["loc"]), f["msg"]) for f in error.errors()]
            detail = f"{len(found)} fault(s) in the body"
            raise InvalidRequest(detail, errors=found) from error


@dataclass(frozen=True, slots=True)
class Answering:
    """What a route answers with a status (none: its own), as the OpenAPI document tells it."""

    model: type[BaseModel]
    bare: bool
    status: int | None
    description: str

    @property
    def whole(self) -> type[BaseModel]:
        """The model of all of the answer."""
        return self.model if self.bare else Answer[self.model]  # type: ignore[name-defined]  # as pydantic takes it


def answers(
    model: type[BaseModel],
    *,
    bare: bool = False,
    status: int | None = None,
    description: str = "",
) -> Callable[[Endpoint], Endpoint]:
    """Say what a route answers that gives a finished response: `Answer[model]`, or `model` itself.

    Its schema is made when the document is asked for. FastAPI makes that of a `response_model` at
    every boot, beside what would check an answer.
    """
    _refuse_undescribed(model, "serialization")

    def note(endpoint: Endpoint) -> Endpoint:
        said = Answering(model, bare, status, description)
        setattr(endpoint, _ANSWERS, (said, *answers_of(endpoint)))
        return endpoint

    return note


def answers_of(endpoint: Callable[..., Any]) -> tuple[Answering, ...]:
    """What was said of the answers of a route."""
    said: tuple[Answering, ...] = getattr(endpoint, _ANSWERS, ())
    return said


def _refuse_undescribed(model: type[BaseModel], mode: JsonSchemaMode) -> None:
    """Raise pydantic's own error where a model has no JSON Schema: while a room is imported."""
    if not surely_described(model):
        model.model_json_schema(mode=mode)


def session_id_of(request: Request) -> str | None:
    """The session a request names.

    Raises:
        InvalidRequest: it cannot be the id of one.
    """
    named = request.headers.get("x-session-id")
    if named is not None and (not named.isascii() or len(named) > _LONGEST_SESSION_ID):
        fault = FieldError("/header/x-session-id", "is no session id")
        raise InvalidRequest("the header X-Session-ID is no session id", errors=[fault])
    return named or None
