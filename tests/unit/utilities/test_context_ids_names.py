"""Errors, names, ids, suggestions and the call context."""

import pytest

from utilities.context import (
    LOCAL_USER,
    CallContext,
    NoCallContext,
    UserContext,
    bound,
    current,
    current_or_none,
)
from utilities.errors import ErrorKind, PlatformError
from utilities.ids import TimeSortableIds
from utilities.names import snake_case
from utilities.suggest import did_you_mean


class LostKey(PlatformError):
    """The key is gone.

    More about it.
    """

    kind = ErrorKind.NOT_FOUND


def test_error_tells_its_code_title_and_hint() -> None:
    error = LostKey("no key k1", hint="look in the drawer")

    assert (error.code, error.title, error.kind) == ("lost_key", "The key is gone.", "not_found")
    assert (error.detail, error.hint, str(error)) == (
        "no key k1",
        "look in the drawer",
        "no key k1",
    )


@pytest.mark.parametrize(
    ("camel", "snake"),
    [
        ("APIGatewayService", "api_gateway_service"),
        ("TrafficCopService", "traffic_cop_service"),
        ("DataMashSolutionOrchestratorService", "data_mash_solution_orchestrator_service"),
        ("Nurse", "nurse"),
    ],
)
def test_camel_case_becomes_snake_case(camel: str, snake: str) -> None:
    assert snake_case(camel) == snake


def test_ids_are_unique_and_sort_by_creation() -> None:
    ids = TimeSortableIds()

    made = [ids.new() for _ in range(5000)]

    assert made == sorted(made)
    assert len(set(made)) == 5000
    assert {len(one) for one in made} == {26}


def test_nearest_name_is_suggested_whatever_its_case() -> None:
    assert did_you_mean("trafficcopservise", ["TrafficCopService", "Nurse"]) == (
        'Did you mean "TrafficCopService"?'
    )
    assert did_you_mean("zzz", ["TrafficCopService"]) == ""


def test_context_is_bound_inside_the_block_and_restored_after_it() -> None:
    outer = CallContext("outer")
    inner = CallContext("inner", UserContext(tenant="t", principal="p"))

    with bound(outer):
        with bound(inner):
            assert (current().trace_id, current().tenant) == ("inner", "t")
        assert current() == CallContext("outer", LOCAL_USER, "")
    assert current_or_none() is None


def test_asking_for_a_context_outside_of_a_call_is_an_error() -> None:
    with pytest.raises(NoCallContext, match="no call is in progress"):
        current()
