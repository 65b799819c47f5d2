"""What changed between two versions of a template for those who rely on it, and what it breaks.

What a journey takes (input, answers, signals, what a contract asks when a phase is entered) may be
widened; what it gives (output, results, events, what a contract promises when a phase is left)
may be narrowed. The other way round something that worked may work no more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from realms.journey.language.loading import read_template
from realms.journey.language.milestone import Emit, WaitFor
from realms.journey.language.schema_order import covers, opened
from realms.journey.language.survey import Survey
from realms.journey.language.template import ContractField, HandoffContract, Trace
from realms.journey.language.template_faults import FaultyTemplate
from realms.journey.plans.plan import JsonSchema, Signatures


class Impact(StrEnum):
    """What a change means for those who rely on the version before."""

    BREAKING = "breaking"
    COMPATIBLE = "compatible"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: where, what, and whether something that worked may work no more."""

    impact: Impact
    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.impact.value:10}  {self.path}  {self.problem}"


@dataclass(frozen=True, slots=True)
class Shape:
    """A template as others rely on it."""

    inputs: Mapping[str, JsonSchema] = field(default_factory=dict)
    output: JsonSchema | None = None
    """What a run gives by the template's own `output`."""
    results: Mapping[str, JsonSchema | None] = field(default_factory=dict)
    """What each milestone gives, None where nothing is known of it; a run's output, if none is
    stated."""
    contracts: Mapping[str, HandoffContract] = field(default_factory=dict)
    forms: Mapping[str, JsonSchema] = field(default_factory=dict)
    signals: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()


def shape_of(text: str, signatures: Signatures, *, file: str) -> Shape:
    """The shape of a template. It need not fit the services of today, but must be one.

    Raises:
        FaultyTemplate: its form has faults.
    """
    reading = read_template(text)
    if reading.faults.found:
        raise FaultyTemplate(reading.faults.found, file=file)
    survey = Survey(reading, signatures)
    works = zip(survey.order, survey.works, strict=True)
    written = [step.written for step in survey.order]
    return Shape(
        inputs=survey.inputs,
        output=_output(survey),
        results={step.id: work.result for step, work in works if step.race < 0},
        contracts=reading.template.handoff_contracts,
        forms={step.id: step.written.ask.form for step in survey.order if step.written.ask},
        signals=frozenset(_signal(one.wait_for) for one in written if one.wait_for),
        events=frozenset(_event(one.emit) for one in written if one.emit),
    )


def changes(before: Shape, after: Shape) -> tuple[Change, ...]:
    """Every change that others may notice, the breaking ones first."""
    found = [
        *_of_inputs(before.inputs, after.inputs),
        *_of_outputs(before, after),
        *_of_contracts(before.contracts, after.contracts),
        *_of_forms(before.forms, after.forms),
        *_of_names("signal", before.signals, after.signals, lost="is waited for no more"),
        *_of_names("event", before.events, after.events, lost="is published no more"),
    ]
    return tuple(sorted(found, key=lambda change: change.impact is not Impact.BREAKING))


# what a journey takes


def _of_inputs(
    before: Mapping[str, JsonSchema], after: Mapping[str, JsonSchema]
) -> Iterator[Change]:
    for name, schema in after.items():
        path = f"input.{name}"
        if name not in before:
            if "default" in schema:
                yield _compatible(path, "is new and has a default")
            else:
                yield _breaking(path, "is new and required")
            continue
        yield from _taken(path, before[name], schema)
        had, has = "default" in before[name], "default" in schema
        if had and not has:
            yield _breaking(path, "has no default any more: it is required")
        elif has and not had:
            yield _compatible(path, "has a default now")
        elif had and before[name]["default"] != schema["default"]:
            yield _compatible(path, "has another default")
    for name in before:
        if name not in after:
            yield _breaking(f"input.{name}", "is taken no more")


def _of_forms(
    before: Mapping[str, JsonSchema], after: Mapping[str, JsonSchema]
) -> Iterator[Change]:
    for milestone in before.keys() & after.keys():
        yield from _taken(f"milestones.{milestone}.ask.form", before[milestone], after[milestone])


def _taken(path: str, before: JsonSchema, after: JsonSchema) -> Iterator[Change]:
    if covers(after, before):
        if not covers(before, after):
            yield _compatible(path, f"takes more: {_told(before, after)}")
    elif covers(before, after):
        yield _breaking(path, f"takes less: {_told(before, after)}")
    else:
        yield _breaking(path, f"takes something else: {_told(before, after)}")


# what it gives


def _of_outputs(before: Shape, after: Shape) -> Iterator[Change]:
    """What a run gives: its stated output, else the result of every milestone."""
    if before.output is not None and after.output is not None:
        yield from _given("output", before.output, after.output)
        return
    if before.output is not None:
        yield _breaking("output", "is stated no more: a run gives every milestone's result")
        return
    if after.output is not None:
        yield _breaking("output", "is stated now: a run gives no milestone's result any more")
        return
    for milestone in after.results.keys() - before.results.keys():
        yield _compatible(f"milestones.{milestone}", "is new")
    for milestone, schema in before.results.items():
        path = f"milestones.{milestone}"
        if milestone not in after.results:
            yield _breaking(path, "is gone, and its result with it")
            continue
        now = after.results[milestone]
        if schema is None or now is None:
            if schema is not now:
                yield _compatible(path, "gives what is not known in one of the versions")
        else:
            yield from _given(path, schema, now)


