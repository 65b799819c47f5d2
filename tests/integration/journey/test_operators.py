"""What people do to runs, through the engine, over each journal."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from foundations.declarations import Effect
from realms.journey.api import JourneyRun, Reason, RunStatus, UnknownRun
from realms.journey.control.dead_letters import Wanted
from realms.journey.control.migrating import CannotMigrate
from realms.journey.control.questions import InvalidAnswer, NotYours
from realms.journey.control.reopening import UnknownMilestone
from realms.journey.control.verbs import NotAllowed
from realms.journey.engine.inputs import InvalidInput, InvalidResult
from tests.support.journals import any_journal
from tests.support.journeys import BEGAN, OBJECT, TEXT, FakeServices, JourneyCity, signature
from utilities.context import CallContext, UserContext, bound
from utilities.errors import ErrorKind, PlatformError

CLAIMS = """
journey_template: claims
input: {file_id: string}
milestones:
  - {milestone_id: read, service: DeskService, api: read}
  - milestone_id: book
    needs: [read]
    service: DeskService
    api: book
    compensate: {service: DeskService, api: unbook, with: {entry: "${book.entry}"}}
  - milestone_id: decide
    needs: [book]
    ask:
      form:
        type: object
        required: [approve]
        properties: {approve: {type: boolean}}
        additionalProperties: false
      role: clerk
      push_back_to: read
  - {milestone_id: go, needs: [book], wait_for: {signal: go}}
  - milestone_id: pay
    needs: [decide, go]
    service: DeskService
    api: pay
    with: {entry: "${book.entry}"}
"""
PARENT = """
journey_template: parent
input: {file_id: string}
milestones:
  - {milestone_id: inner, journey: claims, with: {file_id: "${input.file_id}"}}
