"""Every word of the language at run time, over both journals."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from foundations.public_works.settings import Settings
from realms.journey.api import JourneyRun, Reason, RunStatus
from realms.journey.control.engine import JourneyEngine
from realms.journey.control.questions import NotYours
from realms.journey.control.verbs import NotAllowed
from realms.journey.engine.accepting import TooManyRuns
from realms.journey.engine.driver import QUEUE
from realms.journey.engine.lanes import LaneFull
from realms.journey.engine.payloads import LARGEST
from tests.support.journeys import BEGAN, USER, JourneyCity
from tests.support.workshop import Busy, Unfit, Workshop, at, made, standing, step
from utilities.context import CallContext, UserContext, bound

pytestmark = pytest.mark.anyio

SUCCEEDED, FAILED, WAITING = RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.WAITING


def hangs(shop: Workshop, name: str) -> asyncio.Event:
    """Have the calls for a name answer when the event is set."""
    go = asyncio.Event()

    async def slowly(arguments: Any) -> Any:
        await go.wait()
        return made(arguments)

    shop.does[name] = slowly
    return go


# graphs and conditions


async def test_milestones_that_nothing_orders_are_under_way_together(city: JourneyCity) -> None:
    shop = Workshop(
        city,
        flow=step("a")
        + step("b", "needs: [a]")
        + step("c", "needs: [a]")
        + step("d", "needs: [b, c]"),
    )
    go = hangs(shop, "b")

    half = await shop.run()
    go.set()
    run = await shop.settled(half.run_id)

    assert standing(half) == {"a": "succeeded", "b": "running", "c": "succeeded", "d": "pending"}
    assert run.status is SUCCEEDED
    assert shop.called == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("condition", "reached"),
    [
        ("succeeded()", False),
        ("failed()", True),
        ("always()", True),
        ("!succeeded()", True),
        ("always() && skipped('b')", True),
        ("failed() && !skipped('a')", True),
        ("always() && skipped('a')", False),
    ],
)
async def test_status_functions_tell_what_became_of_what_it_needs(
    city: JourneyCity, condition: str, *, reached: bool
) -> None:
    shop = Workshop(
        city,
        flow=step("a")
        + step("b", "needs: [a]")
        + step("c", f'needs: [a, b], if: "${{{condition}}}"'),
    )
    shop.fails("b", Unfit("not of this"))

    run = await shop.run()

    assert run.status is FAILED
    assert ("c" in shop.called) is reached


async def test_what_needs_a_skipped_milestone_is_skipped_too_and_the_run_succeeds(
    city: JourneyCity,
) -> None:
    shop = Workshop(
        city,
        flow=step("a") + step("b", 'if: "${!a.ok}"') + step("c") + step("d", 'if: "${always()}"'),
    )

    run = await shop.run()

    assert run.status is SUCCEEDED
    assert standing(run) == {
        "a": "succeeded",
        "b": "skipped condition",
        "c": "skipped condition",
        "d": "succeeded",
    }


async def test_a_run_gives_what_its_output_says(city: JourneyCity) -> None:
    shop = Workshop(city, flow='output: {of: "${a.made}!"}\nmilestones:\n' + step("a"))

    assert (await shop.run()).output == {"of": "a!"}


# for_each

EACH = 'for_each: {items: "${a.things}", as: thing, max_parallel: 2%s}'
OVER = (
    "  - {milestone_id: each, service: WorkService, api: make,"
    ' with: {name: "${string(thing)}", of: "${thing}"}, %s}\n'
)


def over(more: str = "") -> str:
    return step("a") + OVER % (EACH % more)


async def test_items_are_gathered_in_order_whoever_ends_first(city: JourneyCity) -> None:
    shop = Workshop(city, flow=over() + step("b"))
    shop.gives("a", things=[1, 2, 3, 4])
    first = hangs(shop, "1")

    half = await shop.run()
    first.set()
    run = await shop.settled(half.run_id)

    counted = at(half, "each")
    assert (counted.items, counted.items_done, counted.items_succeeded) == (4, 3, 3)
    assert (counted.items_running, counted.items_failed) == (1, 0)
    assert [one["made"] for one in at(run, "each").output] == ["1", "2", "3", "4"]
    assert run.status is SUCCEEDED


async def test_no_more_items_are_under_way_than_may_be(city: JourneyCity) -> None:
    shop = Workshop(city, flow=over())
    shop.gives("a", things=list(range(9)))
    under_way, most = [0], [0]

    async def counted(arguments: Any) -> Any:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        await asyncio.sleep(0.001)
        under_way[0] -= 1
        return made(arguments)

    shop.does.update({str(n): counted for n in range(9)})
    run = await shop.run()

    assert run.status is SUCCEEDED
    assert most == [2]


async def test_no_items_give_an_empty_list(city: JourneyCity) -> None:
    shop = Workshop(city, flow=over() + step("b"))
    shop.gives("a", things=[])

    run = await shop.run()

    assert (run.status, at(run, "each").output) == (SUCCEEDED, [])


@pytest.mark.parametrize(("tolerate", "status"), [("1", SUCCEEDED), ("0", FAILED), ("30%", FAILED)])
async def test_so_many_items_may_fail_as_are_tolerated(
    city: JourneyCity, tolerate: str, status: RunStatus
) -> None:
    shop = Workshop(city, flow=over(f", tolerate: {tolerate}"))
    shop.fails("2", Unfit("not of this"))

    run = await shop.run()

    assert run.status is status
    if status is SUCCEEDED:
        assert [one["made"] for one in at(run, "each").output] == ["1", "3"]
    else:
        assert at(run, "each").reason is Reason.EXHAUSTED
        assert "each[1]" in (run.error.detail if run.error else "")


async def test_a_retry_reaches_only_the_items_that_failed(city: JourneyCity) -> None:
    shop = Workshop(city, flow=over() + step("b"))
    shop.gives("a", things=[1, 2, 3, 4, 5])
    shop.fails("2", Unfit("not of this"), times=1)

    failed = await shop.run()
    before = list(shop.called)
    await city.operators.retry(failed.run_id)
    run = await shop.settled(failed.run_id)

    again = shop.called[len(before) :]
    assert (failed.status, run.status) == (FAILED, SUCCEEDED)
    assert [one["made"] for one in at(run, "each").output] == ["1", "2", "3", "4", "5"]
    assert again.count("2") == 1
    assert "1" not in again


async def test_a_retry_begins_no_more_items_at_once_than_may_be(city: JourneyCity) -> None:
    shop = Workshop(city, flow=over(", tolerate: 3") + step("b"))
    shop.gives("a", things=[1, 2, 3, 4, 5])
    for name in "1234":
        shop.fails(name, Unfit("not of this"), times=1)

    failed = await shop.run()
    gates = [hangs(shop, name) for name in "1234"]
    await city.operators.retry(failed.run_id)
    half = await shop.settled(failed.run_id)
    called = list(shop.called)
    for go in gates:
        go.set()
    run = await shop.settled(failed.run_id)

    assert (failed.status, half.status, run.status) == (FAILED, RunStatus.RUNNING, SUCCEEDED)
    assert called[-2:] == ["1", "2"]
    assert [one["made"] for one in at(run, "each").output] == ["1", "2", "3", "4", "5"]


async def test_a_fan_survives_a_crash_without_repeating_what_was_done(city: JourneyCity) -> None:
    shop = Workshop(city, flow=over() + step("b"))
    shop.gives("a", things=[1, 2, 3, 4])
    hangs(shop, "2")

    half = await shop.run()
    del shop.does["2"]
    await city.reboot()
    run = await shop.settled(half.run_id)

    assert run.status is SUCCEEDED
    assert sorted(shop.called) == ["1", "2", "2", "3", "4", "a", "b"]


async def test_what_items_give_is_kept_once_and_may_be_large(city: JourneyCity) -> None:
    shop = Workshop(city, flow=over() + "  - {milestone_id: w, wait_for: go}\n" + step("b"))
    shop.gives("1", made="x" * (LARGEST + 1))
    shop.gives("2", made="y" * 50_000)

    waits = await shop.run()
    await city.reboot()
    await city.operators.signal(waits.run_id, name="go", signal_id="1", data={})
    run = await shop.settled(waits.run_id)

    assert run.status is SUCCEEDED
    assert [len(one["made"]) for one in at(run, "each").output] == [LARGEST + 1, 50_000, 1]
    entries = (await city.journal.load([run.run_id]))[run.run_id].entries
    assert 50_000 < sum(map(len, entries)) < 60_000


# loops and races


async def test_a_loop_goes_on_until_it_holds_under_a_new_key_each_time(city: JourneyCity) -> None:
    shop = Workshop(city, flow=step("a", 'loop: {until: "${a.number > 3}", max: 9}') + step("b"))
    number = [0]

    def counted(arguments: Any) -> Any:
        number[0] += 1
        return {**made(arguments), "number": number[0]}

    shop.does["a"] = counted
    run = await shop.run()

    assert (run.status, at(run, "a").output["number"]) == (SUCCEEDED, 4)
    keys = [call.key for call in city.services.calls if call.arguments["name"] == "a"]
    assert keys == [f"{run.run_id}:a:{n}:1" for n in range(4)]


@pytest.mark.parametrize(("on_exhausted", "status"), [("fail", FAILED), ("continue", SUCCEEDED)])
async def test_a_loop_that_is_exhausted_fails_or_goes_on(
    city: JourneyCity, on_exhausted: str, status: RunStatus
) -> None:
    loop = f'loop: {{until: "${{!a.ok}}", max: 3, on_exhausted: {on_exhausted}}}'
    shop = Workshop(city, flow=step("a", loop) + step("b"))

    run = await shop.run()

    assert run.status is status
    assert shop.called.count("a") == 3
    assert ("b" in shop.called) is (status is SUCCEEDED)
    if status is FAILED:
        assert run.reason is Reason.EXHAUSTED


RACE = """\
  - milestone_id: race
    race:
      - {milestone_id: one, service: WorkService, api: make, with: {name: one}}
      - {milestone_id: two, service: WorkService, api: make, with: {name: two}}
      - {milestone_id: late, wait: 5m}
