"""The registry: joining, look-up, faults, late registration, opening and closing."""

from contextlib import AsyncExitStack
from typing import Any, Protocol, Self

import pytest
from pydantic import BaseModel

from foundations.curator.catalogue import Catalogue, tool_name
from foundations.curator.curator import CuratorFoundationService, ServiceMetadata
from foundations.curator.entries import Kind
from foundations.curator.health import Health, HealthStatus, TellsHealth
from foundations.curator.registry import NotRegistered, Registry, RegistrySealed
from foundations.curator.verification import (
    BootCheck,
    BootRefused,
    Fault,
    FaultKind,
    RegistrationRefused,
)
from foundations.declarations import Effect, agent, service, soa_api
from foundations.di_container import DIContainer
from foundations.rooms import Room
from foundations.wiring import wire

pytestmark = pytest.mark.anyio


class Answer(BaseModel):
    text: str


class Greeting(Protocol):
    async def get_greeting(self, name: str) -> Answer: ...


class Words:
    """A part."""


@service
class GreetingService(Greeting):
    """Greets people."""

    def __init__(self, *, words: Words) -> None:
        self.words = words

    @soa_api(public=True)
    async def get_greeting(self, name: str) -> Answer:
        """Greet one person."""
        return Answer(text=f"Hello {name}")

    @soa_api(effect=Effect.KEYED)
    async def keep(self, name: str) -> Answer:
        return Answer(text=name)


@service(owner="front desk")
class DoorService(TellsHealth):
    """Opens the door."""

    def __init__(self, *, greeting: Greeting) -> None:
        self.greeting = greeting

    async def health(self) -> Health:
        return Health(status=HealthStatus.DEGRADED, detail="it creaks")


@agent(instructions="Greet.", tools=("GreetingService.get_greeting",))
class DoormanAgent:
    """Stands at the door."""


ROOM = Room("realms.hall", "hall")


def joined(*classes: type) -> Registry:
    registry = Registry()
    registry.enrol(wire(*classes)(), ROOM)
    registry.prepare()
    return registry


@pytest.fixture
def hall() -> Registry:
    registry = Registry()
    registry.enrol(wire(DoorService, DoormanAgent)(), Room("smart_city.door", "smart_city"))
    registry.enrol(wire(GreetingService, Words)(), ROOM)
    registry.prepare()
    return registry


def test_dependency_of_another_room_is_filled_by_type(hall: Registry) -> None:
    door = hall.get(DoorService)

    assert hall.faults() == []
    assert door.greeting is hall.get(GreetingService)
    assert hall.get(Greeting) is door.greeting  # found by its protocol


def test_service_is_found_by_name_and_a_typo_gets_a_suggestion(hall: Registry) -> None:
    assert hall.named("DoorService") is hall.get(DoorService)
    with pytest.raises(NotRegistered) as caught:
        hall.named("DoorServise")
    assert caught.value.hint == 'Did you mean "DoorService"?'


def test_api_is_found_by_name_and_by_path(hall: Registry) -> None:
    assert hall.api("GreetingService", "get_greeting") is hall.api_at(
        "hall", "greeting_service", "get_greeting"
    )
    with pytest.raises(NotRegistered) as caught:
        hall.api("GreetingService", "get_greting")
    assert caught.value.hint == 'Did you mean "get_greeting"?'
    with pytest.raises(NotRegistered) as caught:
        hall.api_at("hall", "greting_service", "get_greeting")
    assert caught.value.hint == 'Did you mean "hall/greeting_service"?'


def test_services_are_found_by_pattern_and_kind(hall: Registry) -> None:
    assert [entry.name for entry in hall.entries("*Service")] == ["DoorService", "GreetingService"]
    kinds = {entry.name: entry.kind for entry in hall.entries()}
    assert kinds == {
        "DoorService": Kind.ROLE,
        "DoormanAgent": Kind.AGENT,
        "GreetingService": Kind.SERVICE,
    }


def test_type_that_nobody_or_several_implement_cannot_be_got(hall: Registry) -> None:
    class Nothing: ...

    with pytest.raises(NotRegistered, match="0 registered classes are a Nothing"):
        hall.get(Nothing)
    with pytest.raises(NotRegistered, match="are a object"):
        hall.get(object)


async def test_api_called_through_the_registry_reaches_the_service(hall: Registry) -> None:
    assert await hall.api("GreetingService", "get_greeting").call({"name": "you"}) == Answer(
        text="Hello you"
    )


