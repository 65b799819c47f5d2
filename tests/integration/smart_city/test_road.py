"""The one road: session, look-up, policy, call, event, under one span and one log line."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from foundations.curator.apis import InvalidArguments
from foundations.curator.registry import NotRegistered, Registry
from foundations.declarations import Effect, service, soa_api
from foundations.experience.road import CityRequest, Event, InsideRequest, Outcome, Road
from foundations.rooms import Room
from smart_city.communication_director.api import CommunicationDirector
from smart_city.post_office.api import PostOffice
from smart_city.security_guard.api import AccessDenied, NotOffered
from smart_city.traffic_cop.api import SessionUnknown, TrafficCop
from tests.support.role_city import NORTH, SOUTH, RoleCity
from utilities.context import CallContext, UserContext, current
from utilities.errors import PlatformError

pytestmark = pytest.mark.anyio


class Seen(BaseModel):
    word: str
    trace_id: str
    tenant: str
    principal: str


@service
class EchoService:
    """Answers with what it was told, and by whom."""

    @soa_api(public=True)
    async def show_word(self, word: str) -> Seen:
        return _seen(word)

    @soa_api(public=True, effect=Effect.KEYED)
    async def keep_word(self, word: str) -> Seen:
        return _seen(word)

    @soa_api(effect=Effect.KEYED)
    async def keep_secret(self, word: str) -> Seen:
        return _seen(word)

    @soa_api(public=True)
    async def show_fault(self) -> Seen:
        raise ZeroDivisionError("inside the service")


def _seen(word: str) -> Seen:
    context = current()
    return Seen(
        word=word,
        trace_id=context.trace_id,
        tenant=context.tenant,
        principal=context.user.principal,
    )


Ask = Callable[..., Any]


def asked(api: str, *, kind: type[CityRequest] = CityRequest, **more: Any) -> CityRequest:
    more.setdefault("arguments", {"word": "hello"})
    return kind(service="EchoService", api=api, **more)


@pytest.fixture
def director(city: RoleCity) -> CommunicationDirector:
    city.get(Registry).register(EchoService(), Room("realms.echo", "echo"))
    return city.get(CommunicationDirector)


async def test_request_reaches_its_service_under_its_trace_and_user(
    director: CommunicationDirector,
) -> None:
    outcome = await director.route_request(asked("show_word"), trace_id="abc", user_context=SOUTH)

    assert outcome == Outcome(
        success=True,
        trace_id="abc",
        result={"word": "hello", "trace_id": "abc", "tenant": "south", "principal": "first"},
    )


async def test_director_is_the_road(city: RoleCity) -> None:
    assert city.get(Road) is city.get(CommunicationDirector)


async def test_one_line_and_one_span_tell_of_a_request(
    city: RoleCity, director: CommunicationDirector
) -> None:
    await director.route_request(asked("show_word"), trace_id="abc")

    (line,) = [line for line in city.log if line.startswith("INFO")]
    assert "'service': 'EchoService', 'api': 'show_word'" in line
    assert "'status': 'ok'" in line
    (span,) = city.spans.get_finished_spans()
    assert span.name == "route_request"
    assert dict(span.attributes or {}) == {
        "civitas.trace_id": "abc",
        "service": "EchoService",
        "api": "show_word",
    }


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (asked("show_word", arguments={}), "invalid_arguments"),
        (asked("keep_secret"), "not_offered"),
        (asked("show_fault", arguments={}), "failed"),
    ],
)
async def test_line_of_a_failed_request_says_how_it_failed(
    city: RoleCity, director: CommunicationDirector, request_: CityRequest, status: str
) -> None:
    with pytest.raises((PlatformError, ZeroDivisionError)):
        await director.route_request(request_)

    (line,) = [line for line in city.log if line.startswith("INFO")]
    assert f"'status': '{status}'" in line
    assert len(city.spans.get_finished_spans()) == 1


@pytest.mark.parametrize(
    ("service_", "api", "meant"),
    [("EchoServce", "show_word", "EchoService"), ("EchoService", "show_wrod", "show_word")],
)
async def test_wrong_name_gets_the_right_one_suggested(
    director: CommunicationDirector, service_: str, api: str, meant: str
) -> None:
    with pytest.raises(NotRegistered) as missed:
        await director.route_request(CityRequest(service=service_, api=api))

    assert f'Did you mean "{meant}"?' in missed.value.hint


async def test_argument_nobody_knows_is_refused(director: CommunicationDirector) -> None:
    with pytest.raises(InvalidArguments) as refused:
        await director.route_request(asked("show_word", arguments={"word": "a", "trace_id": "b"}))

    assert [error.pointer for error in refused.value.errors] == ["/trace_id"]


async def test_api_that_is_not_public_is_reached_from_inside_only(
    city: RoleCity, director: CommunicationDirector
) -> None:
    with pytest.raises(NotOffered):
        await director.route_request(asked("keep_secret"))

    outcome = await director.route_request(asked("keep_secret", kind=InsideRequest))

    assert outcome.result["word"] == "hello"
    assert any(line.startswith("WARNING") and "only_inside" in line for line in city.log)


@pytest.mark.parametrize(
    ("service_", "api"),
    [
        ("CommunicationDirectorService", "route_request"),
        ("APIGatewayService", "route_request"),
        ("ContentStewardService", "register_upload"),
        ("ContentStewardService", "process_internal_file"),
        ("ContentStewardService", "register_internal"),
        ("DataStewardService", "enforce_platform_data_policy"),
        ("DataStewardService", "get_platform_lineage"),
        ("LibrarianService", "index_content"),
        ("PostOfficeService", "publish_event"),
        ("TrafficCopService", "manage_session"),
    ],
)
async def test_inner_apis_of_the_roles_are_not_offered_outside(
    director: CommunicationDirector, service_: str, api: str
) -> None:
    with pytest.raises(NotOffered):
        await director.route_request(CityRequest(service=service_, api=api))


async def test_json_from_outside_never_becomes_a_request_from_inside() -> None:
    parsed = CityRequest.model_validate(asked("keep_secret").model_dump())

    assert type(parsed) is CityRequest
    with pytest.raises(ValueError, match="inside"):
        CityRequest.model_validate({**parsed.model_dump(), "inside": True})


@pytest.mark.parametrize("roles", [(), ("reader",)])
async def test_caller_without_a_writing_role_may_read_and_not_write(
    director: CommunicationDirector, roles: tuple[str, ...]
) -> None:
    visitor = UserContext(tenant="north", principal="visitor", roles=roles)

    await director.route_request(asked("show_word"), user_context=visitor)
    with pytest.raises(AccessDenied):
        await director.route_request(asked("keep_word"), user_context=visitor)


async def test_request_goes_on_under_its_session(
    city: RoleCity, director: CommunicationDirector
) -> None:
    cop = city.get(TrafficCop)
    session = await cop.open_session()

    await director.route_request(asked("show_word", session_id=session.id))

    assert (await cop.get_session(session.id)).requests == 2
    with pytest.raises(SessionUnknown):
        await director.route_request(asked("show_word", session_id="forged"))


async def test_event_is_published_when_the_request_asks(
    city: RoleCity, director: CommunicationDirector
) -> None:
    asks = Event(topic="words.shown", key="hello", data={"n": 1})
    async with city.get(PostOffice).subscribe("*", "reader") as deliveries:
        await director.route_request(asked("show_word", event=asks))
        await director.route_request(asked("show_word", publish_event=True, event=asks))
        await director.route_request(asked("show_word", publish_event=True), "abc", NORTH)

        own, default = await anext(deliveries), await anext(deliveries)

    assert own.event == asks
    assert default.event.topic == "requests.echo_service.show_word"
    assert default.event.data["trace_id"] == "abc"
    assert default.context == CallContext("abc", NORTH, default.event_id)


async def test_failed_request_publishes_nothing(
    city: RoleCity, director: CommunicationDirector
) -> None:
    async with city.get(PostOffice).subscribe("*", "reader") as deliveries:
        with pytest.raises(ZeroDivisionError):
            await director.route_request(asked("show_fault", arguments={}, publish_event=True))
        await director.route_request(asked("show_word", publish_event=True))

        assert (await anext(deliveries)).event.topic == "requests.echo_service.show_word"