"""


async def test_the_first_to_finish_wins_and_the_rest_are_cancelled(city: JourneyCity) -> None:
    shop = Workshop(city, flow=RACE + step("b"))
    cut = []

    async def never(arguments: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(arguments["name"])

    shop.does["one"] = never
    run = await shop.run()

    assert run.status is SUCCEEDED
    assert at(run, "race").output["winner"] == "two"
    assert at(run, "race").output["result"]["made"] == "two"
    assert standing(run)["one"] == standing(run)["late"] == "cancelled race_lost"
    assert cut == ["one"]


async def test_a_timer_may_win_a_race(city: JourneyCity) -> None:
    shop = Workshop(city, flow=RACE + step("b"))
    hangs(shop, "one")
    shop.fails("two", Unfit("not of this"))

    run = await shop.run()

    assert (run.status, at(run, "race").output["winner"]) == (SUCCEEDED, "late")
    assert city.clock.time - BEGAN >= timedelta(minutes=5)


async def test_a_race_that_nobody_wins_fails(city: JourneyCity) -> None:
    shop = Workshop(city, flow=RACE.replace("      - {milestone_id: late, wait: 5m}\n", ""))
    shop.fails("one", Unfit("not of this"))
    shop.fails("two", Unfit("not of that"))

    run = await shop.run()

    assert (run.status, run.error and run.error.code) == (FAILED, "unfit")


# journeys within journeys

SUB = '  - {milestone_id: sub, journey: below, with: {what: "${a.made}"}}\n'
SUB_ONLY = "  - {milestone_id: sub, journey: below, with: {what: x}}\n"
BELOW = (
    "input: {what: string}\noutput: {of: '${input.what}', made: '${b1.made}'}\nmilestones:\n"
    + step("b1")
)


async def child_of(city: JourneyCity, run: JourneyRun, path: str = "sub") -> JourneyRun:
    return await city.engine.get(at(run, path).child)


async def test_a_journey_within_gives_its_output_under_the_same_trace(city: JourneyCity) -> None:
    shop = Workshop(city, below=BELOW, flow=step("a") + SUB + step("b"))

    run = await shop.run()
    child = await child_of(city, run)

    assert (run.status, at(run, "sub").output) == (SUCCEEDED, {"of": "a", "made": "b1"})
    assert (child.parent, child.trace_id) == (run.run_id, run.trace_id)
    assert shop.called == ["a", "b1", "b"]


async def test_a_journey_within_that_fails_fails_its_parent(city: JourneyCity) -> None:
    shop = Workshop(city, below=BELOW, flow=step("a") + SUB + step("b"))
    shop.fails("b1", Unfit("not of this"), times=1)

    failed = await shop.run()
    await city.operators.retry(failed.run_id)
    run = await shop.settled(failed.run_id)

    assert (failed.status, failed.reason) == (FAILED, Reason.JOURNEY)
    assert failed.error is not None
    assert failed.error.detail.endswith("not of this")
    assert run.status is SUCCEEDED
    assert shop.called == ["a", "b1", "b1", "b"]


async def test_cancelling_cancels_the_journeys_within(city: JourneyCity) -> None:
    shop = Workshop(
        city, below=BELOW + "  - {milestone_id: w, wait_for: go}\n", flow=step("a") + SUB
    )

    waits = await shop.run()
    await city.operators.cancel(waits.run_id)
    run = await shop.settled(waits.run_id)

    assert (waits.status, waits.reason) == (WAITING, Reason.JOURNEY)
    assert run.status is RunStatus.CANCELLED
    assert (await child_of(city, run)).status is RunStatus.CANCELLED


async def test_a_journey_within_is_cancelled_though_the_process_died_right_after_its_parent(
    city: JourneyCity,
) -> None:
    shop = Workshop(city, below=BELOW, flow=step("a") + SUB)
    hangs(shop, "b1")

    waits = await shop.run()
    own = city.driver.children
    city.driver.children = None  # the process dies before it comes to that
    with suppress(AssertionError):
        await city.operators.cancel(waits.run_id)
    city.driver.children = own
    await city.reboot()
    run = await shop.settled(waits.run_id)

    assert run.status is RunStatus.CANCELLED
    assert (await child_of(city, run)).status is RunStatus.CANCELLED


async def test_a_parent_hears_that_a_journey_within_cannot_be_read(city: JourneyCity) -> None:
    shop = Workshop(city, below=BELOW + "  - {milestone_id: w, wait_for: go}\n", flow=SUB_ONLY)

    waits = await shop.run()
    await city.journal.remove([at(waits, "sub").child])
    await city.reboot()
    city.dispatch.wake(QUEUE, waits.run_id)
    run = await shop.settled(waits.run_id)

    assert (run.status, run.error and run.error.code) == (FAILED, "journey_lost")


async def test_a_journey_within_is_begun_once_over_a_crash_at_any_moment(
    city: JourneyCity,
) -> None:
    shop = Workshop(city, below=BELOW, flow=step("a") + SUB + step("b"))
    hangs(shop, "b1")

    half = await shop.run()
    await city.reboot()
    await shop.settled(half.run_id)
    del shop.does["b1"]
    await city.reboot()
    run = await shop.settled(half.run_id)

    assert run.status is SUCCEEDED
    assert shop.called.count("b1") == 3
    assert len(await children(city, run)) == 1


async def children(city: JourneyCity, run: JourneyRun) -> list[str]:
    from realms.journey.engine.journal import RunFilter

    rows = await city.journal.page(RunFilter("north"), limit=100)
    return [row.run_id for row in rows if row.parent == run.run_id]


async def test_what_a_journey_within_gives_may_be_large(city: JourneyCity) -> None:
    shop = Workshop(city, below=BELOW, flow=step("a") + SUB + step("b", "retry: none"))
    shop.gives("b1", made="x" * (LARGEST + 1))

    run = await shop.run()
    entries = (await city.journal.load([run.run_id]))[run.run_id].entries

    assert run.status is SUCCEEDED
    assert len(at(run, "sub").output["made"]) == LARGEST + 1
    assert max(map(len, entries)) < 10_000


# people

ASK = """\
  - milestone_id: ask
    ask:
      form: {type: object, required: [yes_or_no], properties: {yes_or_no: {type: boolean}}}
      role: author
      %s
