"""What @service, @soa_api and @agent say, and how trace and user reach a call."""

import pytest

from foundations.declarations import (
    Effect,
    agent,
    agent_of,
    apis_of,
    service,
    service_of,
    soa_api,
)
from utilities.context import LOCAL_USER, CallContext, UserContext, bound, current

pytestmark = pytest.mark.anyio


@service(version="2", owner="core")
class Clerk:
    """Writes down who called."""

    @soa_api(public=True)
    async def get_caller(self, name: str) -> tuple[str, str, str]:
        return name, current().trace_id, current().user.principal

    @soa_api(effect=Effect.KEYED)
    async def note(
        self,
        name: str,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> tuple[str, str | None, str]:
        assert user_context is not None
        return name, trace_id, user_context.principal

    async def inner(self) -> None:
        """No API."""


OTHER = UserContext(tenant="t", principal="anna")


def test_declarations_can_be_read_back() -> None:
    declared = service_of(Clerk)

    assert declared is not None
    assert (declared.version, declared.owner) == ("2", "core")
    assert list(apis_of(Clerk)) == ["get_caller", "note"]
    assert apis_of(Clerk)["note"].effect is Effect.KEYED
    assert apis_of(Clerk)["get_caller"].public


def test_declaration_is_not_inherited_but_apis_are() -> None:
    class Under(Clerk):
        pass

    assert service_of(Under) is None
    assert list(apis_of(Under)) == ["get_caller", "note"]


def test_agent_is_a_service_with_instructions_and_tools() -> None:
    @agent(instructions="Be brief.", tools=("Clerk.get_caller",))
    class Talker:
        pass

    declared = agent_of(Talker)
    assert declared is not None
    assert (declared.instructions, declared.tools) == ("Be brief.", ("Clerk.get_caller",))
    assert service_of(Talker) is not None
    assert agent_of(Clerk) is None


async def test_any_api_takes_a_trace_id_from_code_inside() -> None:
    answer = await Clerk().get_caller("x", trace_id="abc", user_context=OTHER)  # type: ignore[call-arg]  # the named door takes them for every API

    assert answer == ("x", "abc", "anna")


async def test_trace_and_user_are_filled_from_the_context() -> None:
    with bound(CallContext("abc", OTHER)):
        assert await Clerk().note("x") == ("x", "abc", "anna")
        assert await Clerk().note("x", "given") == ("x", "given", "anna")
        assert await Clerk().note("x", user_context=LOCAL_USER) == ("x", "abc", "local")
        assert current().trace_id == "abc"


async def test_call_without_any_context_gets_a_new_trace_and_the_local_user() -> None:
    name, trace_id, principal = await Clerk().note("x")

    assert (name, principal) == ("x", "local")
    assert trace_id is not None
    assert len(trace_id) == 32


async def test_idempotency_key_survives_a_change_of_trace() -> None:
    @service
    class Keyed:
        @soa_api(effect=Effect.KEYED)
        async def put(self) -> str:
            return current().idempotency_key

    with bound(CallContext("abc", idempotency_key="run:a:0:1")):
        assert await Keyed().put(trace_id="other") == "run:a:0:1"  # type: ignore[call-arg]  # the named door


async def test_call_leaves_the_context_of_its_caller_as_it_was() -> None:
    with bound(CallContext("abc", OTHER)) as context:
        await Clerk().note("x", "given")
        await Clerk().note("x")

        assert current() is context
