"""Tables and graphs of the documents that come from the data mash template and the language."""

from collections.abc import Iterator, Mapping

from main import Platform
from realms.journey.api import RunStatus
from realms.journey.control.verbs import REFUSED, RUN_STATUSES, Verb
from realms.journey.engine.ports import TemplateSource
from realms.journey.language.mermaid import mermaid
from realms.journey.language.milestone import (
    Ask,
    Compensate,
    Emit,
    ForEach,
    Loop,
    Memoize,
    Milestone,
    Part,
    Retry,
    WaitFor,
)
from realms.journey.language.template import (
    Concurrency,
    Defaults,
    HandoffContract,
    RateLimit,
    Retention,
    Schedule,
    Template,
)
from realms.journey.plans.binding import (
    Computed,
    Constant,
    FromInput,
    FromResult,
    Secret,
    Source,
)
from realms.journey.plans.plan import Call, Node, Plan
from tests.support.city_tables import code, listed, table

TEMPLATE = "data_mash_flow"


async def graph(city: Platform) -> str:
    """The data mash, milestone by milestone, with what each takes from the one before."""
    return f"```mermaid\n{mermaid(await _plan(city))}```"


async def milestones(city: Platform) -> str:
    """What each milestone calls, where its parameters come from, and what it returns."""
    plan = await _plan(city)
    return table(
        ["milestone", "phase", "calls", "effect", "is fed", "returns"],
        [
            [
                code(node.path),
                code(node.phase),
                code(f"{call.service}.{call.api}"),
                str(call.effect),
                ", ".join(f"`{b.parameter}` from {_said(b.source)}" for b in call.bindings),
                listed(node.output),
            ]
            for node, call in _calls(plan)
        ],
    )


async def contracts(city: Platform) -> str:
    """When each field of each contract is checked."""
    plan = await _plan(city)
    rows: list[tuple[str, str, str, str]] = []
    for node in plan.nodes.values():
        entered, done = f"before `{node.path}` begins", f"when `{node.path}` answers"
        rows += [(code(name), "", code("trace_id"), entered) for name in node.trace_required_by]
        rows += [(code(c.contract), c.side, code(c.field), entered) for c in node.on_entry]
        rows += [(code(c.contract), c.side, code(c.field), done) for c in node.on_done]
    return table(["contract", "side", "field", "checked"], sorted(rows))


async def words(_city: Platform) -> str:
    """Every word of the language, with its meaning, from the models that the loader reads by."""
    tables = [
        f"{said}:\n\n{table(['word', 'meaning'], _rows(model))}" for said, model in _PARTS.items()
    ]
    return "\n\n".join(tables)


_PARTS: Mapping[str, type[Part]] = {
    "At the top": Template,
    "On a milestone": Milestone,
    "In `retry`, and in each policy of `retries`": Retry,
    "In `for_each`": ForEach,
    "In `loop`": Loop,
    "In `compensate`": Compensate,
    "In `memoize`": Memoize,
    "In `ask`": Ask,
    "In `wait_for`, unless it is just the name of a signal": WaitFor,
    "In `emit`, unless it is just the name of an event": Emit,
    "In `defaults`": Defaults,
    "In `concurrency`": Concurrency,
    "In `rate_limit`": RateLimit,
    "In `schedule`": Schedule,
    "In `retention`": Retention,
    "In each of `handoff_contracts`": HandoffContract,
}


def language_words() -> set[str]:
    """Every word that a template may say."""
    return {word for model in _PARTS.values() for word, _ in _words_of(model)}


def _words_of(model: type[Part]) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field.description or ""


def _rows(model: type[Part]) -> list[list[str]]:
    return [[code(word), meaning] for word, meaning in _words_of(model)]


def _calls(plan: Plan) -> Iterator[tuple[Node, Call]]:
    for node in plan.nodes.values():
        if isinstance(node.work, Call):
            yield node, node.work


async def verbs(_city: Platform) -> str:
    """What can be done to a run in each state, and why not in the others."""
    done = [[code(v), *(_done(v, status) for status in RUN_STATUSES)] for v in Verb]
    reasons = dict.fromkeys(r.reason for refused in REFUSED.values() for r in refused.values())
    notes = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    return f"{table(['verb', *map(code, RUN_STATUSES)], done)}\n\n{notes}"


def _done(verb: Verb, status: RunStatus) -> str:
    """`yes`, or the number of the reason why not."""
    refusal = REFUSED[verb].get(status)
    reasons = dict.fromkeys(r.reason for refused in REFUSED.values() for r in refused.values())
    return "yes" if refusal is None else f"no ({list(reasons).index(refusal.reason) + 1})"


async def _plan(city: Platform) -> Plan:
    return (await city.registry.get(TemplateSource).current(TEMPLATE)).plan


def _said(source: Source) -> str:
    match source:
        case FromResult(path, field):
            return f"`{path}.{field}`" if field else f"`{path}`"
        case FromInput():
            return "the input"
        case Constant() | Computed():
            return "the template"
        case Secret(name):
            return f"the secret `{name}`"
