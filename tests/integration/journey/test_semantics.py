"""The fourteen semantics that others got wrong (journeys.md, section 5), one test for each."""

from datetime import timedelta
from typing import Any

import pytest

from realms.journey.api import JourneyRun, Reason, RunStatus
from realms.journey.control.questions import InvalidAnswer
from realms.journey.control.verbs import NotAllowed
from realms.journey.engine.codec import decode
from realms.journey.engine.facts import MilestoneSucceeded
from realms.journey.engine.journal import VersionTaken
from realms.journey.engine.payloads import LARGEST
from realms.journey.language.compiling import load_plan
from realms.journey.language.template_faults import FaultyTemplate
from tests.support.journeys import BEGAN, JourneyCity
from tests.support.workshop import Busy, Unfit, Workshop, at, standing, step

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("city", ["memory", "sqlite", "postgres"], indirect=True),
]

FORM = "form: {type: object, required: [approve], properties: {approve: {type: boolean}}}"


def faults(city: JourneyCity, text: str) -> list[str]:
    with pytest.raises(FaultyTemplate) as faulty:
        load_plan(text, city.services, file="flow.yaml")
    return [fault.path for fault in faulty.value.faults]


async def test_01_an_empty_join_or_fork_is_refused(city: JourneyCity) -> None:
    Workshop(city)
    top = "journey_template: flow\nmilestones:\n"

    assert "milestones[0].needs" in faults(city, top + step("a", "needs: []"))
    assert "milestones[0].race" in faults(city, f"{top}  - {{milestone_id: a, race: []}}\n")


async def test_02_a_faulty_expression_in_a_loop_fails_the_run_and_never_spins(
    city: JourneyCity,
) -> None:
    loop = 'loop: {until: "${a.things[a.number] > 0}", max: 50}'
    shop = Workshop(city, flow=step("a", loop) + step("b", "needs: [a]"))
    shop.gives("a", number=99)

    run = await shop.run()

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.EXPRESSION)
    assert shop.called == ["a"]


async def test_03_a_manual_retry_reopens_what_was_skipped_and_reruns_nothing_that_finished(
    city: JourneyCity,
) -> None:
    shop = Workshop(
        city,
        flow=step("a")
        + step("b", "needs: [a]")
        + step("beside", "needs: [a]")
        + step("c", "needs: [b]")
        + step("d", "needs: [c, beside]"),
    )
    shop.fails("b", Unfit("not of this"), times=1)

    failed = await shop.run()
    await city.operators.retry(failed.run_id, milestone_id="b")
    run = await shop.settled(failed.run_id)

    assert standing(failed) == {
        "a": "succeeded",
        "b": "failed error",
        "beside": "succeeded",
        "c": "skipped upstream",
        "d": "skipped upstream",
    }
    assert run.status is RunStatus.SUCCEEDED
    assert sorted(shop.called) == ["a", "b", "b", "beside", "c", "d"]


async def test_04_resuming_reruns_nothing_that_completed_beside_a_milestone_that_waits(
    city: JourneyCity,
) -> None:
    shop = Workshop(
        city,
        flow=step("a")
        + step("b", "needs: [a]")
        + "  - {milestone_id: held, needs: [a], wait_for: go}\n"
        + step("c", "needs: [b, held]"),
    )

    waits = await shop.run()
    await city.operators.pause(waits.run_id)
    await city.reboot()
    await shop.settled(waits.run_id)
    await city.operators.resume(waits.run_id)
    still = await shop.settled(waits.run_id)
    await city.operators.signal(waits.run_id, name="go", signal_id="1", data={})
    run = await shop.settled(waits.run_id)

    assert (still.status, still.reason) == (RunStatus.WAITING, Reason.SIGNAL)
    assert run.status is RunStatus.SUCCEEDED
    assert shop.called == ["a", "b", "c"]


async def test_05_each_wait_has_an_identity_of_its_own(city: JourneyCity) -> None:
    shop = Workshop(
        city,
        flow=step("a")
        + f"  - {{milestone_id: one, needs: [a], ask: {{{FORM}, push_back_to: a}}}}\n"
        + f"  - {{milestone_id: two, needs: [a], ask: {{{FORM}}}}}\n"
        + step("b", "needs: [one, two]"),
    )

    asks = await shop.run()
    one, two = (question.wait_id for question in asks.questions)
    await city.operators.answer(asks.run_id, wait_id=two, answer={"approve": False})
    half = await shop.settled(asks.run_id)
    await city.operators.push_back(asks.run_id, wait_id=one, note="look again")
    again = await shop.settled(asks.run_id)
    for late in (one, two):
        with pytest.raises(NotAllowed):
            await city.operators.answer(asks.run_id, wait_id=late, answer={"approve": True})
    for question in again.questions:
        await city.operators.answer(
            asks.run_id,
            wait_id=question.wait_id,
            answer={"approve": question.milestone_id == "one"},
        )
    run = await shop.settled(asks.run_id)

    assert one != two
    assert [q.wait_id for q in half.questions] == [one]
    assert not {one, two} & {q.wait_id for q in again.questions}
    assert run.status is RunStatus.SUCCEEDED
    assert (at(run, "one").output["approve"], at(run, "two").output["approve"]) == (True, False)


