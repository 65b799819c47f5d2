"""The data mash by registry look-up, with the account of three roles."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from foundations.curator.registry import NotRegistered, Registry
from foundations.declarations import Effect, service, soa_api
from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.places import Place
from foundations.public_works.semantics import IndexableContent
from foundations.rooms import Room
from foundations.wiring import wire
from smart_city.content_steward.api import ContentSteward, FileUnknown
from smart_city.data_orchestrator.api import DataOrchestrator
from smart_city.data_steward.api import DataSteward, QualityReport
from smart_city.librarian.api import Librarian
from tests.support.role_city import SOUTH, RoleCity, as_user, role_city
from utilities.context import UserContext, current

pytestmark = pytest.mark.anyio

CSV = b"station,rain\nA,1.5\nB,2.5\n"


class FlowOutcome(BaseModel):
    success: bool
    trace_id: str
    journey_id: str
    phases: dict[str, Any] = Field(default_factory=dict)
    error: dict[str, Any] | None = None


@service
class DataMashSolutionOrchestratorService:
    """Does what the flow does to the three roles, and fails on files called `broken.csv`."""

    def __init__(self, *, files: ContentSteward, data: DataSteward, library: Librarian) -> None:
        self._files = files
        self._data = data
        self._library = library

    @soa_api(public=True, effect=Effect.KEYED)
    async def execute_data_mash_flow(
        self, file_id: str, trace_id: str | None = None, user_context: UserContext | None = None
    ) -> FlowOutcome:
        """Check the file, record its quality, index it."""
        journey, trace = f"data_mash_{file_id}", current().trace_id
        done = {"infrastructure": (await self._files.process_client_file(file_id)).model_dump()}
        record = await self._files.get_file(file_id)
        if record.name == "broken.csv":
            error = {"code": "unreadable"}
            return FlowOutcome(
                success=False, trace_id=trace, journey_id=journey, phases=done, error=error
            )
        await self._data.record_quality(file_id, QualityReport(completeness=0.5))
        await self._library.index_content(
            IndexableContent(
                content_id="content-1",
                file_id=file_id,
                name=record.name,
                media_type=record.media_type,
                passages=(Passage(number=0, place=Place.read("row 1"), text="rain"),),
            )
        )
        return FlowOutcome(success=True, trace_id=trace, journey_id=journey, phases=done)


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[RoleCity]:
    """A city with that one realm."""
    flow = wire(DataMashSolutionOrchestratorService)()
    async with role_city(
        tmp_path / "city", extra=((flow, Room("realms.solution", "solution")),)
    ) as opened:
        yield opened


async def test_account_tells_what_each_role_did(city: RoleCity) -> None:
    record = await city.get(ContentSteward).register_upload(city.spool(CSV), "rain.csv")

    with as_user(current().user, "trace-of-mash"):
        account = await city.get(DataOrchestrator).orchestrate_data_mash_flow(record.file_id)

    assert (account.success, account.trace_id) == (True, "trace-of-mash")
    assert account.journey_id == account.flow["journey_id"] == f"data_mash_{record.file_id}"
    assert account.content_steward == record
    (decision,) = account.data_steward.decisions
    assert decision.allowed
    (quality,) = account.data_steward.quality
    assert (quality.report.completeness, quality.trace_id) == (0.5, "trace-of-mash")
    assert {link.subject for link in account.data_steward.lineage} == {
        record.storage_location,
        "content-1",
    }
    (entry,) = account.librarian
    assert entry.passages == 1


async def test_flow_that_fails_leaves_its_partial_results_readable(city: RoleCity) -> None:
    record = await city.get(ContentSteward).register_upload(city.spool(CSV), "broken.csv")

    account = await city.get(DataOrchestrator).orchestrate_data_mash_flow(record.file_id)

    assert not account.success
    assert account.flow["error"] == {"code": "unreadable"}
    assert account.flow["phases"]["infrastructure"]["validation_status"] == "valid"
    assert len(account.data_steward.decisions) == 1
    assert (account.data_steward.quality, account.librarian) == ((), ())


async def test_file_of_another_tenant_is_unknown(city: RoleCity) -> None:
    record = await city.get(ContentSteward).register_upload(city.spool(CSV), "rain.csv")

    with as_user(SOUTH), pytest.raises(FileUnknown):
        await city.get(DataOrchestrator).orchestrate_data_mash_flow(record.file_id)


async def test_city_without_the_flow_says_so(tmp_path: Path) -> None:
    async with role_city(tmp_path / "bare") as bare:
        assert "DataMashSolutionOrchestratorService" not in {
            entry.name for entry in bare.get(Registry).entries()
        }
        record = await bare.get(ContentSteward).register_upload(bare.spool(CSV), "rain.csv")

        with pytest.raises(NotRegistered):
            await bare.get(DataOrchestrator).orchestrate_data_mash_flow(record.file_id)
