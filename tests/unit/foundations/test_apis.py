"""Contracts read from signatures, and calls through them."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import BaseModel

from foundations.curator.apis import (
    Api,
    BrokenPromise,
    Contract,
    InvalidArguments,
    UntypedApi,
    stated_effect,
)
from foundations.declarations import ApiDeclaration, Effect, apis_of, soa_api
from utilities.context import UserContext
from utilities.errors import ErrorKind

pytestmark = pytest.mark.anyio


class Line(BaseModel):
    text: str
    amount: float = 0


class Sum(BaseModel):
    total: float
    lines: list[Line]


@dataclass
class Plain:
    number: int


@dataclass
class More(Plain):
    name: str


class Desk:
    @soa_api(public=True)
    async def get_sum(
        self,
        lines: list[Line],
        factor: float = 1,
        trace_id: str | None = None,
        user_context: UserContext | None = None,
    ) -> Sum:
        """Add lines up."""
        return Sum(total=factor * sum(line.amount for line in lines), lines=lines)

    @soa_api()
    async def get_plain(self) -> Plain:
        return Plain(number=3)

    @soa_api()
    async def get_promised(self, kind: str = "plain", *, marks: list[str] | None = None) -> Plain:
        match kind:
            case "more":
                return More(number=len(marks or ()), name="more")
            case "alike":
                return {"number": 3}  # type: ignore[return-value]  # the fault is the point
            case "nothing":
                return None  # type: ignore[return-value]  # the fault is the point
        return Plain(number=3)


def api(name: str) -> Api:
    method = getattr(Desk(), name)
    return Api(
        service="Desk",
        name=name,
        realm="office",
        declaration=apis_of(Desk)[name],
        contract=Contract.of(getattr(Desk, name)),
        description="",
        method=lambda: method,
    )


def test_contract_is_read_once_for_all_cities_of_a_process() -> None:
    assert Contract.of(Desk.get_sum) is Contract.of(Desk.get_sum)


async def test_call_validates_and_converts_arguments() -> None:
    answer = await api("get_sum").call({"lines": [{"text": "a", "amount": 2}], "factor": 3})

    assert answer == Sum(total=6, lines=[Line(text="a", amount=2)])
    assert api("get_sum").dump(answer) == {"total": 6, "lines": [{"text": "a", "amount": 2}]}


async def test_dataclass_is_a_good_answer() -> None:
    plain = api("get_plain")

    assert plain.dump(await plain.call({})) == {"number": 3}
    assert plain.output_fields["number"]["type"] == "integer"


@pytest.mark.parametrize(("kind", "told"), [("alike", "dict"), ("nothing", "NoneType")])
async def test_answer_of_another_type_never_goes_through(kind: str, told: str) -> None:
    with pytest.raises(BrokenPromise, match=f"answered with {told}, it promises Plain") as caught:
        await api("get_promised").call({"kind": kind})

    assert caught.value.kind is ErrorKind.INTERNAL
    assert caught.value.hint


async def test_answer_of_a_subclass_keeps_the_promise_and_shows_what_was_promised() -> None:
    promised = api("get_promised")

    answer = await promised.call(MappingProxyType({"kind": "more", "marks": ["a", "b"]}))

    assert promised.dump(answer) == {"number": 2}


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({}, "/lines"),
        ({"lines": [{"text": 1}]}, "/lines/0/text"),
        ({"lines": [], "more": 1}, "/more"),
        ({"lines": [], "trace_id": "forged"}, "/trace_id"),
        ({"lines": [], "user_context": {"tenant": "other"}}, "/user_context"),
    ],
)
async def test_wrong_arguments_are_refused_with_a_pointer(
    arguments: dict[str, object], pointer: str
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        await api("get_sum").call(arguments)

    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert "/api/office/desk/get_sum takes lines, factor" in caught.value.hint


def test_schemas_and_parameters_come_from_the_signature() -> None:
    parameters = api("get_sum").parameters

    assert {name: one.required for name, one in parameters.items()} == {
        "lines": True,
        "factor": False,
    }
    assert "Line" in parameters["lines"].schema["$defs"]
    assert set(api("get_sum").output_fields) == {"total", "lines"}
    assert api("get_sum").path == "/api/office/desk/get_sum"
    assert api("get_sum").effect is Effect.PURE
    assert api("get_sum").public


async def untyped(self, name) -> Sum: ...  # type: ignore[no-untyped-def, empty-body]  # the fault is the point
async def starred(self: Any, *names: str) -> Sum: ...  # type: ignore[empty-body]  # never called
async def silent(self: Any, name: str): ...  # type: ignore[no-untyped-def]  # the fault is the point
async def bare(self: Any) -> dict[str, str]: ...  # type: ignore[empty-body]  # never called
async def unknown(self: Any, name: "Nowhere") -> Sum: ...  # type: ignore[name-defined, empty-body]  # noqa: F821 - the fault is the point
async def opaque(self: Any, name: object, thing: pytest.Session) -> Sum: ...  # type: ignore[empty-body]  # never called
def waiting(self: Any) -> Sum: ...  # type: ignore[empty-body]  # never called


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        (untyped, "does not say the type of 'name'"),
        (starred, r"takes \*names"),
        (silent, "does not say what it answers"),
        (bare, "answers with"),
        (unknown, "unknown type 'Nowhere'"),
        (opaque, "without a JSON Schema"),
        (waiting, "is not async"),
    ],
)
def test_signature_that_is_no_contract_is_refused(method: Any, problem: str) -> None:
    with pytest.raises(UntypedApi, match=problem) as caught:
        Contract.of(method)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "declared", "effect"),
    [
        ("get_file", None, Effect.PURE),
        ("look_up_name", None, Effect.PURE),
        ("book", None, None),
        ("getaway", None, None),
        ("book", Effect.GUARDED, Effect.GUARDED),
        ("get_ticket", Effect.KEYED, Effect.KEYED),
    ],
)
def test_only_apis_named_for_reading_are_pure_by_default(
    name: str, declared: Effect | None, effect: Effect | None
) -> None:
    assert stated_effect(name, ApiDeclaration(effect=declared)) is effect
