"""Journeys within journeys: what crosses between them, and which text each goes by."""

from datetime import timedelta
from unittest.mock import AsyncMock

import pytest

from realms.journey.api import Reason, RunStatus
from realms.journey.control.dead_letters import Wanted
from realms.journey.engine.accepting import TooDeep, UnfitJourney
from realms.journey.engine.children import SubJourneys
from realms.journey.engine.codec import NewerEntry, decode
from realms.journey.engine.facts import MilestoneSucceeded
from realms.journey.engine.journal import Entry
from realms.journey.engine.memory_journal import MemoryJournal
from tests.support.journeys import USER, JourneyCity
from utilities.context import bound

pytestmark = pytest.mark.anyio

INNER = """\
journey_template: inner
input: {file_id: string}
milestones:
  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}
"""


def around(name: str, below: str, *, first: str = "") -> str:
    return (
        f"journey_template: {name}\ninput: {{file_id: string}}\nmilestones:\n{first}"
        f"  - milestone_id: below\n    journey: {below}\n"
        '    with: {file_id: "${input.file_id}"}\n'
    )


async def test_a_large_result_of_a_journey_within_is_its_parents_too(city: JourneyCity) -> None:
    large = "x" * 300_000
    city.services.answers["process_client_file"] = lambda a: {
        "file_id": a["file_id"],
        "validation_status": large,
        "storage_location": "",
    }
    city.templates.texts |= {"outer": around("outer", "inner"), "inner": INNER}

    accepted = await city.engine.start("outer", {"file_id": "f1"})
    await city.dispatch.settle()
    await city.reboot()
    run = await city.engine.get(accepted.run_id)

    assert run.status is RunStatus.SUCCEEDED
    assert run.milestones[0].output["stored"]["validation_status"] == large
    stored = (await city.journal.load([run.run_id]))[run.run_id]
    facts = [fact for entry in stored.entries for fact in decode(entry)]
    (done,) = [fact for fact in facts if isinstance(fact, MilestoneSucceeded)]
    assert done.spilled
    assert max(map(len, stored.entries)) < 10_000


async def test_a_journey_within_whose_journal_is_corrupt_fails_its_parent_at_once() -> None:
    journal = MemoryJournal()
    async with JourneyCity(journal) as city:
        with bound(USER):
            slow = INNER.replace(
                "milestones:\n", "milestones:\n  - {milestone_id: rest, wait: 10m}\n"
            )
            city.templates.texts |= {"outer": around("outer", "inner"), "inner": slow}
            accepted = await city.engine.start("outer", {"file_id": "f1"})
            await city.dispatch.settle(until=timedelta(minutes=5))
            waiting = await city.engine.get(accepted.run_id)

            journal._entries[waiting.milestones[0].child][1:] = [b"not json"]
            await city.reboot()
            await city.dispatch.settle(until=timedelta(minutes=15))

            run = await city.engine.get(accepted.run_id)
            assert (run.status, run.reason) == (RunStatus.FAILED, Reason.JOURNEY)
            assert run.error is not None
            assert run.error.code == "journey_lost"


async def test_every_text_below_is_pinned_when_the_outermost_begins(city: JourneyCity) -> None:
    late = "  - {milestone_id: rest, wait: 10m}\n"
    city.templates.texts |= {
        "outer": around("outer", "middle", first=late),
        "middle": around("middle", "inner"),
        "inner": INNER,
    }
    accepted = await city.engine.start("outer", {"file_id": "f1"})
    await city.dispatch.settle(until=timedelta(minutes=5))
    other = INNER.replace("stored", "kept")
    city.templates.texts["inner"] = other
    await city.dispatch.settle()
    before = await city.engine.get(accepted.run_id)
    again = await city.engine.start("outer", {"file_id": "f1"})
    await city.dispatch.settle(until=timedelta(days=3))
    after = await city.engine.get(again.run_id)

    outputs = [run.milestones[-1].output["below"].keys() for run in (before, after)]
    assert outputs == [{"stored"}, {"kept"}]


