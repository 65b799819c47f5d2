"""What the engine promises of a run while the process lives, over both journals."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from foundations.declarations import Effect
from realms.journey.api import JourneyRun, Reason, RunStatus, UnknownRun
from realms.journey.control.reopening import NotOpenForResult, UnknownMilestone
from realms.journey.engine.driver import QUEUE
from realms.journey.engine.inputs import InvalidInput, InvalidResult
from realms.journey.engine.journal import AliasTaken, VersionTaken
from realms.journey.engine.ports import NotOpen
from tests.support.journals import CountingJournal
from tests.support.journeys import BEGAN, OBJECT, TEXT, JourneyCity, signature
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio

MILESTONES = ["file_uploaded", "file_parsed", "semantic_processed", "insights_generated"]
APIS = [
    "process_client_file",
    "parse_file",
    "store_semantic_embeddings",
    "analyze_content_for_insights",
]


class Busy(PlatformError):
    """The service is busy."""

    kind = ErrorKind.UNAVAILABLE


class Unfit(PlatformError):
    """The file is unfit."""

    kind = ErrorKind.INVALID


def fails(error: Exception) -> Any:
    """An answer that raises."""

    def behave(_: Any) -> Any:
        raise error

    return behave


def hangs(city: JourneyCity, api: str) -> asyncio.Event:
    """Have the calls of an API answer when the event is set."""
    answer, go = city.services.answers[api], asyncio.Event()

    async def slowly(arguments: Any) -> Any:
        await go.wait()
        return answer(arguments)

    city.services.answers[api] = slowly
    return go


async def run_through(city: JourneyCity, **more: Any) -> JourneyRun:
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"}, **more)
    await city.dispatch.settle()
    return await city.engine.get(accepted.run_id)


async def test_the_data_mash_goes_from_end_to_end(city: JourneyCity) -> None:
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
    await city.dispatch.settle()
    run = await city.engine.get(accepted.run_id)

    assert accepted.status is RunStatus.RUNNING
    assert run.status is RunStatus.SUCCEEDED
    assert [m.milestone_id for m in run.milestones] == MILESTONES
    assert [m.status for m in run.milestones] == [RunStatus.SUCCEEDED] * 4
    assert run.milestones[-1].output == {"insights_result": {"sentences": ["Three rows."]}}
    assert city.services.called == APIS


async def test_each_call_gets_what_was_handed_over_by_name(city: JourneyCity) -> None:
    await run_through(city)

    assert [call.arguments for call in city.services.calls] == [
        {"file_id": "f1"},
        {"file_id": "f1"},
        {"file_id": "f1", "semantic_result": {"passages": ["one", "two"]}},
        {"file_id": "f1", "semantic_data": {"passages": 2}},
    ]


async def test_each_call_runs_in_the_context_of_the_run(city: JourneyCity) -> None:
    run = await run_through(city, trace_id="trace-of-the-upload")

    assert run.trace_id == "trace-of-the-upload"
    assert {(c.trace_id, c.tenant, c.principal) for c in city.services.calls} == {
        ("trace-of-the-upload", "north", "ada")
    }
    assert [c.key for c in city.services.calls] == [f"{run.run_id}:{m}:0:1" for m in MILESTONES]


async def test_each_milestone_has_a_span_under_the_trace_of_the_run(city: JourneyCity) -> None:
    spans = InMemorySpanExporter()
    city.tracing.add_processor(SimpleSpanProcessor(spans))

    run = await run_through(city)

    finished = spans.get_finished_spans()
    assert [span.name for span in finished] == [f"milestone {m}" for m in MILESTONES]
    assert {span.attributes["civitas.trace_id"] for span in finished if span.attributes} == {
        run.trace_id
    }


async def test_four_milestones_take_five_commits_and_three_rows(city: JourneyCity) -> None:
    counted = city.journal = CountingJournal(city.journal)
    await city.reboot()

    await run_through(city)

    assert [len(commit) for commit in counted.commits] == [1] * 5
    assert [entry.seq for (entry,) in counted.commits] == [0, 1, 2, 3, 4]
    rows = [entry.row and entry.row.status for (entry,) in counted.commits]
    assert rows == [RunStatus.RUNNING, None, None, None, RunStatus.SUCCEEDED]


async def test_runs_in_flight_are_committed_together(city: JourneyCity) -> None:
    counted = city.journal = CountingJournal(city.journal)
    await city.reboot()

    await asyncio.gather(
        *(city.engine.start("data_mash_flow", {"file_id": f"f{n}"}) for n in range(20))
    )
    await city.dispatch.settle()

    assert sum(map(len, counted.commits)) == 100
    assert len(counted.commits) <= 15


async def test_an_alias_gives_the_same_run_when_asked_again(city: JourneyCity) -> None:
    first = await run_through(city, alias="mash_f1")
    again = await run_through(city, alias="mash_f1")

    assert again.run_id == first.run_id
    assert city.services.called == APIS
    assert (await city.engine.get("mash_f1")).run_id == first.run_id


async def test_a_rerun_has_an_alias_with_the_next_free_number(city: JourneyCity) -> None:
    runs = [await run_through(city, alias="mash_f1", rerun=True) for _ in range(3)]

    assert [run.alias for run in runs] == ["mash_f1", "mash_f1_2", "mash_f1_3"]
    assert len({run.run_id for run in runs}) == 3


async def test_an_alias_is_not_given_to_a_run_with_another_input(city: JourneyCity) -> None:
    await city.engine.start("data_mash_flow", {"file_id": "f1"}, alias="mine")

    with pytest.raises(AliasTaken):
        await city.engine.start("data_mash_flow", {"file_id": "f2"}, alias="mine")


async def test_input_is_refused_with_every_fault_at_once(city: JourneyCity) -> None:
    with pytest.raises(InvalidInput) as refused:
        await city.engine.start("data_mash_flow", {"file": "f1"})

    assert {e.pointer: e.detail for e in refused.value.errors} == {
        "/file": 'is not known. Did you mean "file_id"?',
        "/file_id": "is missing",
    }
    with pytest.raises(InvalidInput) as refused:
        await city.engine.start("data_mash_flow", {"file_id": 7})
    assert refused.value.errors[0].pointer == "/file_id"


async def test_a_run_of_another_tenant_does_not_exist(city: JourneyCity) -> None:
    run = await run_through(city)

    with bound(CallContext("t", UserContext(tenant="south", principal="bo"))):
        with pytest.raises(UnknownRun):
            await city.engine.get(run.run_id)
        with pytest.raises(UnknownRun):
            await city.engine.supply(run.run_id, "file_parsed", {})


async def test_a_busy_service_is_tried_again_after_a_wait(city: JourneyCity) -> None:
    answer = city.services.answers["parse_file"]
    left = [2]

    def twice_busy(arguments: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise Busy("not now")
        return answer(arguments)

    city.services.answers["parse_file"] = twice_busy
    run = await run_through(city)

    parsed = run.milestones[1]
    assert run.status is RunStatus.SUCCEEDED
    assert (parsed.attempts, parsed.failures) == (3, 2)
    assert city.clock.now() > BEGAN
    assert len({c.key for c in city.services.calls if c.api == "parse_file"}) == 1


async def test_a_run_waits_visibly_between_attempts(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = fails(Busy("not now"))
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})

    await city.dispatch.settle(until=timedelta(0))

    run = await city.engine.get(accepted.run_id)
    assert (run.status, run.reason) == (RunStatus.WAITING, Reason.RETRY)
    assert run.wake_at is not None
    assert BEGAN < run.wake_at <= BEGAN + timedelta(seconds=1)
    assert not run.settled


async def test_three_failures_are_enough_and_the_results_so_far_stay(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = fails(Busy("not now"))

    run = await run_through(city)

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.ERROR)
    assert run.error is not None
    assert (run.error.code, run.error.detail) == ("busy", "not now")
    assert [m.status for m in run.milestones] == [
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.SKIPPED,
        RunStatus.SKIPPED,
    ]
    assert run.milestones[0].output is not None
    assert run.milestones[1].attempts == 3


async def test_an_invalid_file_is_not_tried_again(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = fails(Unfit("no parser understands it"))

    run = await run_through(city)

    assert run.status is RunStatus.FAILED
    assert city.services.called.count("parse_file") == 1


async def test_an_unexpected_error_shows_its_type_and_not_its_words(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = fails(ValueError("password of the store"))

    run = await run_through(city)

    assert run.error is not None
    assert "ValueError" in run.error.detail
    assert "password" not in run.model_dump_json()


@pytest.mark.parametrize("way_out", [SystemExit(3), BaseException("quietly")])
async def test_a_service_that_means_to_leave_ends_its_attempt_and_not_the_city(
    city: JourneyCity, way_out: BaseException
) -> None:
    def leaves(_: object) -> dict[str, Any]:
        raise way_out

    city.services.answers["parse_file"] = leaves

    run = await run_through(city)

    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert type(way_out).__name__ in run.error.detail


async def test_a_result_that_breaks_its_contract_is_not_handed_over(city: JourneyCity) -> None:
    city.services.answers["process_client_file"] = lambda _: {
        "file_id": "f1",
        "validation_status": "valid",
        "storage_location": None,
    }

    run = await run_through(city)

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.CONTRACT)
    assert run.error is not None
    assert run.error.detail == (
        'infrastructure_to_business_enablement: output field "storage_location" is missing'
    )
    assert city.services.called == ["process_client_file"]


async def test_a_result_that_is_no_json_fails_its_milestone(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = lambda _: {
        "parse_result": {"rows": 2**70},
        "semantic_result": {},
        "trace_id": "t",
    }

    run = await run_through(city)

    assert run.error is not None
    assert run.error.code == "unstorable_result"


async def test_a_guarded_call_that_may_have_happened_waits_for_a_person(city: JourneyCity) -> None:
    make_guarded(city, "parse_file")
    city.services.answers["parse_file"] = fails(Busy("the line went dead"))

    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
    await city.dispatch.settle(until=timedelta(hours=1))
    run = await city.engine.get(accepted.run_id)

    assert (run.status, run.reason) == (RunStatus.WAITING, Reason.AMBIGUOUS)
    assert run.settled
    assert run.milestones[1].error is not None
    assert city.services.called.count("parse_file") == 1


def make_guarded(city: JourneyCity, api: str) -> None:
    for key, known in city.services.known.items():
        if known.api == api:
            shapes = known.parameters
            city.services.known[key] = type(known)(
                known.service, known.api, Effect.GUARDED, shapes, known.output
            )


async def test_a_supplied_result_lets_a_failed_run_go_on(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = fails(Unfit("no parser"))
    failed = await run_through(city)

    result = {"parse_result": {"rows": 1}, "semantic_result": {"passages": []}}
    await city.engine.supply(failed.run_id, "file_parsed", result)
    await city.dispatch.settle()

    run = await city.engine.get(failed.run_id)
    assert run.status is RunStatus.SUCCEEDED
    assert run.milestones[1].supplied_by == "ada"
    assert city.services.called.count("process_client_file") == 1
    assert city.services.calls[-2].arguments["semantic_result"] == {"passages": []}


async def test_a_supplied_result_ends_a_wait_for_the_next_attempt(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = fails(Busy("not now"))
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
    await city.dispatch.settle(until=timedelta(0))

    result: dict[str, Any] = {"parse_result": {}, "semantic_result": {}}
    await city.engine.supply(accepted.run_id, "file_parsed", result)
    await city.dispatch.settle()

    assert (await city.engine.get(accepted.run_id)).status is RunStatus.SUCCEEDED
    assert city.services.called.count("parse_file") == 1


@pytest.mark.parametrize(
    ("milestone", "status"), [("file_uploaded", "succeeded"), ("insights_generated", "skipped")]
)
async def test_a_result_is_refused_where_nothing_is_stuck(
    city: JourneyCity, milestone: str, status: str
) -> None:
    city.services.answers["parse_file"] = fails(Unfit("no parser"))
    failed = await run_through(city)

    with pytest.raises(NotOpenForResult, match=status):
        await city.engine.supply(failed.run_id, milestone, {})


async def test_a_result_for_a_running_milestone_is_refused(city: JourneyCity) -> None:
    hangs(city, "process_client_file")
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})

    with pytest.raises(NotOpenForResult, match="running"):
        await city.engine.supply(accepted.run_id, "file_uploaded", {})


async def test_a_result_for_an_unknown_milestone_gets_the_nearest_name(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = fails(Unfit("no parser"))
    run = await run_through(city)

    with pytest.raises(UnknownMilestone) as unknown:
        await city.engine.supply(run.run_id, "file_parsd", {})
    assert unknown.value.hint == 'Did you mean "file_parsed"?'


async def test_a_result_must_hold_what_follows_needs(city: JourneyCity) -> None:
    city.services.answers["parse_file"] = fails(Unfit("no parser"))
    failed = await run_through(city)

    with pytest.raises(InvalidResult) as refused:
        await city.engine.supply(
            failed.run_id, "file_parsed", {"parse_result": "text", "semantics": {}}
        )

    assert {e.pointer for e in refused.value.errors} == {
        "/parse_result",
        "/semantic_result",
        "/semantics",
    }


async def test_a_supplied_result_must_keep_the_contract(city: JourneyCity) -> None:
    city.texts["data_mash_flow"] = city.texts["data_mash_flow"].replace(
        "    input: file_id, semantic_result\n",
        "    input: {file_id: string, semantic_result: {type: object, required: [passages]}}\n",
    )
    await city.reboot()
    city.services.answers["parse_file"] = fails(Unfit("no parser"))
    failed = await run_through(city)

    with pytest.raises(InvalidResult) as refused:
        await city.engine.supply(
            failed.run_id, "file_parsed", {"parse_result": {}, "semantic_result": {}}
        )

    assert "it lacks passages" in refused.value.errors[0].detail


async def test_waiting_for_a_run_ends_when_it_ends(city: JourneyCity) -> None:
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
    waiting = asyncio.create_task(city.engine.wait(accepted.run_id, seconds=30))
    await asyncio.sleep(0)
    await city.dispatch.settle()

    assert (await waiting).status is RunStatus.SUCCEEDED


async def test_waiting_for_a_run_is_over_after_the_time_given(city: JourneyCity) -> None:
    hangs(city, "parse_file")
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})

    run = await city.engine.wait(accepted.run_id, seconds=0.01)

    assert run.status is RunStatus.RUNNING


async def test_waiting_for_a_run_that_has_ended_does_not_wait(city: JourneyCity) -> None:
    run = await run_through(city)

    assert (await city.engine.wait(run.run_id, seconds=30)).status is RunStatus.SUCCEEDED


async def test_listeners_hear_every_fact_in_order(city: JourneyCity) -> None:
    accepted = await city.engine.start("data_mash_flow", {"file_id": "f1"})
    async with city.events.subscribe(f"journey.{accepted.run_id}") as events:
        await city.dispatch.settle()
        heard = [await anext(events) for _ in range(8)]

    assert [(e["kind"], e["milestone_id"]) for e in heard][-2:] == [
        ("milestone_succeeded", "insights_generated"),
        ("run_succeeded", ""),
    ]
    assert heard[-1]["settled"] is True


async def test_waking_a_run_in_vain_is_harmless(city: JourneyCity) -> None:
    run = await run_through(city)

    city.dispatch.wake(QUEUE, run.run_id)
    city.dispatch.wake(QUEUE, "run-9999")
    await city.dispatch.settle()

    assert city.services.called == APIS


async def test_a_closed_engine_accepts_nothing(city: JourneyCity) -> None:
    await city.close()

    with pytest.raises(NotOpen):
        await city.engine.start("data_mash_flow", {"file_id": "f1"})


async def test_a_stated_version_is_not_run_with_another_text(city: JourneyCity) -> None:
    text = city.texts["data_mash_flow"] + 'version: "1"\n'
    city.templates.texts["data_mash_flow"] = text
    await city.engine.start("data_mash_flow", {"file_id": "f1"})
    city.templates.texts["data_mash_flow"] = text + "# edited\n"

    with pytest.raises(VersionTaken):
        await city.engine.start("data_mash_flow", {"file_id": "f1"})


async def test_defaults_fill_the_input_and_constants_the_parameters(city: JourneyCity) -> None:
    city.services.known["RuleService", "check"] = signature(
        "RuleService.check", {"limit": {"type": "number"}, "mode": TEXT}, {"report": OBJECT}
    )
    city.services.answers["check"] = lambda _: {"report": {}}
    city.templates.texts["rules"] = (
        "journey_template: rules\n"
        "input: {limit: {type: number, default: 1000}}\n"
        "milestones:\n"
        "  - {milestone_id: check, service: RuleService, api: check, with: {mode: no}}\n"
    )

    await city.engine.start("rules", {})
    await city.dispatch.settle()

    assert city.services.calls[-1].arguments == {"limit": 1000, "mode": "no"}
