"""What lies before each milestone: which results there are, which of them surely, and who feeds."""

from collections.abc import Iterator, Mapping, Sequence

from realms.journey.language.ordering import Graph
from realms.journey.language.seeing import Condition
from realms.journey.language.works import Works
from realms.journey.plans.binding import FROM_CONTEXT
from realms.journey.plans.plan import JsonSchema


class Roads:
    """The ways through a journey's graph.

    A milestone is its position in the graph's order, and a set of them a number with these bits.
    """

    def __init__(self, graph: Graph, works: Sequence[Works], *, soft: Sequence[bool]) -> None:
        self.graph = graph
        self.works = works
        self._soft = soft
        """Whether the run goes on when it fails (`continue_on_error`)."""
        self._conditions = [Condition.of(step.written.if_) for step in graph.order]
        self._at = {step.at: number for number, step in enumerate(graph.order)}
        self._producers: dict[str, int] = {}
        self._opaque = 0
        for number, (step, work) in enumerate(zip(graph.order, works, strict=True)):
            if work.opaque:
                self._opaque |= 1 << number
            for name in work.feeds if step.race < 0 else ():
                if name not in FROM_CONTEXT:
                    self._producers[name] = self._producers.get(name, 0) | 1 << number
        self._sure: list[int] = []
        for number in range(len(graph.order)):
            self._sure.append(self._surely_before(number))

    def sure(self, at: int) -> int:
        """Those that have certainly succeeded when a milestone begins."""
        return self._sure[at]

    def certain(self) -> int:
        """Those that have succeeded in every run that succeeds."""
        reached = certain = 0
        for at, step in enumerate(self.graph.order):
            needed = all(reached >> need & 1 for need in self.graph.needs[at])
            if step.race < 0 and (self._conditions[at].always or (needed and not step.written.if_)):
                reached |= 1 << at
                certain |= 0 if self._soft[at] else 1 << at
        return certain

    def everything(self) -> int:
        """Every milestone that is no branch."""
        return sum(1 << at for at, step in enumerate(self.graph.order) if step.race < 0)

    def ordinary(self) -> int:
        """Every milestone that has ended when those of `finally` begin."""
        return sum(
            1 << at
            for at, step in enumerate(self.graph.order)
            if step.race < 0 and not step.closing
        )

    def nearest(self, name: str, among: int) -> list[int]:
        """Which of `among` feed a name: the nearest, or all that no path orders."""
        candidates = self._producers.get(name, 0) & among
        found: list[int] = []
        while candidates:
            last = candidates.bit_length() - 1
            found.append(last)
            candidates &= ~(self.graph.before[last] | 1 << last)
        return found[::-1]

    def unknown(self, among: int) -> bool:
        """Whether any of `among` calls a service that is not known."""
        return bool(self._opaque & among)

    def offered(self, among: int) -> list[str]:
        """The names that any of `among` feeds."""
        return sorted(name for name, producers in self._producers.items() if producers & among)

    def results(self, among: int) -> Mapping[str, JsonSchema | None]:
        """What expressions see of `among`."""
        return {self.graph.order[at].id: self.works[at].result for at in members(among)}

    def ids(self, among: int) -> frozenset[str]:
        return frozenset(self.graph.order[at].id for at in members(among))

    def _surely_before(self, at: int) -> int:
        graph, step, condition = self.graph, self.graph.order[at], self._conditions[at]
        sure = self._sure[self._at[step.race]] if step.race >= 0 else 0
        for need in graph.needs[at]:
            sure |= self._sure[need] | (0 if self._soft[need] else 1 << need)
        if step.closing or (condition.asks_status and not condition.succeeded):
            sure = 0
        for name in condition.there:
            number = graph.position.get(name, -1)
            before = self.ordinary() if step.closing else graph.before[at]
            if number >= 0 and before >> number & 1:
                sure |= 1 << number
        return sure


def members(among: int) -> Iterator[int]:
    """The positions in a set, in order."""
    while among:
        low = among & -among
        yield low.bit_length() - 1
        among ^= low