def test_foundations_and_services_are_found_in_the_container() -> None:
    registry = Registry()
    registry.enrol(
        wire(Catalogue, CuratorFoundationService)(), Room("foundations.curator", "curator")
    )
    registry.enrol(wire(GreetingService, Words)(), ROOM)
    registry.prepare()
    container = DIContainer(registry=registry)

    assert isinstance(
        container.get_foundation_service("CuratorFoundationService"), CuratorFoundationService
    )
    assert isinstance(container.get_service("GreetingService"), GreetingService)
    with pytest.raises(NotRegistered) as caught:
        container.get_foundation_service("GreetingService")
    assert "CuratorFoundationService" in caught.value.hint


# faults


@service
class lower_case:  # noqa: N801 - the bad name is the point
    """Badly named."""

    @soa_api(public=True, effect=Effect.PURE)
    async def getThing(self) -> Answer:  # noqa: N802 - the bad name is the point
        return Answer(text="")


@service
class Untyped:
    @soa_api()
    async def get_thing(self, name):  # type: ignore[no-untyped-def]  # the fault is the point
        return name


@service
class Writing:
    @soa_api()
    async def book(self) -> Answer:
        return Answer(text="")


@service
class Broken:
    def __init__(self) -> None:
        raise OSError("no disk")


@service
class AboveBroken:
    def __init__(self, *, broken: Broken) -> None:
        self.broken = broken


@service
class Lonely:
    def __init__(self, *, wordz: "Wordz") -> None:
        self.wordz = wordz


class Wordz:
    """Wired nowhere."""


@service
class Hollow(Greeting):
    """Leaves the protocol's method undefined."""


class SomeWords(Words): ...


class OtherWords(Words): ...


@service
class Choosing:
    def __init__(self, *, words: Words) -> None:
        self.words = words


class Chicken:
    def __init__(self, *, egg: "Egg") -> None:
        self.egg = egg


class Egg:
    def __init__(self, *, chicken: Chicken) -> None:
        self.chicken = chicken


@service
class Checked(BootCheck):
    def verify(self) -> list[Fault]:
        return [Fault(FaultKind.TEMPLATE, "mash.yaml:3:1", "does not fit", "mend it")]


@pytest.mark.parametrize(
    ("classes", "kind", "subject", "remedy"),
    [
        ([lower_case], FaultKind.BAD_NAME, "lower_case", "call it LowerCase"),
        ([lower_case], FaultKind.BAD_NAME, "lower_case.getThing", "call it get_thing"),
        ([Untyped], FaultKind.UNTYPED, "Untyped.get_thing", "annotate"),
        ([Writing], FaultKind.NO_EFFECT, "Writing.book", "effect=Effect.KEYED"),
        ([Broken, AboveBroken], FaultKind.UNBUILDABLE, "Broken", "constructor"),
        ([Lonely, Words], FaultKind.UNRESOLVED, "Lonely.__init__(wordz: Wordz)", '"Words"'),
        ([Hollow], FaultKind.UNDEFINED, "Hollow", "define get_greeting"),
        (
            [Choosing, SomeWords, OtherWords],
            FaultKind.AMBIGUOUS,
            "Choosing.__init__(words: Words)",
            "wire only one",
        ),
        ([Chicken, Egg], FaultKind.CIRCULAR, "Chicken", "break the circle"),
        ([Checked], FaultKind.TEMPLATE, "mash.yaml:3:1", "mend it"),
    ],
)
def test_fault_is_found_with_its_remedy(
    classes: list[type], kind: FaultKind, subject: str, remedy: str
) -> None:
    found = [fault for fault in joined(*classes).faults() if fault.subject == subject]

    assert [fault.kind for fault in found] == [kind]
    assert remedy in found[0].remedy


def test_cause_is_reported_and_not_its_consequences() -> None:
    assert [fault.subject for fault in joined(Broken, AboveBroken).faults()] == ["Broken"]


def test_two_services_of_one_name_are_a_fault() -> None:
    registry = joined(GreetingService, Words)
    registry.enrol(wire(GreetingService)(), Room("realms.other", "other"))

    assert [fault.kind for fault in registry.faults()] == [FaultKind.DUPLICATE]


def test_all_faults_stand_in_one_refusal() -> None:
    refused = BootRefused(joined(lower_case, Untyped, Writing, Broken).faults())

    assert len(refused.faults) == 5
    assert all(fault.subject in refused.detail for fault in refused.faults)
    assert refused.detail.count("remedy:") == 5


@service
class HTTPProbe:
    """One of two whose paths are the same."""


@service
class HttpProbe:
    """The other."""