@pytest.mark.parametrize("circle", [("a",), ("a", "b"), ("a", "b", "c")])
async def test_a_journey_that_begins_itself_is_refused_and_begins_nothing(
    city: JourneyCity, circle: tuple[str, ...]
) -> None:
    following = (*circle[1:], circle[0])
    city.templates.texts |= {
        name: around(name, below) for name, below in zip(circle, following, strict=True)
    }

    with pytest.raises(TooDeep, match="more than 8 journeys deep"):
        await city.engine.start("a", {"file_id": "f1"})

    assert city.driver.moving == 0


async def test_the_longest_way_down_counts_not_the_first(city: JourneyCity) -> None:
    city.templates.texts["j0"] = INNER.replace("inner", "j0")
    for number in range(1, 9):
        city.templates.texts[f"j{number}"] = around(f"j{number}", f"j{number - 1}")
    short = "  - {milestone_id: first, journey: j1, with: {file_id: f1}}\n"
    city.templates.texts["eight"] = around("eight", "j7", first=short)
    city.templates.texts["nine"] = around("nine", "j8", first=short)

    run = await city.engine.start("eight", {"file_id": "f1"})
    await city.dispatch.settle()

    assert (await city.engine.get(run.run_id)).status is RunStatus.SUCCEEDED
    with pytest.raises(TooDeep):
        await city.engine.start("nine", {"file_id": "f1"})


async def test_a_journey_within_that_takes_too_long_is_cancelled(city: JourneyCity) -> None:
    slow = "journey_template: slow\nmilestones:\n  - {milestone_id: rest, wait: 2h}\n"
    limited = (
        "journey_template: limited\nmilestones:\n"
        "  - {milestone_id: below, journey: slow, timeout: 10m}\n"
    )
    city.templates.texts |= {"slow": slow, "limited": limited}

    accepted = await city.engine.start("limited", {})
    await city.dispatch.settle()
    run = await city.engine.get(accepted.run_id)
    child = await city.engine.get(run.milestones[0].child)

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.TIMEOUT)
    assert run.error is not None
    assert "did not end in time" in run.error.detail
    assert child.status is RunStatus.CANCELLED


async def test_a_run_does_not_begin_that_would_hand_down_what_is_not_taken(
    city: JourneyCity,
) -> None:
    wrong = (
        "journey_template: wrong\ninput: {file_id: string}\nmilestones:\n"
        "  - {milestone_id: stored, service: ContentStewardService, api: process_client_file}\n"
        "  - {milestone_id: one, journey: inner, with: {file: x}}\n"
        "  - {milestone_id: two, journey: inner, with: {file_id: 5}}\n"
    )
    city.templates.texts |= {"wrong": wrong, "inner": INNER, "outer": around("outer", "wrong")}

    with pytest.raises(UnfitJourney) as refused:
        await city.engine.start("outer", {"file_id": "f1"})

    assert [(e.pointer, e.detail) for e in refused.value.errors] == [
        ("/wrong/one/with/file", 'inner takes no "file". Did you mean "file_id"?'),
        ("/wrong/one/with/file_id", 'inner needs "file_id". with: {file_id: "${...}"}'),
        ("/wrong/two/with/file_id", "does not fit inner: it is not of type string"),
    ]
    assert city.services.called == []


LATE = INNER.replace("milestones:\n", "milestones:\n  - {milestone_id: rest, wait: 2h}\n").replace(
    "inner", "late"
)
IMPATIENT = (
    "journey_template: impatient\ninput: {file_id: string}\nmilestones:\n"
    "  - {milestone_id: below, journey: late, timeout: 10m, continue_on_error: true,"
    '   with: {file_id: "${input.file_id}"}}\n'
    "  - {milestone_id: night, wait: 8h}\n"
)


async def test_who_waits_no_longer_goes_on_and_the_journey_within_is_no_dead_letter(
    city: JourneyCity,
) -> None:
    city.templates.texts |= {"late": LATE, "impatient": IMPATIENT}

    accepted = await city.engine.start("impatient", {"file_id": "f1"})
    await city.dispatch.settle(until=timedelta(hours=1))

    run = await city.engine.get(accepted.run_id)
    below = await city.engine.get(run.milestones[0].child)
    assert (run.status, run.milestones[0].reason) == (RunStatus.WAITING, Reason.TIMEOUT)
    assert (below.status, below.reason) == (RunStatus.CANCELLED, Reason.TIMEOUT)
    assert (await city.dead_letters.page(Wanted())).dead_letters == ()


