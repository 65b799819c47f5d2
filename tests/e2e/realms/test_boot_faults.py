"""Every kind of fault, planted in one installed realm, is told in one report with its remedy."""

from pathlib import Path

import pytest

from foundations.curator.verification import FaultKind
from tests.support.installed import installed
from tests.support.processes import civitas

pytestmark = pytest.mark.slow

PYPROJECT = """\
[project]
name = "civitas-faulty"
version = "1.0"

[project.entry-points."civitas.realms"]
faulty = "faulty"
gone = "package_that_is_not_there"
"""
SERVICES = '''\
"""Everything that can be wrong with a realm."""

from typing import Protocol

from pydantic import BaseModel

from foundations.declarations import Effect, agent, service, soa_api


class Nobody(Protocol):
    async def find_anything(self) -> "Answer": ...


class Absent(Protocol):
    """Is implemented by nobody."""


class Someone(Protocol):
    def name(self) -> str: ...


class Answer(BaseModel):
    text: str = ""


@service
class NeedyService:
    def __init__(self, *, absent: Absent) -> None: ...


class FirstSomeone(Someone):
    def name(self) -> str:
        return "first"


class SecondSomeone(Someone):
    def name(self) -> str:
        return "second"


@service
class TornService:
    def __init__(self, *, someone: Someone) -> None: ...


@service
class ChickenService:
    def __init__(self, *, egg: "EggService") -> None: ...


@service
class EggService:
    def __init__(self, *, chicken: ChickenService) -> None: ...


@service
class TrafficCopService:
    """The name is taken, by a role."""


@service
class badly_named:
    """No CamelCase."""


@service
class VagueService:
    @soa_api(public=True)
    async def get_something(self, what) -> Answer:
        return Answer()

    @soa_api(public=True)
    async def get_dictionary(self) -> dict:
        return {}


@service
class WritingService:
    @soa_api(public=True)
    async def write_something(self, text: str) -> Answer:
        return Answer()


@service
class FailingService:
    def __init__(self) -> None:
        raise RuntimeError("no luck")


@service
class LazyService(Nobody):
    """Leaves a method of its protocol undefined."""


@agent(instructions="Help.", tools=("WritingService.wriet_something",))
class ToollessAgent:
    """Declares a tool that does not exist."""
'''
CONTAINER = '''\
"""What the faulty realm is made of."""

from faulty import services as s
from foundations.wiring import wire

container = wire(
    s.NeedyService, s.FirstSomeone, s.SecondSomeone, s.TornService, s.ChickenService,
    s.EggService, s.TrafficCopService, s.badly_named, s.VagueService, s.WritingService,
    s.FailingService, s.LazyService, s.ToollessAgent,
)
'''
JOURNEY = """\
journey_template: unfit
description: "Names an API that is not there"
milestones:
  - milestone_id: written
    phase: one
    service: WritingService
    api: wriet_something
    next_milestone: complete
    description: "Never"
"""
PLANTED = {
    FaultKind.UNRESOLVED: "NeedyService.__init__(absent: Absent) is provided by nobody",
    FaultKind.AMBIGUOUS: "could be FirstSomeone and SecondSomeone",
    FaultKind.CIRCULAR: "ChickenService -> EggService -> ChickenService",
    FaultKind.DUPLICATE: "TrafficCopService of faulty.services is registered already",
    FaultKind.BAD_NAME: "badly_named is not in CamelCase",
    FaultKind.UNTYPED: "VagueService.get_something does not say the type of 'what'",
    FaultKind.NO_EFFECT: "WritingService.write_something is not named for reading",
    FaultKind.UNBUILDABLE: "FailingService cannot be built: RuntimeError: no luck",
    FaultKind.UNDEFINED: "LazyService is a Nobody and does not define find_anything",
    FaultKind.UNKNOWN_TOOL: "ToollessAgent declares the tool",
    FaultKind.TEMPLATE: "wriet_something",
    FaultKind.REALM: "entry point gone names the package package_that_is_not_there",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The faulty realm, installed."""
    project = tmp_path_factory.mktemp("project")
    (project / "faulty/journeys").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "faulty/__init__.py").write_text('"""Nothing here is right."""\n')
    (project / "faulty/services.py").write_text(SERVICES)
    (project / "faulty/container.py").write_text(CONTAINER)
    (project / "faulty/journeys/unfit.yaml").write_text(JOURNEY)
    return installed(project, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def report(site: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What `serve` says on stderr; it must end by itself with 78."""
    data = tmp_path_factory.mktemp("data")
    found = civitas(
        "serve", "--port", "0", "--data-dir", data, environment={"PYTHONPATH": str(site)}
    )
    assert found.returncode == 78, found.stderr
    assert found.stdout == ""
    return found.stderr.splitlines()


def test_every_kind_of_fault_is_planted() -> None:
    assert set(PLANTED) == set(FaultKind)


@pytest.mark.parametrize("kind", FaultKind)
def test_fault_is_told_with_a_remedy(report: list[str], kind: FaultKind) -> None:
    told = [number for number, line in enumerate(report) if f"[{kind}]" in line]
    matching = [number for number in told if PLANTED[kind] in report[number]]

    assert matching, "\n".join(report)
    assert all(report[number + 1].strip().startswith("remedy: ") for number in told)


def test_report_begins_with_the_number_of_faults(report: list[str]) -> None:
    listed = [line for line in report if line.lstrip().startswith("[")]

    assert report[0] == f"error: {len(listed)} fault(s) found at boot:"
    assert report[-1].startswith("fix: ")


def test_verify_tells_the_same_faults(site: Path, report: list[str]) -> None:
    found = civitas("city", "verify", environment={"PYTHONPATH": str(site)})

    assert found.returncode == 78
    assert found.stderr.splitlines() == report


def test_help_works_beside_a_faulty_realm(site: Path) -> None:
    assert civitas("--help", environment={"PYTHONPATH": str(site)}).returncode == 0