async def test_two_services_at_one_path_are_a_fault_at_boot_and_later() -> None:
    registry = joined(HTTPProbe, HttpProbe)
    curator = CuratorFoundationService(registry=registry, catalogue=Catalogue(registry=registry))

    assert [fault.kind for fault in registry.faults()] == [FaultKind.DUPLICATE]
    with pytest.raises(RegistrationRefused, match="same path"):
        await curator.register_service(HttpProbe(), ServiceMetadata(realm="hall"))


# late registration


async def test_late_service_is_registered_and_listed() -> None:
    registry = joined(Words)
    registry.seal()
    curator = CuratorFoundationService(registry=registry, catalogue=Catalogue(registry=registry))

    registered = await curator.register_service(
        GreetingService(words=Words()), ServiceMetadata(realm="late", owner="me")
    )

    assert registered.paths == ("/api/late/greeting_service/get_greeting",)
    (listing,) = (await curator.list_services()).services
    assert (listing.name, listing.realm, listing.owner) == ("GreetingService", "late", "me")
    with pytest.raises(RegistrationRefused, match="registered already"):
        await curator.register_service(GreetingService(words=Words()))


async def test_late_service_of_a_realm_module_is_served_under_that_realm() -> None:
    registry = Registry()
    curator = CuratorFoundationService(registry=registry, catalogue=Catalogue(registry=registry))

    registered = await curator.register_service(DoormanAgent())

    assert registered.realm == __name__.split(".", maxsplit=1)[0]


@pytest.mark.parametrize("instance", [Writing(), Untyped(), Words(), lower_case()])
async def test_late_service_gets_the_same_checks(instance: Any) -> None:
    registry = Registry()
    curator = CuratorFoundationService(registry=registry, catalogue=Catalogue(registry=registry))

    with pytest.raises(RegistrationRefused) as caught:
        await curator.register_service(instance)

    assert caught.value.hint
    assert registry.entries() == []


def test_sealed_registry_takes_no_more_containers() -> None:
    registry = Registry()
    registry.seal()

    with pytest.raises(RegistrySealed):
        registry.enrol(wire(Words)(), ROOM)


# opening


class Opened(list[str]):
    """Who was opened and closed, in order."""


class Water:
    def __init__(self, *, opened: Opened) -> None:
        self._opened = opened

    async def __aenter__(self) -> Self:
        self._opened.append(f"{type(self).__name__} opens")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._opened.append(f"{type(self).__name__} closes")


class Spring(Water):
    """Needs nothing but the notes."""


class Wheel(Water):
    def __init__(self, *, opened: Opened, spring: Spring, words: Words) -> None:
        super().__init__(opened=opened)


async def test_dependencies_open_first_and_close_last() -> None:
    registry, opened = Registry(), Opened()
    registry.add(opened)
    registry.enrol(wire(Wheel, Spring, Words)(), ROOM)
    registry.prepare()
    async with AsyncExitStack() as stack:
        await registry.open(stack)
        await registry.open(stack)  # once is enough

    assert opened == ["Spring opens", "Wheel opens", "Wheel closes", "Spring closes"]


# catalogue


async def test_catalogue_lists_services_with_health_and_owner(hall: Registry) -> None:
    door, _, greeting = await Catalogue(registry=hall).services()

    assert (door.name, door.owner, door.health.status) == ("DoorService", "front desk", "degraded")
    assert greeting.description == "Greets people."
    assert greeting.apis == ("get_greeting", "keep")


def test_every_api_is_a_tool_with_its_schema(hall: Registry) -> None:
    tools = {tool.name: tool for tool in Catalogue(registry=hall).tools()}

    assert set(tools) == {"greeting_service__get_greeting", "greeting_service__keep"}
    assert tools["greeting_service__get_greeting"].input_schema["required"] == ["name"]
    assert len(tool_name(hall.api("GreetingService", "keep"))) <= 64


def test_what_is_offered_are_the_public_apis_and_no_schema_is_made_for_it(hall: Registry) -> None:
    catalogue = Catalogue(registry=hall)
    (offered,) = catalogue.offered()

    assert offered.name == "get_greeting"
    assert "output_schema" not in vars(offered.contract)
    assert [(api.name, api.effect) for api in catalogue.apis()] == [
        ("get_greeting", "pure"),
        ("keep", "keyed"),
    ]


def test_graph_draws_what_each_service_is_built_from(hall: Registry) -> None:
    graph = Catalogue(registry=hall).graph()

    assert "  DoorService --> GreetingService\n" in graph
    assert "Words" not in graph  # parts are no services
    assert "subgraph realms_hall[realms.hall]" in graph