"""


def person(name: str, *roles: str) -> CallContext:
    return CallContext("t", UserContext(tenant="north", principal=name, roles=roles))


async def answer(city: JourneyCity, run: JourneyRun, name: str, *roles: str, **given: Any) -> None:
    (asked,) = run.questions
    with bound(person(name, *roles)):
        await city.operators.answer(run.run_id, wait_id=asked.wait_id, answer=given)


async def test_a_quorum_counts_different_people(city: JourneyCity) -> None:
    shop = Workshop(city, flow=ASK % "quorum: 2" + step("b"))

    asks = await shop.run()
    await answer(city, asks, "bo", "author", yes_or_no=True)
    await answer(city, asks, "bo", "author", yes_or_no=True)
    with pytest.raises(NotAllowed):
        await answer(city, asks, "bo", "author", yes_or_no=False)
    with pytest.raises(NotYours):
        await answer(city, asks, "cy", "reader", yes_or_no=True)
    await city.reboot()
    half = await shop.settled(asks.run_id)
    await answer(city, asks, "di", "author", yes_or_no=False)
    run = await shop.settled(asks.run_id)

    assert half.questions[0].answered_by == ("bo",)
    assert run.status is SUCCEEDED
    assert at(run, "ask").output == {
        "answers": [{"yes_or_no": True}, {"yes_or_no": False}],
        "answered_by": ["bo", "di"],
    }


async def test_a_question_that_is_overdue_is_escalated_and_then_waits_on(
    city: JourneyCity,
) -> None:
    shop = Workshop(city, flow=ASK % "due: 5m\n      escalate_to: boss" + step("b"))

    asks = await shop.run(until=timedelta(minutes=1))
    with pytest.raises(NotYours):
        await answer(city, asks, "di", "boss", yes_or_no=True)
    late = await shop.settled(asks.run_id)
    await answer(city, late, "di", "boss", yes_or_no=True)
    run = await shop.settled(asks.run_id)

    assert (late.status, late.questions[0].escalated) == (WAITING, True)
    assert run.status is SUCCEEDED


async def test_a_question_that_is_overdue_with_nobody_to_turn_to_fails(city: JourneyCity) -> None:
    shop = Workshop(city, flow=ASK % "due: 5m" + step("b"))

    run = await shop.run()

    assert (run.status, run.reason) == (FAILED, Reason.TIMEOUT)


async def test_a_question_within_a_long_run_is_open_for_as_long_as_it_says(
    city: JourneyCity,
) -> None:
    shop = Workshop(city, flow="timeout: P9D\nmilestones:\n" + ASK % "due: 48h" + step("b"))

    asks = await shop.run(until=timedelta(hours=47))
    await answer(city, asks, "di", "author", yes_or_no=True)

    assert (await shop.settled(asks.run_id, until=timedelta(days=3))).status is SUCCEEDED


# timers, signals, events


async def test_a_timer_holds_nothing_in_memory(city: JourneyCity) -> None:
    shop = Workshop(city, flow="  - {milestone_id: w, wait: 2h}\n" + step("b"))

    waits = await shop.run(until=timedelta(hours=1))
    await asyncio.sleep(0.06)
    moving = city.driver.moving
    run = await shop.settled(waits.run_id, until=timedelta(hours=3))

    assert (waits.status, waits.reason) == (WAITING, Reason.TIMER)
    assert waits.wake_at == BEGAN + timedelta(hours=2)
    assert moving == 0
    assert run.status is SUCCEEDED


async def test_a_signal_that_does_not_come_in_time_fails_its_milestone(city: JourneyCity) -> None:
    shop = Workshop(
        city, flow="  - {milestone_id: w, wait_for: {signal: go, timeout: 5m}}\n" + step("b")
    )

    run = await shop.run()

    assert (run.status, run.reason) == (FAILED, Reason.TIMEOUT)
    assert shop.called == []


async def test_an_event_is_published_with_its_data(city: JourneyCity) -> None:
    shop = Workshop(
        city,
        flow=step("a")
        + '  - {milestone_id: told, emit: {event: made_it}, with: {what: "${a.made}"}}\n'
        + step("b"),
    )

    run = await shop.run()

    assert city.services.published == [("made_it", {"what": "a"}, f"{run.run_id}:told:0:1")]
    assert at(run, "told").output == {"event_id": "event-1"}


# retries, time limits


@pytest.mark.parametrize(
    ("policy", "attempts"),
    [
        ("none", 1),
        ("{attempts: 5}", 5),
        ("{attempts: 5, never_on: [unavailable]}", 1),
        ("{attempts: 5, never_on: [Busy]}", 1),
        ("{attempts: 4, on: [Busy]}", 4),
        ("{attempts: 4, on: [timeout]}", 1),
        ("{attempts: 3, delays: [1s, 5s]}", 3),
        ("{attempts: 9, first_delay: 1m, jitter: none, factor: 1, max_elapsed: 150s}", 4),
    ],
)
async def test_a_policy_says_how_often_it_is_tried(
    city: JourneyCity, policy: str, attempts: int
) -> None:
    shop = Workshop(city, flow=step("a", f"retry: {policy}"))
    shop.fails("a", Busy("not now"))

    run = await shop.run()

    assert run.status is FAILED
    assert shop.called == ["a"] * attempts


async def test_stated_delays_are_kept_and_what_a_service_asks_for_is_respected(
    city: JourneyCity,
) -> None:
    policy = "retry: {attempts: 3, jitter: none, delays: [10s, 20s]}"
    shop = Workshop(city, flow=step("a", policy))
    shop.fails("a", Busy("not now", retry_after=15.0))

    first = await shop.run(until=timedelta(0))
    second = await shop.settled(first.run_id, until=timedelta(seconds=16))

    assert first.wake_at == BEGAN + timedelta(seconds=15)
    assert second.wake_at is not None
    assert second.wake_at - city.clock.time <= timedelta(seconds=20)


async def test_a_call_that_takes_too_long_is_cut_and_its_slot_is_free(city: JourneyCity) -> None:
    shop = Workshop(city, flow=step("a", "timeout: 10ms, retry: none"))
    hangs(shop, "a")

    accepted = await city.engine.start("flow", {})
    run = await city.engine.wait(accepted.run_id, seconds=2)

    assert (run.status, run.reason) == (FAILED, Reason.TIMEOUT)
    assert city.driver.moving == 0


async def test_a_call_that_falls_silent_is_cut_and_one_that_does_not_is_not(
    city: JourneyCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    from utilities.context import current

    shop = Workshop(
        city,
        flow=step("a", "heartbeat: 10s, retry: none") + step("b", "heartbeat: 20ms, retry: none"),
    )
    hangs(shop, "b")
    loop, passed = asyncio.get_running_loop(), [0.0]
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + sum(passed))

    async def alive(arguments: Any) -> Any:
        for _ in range(8):
            passed.append(6.0)
            await asyncio.sleep(0)
            current().heartbeat()
        return made(arguments)

    shop.does["a"] = alive
    accepted = await city.engine.start("flow", {})
    run = await city.engine.wait(accepted.run_id, seconds=100)

    assert standing(run) == {"a": "succeeded", "b": "failed timeout"}


async def test_a_run_that_takes_too_long_is_cut_and_its_finally_is_reached(
    city: JourneyCity,
) -> None:
    shop = Workshop(
        city,
        flow="timeout: 5m\nfinally: [last]\nmilestones:\n"
        + step("a")
        + "  - {milestone_id: w, wait: 1h}\n"
        + step("b")
        + step("last"),
    )

    run = await shop.run()

    assert (run.status, run.reason) == (FAILED, Reason.TIMEOUT)
    assert shop.called == ["a", "last"]


async def test_a_hanging_call_of_a_run_that_takes_too_long_is_cut_by_the_keeper(
    city: JourneyCity,
) -> None:
    shop = Workshop(city, flow="timeout: 5m\nmilestones:\n" + step("a"))
    hangs(shop, "a")

    hanging = await shop.run()
    city.clock.time += timedelta(minutes=6)
    await city.keeper.sweep()
    run = await shop.settled(hanging.run_id)

    assert (run.status, run.reason) == (FAILED, Reason.TIMEOUT)
    assert not city.driver.works


async def test_a_run_is_cut_at_its_time_and_not_at_the_keepers_next_look(
    city: JourneyCity,
) -> None:
    shop = Workshop(city, flow="timeout: 130s\nmilestones:\n" + step("a"))
    hangs(shop, "a")
    hanging = await city.engine.start("flow", {})
    await city.dispatch.quiet()

    await city.keeper.sweep()
    await city.dispatch.settle(until=timedelta(minutes=3))
    run = await shop.settled(hanging.run_id)

    assert (run.status, run.reason) == (FAILED, Reason.TIMEOUT)
    assert run.updated_at - run.created_at < timedelta(seconds=131)


# failure

UNDONE = "compensate: {service: WorkService, api: undo, with: {name: '${%s.made}'}}"


async def test_what_was_done_is_undone_in_reverse_order_each_tried_again(
    city: JourneyCity,
) -> None:
    shop = Workshop(
        city,
        flow="on_failure: compensate\nfinally: [last]\nmilestones:\n"
        + step("a", UNDONE % "a")
        + step("b")
        + step("c", UNDONE % "c")
        + step("d")
        + step("last"),
    )
    shop.fails("d", Unfit("not of this"))
    shop.fails("undo c", Busy("not now"), times=1)

    half = await shop.run(until=timedelta(0))
    run = await shop.settled(half.run_id)

    assert half.status is RunStatus.COMPENSATING
    assert (run.status, run.reason) == (RunStatus.COMPENSATED, Reason.ERROR)
    assert shop.called == ["a", "b", "c", "d", "undo c", "undo c", "undo a", "last"]
    keys = {c.key for c in city.services.calls if c.api == "undo"}
    assert keys == {f"{run.run_id}:{path}~undo:0:1" for path in "ac"}


async def test_a_for_each_all_of_whose_items_were_undone_is_shown_as_undone(
    city: JourneyCity,
) -> None:
    shop = Workshop(
        city,
        flow="on_failure: compensate\nmilestones:\n"
        + step("a")
        + OVER % (EACH % "" + ", " + UNDONE % "each")
        + step("d"),
    )
    shop.gives("a", things=[1, 2])
    shop.fails("d", Unfit("not of this"))

    run = await shop.settled((await shop.run()).run_id)

    assert run.status is RunStatus.COMPENSATED
    assert (at(run, "each").undone, at(run, "a").undone) == (True, False)


async def test_undoing_survives_a_crash(city: JourneyCity) -> None:
    shop = Workshop(
        city,
        flow="on_failure: compensate\nmilestones:\n"
        + step("a", UNDONE % "a")
        + step("c", UNDONE % "c")
        + step("d"),
    )
    shop.fails("d", Unfit("not of this"))
    hangs(shop, "undo c")

    half = await shop.run()
    del shop.does["undo c"]
    await city.reboot()
    run = await shop.settled(half.run_id)

    assert (await row_status(city, half.run_id)) is RunStatus.COMPENSATED
    assert run.status is RunStatus.COMPENSATED
    assert shop.called == ["a", "c", "d", "undo c", "undo c", "undo a"]


async def row_status(city: JourneyCity, run_id: str) -> RunStatus:
    return (await city.journal.load([run_id]))[run_id].row.status


async def test_lists_show_a_run_that_is_being_undone(city: JourneyCity) -> None:
    shop = Workshop(
        city, flow="on_failure: compensate\nmilestones:\n" + step("a", UNDONE % "a") + step("b")
    )
    shop.fails("b", Unfit("not of this"))
    hangs(shop, "undo a")

    run = await shop.run()

    assert await row_status(city, run.run_id) is RunStatus.COMPENSATING


async def test_a_run_that_pauses_on_failure_goes_on_after_a_retry(city: JourneyCity) -> None:
    shop = Workshop(city, flow="on_failure: pause\nmilestones:\n" + step("a") + step("b"))
    shop.fails("a", Unfit("not of this"), times=1)

    paused = await shop.run()
    await city.reboot()
    still = await shop.settled(paused.run_id)
    await city.operators.retry(paused.run_id)
    run = await shop.settled(paused.run_id)

    assert (paused.status, paused.reason) == (RunStatus.PAUSED, Reason.ERROR)
    assert still.status is RunStatus.PAUSED
    assert run.status is SUCCEEDED
    assert shop.called == ["a", "a", "b"]


@pytest.mark.parametrize("fails", [False, True])
async def test_finally_is_reached_however_the_run_ends(city: JourneyCity, *, fails: bool) -> None:
    shop = Workshop(
        city,
        flow="finally: [last, told]\nmilestones:\n"
        + step("a")
        + step("b")
        + step("last")
        + step("told", "needs: [last], if: '${failed()}'"),
    )
    if fails:
        shop.fails("a", Unfit("not of this"))

    run = await shop.run()

    assert run.status is (FAILED if fails else SUCCEEDED)
    assert shop.called == (["a", "last", "told"] if fails else ["a", "b", "last"])


# lanes


def laned(when_full: str, name: str = "a") -> str:
    return (
        "input: {key: string}\n"
        f'concurrency: {{key: "${{input.key}}", limit: 1, when_full: {when_full}}}\n'
        f"milestones:\n{step(name)}"
    )


async def starts(city: JourneyCity, *keys: str) -> list[JourneyRun]:
    return [await city.engine.start("flow", {"key": key}) for key in keys]


async def statuses(city: JourneyCity, runs: list[JourneyRun]) -> list[str]:
    return [str((await city.engine.get(run.run_id)).status) for run in runs]


async def test_runs_of_one_key_queue_and_go_one_after_the_other(city: JourneyCity) -> None:
    shop = Workshop(city, flow=laned("queue"))
    go = hangs(shop, "a")

    runs = await starts(city, "x", "x", "y", "x")
    await city.dispatch.settle()
    before = await statuses(city, runs)
    await city.reboot()
    await city.dispatch.settle()
    after = await statuses(city, runs)
    go.set()
    await city.dispatch.settle()

    assert before == after == ["running", "queued", "running", "queued"]
    assert await statuses(city, runs) == ["succeeded"] * 4
    begun = [(await city.engine.get(run.run_id)).milestones[0].began_at for run in runs]
    assert None not in begun


async def test_a_run_is_refused_where_its_lane_is_full(city: JourneyCity) -> None:
    shop = Workshop(city, flow=laned("reject"))
    go = hangs(shop, "a")
    await starts(city, "x")

    with pytest.raises(LaneFull) as full:
        await starts(city, "x")
    await starts(city, "y")
    go.set()
    await city.dispatch.settle()
    (again,) = await starts(city, "x")

    assert full.value.retry_after == 1.0
    assert (await shop.settled(again.run_id)).status is SUCCEEDED


async def test_a_newer_run_takes_the_place_of_an_older(city: JourneyCity) -> None:
    shop = Workshop(city, flow=laned("replace"))
    hangs(shop, "a")
    (old,) = await starts(city, "x")
    await city.dispatch.settle()
    del shop.does["a"]
    (new,) = await starts(city, "x")
    await city.dispatch.settle()

    replaced = await city.engine.get(old.run_id)
    assert (replaced.status, replaced.reason) == (RunStatus.CANCELLED, Reason.SUPERSEDED)
    assert (await city.engine.get(new.run_id)).status is SUCCEEDED


async def test_a_run_that_takes_the_place_of_one_that_waits_begins_without_a_sweep(
    city: JourneyCity,
) -> None:
    text = laned("replace").replace(step("a"), "  - {milestone_id: w, wait_for: go}\n")
    shop = Workshop(city, flow=text)
    woken: list[asyncio.Task[None]] = []

    def at_once(queue: str, key: str, *, at: Any = None, road: object = None) -> None:
        if at is None:
            handled = city.dispatch._handlers[queue](key)
            woken.append(asyncio.ensure_future(handled))

    (old,) = await starts(city, "x")
    await shop.settled(old.run_id)
    city.dispatch.wake = at_once  # type: ignore[method-assign]  # as a dispatch that lets nobody wait
    (new,) = await starts(city, "x")
    await city.dispatch.quiet()
    await asyncio.gather(*woken)

    assert (await city.engine.get(old.run_id)).reason is Reason.SUPERSEDED
    assert (await city.engine.get(new.run_id)).reason is Reason.SIGNAL


async def test_a_rate_limit_spaces_the_beginnings_evenly_also_over_a_restart(
    city: JourneyCity,
) -> None:
    shop = Workshop(city, flow="rate_limit: {limit: 2, per: 1m}\nmilestones:\n" + step("a"))

    runs = [await city.engine.start("flow", {}) for _ in range(3)]
    await city.reboot()
    runs += [await city.engine.start("flow", {}) for _ in range(1)]
    shown = await city.engine.get(runs[2].run_id)
    await city.dispatch.settle()

    assert (shown.status, shown.reason) == (RunStatus.QUEUED, Reason.RATE_LIMIT)
    assert shown.wake_at == BEGAN + timedelta(minutes=1)
    began = [(await city.engine.get(run.run_id)).milestones[0].began_at for run in runs]
    waits = [None if at is None else round((at - BEGAN).total_seconds()) for at in began]
    assert waits == [0, 30, 60, 90]
    assert shop.called == ["a"] * 4


async def test_a_run_of_higher_priority_goes_first(city: JourneyCity) -> None:
    settings = Settings(drain_seconds=0.05, journey_beat_seconds=200_000, journey_attempts=1)
    city.settings = settings
    await city.reboot()
    shop = Workshop(
        city,
        flow=step("low"),
        quick="priority: 9\nmilestones:\n" + step("high"),
        first=step("now"),
    )
    go = hangs(shop, "now")
    for name in ("first", "flow", "flow", "quick"):
        await city.engine.start(name, {})
    await city.dispatch.settle()
    go.set()
    await city.dispatch.settle()

    assert shop.called == ["now", "high", "low", "low"]


# what is remembered, kept secret, refused


async def test_a_result_is_remembered_by_its_key_and_for_so_long(city: JourneyCity) -> None:
    memo = 'memoize: {key: "${input.what}", max_age: 10m}'
    shop = Workshop(city, flow="input: {what: string}\nmilestones:\n" + step("a", memo))
    results = []
    for what, minutes in (("x", 0), ("x", 5), ("y", 5), ("x", 15)):
        city.clock.time = BEGAN + timedelta(minutes=minutes)
        shop.gives("a", made=f"{what} at {minutes}")
        run = await shop.run(values={"what": what}, until=timedelta(hours=1))
        results.append(at(run, "a").output["made"])

    assert results == ["x at 0", "x at 0", "y at 5", "x at 15"]
    assert len(shop.called) == 3


async def test_a_remembered_result_may_be_large(city: JourneyCity) -> None:
    shop = Workshop(city, flow=step("a", "memoize: {key: k}") + step("b"))
    shop.gives("a", made="x" * (LARGEST + 1))
    await shop.run()

    run = await shop.run()
    entries = (await city.journal.load([run.run_id]))[run.run_id].entries

    assert run.status is SUCCEEDED
    assert shop.called == ["a", "b", "b"]
    assert max(map(len, entries)) < 10_000


async def test_a_secret_reaches_the_service_and_nothing_else(
    city: JourneyCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIVITAS_SECRET_API_TOKEN", "hush-hush")
    shop = Workshop(
        city,
        flow="  - {milestone_id: a, service: WorkService, api: make,"
        " with: {name: a, of: {secret: api_token}}}\n",
    )

    run = await shop.run()
    entries = (await city.journal.load([run.run_id]))[run.run_id].entries

    assert run.status is SUCCEEDED
    assert city.services.calls[0].arguments["of"] == "hush-hush"
    assert b"hush-hush" not in b"".join(entries)
    assert "hush-hush" not in run.model_dump_json()
    assert shop.called == ["a"]


async def test_no_more_runs_are_taken_than_can_be_moved(city: JourneyCity) -> None:
    city.settings = Settings(drain_seconds=0.05, journey_beat_seconds=200_000, journey_backlog=3)
    await city.reboot()
    engine: JourneyEngine = city.engine
    shop = Workshop(city, flow=step("a"))
    go = hangs(shop, "a")
    runs = [await engine.start("flow", {}) for _ in range(3)]

    with pytest.raises(TooManyRuns) as refused:
        await engine.start("flow", {})
    go.set()
    await city.dispatch.settle()

    assert refused.value.retry_after == 1.0
    assert await statuses(city, runs) == ["succeeded"] * 3
    assert (await shop.run()).status is SUCCEEDED


async def test_a_signal_that_is_no_json_is_refused_and_changes_nothing(city: JourneyCity) -> None:
    from realms.journey.engine.codec import UnstorableResult

    shop = Workshop(city, flow="  - {milestone_id: w, wait_for: go}\n" + step("b"))
    waits = await shop.run()

    with pytest.raises(UnstorableResult):
        await city.operators.signal(waits.run_id, name="go", signal_id="1", data={"v": 2**80})
    still = await shop.settled(waits.run_id)
    await city.operators.signal(waits.run_id, name="go", signal_id="1", data={"v": 1})
    await city.reboot()
    run = await shop.settled(waits.run_id)

    assert (still.status, still.reason) == (WAITING, Reason.SIGNAL)
    assert (run.status, at(run, "w").output) == (SUCCEEDED, {"v": 1})
    assert USER.user.principal == run.principal