async def test_06_signals_before_the_wait_are_kept_and_doubled_ones_dropped(
    city: JourneyCity,
) -> None:
    shop = Workshop(
        city,
        flow="  - {milestone_id: pause, wait: 10m}\n"
        "  - {milestone_id: first, wait_for: go}\n"
        "  - {milestone_id: second, wait_for: go}\n",
    )

    early = await shop.run(until=timedelta(minutes=1))
    for value, number in ((1, "s1"), (2, "s1"), (1, "s1")):
        await city.operators.signal(early.run_id, name="go", signal_id=number, data={"v": value})
    await city.reboot()
    half = await shop.settled(early.run_id)
    await city.operators.signal(early.run_id, name="go", signal_id="s1", data={"v": 9})
    dropped = await shop.settled(early.run_id)
    await city.operators.signal(early.run_id, name="go", signal_id="s2", data={"v": 3})
    run = await shop.settled(early.run_id)

    assert standing(half) == {
        "pause": "succeeded",
        "first": "succeeded",
        "second": "waiting signal",
    }
    assert standing(dropped) == standing(half)
    assert (at(run, "first").output, at(run, "second").output) == ({"v": 1}, {"v": 3})


async def test_07_retry_delays_are_deterministic_and_elapsed_limits_survive_a_restart(
    city: JourneyCity,
) -> None:
    retry = "retry: {attempts: 50, first_delay: 40s, factor: 1, max_elapsed: 3m}"
    shop = Workshop(city, flow=step("a", retry))
    shop.fails("a", Busy("not now"))
    accepted = await city.engine.start("flow", {})
    moments = []

    for _ in range(30):
        await city.dispatch.settle(until=city.clock.time - BEGAN)
        run = await city.engine.get(accepted.run_id)
        if run.status.ended:
            break
        assert run.wake_at is not None
        moments.append(run.wake_at)
        await city.reboot()
        before = city.clock.time
        await city.dispatch.settle(until=run.wake_at - BEGAN)
        assert city.clock.time > before or run.wake_at == before

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.ERROR)
    assert len(moments) == at(run, "a").failures - 1 >= 4
    assert at(run, "a").crashes == 0
    assert timedelta(minutes=3) <= city.clock.time - BEGAN < timedelta(minutes=4)
    other = JourneyCity()
    async with other:
        twin = Workshop(other, flow=step("a", retry))
        twin.fails("a", Busy("not now"))
        same = await other.engine.start("flow", {})
        await other.dispatch.settle(until=timedelta(0))
        assert (await other.engine.get(same.run_id)).wake_at == moments[0]


async def test_08_continue_on_error_keeps_the_error_visible(city: JourneyCity) -> None:
    shop = Workshop(city, flow=step("a", "continue_on_error: true") + step("b", "needs: [a]"))
    shop.fails("a", Unfit("not of this"))

    run = await shop.run()

    assert run.status is RunStatus.SUCCEEDED
    assert standing(run) == {"a": "failed error", "b": "succeeded"}
    assert [(w.milestone_id, w.error.detail) for w in run.warnings] == [("a", "not of this")]


async def test_09_a_compensation_that_fails_stops_no_other_and_the_run_says_what_is_left(
    city: JourneyCity,
) -> None:
    def undone(name: str) -> str:
        return f"compensate: {{service: WorkService, api: undo, with: {{name: {name}}}}}"

    shop = Workshop(
        city,
        flow="on_failure: compensate\nmilestones:\n"
        + step("a", undone("a"))
        + step("b", undone("b"))
        + step("c", undone("c"))
        + step("d"),
    )
    shop.fails("d", Unfit("not of this"))
    shop.fails("undo b", Busy("not now"))

    run = await shop.run()

    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.LEFT_UNDONE)
    assert run.left_undone == ("b",)
    assert [m.milestone_id for m in run.milestones if m.undone] == ["a", "c"]
    assert shop.called == ["a", "b", "c", "d", "undo c", *["undo b"] * 3, "undo a"]


async def test_10_the_output_of_a_skipped_milestone_is_absent_and_its_use_unguarded_a_fault(
    city: JourneyCity,
) -> None:
    maybe = step("a") + step("b", 'needs: [a], if: "${a.ok}"')

    def last(of: str) -> str:
        return (
            "  - {milestone_id: c, needs: [b], if: '${always()}', service: WorkService, "
            f'api: make, with: {{name: c, of: "{of}"}}}}\n'
        )

    shop = Workshop(city, flow=maybe + last("${skipped('b') ? 'nothing' : b.made}"))
    shop.gives("a", ok=False)

    run = await shop.run()

    assert run.status is RunStatus.SUCCEEDED
    assert standing(run)["b"] == "skipped condition"
    assert city.services.calls[-1].arguments == {"name": "c", "of": "nothing"}
    top = "journey_template: flow\nmilestones:\n"
    assert faults(city, top + maybe + last("${b.made}")) == ["milestones[2].with.of"]