async def test_a_journey_within_that_is_cut_undoes_what_it_did_if_its_template_says_so(
    city: JourneyCity,
) -> None:
    undone = (
        "journey_template: late\ninput: {file_id: string}\non_failure: compensate\nmilestones:\n"
        "  - milestone_id: stored\n    service: ContentStewardService\n"
        "    api: process_client_file\n"
        "    compensate: {service: ContentStewardService, api: process_client_file}\n"
        "  - {milestone_id: rest, wait: 2h}\n"
    )
    city.templates.texts |= {"late": undone, "impatient": IMPATIENT}

    accepted = await city.engine.start("impatient", {"file_id": "f1"})
    await city.dispatch.settle(until=timedelta(hours=1))

    run = await city.engine.get(accepted.run_id)
    below = await city.engine.get(run.milestones[0].child)
    assert (below.status, below.reason) == (RunStatus.COMPENSATED, Reason.TIMEOUT)


@pytest.mark.parametrize("parent", ["goes on", "has ended"])
async def test_a_journey_that_a_crash_kept_from_being_stopped_does_nothing_more(
    city: JourneyCity, monkeypatch: pytest.MonkeyPatch, parent: str
) -> None:
    text = IMPATIENT if parent == "goes on" else IMPATIENT.replace("wait: 8h", "wait: 1m")
    city.templates.texts |= {"late": LATE, "impatient": text}
    died = AsyncMock()
    monkeypatch.setattr(SubJourneys, "stop", died)
    accepted = await city.engine.start("impatient", {"file_id": "f1"})
    await city.dispatch.settle(until=timedelta(minutes=30))
    run = await city.engine.get(accepted.run_id)
    child = run.milestones[0].child
    died.assert_awaited_once_with(child, Reason.TIMEOUT)
    assert (await city.engine.get(child)).status is RunStatus.WAITING

    await city.reboot()
    await city.dispatch.settle(until=timedelta(hours=3))

    below = await city.engine.get(child)
    why = Reason.TIMEOUT if parent == "goes on" else Reason.OPERATOR
    assert (below.status, below.reason) == (RunStatus.CANCELLED, why)
    assert city.services.called == []


async def test_a_journey_within_that_somebody_opens_again_goes_on_for_their_sake(
    city: JourneyCity,
) -> None:
    city.templates.texts |= {"late": LATE, "impatient": IMPATIENT}
    accepted = await city.engine.start("impatient", {"file_id": "f1"})
    await city.dispatch.settle(until=timedelta(hours=1))
    child = (await city.engine.get(accepted.run_id)).milestones[0].child

    await city.operators.rerun(child, milestone_id="rest")
    await city.reboot()
    await city.dispatch.settle(until=timedelta(hours=4))

    assert (await city.engine.get(child)).status is RunStatus.SUCCEEDED
    assert city.services.called == ["process_client_file"]


async def test_a_run_that_a_newer_version_wrote_is_left_as_it_is(city: JourneyCity) -> None:
    rest = "journey_template: rest\nmilestones:\n  - {milestone_id: rest, wait: 1h}\n"
    city.templates.texts |= {"rest": rest}
    accepted = await city.engine.start("rest", {})
    await city.dispatch.settle(until=timedelta(minutes=1))
    row = (await city.journal.load([accepted.run_id]))[accepted.run_id].row
    newer = Entry(accepted.run_id, 1, b'{"v": 99, "facts": []}', row)
    assert list(await city.journal.write([newer], holder=city.driver.holder)) == [None]

    await city.dispatch.settle()

    stored = (await city.journal.load([accepted.run_id]))[accepted.run_id]
    assert stored.row.status is RunStatus.WAITING
    with pytest.raises(NewerEntry, match="schema version 99"):
        await city.engine.get(accepted.run_id)
