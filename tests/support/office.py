"""A small office whose journeys are tested: real declarations, so that mocks are held to them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from foundations.curator.registry import Registry
from foundations.declarations import Effect, service, soa_api
from foundations.rooms import Room
from realms.journey.engine.ports import Written
from realms.journey.testing.cases import Source, Suite, suite_of
from realms.journey.testing.mocks import MockedServices
from realms.journey.testing.suite import JourneyResult, play_suite


class Given(BaseModel):
    model_config = ConfigDict(frozen=True)


class Invoice(Given):
    number: str
    amounts: tuple[float, ...]
    currency: str = "EUR"


class Checked(Given):
    ok: bool


class Booked(Given):
    entry_id: str


class Done(Given):
    done: bool = True


@service
class DeskService:
    """Reads, checks, books and sends."""

    @soa_api(effect=Effect.PURE)
    async def read(self, file_id: str) -> Invoice:
        raise NotImplementedError

    @soa_api(effect=Effect.PURE)
    async def check(self, amount: float) -> Checked:
        raise NotImplementedError

    @soa_api(effect=Effect.KEYED)
    async def book(self, number: str) -> Booked:
        raise NotImplementedError

    @soa_api(effect=Effect.KEYED)
    async def unbook(self, entry: str) -> Done:
        raise NotImplementedError

    @soa_api(effect=Effect.GUARDED)
    async def pay(self, number: str) -> Done:
        raise NotImplementedError


def office() -> Registry:
    """A registry with the desk."""
    registry = Registry()
    registry.register(DeskService(), Room("tests.support", "office"))
    return registry


OFFICE = office()


def suite(template: str, tests: str = "", *, below: tuple[Written, ...] = ()) -> Suite:
    beside = Source("office.tests.yaml", tests) if tests else None
    return suite_of(
        Source("office.yaml", template),
        MockedServices(registry=OFFICE),
        beside=beside,
        below=lambda _: [written.plan for written in below],
    )


def played(template: str, tests: str = "", *, below: tuple[Written, ...] = ()) -> JourneyResult:
    """The tests of a journey of the office, played."""
    return play_suite(suite(template, tests, below=below), registry=OFFICE, below=below)


CASES = Path(__file__).parents[1] / "golden" / "cases"
INVOICE_CHECK = (CASES / "invoice_check.yaml").read_text()
INVOICE_TESTS = (CASES / "invoice_check.cases.yaml").read_text()
