"""From a milestone as written to a node of the plan."""

from collections.abc import Mapping
from typing import Any

from realms.journey.expressions.compiled import Expression
from realms.journey.language.milestone import (
    Compensate,
    Emit,
    ForEach,
    Loop,
    Memoize,
    WaitFor,
)
from realms.journey.language.ordering import Step
from realms.journey.language.policies import RetryPolicies
from realms.journey.language.seeing import Sight
from realms.journey.language.survey import Survey
from realms.journey.language.template import OF_EXPRESSIONS, RESERVED_IDS
from realms.journey.plans import plan as planned
from realms.journey.plans.binding import Binding
from realms.journey.plans.contracts import Fits
from realms.journey.plans.plan import JsonSchema, Node, Signature, Work

_TAKEN = RESERVED_IDS - {"item"} | OF_EXPRESSIONS
"""An item may be called `item`, which it is by default."""


class MilestoneCompiler:
    """Compiles the milestones of one template; every method notes what does not fit and goes on."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._faults = survey.faults
        self._policies = RetryPolicies(survey.template, survey.faults)
        self._ids = {step.at: step.id for step in survey.order}

    def parts(self, at: int) -> dict[str, Any]:
        """Everything of a node that holds expressions or names others."""
        step, sight = self._survey.order[at], self._survey.sight(at)
        milestone, place = step.written, step.place
        each = self._each(milestone.for_each, f"{place}.for_each", sight)
        result = self._survey.works[at].result
        item: dict[str, JsonSchema | None] = {}
        if milestone.for_each is not None:
            found = _item_of(each.items) if each else None
            item = {"item": found, milestone.for_each.as_: found}
            result = result["items"] if result is not None else None
        inner = self._survey.sight(at, item) if item else sight
        with_own = self._survey.sight(at, {**item, step.id: result})
        return {
            "condition": self._survey.expression(
                milestone.if_, f"{place}.if", sight, {"boolean"}, asks_status=True
            ),
            "work": self._work(at, step, inner),
            "each": each,
            "loop": self._loop(milestone.loop, f"{place}.loop", with_own),
            "compensate": self._undo(at, milestone.compensate, f"{place}.compensate", with_own),
            "memoize": self._memoize(milestone.memoize, f"{place}.memoize", inner),
            "retry": self._policies.of(milestone.retry, f"{place}.retry"),
        }

    def node(self, at: int, parts: Mapping[str, Any]) -> Node:
        """The node of a milestone whose parts are without fault."""
        graph, step, survey = self._survey.graph, self._survey.order[at], self._survey
        assert graph is not None
        milestone, defaults = step.written, survey.template.defaults
        due, output = survey.promises.of(step.id), survey.works[at].output
        calls = bool(milestone.service or milestone.journey or milestone.agent)
        beats = bool(milestone.service or milestone.agent)
        priorities = (milestone.priority, defaults.priority, survey.template.priority)
        return Node(
            path=step.id,
            phase=milestone.phase,
            description=milestone.description,
            needs=tuple(graph.order[need].id for need in graph.needs[at]),
            timeout=milestone.timeout or (defaults.timeout if calls else None),
            heartbeat=milestone.heartbeat or (defaults.heartbeat if beats else None),
            continue_on_error=survey.is_soft(step),
            queue=milestone.queue or defaults.queue,
            priority=next(priority for priority in priorities if priority is not None),
            branch_of=self._ids.get(step.race, ""),
            output=output,
            on_entry=tuple(due.on_entry.values()),
            on_done=tuple(due.on_done.values()),
            trace_required_by=tuple(due.traced),
            promised=frozenset(() if milestone.for_each else due.fields & output.keys()),
            **parts,
        )

    # work

    def _work(self, at: int, step: Step, sight: Sight) -> Work | None:
        milestone, place = step.written, step.place
        if milestone.service:
            return self._call(at, step, sight)
        if milestone.ask is not None:
            return self._ask(at, step)
        if milestone.wait is not None:
            return planned.Timer(milestone.wait)
        if milestone.wait_for is not None:
            return _wait_for(milestone.wait_for)
        if milestone.race is not None:
            return planned.Race(tuple(branch.milestone_id for branch in milestone.race))
        stated = tuple(self._survey.feeder.stated(milestone.with_, place, sight))
        if milestone.agent:
            return planned.AgentWork(milestone.agent, stated)
        if milestone.emit is not None:
            emitted = milestone.emit
            return planned.Emit(emitted.event if isinstance(emitted, Emit) else emitted, stated)
        name, _, version = milestone.journey.partition("@")
        return planned.SubJourney(name, version, stated)

    def _call(self, at: int, step: Step, sight: Sight) -> planned.Call | None:
        signature, milestone, place = self._survey.works[at].signature, step.written, step.place
        if signature is None:
            return None
        bindings = self._survey.feeder.stated_for(signature, milestone.with_, place, sight)
        bindings += self._fed(at, signature, milestone.with_, place)
        if signature.effect is None:
            return None
        return planned.Call(milestone.service, milestone.api, signature.effect, tuple(bindings))

    def _undo(
        self, at: int, undo: Compensate | None, place: str, sight: Sight
    ) -> planned.Call | None:
        """What undoes a milestone may take its result too."""
        if undo is None:
            return None
        signature = self._survey.lookup.signature(undo.service, undo.api, place)
        if signature is None or signature.effect is None:
            return None
        bindings = self._survey.feeder.stated_for(signature, undo.with_, place, sight)
        bindings += self._fed(at, signature, undo.with_, place, own=1 << at)
        return planned.Call(undo.service, undo.api, signature.effect, tuple(bindings))

    def _fed(
        self,
        at: int,
        signature: Signature,
        stated: Mapping[str, Any],
        place: str,
        *,
        own: int = 0,
    ) -> list[Binding]:
        roads = self._survey.roads
        if roads is None:
            return []
        before, sure = roads.graph.before[at] | own, roads.sure(at) | own
        return self._survey.feeder.by_name(
            signature, stated, place, roads, before=before, sure=sure
        )

    def _ask(self, at: int, step: Step) -> planned.Ask | None:
        ask, place = step.written.ask, f"{step.place}.ask"
        if ask is None or self._survey.works[at].opaque:
            return None
        self._check_push_back(at, ask.push_back_to, f"{place}.push_back_to")
        if ask.escalate_to and ask.due is None:
            problem = "nothing is ever overdue here: say when it is due"
            self._faults.add(f"{place}.escalate_to", problem, suggestion="Add due: 48h")
        return planned.Ask(
            form=ask.form,
            fits=Fits(ask.form),
            role=ask.role,
            quorum=ask.quorum,
            due=ask.due,
            escalate_to=ask.escalate_to,
            push_back_to=ask.push_back_to,
        )

    def _check_push_back(self, at: int, to: str, place: str) -> None:
        roads = self._survey.roads
        if not to or roads is None:
            return
        before = roads.ids(roads.graph.before[at])
        if to not in before:
            problem = f'"{to}" does not come before this milestone'
            self._faults.add(place, problem, wrong=to, right=sorted(before))

    # how often

    def _each(self, each: ForEach | None, place: str, sight: Sight) -> planned.ForEach | None:
        if each is None:
            return None
        if each.as_ in {*_TAKEN, *self._ids.values()}:
            problem = f'"{each.as_}" means something else already; call the item otherwise'
            self._faults.add(f"{place}.as", problem)
        items = self._survey.expression(each.items, f"{place}.items", sight, {"array"})
        if items is None:
            return None
        share = each.tolerate.endswith("%")
        return planned.ForEach(
            items=items,
            name=each.as_,
            max_parallel=each.max_parallel,
            tolerated=0 if share else int(each.tolerate),
            tolerated_share=float(each.tolerate[:-1]) / 100 if share else 0.0,
        )

    def _loop(self, loop: Loop | None, place: str, sight: Sight) -> planned.Loop | None:
        if loop is None:
            return None
        until = self._survey.expression(loop.until, f"{place}.until", sight, {"boolean"})
        return None if until is None else planned.Loop(until, loop.max, loop.on_exhausted)

    def _memoize(self, memoize: Memoize | None, place: str, sight: Sight) -> planned.Memoize | None:
        if memoize is None:
            return None
        key = self._survey.value(memoize.key, f"{place}.key", sight)
        return None if key is None else planned.Memoize(key, memoize.max_age)


def _wait_for(stated: WaitFor | str) -> planned.WaitFor:
    if isinstance(stated, WaitFor):
        return planned.WaitFor(stated.signal, stated.timeout)
    return planned.WaitFor(stated)


def _item_of(items: Expression) -> JsonSchema | None:
    """The schema of one item, where the list says what it holds."""
    if items.schema is None or not isinstance(items.schema.get("items"), Mapping):
        return None
    item = items.schema["items"]
    return {**item, "$defs": items.schema["$defs"]} if "$defs" in items.schema else item
