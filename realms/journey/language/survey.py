"""What is known of a template before its milestones are compiled: graph, works, sights."""

from collections.abc import Mapping, Sequence
from functools import partial

from realms.journey.expressions.compiled import Expression
from realms.journey.expressions.values import Value
from realms.journey.language.crossings import Crossings, pairs_of
from realms.journey.language.feeding import Feeder
from realms.journey.language.loading import Reading
from realms.journey.language.ordering import Graph, Step, graph_of
from realms.journey.language.promises import Promises
from realms.journey.language.roads import Roads
from realms.journey.language.seeing import ExpressionCompiler, Sight
from realms.journey.language.works import WorkLookup, Works
from realms.journey.plans.plan import JsonSchema, Signatures


class Survey:
    """One template, its graph, and what each milestone does; milestones are in its `order`."""

    def __init__(self, reading: Reading, signatures: Signatures) -> None:
        steps = reading.steps
        self.template = reading.template
        self.faults = reading.faults
        self.lookup = WorkLookup(signatures, self.faults)
        self.promises = Promises()
        self.graph: Graph | None = graph_of(steps, self.faults)
        self.order: Sequence[Step] = self.graph.order if self.graph else steps
        self.works = self._looked_up(steps)
        self.inputs = self._declared_or_needed()
        self.roads = self._roads()
        self.expressions = ExpressionCompiler({step.id for step in steps}, self.faults)
        self.feeder = Feeder(
            inputs=self.inputs,
            expressions=self.expressions,
            promises=self.promises,
            faults=self.faults,
        )

    def sight(self, at: int, own: Mapping[str, JsonSchema | None] | None = None) -> Sight:
        """What expressions of a milestone see; where the graph is broken, all the others."""
        own = own or {}
        if self.roads is None or self.graph is None:
            others = {s.id: None for s in self.order if s is not self.order[at]}
            return Sight(self.inputs, others, sure=others, own=own)
        before, sure = self.graph.before[at], self.roads.sure(at)
        if self.order[at].closing:
            before |= self.roads.ordinary()
        return Sight(
            self.inputs,
            self.roads.results(before),
            sure=self.roads.ids(sure),
            own=own,
            absent=partial(self._absent, at),
        )

    def sight_of_the_end(self) -> Sight:
        """What an expression sees when the run has succeeded."""
        if self.roads is None:
            others = {step.id: None for step in self.order}
            return Sight(self.inputs, others, sure=others)
        results = self.roads.results(self.roads.everything())
        sure = self.roads.ids(self.roads.certain())
        return Sight(self.inputs, results, sure=sure, absent=partial(self._absent, -1))

    def expression(
        self, text: str, place: str, sight: Sight, wants: set[str], *, asks_status: bool = False
    ) -> Expression | None:
        """A whole expression, whose fields are then promised."""
        found = self.expressions.expression(
            text, place, sight, wants=wants, asks_status=asks_status
        )
        if found is not None:
            self.promises.read(found)
        return found

    def value(self, value: object, place: str, sight: Sight) -> Value | None:
        """A value with expressions, whose fields are then promised; None for none."""
        found = None if value is None else self.expressions.value(value, place, sight)
        if found is not None:
            self.promises.read(found)
        return found

    def is_soft(self, step: Step) -> bool:
        """Whether the run goes on when it fails."""
        stated = step.written.continue_on_error
        return self.template.defaults.continue_on_error if stated is None else stated

    def place_contracts(self, steps: Sequence[Step]) -> None:
        """Put the checks of every handoff contract where they are due."""
        contracts = self.template.handoff_contracts
        pairs = pairs_of(steps, contracts, self.faults)
        if self.roads is None:
            return
        crossings = Crossings(
            self.roads,
            pairs=pairs,
            inputs=self.inputs,
            promises=self.promises,
            faults=self.faults,
        )
        for name, contract in contracts.items():
            crossings.place(name, contract)

    def _absent(self, at: int, name: str) -> tuple[str, str]:
        """Why expressions of a milestone (-1: of the end) cannot see another's result."""
        assert self.graph is not None
        other = self.graph.position[name]
        race = self.order[other].race
        if race >= 0:
            of = next(step.id for step in self.order if step.at == race)
            return f'"{name}" is a branch of the race "{of}"', f"Read {of}.result"
        if other == at:
            problem = f'"{name}" has no result of its own yet'
            return problem, 'It has one in "loop" and "compensate"'
        if self.graph.before[other] >> at & 1:
            return f'"{name}" comes only after this', ""
        return f'"{name}" does not come before this on every way here', f'Let it need "{name}"'

    def _looked_up(self, steps: Sequence[Step]) -> list[Works]:
        found = {step.at: self.lookup.works(step) for step in steps}
        return [found[step.at] for step in self.order]

    def _declared_or_needed(self) -> Mapping[str, JsonSchema]:
        """What the template declares, else the required parameters of the first milestone."""
        if self.template.input is not None:
            return self.template.input
        if not self.order:
            return {}
        first = min(range(len(self.order)), key=lambda at: self.order[at].at)
        signature, stated = self.works[first].signature, self.order[first].written.with_
        if signature is None:
            return {}
        return {
            name: shape.schema
            for name, shape in signature.parameters.items()
            if shape.required and name not in stated
        }

    def _roads(self) -> Roads | None:
        if self.graph is None:
            return None
        return Roads(self.graph, self.works, soft=[self.is_soft(step) for step in self.order])