async def test_11_a_run_keeps_the_text_it_began_with(city: JourneyCity) -> None:
    shop = Workshop(
        city,
        below=step("b1"),
        flow="  - {milestone_id: held, wait: 10m}\n"
        + step("a")
        + ("  - {milestone_id: sub, journey: below}\n"),
    )

    old = await shop.run(until=timedelta(minutes=1))
    shop.write("flow", step("new"))
    shop.write("below", step("b2"))
    await city.reboot()
    done = await shop.settled(old.run_id)
    new = await shop.run()

    assert (done.status, new.status) == (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED)
    assert shop.called == ["a", "b1", "new"]
    assert done.template_hash == old.template_hash != new.template_hash
    shop.write("stated", f'version: "1"\nmilestones:\n{step("a")}')
    await shop.run("stated")
    shop.write("stated", f'version: "1"\nmilestones:\n{step("b")}')
    with pytest.raises(VersionTaken):
        await shop.run("stated")


async def test_12_a_large_payload_goes_to_the_object_store_and_contracts_come_first(
    city: JourneyCity,
) -> None:
    large = "x" * (LARGEST + 1)
    text = (
        "milestones:\n"
        "  - {milestone_id: a, phase: one, service: WorkService, api: make, with: {name: a}}\n"
        "  - {milestone_id: held, phase: one, wait_for: go}\n"
        "  - {milestone_id: b, phase: two, service: WorkService, api: make,"
        ' with: {name: b, of: "${a.made}"}}\n'
        "handoff_contracts:\n"
        "  one_to_two:\n    input: {made: {type: string, minLength: 3}}\n"
    )
    shop = Workshop(city, flow=text)
    shop.gives("a", made=large)

    waits = await shop.run()
    await city.reboot()
    await city.operators.signal(waits.run_id, name="go", signal_id="1", data={})
    run = await shop.settled(waits.run_id)
    shop.gives("a", made="y")
    broken = await shop.run()

    assert run.status is RunStatus.SUCCEEDED
    assert city.services.calls[1].arguments["of"] == large
    assert at(run, "a").output["made"] == large
    entries = (await city.journal.load([run.run_id]))[run.run_id].entries
    assert max(map(len, entries)) < 2_000
    (kept,) = [
        fact
        for entry in entries
        for fact in decode(entry)
        if isinstance(fact, MilestoneSucceeded) and fact.path == "a"
    ]
    assert (kept.output, bool(kept.spilled)) == (None, True)
    assert (broken.status, broken.reason) == (RunStatus.FAILED, Reason.CONTRACT)


async def test_13_expressions_come_from_the_template_and_data_is_never_evaluated(
    city: JourneyCity,
) -> None:
    shop = Workshop(
        city,
        flow="input: {file_id: string}\nmilestones:\n"
        + step("a")
        + "  - {milestone_id: b, service: WorkService, api: make,"
        ' with: {name: b, of: "${a.made + input.file_id}"}}\n',
    )
    shop.gives("a", made="${input.file_id}")

    run = await shop.run(values={"file_id": "${a.number + 1}"})

    assert run.status is RunStatus.SUCCEEDED
    assert city.services.calls[-1].arguments["of"] == "${input.file_id}${a.number + 1}"
    assert city.services.calls[0].arguments["name"] == "a"


async def test_14_an_answer_that_does_not_fit_reopens_the_same_question_with_the_errors(
    city: JourneyCity,
) -> None:
    shop = Workshop(city, flow=f"  - {{milestone_id: ask, ask: {{{FORM}}}}}\n" + step("b"))

    asks = await shop.run()
    (asked,) = asks.questions
    with pytest.raises(InvalidAnswer) as refused:
        await city.operators.answer(asks.run_id, wait_id=asked.wait_id, answer={"approve": "yes"})
    await city.reboot()
    again: JourneyRun = await shop.settled(asks.run_id)
    (still,) = again.questions
    given: dict[str, Any] = {"approve": True}
    await city.operators.answer(asks.run_id, wait_id=still.wait_id, answer=given)
    run = await shop.settled(asks.run_id)

    assert [error.pointer for error in refused.value.errors] == ["/approve"]
    assert still.wait_id == asked.wait_id
    assert [error.pointer for error in still.refused] == ["/approve"]
    assert run.status is RunStatus.SUCCEEDED
    assert at(run, "ask").output == {"approve": True, "answered_by": "ada"}