def _given(path: str, before: JsonSchema, after: JsonSchema) -> Iterator[Change]:
    """Field by field where both are objects, for those who read some of them."""
    was, now = before.get("properties"), after.get("properties")
    if was is None or now is None:
        yield from _narrowed(path, before, after)
        return
    for name in now.keys() - was.keys():
        yield _compatible(f"{path}.{name}", "is new")
    sure, still = set(before.get("required", ())), set(after.get("required", ()))
    for name, schema in was.items():
        if name not in now:
            yield _breaking(f"{path}.{name}", "is given no more")
            continue
        if name in sure and name not in still:
            yield _breaking(f"{path}.{name}", "may be missing now")
        yield from _narrowed(f"{path}.{name}", _within(schema, before), _within(now[name], after))


def _narrowed(path: str, before: JsonSchema, after: JsonSchema) -> Iterator[Change]:
    was, now = opened(before), opened(after)
    if covers(was, now):
        if not covers(now, was):
            yield _compatible(path, f"promises more: {_told(before, after)}")
    elif covers(now, was):
        yield _breaking(path, f"promises less: {_told(before, after)}")
    else:
        yield _breaking(path, f"gives something else: {_told(before, after)}")


# handoff contracts


def _of_contracts(
    before: Mapping[str, HandoffContract], after: Mapping[str, HandoffContract]
) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        path = f"handoff {name}"
        was, now = before.get(name, _NONE), after.get(name, _NONE)
        yield from _of_demands(f"{path}.input", _fields(was.input), _fields(now.input))
        yield from _of_promises(f"{path}.output", _fields(was.output), _fields(now.output))
        if was.trace_id is not now.trace_id:
            if now.trace_id is Trace.REQUIRED:
                yield _breaking(f"{path}.trace_id", "is required now")
            else:
                yield _compatible(f"{path}.trace_id", "is required no more")


def _of_demands(
    path: str, before: Mapping[str, JsonSchema], after: Mapping[str, JsonSchema]
) -> Iterator[Change]:
    """What must be there when a phase is entered: another field may be one too many."""
    for name, schema in after.items():
        if name not in before:
            yield _breaking(f"{path}.{name}", "is asked for now")
        else:
            yield from _taken(f"{path}.{name}", before[name], schema)
    for name in before:
        if name not in after:
            yield _compatible(f"{path}.{name}", "is asked for no more")


def _of_promises(
    path: str, before: Mapping[str, JsonSchema], after: Mapping[str, JsonSchema]
) -> Iterator[Change]:
    """What must be there when a phase is left: one field less is one that others miss."""
    for name, schema in after.items():
        if name not in before:
            yield _compatible(f"{path}.{name}", "is promised now")
        else:
            yield from _narrowed(f"{path}.{name}", before[name], schema)
    for name in before:
        if name not in after:
            yield _breaking(f"{path}.{name}", "is promised no more")


def _of_names(
    kind: str, before: frozenset[str], after: frozenset[str], *, lost: str
) -> Iterator[Change]:
    for name in sorted(before - after):
        yield _breaking(f"{kind} {name}", lost)
    for name in sorted(after - before):
        yield _compatible(f"{kind} {name}", "is new")


# helpers

_NONE = HandoffContract()
_SHOWN = 60


def _breaking(path: str, problem: str) -> Change:
    return Change(Impact.BREAKING, path, problem)


def _compatible(path: str, problem: str) -> Change:
    return Change(Impact.COMPATIBLE, path, problem)


def _fields(fields: tuple[ContractField, ...]) -> Mapping[str, JsonSchema]:
    return {field.name: field.value_schema or {} for field in fields}


def _told(before: JsonSchema, after: JsonSchema) -> str:
    """Two schemas in a few words each."""
    was, now = _named(before), _named(after)
    return f"{was}, now {now}" if was != now else f"{was} of another form"


def _named(schema: JsonSchema) -> str:
    stated = schema.get("type")
    if isinstance(stated, str):
        return stated
    if isinstance(stated, (list, tuple)):
        return " or ".join(map(str, stated))
    if "enum" in schema:
        return f"one of {', '.join(map(repr, schema['enum']))}"[:_SHOWN]
    if "anyOf" in schema:
        return " or ".join(_named(part) for part in schema["anyOf"])[:_SHOWN]
    return str(schema.get("$ref", "anything")).rpartition("/")[2]


def _within(part: Any, whole: JsonSchema) -> JsonSchema:
    """A part of a schema that keeps what its references point to."""
    if not isinstance(part, Mapping):
        return {} if part else {"not": {}}
    return {**part, "$defs": whole["$defs"]} if "$defs" in whole else part


def _signal(stated: WaitFor | str) -> str:
    return stated if isinstance(stated, str) else stated.signal


def _event(stated: Emit | str) -> str:
    return stated if isinstance(stated, str) else stated.event


def _output(survey: Survey) -> JsonSchema | None:
    stated = survey.template.output
    return None if stated is None else _schema_of(stated, survey)


def _schema_of(value: Any, survey: Survey) -> JsonSchema:
    """What a value with expressions fits, as far as it is known."""
    match value:
        case Mapping():
            parts = {str(name): _schema_of(part, survey) for name, part in value.items()}
            return {"type": "object", "properties": parts, "required": list(parts)}
        case list() | tuple():
            return {"type": "array"}
        case str() if "${" in value:
            compiled = survey.value(value, "output", survey.sight_of_the_end())
            return (compiled.schema if compiled is not None else None) or {}
        case str():
            return {"type": "string"}
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case _:
            return {"type": "null"}
