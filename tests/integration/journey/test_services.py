"""The journey and solution realms as callers meet them: through the registry, over SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from foundations.curator.registry import Registry
from foundations.curator.verification import FaultKind
from foundations.declarations import service
from foundations.rooms import Room
from realms.journey import template_files as journey_templates
from realms.journey.api import Journey, JourneyRun, Reason, RunPage, RunStatus, UnknownRun
from realms.journey.data_mash import DataMashJourneyOrchestratorService
from realms.journey.engine.journal import AliasTaken
from realms.journey.runs import (
    JourneyRunsService,
    LintReport,
    TemplateDetail,
    TemplateList,
    refuse_kept,
)
from realms.journey.templates import JourneyTemplates, UnknownTemplate
from realms.solution.api import DataMashOutcome
from realms.solution.data_mash import DataMashSolutionOrchestratorService
from smart_city.content_steward.api import FileUnknown
from tests.support.journey_rooms import open_realms
from tests.support.journeys import BEGAN, DATA_MASH, USER
from utilities.context import CallContext, UserContext, bound
from utilities.errors import PlatformError

pytestmark = pytest.mark.anyio

SOLUTION = "DataMashSolutionOrchestratorService"
RUNS = "JourneyRunsService"


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with open_realms(tmp_path) as opened:
        with bound(USER):
            yield opened


@pytest.fixture
def mash(registry: Registry) -> DataMashSolutionOrchestratorService:
    return registry.get(DataMashSolutionOrchestratorService)


@pytest.fixture
def journeys(registry: Registry) -> DataMashJourneyOrchestratorService:
    return registry.get(DataMashJourneyOrchestratorService)


@pytest.fixture
def runs(registry: Registry) -> JourneyRunsService:
    return registry.get(JourneyRunsService)


@service
class OwnService:
    """Stands in a realm that an installed package brings."""


async def call(registry: Registry, service: str, api: str, **arguments: Any) -> Any:
    return await registry.api(service, api).call(arguments)


async def test_the_realms_fit_into_the_registry(registry: Registry) -> None:
    assert registry.faults() == []


async def test_a_data_mash_gives_its_outcome_phase_by_phase(
    mash: DataMashSolutionOrchestratorService,
) -> None:
    outcome = await mash.execute_data_mash_flow("f1")

    assert outcome.success
    assert outcome.error is None
    assert outcome.journey_id == "data_mash_f1_ada"
    assert {name: phase.status for name, phase in outcome.phases} == dict.fromkeys(
        ["infrastructure", "business_enablement", "semantic_layer", "insights"],
        RunStatus.SUCCEEDED,
    )
    insights = outcome.phases.insights.milestones["insights_generated"].output
    assert insights == {"insights_result": {"sentences": ["f1 has 3 rows."]}}


async def test_a_data_mash_that_fails_keeps_what_it_reached(
    mash: DataMashSolutionOrchestratorService,
) -> None:
    outcome = await mash.execute_data_mash_flow("bad1")

    assert not outcome.success
    assert outcome.error is not None
    assert outcome.error.code == "unreadable"
    phases = outcome.phases
    assert phases.infrastructure.status is RunStatus.SUCCEEDED
    assert phases.infrastructure.milestones["file_uploaded"].output is not None
    assert phases.business_enablement.status is RunStatus.FAILED
    assert phases.insights.status is RunStatus.PENDING


async def test_a_mash_continues_the_trace_of_the_upload(
    mash: DataMashSolutionOrchestratorService, registry: Registry
) -> None:
    outcome = await mash.execute_data_mash_flow("f1")
    by_registry = await call(registry, SOLUTION, "execute_data_mash_flow", file_id="f2")

    assert outcome.trace_id == "trace-of-the-upload"
    assert by_registry.trace_id == "trace-of-the-upload"


async def test_a_mash_with_a_trace_of_its_own_keeps_it(
    mash: DataMashSolutionOrchestratorService, registry: Registry
) -> None:
    given = await mash.execute_data_mash_flow("f1", trace_id="abc")
    with bound(CallContext("by-header", USER.user)):
        by_edge: DataMashOutcome = await call(
            registry, SOLUTION, "execute_data_mash_flow", file_id="f2", own_trace=True
        )

    parsed = given.phases.business_enablement.milestones["file_parsed"].output
    assert given.trace_id == "abc"
    assert parsed is not None
    assert parsed["trace_id"] == "abc"
    assert by_edge.trace_id == "by-header"


async def test_a_mash_asked_for_again_is_the_same_journey_unless_rerun(
    mash: DataMashSolutionOrchestratorService,
) -> None:
    first = await mash.start_data_mash("f1")
    again = await mash.start_data_mash("f1")
    rerun = await mash.start_data_mash("f1", rerun=True)

    assert again.run_id == first.run_id
    assert (first.user_id, first.file_id) == ("ada", "f1")
    assert rerun.journey_id == "data_mash_f1_ada_2"


async def test_a_mash_that_is_not_done_in_time_says_so(
    mash: DataMashSolutionOrchestratorService,
) -> None:
    outcome = await mash.execute_data_mash_flow("slow1", wait_seconds=0.01)

    assert not outcome.success
    assert outcome.error is not None
    assert outcome.error.code == "still_running"
    assert (await mash.get_data_mash(outcome.journey_id)).journey_id == "data_mash_slow1_ada"


async def test_a_mash_that_waits_for_a_person_says_so(
    mash: DataMashSolutionOrchestratorService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = JourneyRun(
        run_id="run-1",
        template="data_mash_flow",
        template_hash="hash",
        status=RunStatus.WAITING,
        reason=Reason.AMBIGUOUS,
        created_at=BEGAN,
        updated_at=BEGAN,
    )

    async def stuck(*_: Any, **__: Any) -> JourneyRun:
        return run

    monkeypatch.setattr(mash._journeys, "get", stuck)
    outcome = await mash.get_data_mash("run-1")

    assert outcome.error is not None
    assert (outcome.journey_id, outcome.error.code) == ("run-1", "waiting")


async def test_a_mash_of_an_unknown_file_begins_no_journey(
    mash: DataMashSolutionOrchestratorService, runs: JourneyRunsService
) -> None:
    with pytest.raises(FileUnknown):
        await mash.start_data_mash("no-file")

    assert (await runs.list_runs()).runs == ()


async def test_a_stuck_milestone_takes_a_result_and_the_journey_ends(
    mash: DataMashSolutionOrchestratorService, journeys: DataMashJourneyOrchestratorService
) -> None:
    failed = await mash.execute_data_mash_flow("bad1")

    advanced: Journey = await journeys.advance_milestone(
        failed.journey_id, "file_parsed", {"parse_result": {}, "semantic_result": {}}
    )
    again = await mash.execute_data_mash_flow("bad1")

    assert advanced.journey_id == "data_mash_bad1_ada"
    assert again.success
    with pytest.raises(PlatformError, match="succeeded"):
        await journeys.advance_milestone(failed.journey_id, "file_parsed", {})


async def test_runs_are_listed_newest_first_and_by_page(
    mash: DataMashSolutionOrchestratorService, runs: JourneyRunsService
) -> None:
    for number in range(3):
        await mash.execute_data_mash_flow(f"f{number}")
    await mash.execute_data_mash_flow("bad1")

    first = await runs.list_runs(limit=3)
    second = await runs.list_runs(limit=3, cursor=first.next_cursor)
    failed = await runs.list_runs(status=RunStatus.FAILED, template="data_mash_flow")

    assert [run.alias for run in (*first.runs, *second.runs)] == [
        f"data_mash_{name}_ada" for name in ("bad1", "f2", "f1", "f0")
    ]
    assert second.next_cursor == ""
    assert [run.alias for run in failed.runs] == ["data_mash_bad1_ada"]


async def test_runs_of_another_tenant_are_not_there(
    mash: DataMashSolutionOrchestratorService, runs: JourneyRunsService
) -> None:
    outcome = await mash.execute_data_mash_flow("f1")

    with bound(CallContext("t", UserContext(tenant="south", principal="ada"))):
        page: RunPage = await runs.list_runs()
        with pytest.raises(UnknownRun):
            await runs.get_run(outcome.journey_id)
    assert page.runs == ()


async def test_a_run_is_shown_with_attempts_and_times(
    mash: DataMashSolutionOrchestratorService, runs: JourneyRunsService
) -> None:
    outcome = await mash.execute_data_mash_flow("f1")

    run: JourneyRun = await runs.get_run(outcome.journey_id)

    for milestone in run.milestones:
        assert milestone.attempts == 1
        assert milestone.began_at is not None
        assert milestone.ended_at is not None
        assert milestone.began_at <= milestone.ended_at
    assert (run.principal, run.input) == ("ada", {"file_id": "f1"})


async def test_a_run_can_be_started_by_template_once_per_idempotency_key(
    runs: JourneyRunsService,
) -> None:
    with bound(CallContext("t", USER.user, "key-1")):
        first = await runs.start_run("data_mash_flow", {"file_id": "f1"})
        again = await runs.start_run("data_mash_flow", {"file_id": "f1"})

    other = await runs.start_run("data_mash_flow", {"file_id": "f1"})
    assert first.run_id == again.run_id != other.run_id
    with pytest.raises(UnknownTemplate) as unknown:
        await runs.start_run("data_mash_flo", {})
    assert unknown.value.hint == 'Did you mean "data_mash_flow"?'


async def test_templates_are_listed_shown_and_drawn(runs: JourneyRunsService) -> None:
    listed: TemplateList = await runs.list_templates()
    shown: TemplateDetail = await runs.get_template("data_mash_flow")
    drawn = await runs.get_template_graph("data_mash_flow")

    assert "data_mash_flow" in [template.name for template in listed.templates]
    assert shown.text == DATA_MASH
    assert shown.file == "templates/journeys/data_mash_journey_template.yaml"
    assert list(shown.input) == ["file_id"]
    assert drawn.mermaid.startswith("flowchart TD\n")
    assert 'm1 -- "semantic_result" --> m2' in drawn.mermaid


async def test_a_text_is_linted_against_the_running_city(runs: JourneyRunsService) -> None:
    sound: LintReport = await runs.lint_template(DATA_MASH)
    faulty = await runs.lint_template(DATA_MASH.replace("parse_file", "parse_fil"), file="my.yaml")

    assert sound.sound
    assert [fault.text for fault in faulty.faults] == [
        (
            "my.yaml:13:10  milestones[1].api  ContentAnalysisOrchestrator has no API "
            '"parse_fil". Did you mean "parse_file"?'
        )
    ]
    assert (faulty.faults[0].line, faulty.faults[0].column) == (13, 10)


def place_templates(monkeypatch: pytest.MonkeyPatch, top: Path, **texts: str | bytes) -> Path:
    folder = top / "templates" / "journeys"
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.setattr(journey_templates, "_TOP", top)
    return folder


async def test_every_fault_of_every_template_is_in_the_boot_report(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_templates(
        monkeypatch,
        tmp_path / "top",
        mash=DATA_MASH.replace("api: parse_file", "api: parse_fil"),
        other=DATA_MASH.replace("InsightsOrchestrator", "InsightOrchestrator"),
        latin="journey_template: caf\u00e9".encode("latin-1"),
        twice=DATA_MASH,
        twice_again=DATA_MASH,
    )

    faults = registry.faults()

    assert {fault.kind for fault in faults} == {FaultKind.TEMPLATE}
    told = {fault.subject: (fault.problem, fault.remedy) for fault in faults}
    assert told["templates/journeys/mash.yaml:13:10"][1] == 'Did you mean "parse_file"?'
    assert told["templates/journeys/other.yaml:24:14"][1] == 'Did you mean "InsightsOrchestrator"?'
    assert "templates/journeys/twice_again.yaml" in told
    assert len(faults) >= 4


async def test_an_edited_template_is_used_for_new_runs_and_a_broken_one_is_refused(
    runs: JourneyRunsService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place_templates(monkeypatch, tmp_path / "top", mash=DATA_MASH)
    first = await runs.start_run("data_mash_flow", {"file_id": "f1"})
    (folder / "mash.yaml").write_text(DATA_MASH + "# edited\n")
    second = await runs.start_run("data_mash_flow", {"file_id": "f1"})
    (folder / "mash.yaml").write_text(DATA_MASH.replace("api: parse_file", "api: parse_fil"))

    assert first.template_hash != second.template_hash
    with pytest.raises(PlatformError) as refused:
        await runs.start_run("data_mash_flow", {"file_id": "f1"})
    listed = await runs.list_templates()
    shown = await runs.get_template("data_mash_flow")
    assert refused.value.code == "faulty_template"
    assert not listed.templates[0].sound
    assert shown.faults[0].path == "milestones[1].api"


async def test_a_file_that_cannot_be_read_stops_no_other(
    registry: Registry, runs: JourneyRunsService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place_templates(monkeypatch, tmp_path / "top", mash=DATA_MASH)
    (folder / "gone.yaml").symlink_to(tmp_path / "nowhere")

    assert [t.name for t in (await runs.list_templates()).templates] == ["data_mash_flow"]
    assert [f.kind for f in registry.faults()] == [FaultKind.TEMPLATE]


async def test_the_templates_of_every_room_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "sample_realm_with_journeys"
    (room / "journeys").mkdir(parents=True)
    (room / "__init__.py").touch()
    (room / "journeys" / "own.yaml").write_text(DATA_MASH.replace("data_mash_flow", "own_flow"))
    monkeypatch.syspath_prepend(tmp_path)
    async with open_realms(tmp_path / "data") as registry:
        registry.register(OwnService(), Room("sample_realm_with_journeys", "sample"))
        with bound(USER):
            found = await registry.get(JourneyTemplates).all()

    assert {"own_flow", "data_mash_flow"} <= {file.name for file in found}


@pytest.mark.parametrize("alias", [".", "..", "data_mash_f1_ada", "schedule:often:1"])
def test_aliases_that_no_path_can_name_or_that_the_city_gives_are_refused(alias: str) -> None:
    with pytest.raises(AliasTaken):
        refuse_kept(alias)
