"""Whether the journeys that milestones begin are given what they take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from realms.journey.plans.binding import Constant
from realms.journey.plans.plan import Plan, SubJourney
from utilities.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class Unmet:
    """A parameter that a milestone hands down otherwise than the journey takes it."""

    milestone_id: str
    parameter: str
    problem: str
    suggestion: str = ""


def called(work: SubJourney) -> str:
    """`name@version` as the template writes it."""
    return f"{work.template}@{work.version}" if work.version else work.template


def begun_by(plan: Plan) -> list[SubJourney]:
    """The journeys that milestones begin."""
    return [node.work for node in plan.nodes.values() if isinstance(node.work, SubJourney)]


def unmet(plan: Plan, below: Mapping[str, Plan]) -> Iterator[Unmet]:
    """What is handed down otherwise than taken, as far as the journeys below are known.

    `below` has them as they are called.
    """
    for node in plan.nodes.values():
        work = node.work
        if not isinstance(work, SubJourney) or (child := below.get(called(work))) is None:
            continue
        given = {binding.parameter: binding.source for binding in work.bindings}
        for name in (name for name in given if name not in child.inputs):
            near = did_you_mean(name, child.inputs)
            yield Unmet(node.path, name, f'{child.name} takes no "{name}"', near)
        for name, schema in child.inputs.items():
            source = given.get(name)
            if source is None and "default" not in schema:
                say = f'with: {{{name}: "${{...}}"}}'
                yield Unmet(node.path, name, f'{child.name} needs "{name}"', say)
            elif isinstance(source, Constant) and (
                problem := child.checks[name].problem(source.value)
            ):
                yield Unmet(node.path, name, f"does not fit {child.name}: {problem}")
