"""From a template to its plan: everything is looked up, bound and checked once, here."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from realms.journey.language.loading import Reading, read_template
from realms.journey.language.milestones import MilestoneCompiler
from realms.journey.language.ordering import Graph
from realms.journey.language.policies import checked_inputs, schedule_of
from realms.journey.language.seeing import Sight
from realms.journey.language.survey import Survey
from realms.journey.language.template_faults import FaultyTemplate
from realms.journey.plans import plan as planned
from realms.journey.plans.binding import START_SCHEMA
from realms.journey.plans.contracts import Fits
from realms.journey.plans.durations import LONGEST
from realms.journey.plans.handing_down import unmet
from realms.journey.plans.plan import Node, Plan, Signatures

_LONGEST_RUN = timedelta(hours=24)
_MOST_COUNTED = 10_000
"""Iterations of a loop that waits, as far as they count."""


def load_plan(source: str | bytes, signatures: Signatures, *, file: str) -> Plan:
    """Read a template and compile it against the services.

    Raises:
        FaultyTemplate: with every fault of form, order, services, binding and contracts at once.
    """
    reading = read_template(source)
    survey = Survey(reading, signatures)
    milestones = MilestoneCompiler(survey)
    checked_inputs(survey.inputs, survey.faults)
    parts = [milestones.parts(at) for at in range(len(survey.order))]
    top = _top(survey)
    survey.place_contracts(reading.steps)
    if survey.faults.found or survey.graph is None:
        raise FaultyTemplate(survey.faults.found, file=file)
    nodes = {step.id: milestones.node(at, parts[at]) for at, step in enumerate(survey.order)}
    return _plan(reading, survey, survey.graph, nodes, top)


def unmet_faults(
    plan: Plan, below: Mapping[str, Plan], source: str, *, file: str
) -> FaultyTemplate | None:
    """What milestones hand down otherwise than the journeys they begin take it."""
    found = list(unmet(plan, below))
    if not found:
        return None
    reading = read_template(source)
    places = {step.id: step.place for step in reading.steps}
    for one in found:
        place = f"{places[one.milestone_id]}.with.{one.parameter}"
        reading.faults.add(place, one.problem, suggestion=one.suggestion)
    return FaultyTemplate(reading.faults.found, file=file)


def _plan(
    reading: Reading,
    survey: Survey,
    graph: Graph,
    nodes: Mapping[str, Node],
    top: Mapping[str, Any],
) -> Plan:
    ordinary = [step for step in graph.order if step.race < 0]
    followers = {
        step.id: tuple(graph.order[f].id for f in graph.followers[at])
        for at, step in enumerate(graph.order)
    }
    return Plan(
        name=reading.template.journey_template,
        version=reading.template.version,
        text_hash=reading.text_hash,
        description=reading.template.description,
        inputs=survey.inputs,
        nodes=nodes,
        checks={name: Fits(schema) for name, schema in survey.inputs.items()},
        roots=tuple(s.id for s in ordinary if not s.closing and not nodes[s.id].needs),
        followers=followers,
        closing=tuple(step.id for step in ordinary if step.closing),
        timeout=reading.template.timeout or _longest(nodes.values()),
        **top,
    )


def _longest(nodes: Iterable[Node]) -> timedelta:
    """How long a run may take whose template does not say: a day, beside the waits it states."""
    return min(_LONGEST_RUN + sum((_waits(node) for node in nodes), timedelta()), LONGEST)


def _waits(node: Node) -> timedelta:
    times = node.loop.most if node.loop else 1
    match node.work:
        case planned.Timer(duration):
            once = duration
        case planned.WaitFor(timeout=limit) | planned.Ask(due=limit):
            once = limit or timedelta()
        case planned.SubJourney():
            once = node.timeout or timedelta()
        case _:
            return timedelta()
    return min(once * min(times, _MOST_COUNTED), LONGEST)


def _top(survey: Survey) -> dict[str, Any]:
    """What the template says of the whole run."""
    template, sight = survey.template, Sight(survey.inputs, run=START_SCHEMA)
    lane, rate, retention = template.concurrency, template.rate_limit, template.retention
    lane_key = survey.value(lane.key, "concurrency.key", sight) if lane else None
    rate_key = survey.value(rate.key, "rate_limit.key", sight) if rate else None
    return {
        "output": survey.value(template.output, "output", survey.sight_of_the_end()),
        "on_failure": template.on_failure,
        "concurrency": planned.Concurrency(lane.limit, lane_key, lane.when_full) if lane else None,
        "rate_limit": planned.RateLimit(rate.limit, rate.per, rate_key) if rate else None,
        "priority": template.priority,
        "schedule": schedule_of(template.schedule, survey.inputs, survey.faults),
        "retention": retention.keep if retention else None,
    }
