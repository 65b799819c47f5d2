"""Which milestone comes after which: the graph that `needs`, `next_milestone` and the text draw."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from realms.journey.language.milestone import Milestone
from realms.journey.language.template import COMPLETE, Template
from utilities.marked_faults import Faults


@dataclass(frozen=True, slots=True)
class Step:
    """A milestone and where it is written: at `place`, as a branch of `race` or as one of its own.

    `above` is the position of the milestone that is written before it, -1 for the first; branches
    and what is begun at the end (`closing`) are not counted in.
    """

    at: int
    place: str
    written: Milestone
    race: int = -1
    above: int = -1
    closing: bool = False

    @property
    def id(self) -> str:
        return self.written.milestone_id


def steps_of(template: Template) -> tuple[Step, ...]:
    """Every milestone in the order written, each branch after its race."""
    steps: list[Step] = []
    above, closing = -1, frozenset(template.finally_ or ())
    for index, milestone in enumerate(template.milestones):
        at, closes = len(steps), milestone.milestone_id in closing
        steps.append(Step(at, f"milestones[{index}]", milestone, above=above, closing=closes))
        above = above if closes else at
        for number, branch in enumerate(milestone.race or ()):
            place = f"milestones[{index}].race[{number}]"
            steps.append(Step(len(steps), place, branch, race=at))
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Graph:
    """The milestones in an order in which each stands after all it needs.

    Sets of milestones are numbers: bit `n` stands for the milestone at position `n` of that order.
    """

    order: tuple[Step, ...]
    needs: tuple[tuple[int, ...], ...]
    """By position: what must have ended before it begins."""
    before: tuple[int, ...]
    """By position: all that surely has ended before it begins."""
    position: Mapping[str, int]
    followers: tuple[tuple[int, ...], ...]
    """By position: those that need it."""


def graph_of(steps: Sequence[Step], faults: Faults) -> Graph | None:
    """The graph of a journey; None when it is broken, and the faults say where."""
    edges = _edges(steps, faults)
    if edges is None:
        return None
    order = _in_order(steps, edges)
    cycles = list(_cycles(edges.needs, set(range(len(steps))) - set(order)))
    for cycle in cycles:
        _report_cycle(steps, cycle, edges, faults)
    caught = {at for cycle in cycles for at in cycle}
    lost = [step for step in edges.lost if step.above not in caught]
    if edges.whole:
        _report_lost(steps, lost, faults)
    if cycles or edges.lost or not edges.whole:
        return None
    return _graph([steps[at] for at in order], edges)


@dataclass(slots=True)
class _Edges:
    """What each milestone needs, and the place in the text that says so."""

    needs: dict[int, dict[int, str]]
    whole: bool = True
    by_order: set[tuple[int, int]] = field(default_factory=set)
    """Pairs that only the order written makes."""
    lost: list[Step] = field(default_factory=list)
    """Milestones that nothing leads to."""


def _edges(steps: Sequence[Step], faults: Faults) -> _Edges | None:
    """None when two milestones have one name, so that no name can be followed."""
    index_of = {step.id: step.at for step in steps}
    if not steps or len(index_of) < len(steps):
        return None
    edges = _Edges({step.at: {} for step in steps})
    named = _Names(steps, index_of, faults)
    for step in steps:
        for place, name in _links(step):
            found = named.at(name, place, of=step)
            edges.whole = edges.whole and found is not None
            if found is None:
                continue
            later, earlier = (found, step) if place.endswith("next_milestone") else (step, found)
            edges.needs[later.at].setdefault(earlier.at, place)
    _follow_the_text(steps, edges)
    return edges


def _links(step: Step) -> Iterator[tuple[str, str]]:
    written = step.written
    for number, name in enumerate(written.needs or ()):
        yield f"{step.place}.needs[{number}]", name
    if written.next_milestone and written.next_milestone != COMPLETE:
        yield f"{step.place}.next_milestone", written.next_milestone


@dataclass(frozen=True, slots=True)
class _Names:
    steps: Sequence[Step]
    index_of: Mapping[str, int]
    faults: Faults

    def at(self, name: str, place: str, *, of: Step) -> Step | None:
        """The milestone that a word at `place` names, if it may."""
        if name not in self.index_of:
            problem = f'no milestone is called "{name}"'
            known = [s.id for s in reversed(self.steps) if s.race < 0]
            right = [*known, COMPLETE] if place.endswith("next_milestone") else known
            self.faults.add(place, problem, wrong=name, right=right)
            return None
        found = self.steps[self.index_of[name]]
        if found.race >= 0:
            race = self.steps[found.race].id
            problem = f'"{name}" is a branch of the race "{race}"'
            self.faults.add(place, problem, suggestion=f'Name the race: "{race}"')
            return None
        if found.closing and (not of.closing or place.endswith("next_milestone")):
            problem = f'"{name}" stands in `finally`: it begins when all others have ended'
            self.faults.add(place, problem)
            return None
        return found


def _follow_the_text(steps: Sequence[Step], edges: _Edges) -> None:
    """Where nothing else is said, a milestone comes after the one written before it."""
    for step in steps:
        said = edges.needs[step.at] or step.written.needs
        if step.race >= 0 or step.closing or said or step.above < 0:
            continue
        if steps[step.above].written.next_milestone is None:
            edges.needs[step.at][step.above] = f"{step.place}.milestone_id"
            edges.by_order.add((step.above, step.at))
        else:
            edges.lost.append(step)


def _report_lost(steps: Sequence[Step], lost: Iterable[Step], faults: Faults) -> None:
    first = next((step for step in steps if step.race < 0 and not step.closing), steps[0])
    for step in lost:
        problem = f'"{step.id}" is never reached from "{first.id}", where the journey begins'
        faults.add(f"{step.place}.milestone_id", problem)


def _in_order(steps: Sequence[Step], edges: _Edges) -> list[int]:
    """As written as far as may be, branches after their race; what a cycle holds is left out."""
    open_needs = {at: len(needs) for at, needs in edges.needs.items()}
    followers: dict[int, list[int]] = {step.at: [] for step in steps}
    for at, needs in edges.needs.items():
        for need in needs:
            followers[need].append(at)
    for step in steps:
        if step.race >= 0:
            open_needs[step.at] += 1
            followers[step.race].append(step.at)
    ready = [(steps[at].closing, at) for at, count in open_needs.items() if not count]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, at = heapq.heappop(ready)
        order.append(at)
        for follower in followers[at]:
            open_needs[follower] -= 1
            if not open_needs[follower]:
                heapq.heappush(ready, (steps[follower].closing, follower))
    return order


def _graph(order: Sequence[Step], edges: _Edges) -> Graph:
    position = {step.at: number for number, step in enumerate(order)}
    needs: list[tuple[int, ...]] = []
    before: list[int] = []
    followers: list[list[int]] = [[] for _ in order]
    for number, step in enumerate(order):
        found = tuple(sorted(position[need] for need in edges.needs[step.at]))
        needs.append(found)
        reached = before[position[step.race]] if step.race >= 0 else 0
        for need in found:
            reached |= before[need] | 1 << need
            followers[need].append(number)
        before.append(reached)
    return Graph(
        order=tuple(order),
        needs=tuple(needs),
        before=tuple(before),
        position={step.id: number for number, step in enumerate(order)},
        followers=tuple(tuple(found) for found in followers),
    )


def _cycles(needs: Mapping[int, Mapping[int, str]], caught: set[int]) -> Iterator[list[int]]:
    """One cycle of each knot, in the order of the journey, the first written milestone first."""
    seen: set[int] = set()
    for start in sorted(caught):
        if start in seen:
            continue
        cycle = _way_back(needs, start, caught)
        if cycle is not None:
            seen |= _knot(needs, start, caught)
            yield cycle


def _way_back(
    needs: Mapping[int, Mapping[int, str]], start: int, caught: set[int]
) -> list[int] | None:
    """The shortest way from `start` along what it needs to itself, told forwards."""
    came_from: dict[int, int] = {}
    waiting = [start]
    for at in waiting:
        for need in needs[at]:
            if need == start:
                way = [at]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return [start, *way[:-1]]
            if need in caught and need not in came_from:
                came_from[need] = at
                waiting.append(need)
    return None


def _knot(needs: Mapping[int, Mapping[int, str]], start: int, caught: set[int]) -> set[int]:
    """All that `start` needs and that needs `start`."""
    followers: dict[int, list[int]] = {at: [] for at in caught}
    for at in caught:
        for need in needs[at]:
            if need in caught:
                followers[need].append(at)
    inner = {at: [n for n in needs[at] if n in caught] for at in caught}
    return _reached(inner, start) & _reached(followers, start)


def _reached(ways: Mapping[int, Iterable[int]], start: int) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        for next_ in ways[waiting.pop()]:
            if next_ not in found:
                found.add(next_)
                waiting.append(next_)
    return found


def _report_cycle(
    steps: Sequence[Step], cycle: Sequence[int], edges: _Edges, faults: Faults
) -> None:
    names = [steps[at].id for at in cycle]
    problem = f"the journey never ends: {' -> '.join([*names, names[0]])}"
    pairs = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    unsaid = next((pair for pair in pairs if pair in edges.by_order), None)
    remedy = ""
    if unsaid is not None and any(steps[at].written.needs for at in cycle):
        earlier, later = steps[unsaid[0]].id, steps[unsaid[1]].id
        remedy = f'"{later}" follows "{earlier}" only because it is written below it'
    place = edges.needs[pairs[-1][1]][pairs[-1][0]]
    faults.add(place, problem, suggestion=remedy)