"""
pytestmark = pytest.mark.anyio

YES = {"approve": True}


class Broken(PlatformError):
    """It does not work at the moment."""

    kind = ErrorKind.INVALID


class Desk:
    """What the desk answers; each API can be broken and mended."""

    def __init__(self) -> None:
        self.broken: set[str] = set()

    def answers(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            "read": lambda a: {"rows": {"of": a["file_id"]}},
            "book": lambda _: {"entry": "e1"},
            "unbook": lambda _: {},
            "pay": lambda a: {"paid": a["entry"]},
        }

        def answer(name: str) -> Any:
            def answered(arguments: Any) -> Any:
                if name in self.broken:
                    raise Broken(f"{name} is broken")
                return given[name](arguments)

            return answered

        return {name: answer(name) for name in given}


SIGNATURES = (
    signature("DeskService.read", {"file_id": TEXT}, {"rows": OBJECT}),
    signature("DeskService.book", {"rows": OBJECT}, {"entry": TEXT}),
    signature("DeskService.unbook", {"entry": TEXT}, {}, effect=Effect.KEYED),
    signature("DeskService.pay", {"entry": TEXT}, {"paid": TEXT}),
)


@contextmanager
def user(principal: str = "ada", *roles: str, tenant: str = "north") -> Iterator[None]:
    known = UserContext(tenant=tenant, principal=principal, roles=roles or ("owner",))
    with bound(CallContext(f"trace-of-{principal}", known)):
        yield


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(params=["memory", "sqlite"])
async def city(
    request: pytest.FixtureRequest, tmp_path: Path, desk: Desk
) -> AsyncIterator[JourneyCity]:
    services = FakeServices(*SIGNATURES, answers=desk.answers())
    texts = {"claims": CLAIMS, "parent": PARENT}
    with user():
        async with (
            any_journal(request, tmp_path) as journal,
            JourneyCity(journal=journal, services=services, texts=texts) as city,
        ):
            yield city


async def moved(city: JourneyCity) -> None:
    """Let everything go on that can at this moment."""
    await city.dispatch.settle(until=city.clock.now() - BEGAN)


async def started(city: JourneyCity, template: str = "claims") -> JourneyRun:
    run = await city.engine.start(template, {"file_id": "f1"})
    await moved(city)
    return await city.engine.get(run.run_id)


async def failed(city: JourneyCity, desk: Desk, api: str = "read") -> JourneyRun:
    desk.broken.add(api)
    run = await started(city)
    assert run.status is RunStatus.FAILED
    desk.broken.clear()
    return run


async def seen(city: JourneyCity, run: JourneyRun) -> dict[str, str]:
    await moved(city)
    known = await city.engine.get(run.run_id)
    return {m.milestone_id: m.status.value for m in known.milestones}


async def test_a_run_waits_for_people_and_goes_on_when_they_have_answered(
    city: JourneyCity,
) -> None:
    run = await started(city)
    (question,) = run.questions
    assert (run.status, question.role) == (RunStatus.WAITING, "clerk")

    with user("eve", "member"), pytest.raises(NotYours):
        await city.operators.answer(run.run_id, wait_id=question.wait_id, answer=YES)
    with user("bob", "clerk"), pytest.raises(InvalidAnswer) as invalid:
        await city.operators.answer(run.run_id, wait_id=question.wait_id, answer={"approve": 1})
    known = await city.engine.get(run.run_id)
    with user("bob", "clerk"):
        await city.operators.answer(run.run_id, wait_id=question.wait_id, answer=YES)
    await city.operators.signal(run.run_id, name="go", signal_id="s1", data={})

    assert invalid.value.errors[0].pointer == "/approve"
    assert known.questions[0].refused == invalid.value.errors
    assert set((await seen(city, run)).values()) == {"succeeded"}
    with user("bob", "clerk"), pytest.raises(NotAllowed, match="it has ended"):
        await city.operators.answer(run.run_id, wait_id=question.wait_id, answer=YES)


async def test_a_push_back_does_all_anew_and_asks_another_question(city: JourneyCity) -> None:
    run = await started(city)

    await city.operators.push_back(run.run_id, wait_id=run.questions[0].wait_id, note="no")
    await moved(city)

    again = await city.engine.get(run.run_id)
    assert again.questions[0].wait_id.endswith(":decide:0:2")
    assert city.services.called == ["read", "book", "read", "book"]
    keys = [call.key for call in city.services.calls if call.api == "read"]
    assert [key.rpartition(":")[2] for key in keys] == ["1", "2"]


async def test_a_paused_run_survives_a_crash_paused_and_resumes_without_repeating(
    city: JourneyCity,
) -> None:
    run = await started(city)
    await city.operators.pause(run.run_id)

    await city.reboot()
    await city.operators.signal(run.run_id, name="go", signal_id="s1", data={})
    assert (await city.engine.get(run.run_id)).status is RunStatus.PAUSED
    await city.operators.resume(run.run_id)

    assert (await seen(city, run))["go"] == "succeeded"
    assert city.services.called == ["read", "book"]


@pytest.mark.parametrize("verb", ["skip", "rerun"])
async def test_a_run_that_somebody_paused_stays_so_whatever_is_opened_in_it(
    city: JourneyCity, verb: str
) -> None:
    run = await started(city)
    await city.operators.pause(run.run_id)

    if verb == "skip":
        opened = await city.operators.skip(run.run_id, milestone_id="go", result={})
    else:
        opened = await city.operators.rerun(run.run_id, milestone_id="book")
    await moved(city)

    assert (opened.status, opened.reason) == (RunStatus.PAUSED, Reason.OPERATOR)
    assert city.services.called == ["read", "book"]
    await city.operators.resume(run.run_id)
    await moved(city)
    assert (await city.engine.get(run.run_id)).status is not RunStatus.PAUSED


async def test_a_cancelled_run_takes_its_journeys_with_it(city: JourneyCity) -> None:
    run = await started(city, "parent")
    child = run.milestones[0].child
    assert (await city.engine.get(child)).status is RunStatus.WAITING

    cancelled = await city.operators.cancel(run.run_id, note="not wanted")
    await moved(city)

    assert cancelled.status is RunStatus.CANCELLED
    assert (await city.engine.get(child)).status is RunStatus.CANCELLED
    assert (await city.operators.cancel(run.run_id)).status is RunStatus.CANCELLED


async def test_a_retry_goes_on_from_what_failed_and_repeats_nothing(
    city: JourneyCity, desk: Desk
) -> None:
    run = await failed(city, desk, "book")

    await city.operators.retry(run.run_id)

    assert (await seen(city, run))["decide"] == "waiting"
    assert city.services.called == ["read", "book", "book"]


async def test_a_retry_of_a_journey_lets_its_run_go_on_instead_of_beginning_another(
    city: JourneyCity, desk: Desk
) -> None:
    desk.broken.add("book")
    run = await started(city, "parent")
    assert run.status is RunStatus.FAILED
    desk.broken.clear()

    await city.operators.retry(run.run_id)
    await moved(city)

    again = await city.engine.get(run.run_id)
    assert (again.status, again.reason) == (RunStatus.WAITING, Reason.JOURNEY)
    assert again.milestones[0].child == run.milestones[0].child
    assert city.services.called == ["read", "book", "book"]


async def test_a_journey_that_was_cancelled_is_begun_as_another_when_it_is_retried(
    city: JourneyCity,
) -> None:
    run = await started(city, "parent")
    await city.operators.cancel(run.milestones[0].child)
    await moved(city)
    assert (await city.engine.get(run.run_id)).status is RunStatus.FAILED

    await city.operators.retry(run.run_id)
    await moved(city)

    again = await city.engine.get(run.run_id)
    assert again.milestones[0].child != run.milestones[0].child
    assert (await city.engine.get(again.milestones[0].child)).status is RunStatus.WAITING


async def test_edited_input_is_checked_and_given_to_the_call(city: JourneyCity, desk: Desk) -> None:
    run = await failed(city, desk)

    with pytest.raises(InvalidInput) as invalid:
        await city.operators.retry(
            run.run_id, milestone_id="read", arguments={"file_id": 3, "fil": "f2"}
        )
    await city.operators.retry(run.run_id, milestone_id="read", arguments={"file_id": "f2"})

    assert {error.pointer for error in invalid.value.errors} == {"/file_id", "/fil"}
    await seen(city, run)
    assert [c.arguments for c in city.services.calls if c.api == "read"][-1] == {"file_id": "f2"}


async def test_a_skipped_milestone_has_the_result_that_was_given(
    city: JourneyCity, desk: Desk
) -> None:
    run = await failed(city, desk, "book")

    with pytest.raises(InvalidResult):
        await city.operators.skip(run.run_id, milestone_id="book", result={"entry": 3})
    await city.operators.skip(run.run_id, milestone_id="book", result={"entry": "by hand"})

    assert (await seen(city, run))["decide"] == "waiting"
    known = await city.engine.get(run.run_id)
    assert known.milestones[1].supplied_by == "ada"


async def test_skipping_a_journey_that_is_waited_for_cancels_it(city: JourneyCity) -> None:
    run = await started(city, "parent")

    await city.operators.skip(run.run_id, milestone_id="inner", result={})
    await moved(city)

    assert (await city.engine.get(run.run_id)).status is RunStatus.SUCCEEDED
    child = await city.engine.get(run.milestones[0].child)
    assert child.status is RunStatus.CANCELLED


async def test_a_rerun_and_a_roll_back_after_the_end(city: JourneyCity) -> None:
    run = await started(city)
    await city.operators.signal(run.run_id, name="go", signal_id="s1", data={})
    await city.operators.answer(run.run_id, wait_id=run.questions[0].wait_id, answer=YES)
    assert set((await seen(city, run)).values()) == {"succeeded"}

    await city.operators.rerun(run.run_id, milestone_id="pay")
    assert (await seen(city, run))["pay"] == "succeeded"
    await city.operators.roll_back(run.run_id)
    await moved(city)

    undone = await city.engine.get(run.run_id)
    assert (undone.status, undone.reason) == (RunStatus.COMPENSATED, Reason.OPERATOR)
    assert [m.milestone_id for m in undone.milestones if m.undone] == ["book"]
    assert city.services.called == ["read", "book", "pay", "pay", "unbook"]


async def test_a_fork_goes_its_own_way_from_a_milestone(city: JourneyCity, desk: Desk) -> None:
    run = await failed(city, desk, "book")

    forked = await city.operators.fork(
        run.run_id, milestone_id="book", changes={"file_id": "f9"}, alias="a_fork"
    )
    await moved(city)

    known = await city.engine.get("a_fork")
    assert (known.run_id, known.forked_from, known.input) == (
        forked.run_id,
        run.run_id,
        {"file_id": "f9"},
    )
    assert known.status is RunStatus.WAITING
    assert city.services.called == ["read", "book", "book"]
    assert (await city.engine.get(run.run_id)).status is RunStatus.FAILED
    await city.reboot()
    assert (await city.engine.get("a_fork")).status is RunStatus.WAITING


async def test_a_run_migrates_after_a_dry_run_and_never_to_what_it_does_not_fit(
    city: JourneyCity,
) -> None:
    run = await started(city)
    longer = CLAIMS + "  - {milestone_id: tell, needs: [pay], wait_for: {signal: told}}\n"
    city.templates.texts["claims"] = longer

    dry = await city.operators.migrate(run.run_id)
    before = (await city.engine.get(run.run_id)).template_hash
    done = await city.operators.migrate(run.run_id, dry_run=False)

    assert (dry.possible, dry.to_reach, before) == (True, ("pay", "tell"), run.template_hash)
    assert (await seen(city, run))["tell"] == "pending"
    assert (await city.engine.get(run.run_id)).template_hash == done.template_hash
    city.templates.texts["claims"] = longer.replace(
        "milestone_id: go", "milestone_id: gone"
    ).replace("decide, go]", "decide, gone]")
    assert not (await city.operators.migrate(run.run_id)).possible
    with pytest.raises(CannotMigrate) as refused:
        await city.operators.migrate(run.run_id, dry_run=False)
    assert [error.pointer for error in refused.value.errors] == ["/milestones/go"]


async def test_a_run_whose_services_are_gone_can_be_cancelled_or_migrated(
    city: JourneyCity,
) -> None:
    one, other = await started(city), await started(city)
    gone = {key: s for key, s in city.services.known.items() if key[1] != "pay"}
    city.services.known = gone
    await city.reboot()
    await moved(city)
    with pytest.raises(PlatformError, match="DeskService has no API"):
        await city.operators.retry(one.run_id)

    await city.operators.cancel(one.run_id)
    city.templates.texts["claims"] = CLAIMS[: CLAIMS.index("  - milestone_id: pay")]
    await city.operators.migrate(other.run_id, dry_run=False)

    assert (await city.engine.get(one.run_id)).status is RunStatus.CANCELLED
    assert (await seen(city, other))["decide"] == "waiting"


async def test_nobody_sees_or_moves_a_run_of_another_tenant(city: JourneyCity) -> None:
    run = await started(city)

    with user("mallory", "owner", tenant="south"):
        for verb in (
            city.operators.pause(run.run_id),
            city.operators.cancel(run.run_id),
            city.operators.retry(run.run_id),
            city.operators.settle(run.run_id),
            city.operators.fork(run.run_id),
            city.operators.migrate(run.run_id),
            city.operators.answer(run.run_id, wait_id=run.questions[0].wait_id, answer=YES),
        ):
            with pytest.raises(UnknownRun):
                await verb
        assert (await city.asking.questions(limit=10)).questions == ()
        letters = await city.dead_letters.page(Wanted())
    assert letters.dead_letters == ()


async def test_every_verb_leaves_a_line_that_tells_who_asked_for_it(city: JourneyCity) -> None:
    run = await started(city)
    told: list[tuple[str, dict[str, Any]]] = []
    sink = logger.add(
        lambda line: told.append((line.record["level"].name, dict(line.record["extra"]))),
        filter=lambda record: "audit" in record["extra"],
    )
    try:
        await city.operators.pause(run.run_id)
        with pytest.raises(UnknownMilestone):
            await city.operators.rerun(run.run_id, milestone_id="raed")
    finally:
        logger.remove(sink)

    assert [(level, line["audit"], line["outcome"]) for level, line in told] == [
        ("INFO", "pause", "done"),
        ("WARNING", "rerun", "refused (unknown_milestone)"),
    ]
    assert {line["principal"] for _, line in told} == {"ada"}


# questions of all runs


async def test_people_see_the_questions_that_they_may_answer_page_by_page(
    city: JourneyCity,
) -> None:
    runs = [await started(city) for _ in range(3)]
    await city.operators.pause(runs[1].run_id)

    with user("bob", "clerk"):
        first = await city.asking.questions(limit=2)
        second = await city.asking.questions(limit=2, cursor=first.next_cursor)
    with user("eve", "member"):
        others = await city.asking.questions(limit=2)

    asked = [question.run_id for question in (*first.questions, *second.questions)]
    assert asked == [run.run_id for run in reversed(runs)]
    assert (second.next_cursor, others.questions) == ("", ())


# dead letters


async def test_dead_letters_are_found_by_what_is_known_of_them(
    city: JourneyCity, desk: Desk
) -> None:
    one = await failed(city, desk, "read")
    other = await failed(city, desk, "book")

    async def found(**wanted: Any) -> list[str]:
        page = await city.dead_letters.page(Wanted(**wanted))
        return [letter.run_id for letter in page.dead_letters]

    assert await found() == [other.run_id, one.run_id]
    assert await found(template="claims", reason=Reason.ERROR) == [other.run_id, one.run_id]
    assert await found(template="parent") == []
    assert await found(error="BOOK is") == [other.run_id]
    assert await found(error="broken", since=city.clock.now()) == [other.run_id, one.run_id]
    first = await city.dead_letters.page(Wanted(), limit=1)
    rest = await city.dead_letters.page(Wanted(), limit=1, cursor=first.next_cursor)
    assert (first.dead_letters[0].failed, rest.dead_letters[0].failed) == (("book",), ("read",))
    await city.operators.settle(one.run_id, note="by hand", settled_by=other.run_id)
    assert await found() == [other.run_id]
    settlement = (await city.engine.get(one.run_id)).settlement
    assert settlement is not None
    assert (settlement.by, settlement.settled_by) == ("ada", other.run_id)


async def test_a_replay_tries_what_was_chosen_again_and_a_dry_one_nothing(
    city: JourneyCity, desk: Desk
) -> None:
    runs = [await failed(city, desk) for _ in range(3)]

    dry = await city.dead_letters.replay(
        Wanted(), limit=2, per_second=1000, anew=False, dry_run=True
    )
    assert [letter.run_id for letter in dry.dead_letters] == [runs[2].run_id, runs[1].run_id]
    assert (await city.engine.get(runs[2].run_id)).status is RunStatus.FAILED
    await city.dead_letters.replay(Wanted(), limit=2, per_second=1000, anew=False, dry_run=False)
    await _replayed(city)

    standing = [(await city.engine.get(run.run_id)).status for run in runs]
    assert standing == [RunStatus.FAILED, RunStatus.WAITING, RunStatus.WAITING]


async def test_a_replay_anew_settles_the_dead_letter_when_it_succeeds(
    city: JourneyCity, desk: Desk
) -> None:
    run = await failed(city, desk)
    for _ in range(2):  # asking twice begins one
        await city.dead_letters.replay(Wanted(), limit=9, per_second=1000, anew=True, dry_run=False)
        await _begun(city)

    (letter,) = (await city.dead_letters.page(Wanted())).dead_letters
    (replay,) = letter.replays
    again = await city.engine.get(replay)
    await city.operators.signal(replay, name="go", signal_id="s1", data={})
    await city.operators.answer(replay, wait_id=again.questions[0].wait_id, answer=YES)
    await moved(city)

    assert (await city.dead_letters.page(Wanted())).dead_letters == ()
    settlement = (await city.engine.get(run.run_id)).settlement
    assert settlement is not None
    assert settlement.settled_by == replay


async def _begun(city: JourneyCity) -> None:
    for _ in range(1000):
        page = await city.dead_letters.page(Wanted())
        if all(letter.replays for letter in page.dead_letters):
            break
        await asyncio.sleep(0.001)
    await moved(city)


async def _replayed(city: JourneyCity) -> None:
    for _ in range(1000):
        if not (await city.dead_letters.page(Wanted())).replaying:
            break
        await asyncio.sleep(0.001)
    await moved(city)
