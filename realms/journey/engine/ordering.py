"""Which milestone follows which: the line that `next_milestone` draws, and why it is none."""

from collections.abc import Mapping, Sequence

from realms.journey.engine.language import COMPLETE, Milestone
from realms.journey.engine.template_faults import Faults


def in_line(milestones: Sequence[Milestone], faults: Faults) -> tuple[int, ...]:
    """Indexes in the order of the journey, which begins with the first written.

    Empty when the line is broken; the faults say where.
    """
    index_of = {m.milestone_id: i for i, m in reversed(list(enumerate(milestones)))}
    if not milestones or len(index_of) < len(milestones):
        return ()
    follows, whole = _follows(milestones, index_of, faults)
    cycles = _cycles(follows)
    for cycle in cycles:
        _report_cycle([milestones[i].milestone_id for i in cycle], cycle[-1], faults)
    line = _walk(follows)
    if whole:
        caught = {index for cycle in cycles for index in cycle}
        if not caught & set(line):  # a line that runs into a cycle leaves the rest behind
            for index in sorted(set(range(len(milestones))) - set(line) - caught):
                _report_unreachable(milestones, index, faults)
    return line if whole and not cycles and len(line) == len(milestones) else ()


def _follows(
    milestones: Sequence[Milestone], index_of: Mapping[str, int], faults: Faults
) -> tuple[dict[int, int], bool]:
    """Each index's next one (the last has none), and whether every name is known."""
    follows: dict[int, int] = {}
    whole = True
    for index, milestone in enumerate(milestones):
        match milestone.next_milestone:
            case None if index + 1 < len(milestones):
                follows[index] = index + 1
            case None:
                pass
            case word if word == COMPLETE:
                pass
            case name if name in index_of:
                follows[index] = index_of[name]
            case name:
                whole = False
                faults.add(
                    f"milestones[{index}].next_milestone",
                    f'no milestone is called "{name}"',
                    wrong=name,
                    right=[*index_of, COMPLETE],
                )
    return follows, whole


def _cycles(follows: Mapping[int, int]) -> list[list[int]]:
    """Each cycle once, beginning with its first written milestone."""
    found: list[list[int]] = []
    seen: set[int] = set()
    for start in sorted(follows):
        way: list[int] = []
        at: int | None = start
        while at is not None and at not in seen:
            seen.add(at)
            way.append(at)
            at = follows.get(at)
        if at in way:
            cycle = way[way.index(at) :]
            first = cycle.index(min(cycle))
            found.append(cycle[first:] + cycle[:first])
    return found


def _walk(follows: Mapping[int, int]) -> tuple[int, ...]:
    line: list[int] = []
    at: int | None = 0
    while at is not None and at not in line:
        line.append(at)
        at = follows.get(at)
    return tuple(line)


def _report_cycle(names: list[str], closing: int, faults: Faults) -> None:
    path = " -> ".join([*names, names[0]])
    faults.add(f"milestones[{closing}].next_milestone", f"the journey never ends: {path}")


def _report_unreachable(milestones: Sequence[Milestone], index: int, faults: Faults) -> None:
    first, lost = milestones[0].milestone_id, milestones[index].milestone_id
    problem = f'"{lost}" is never reached from "{first}", where the journey begins'
    faults.add(f"milestones[{index}].milestone_id", problem)
