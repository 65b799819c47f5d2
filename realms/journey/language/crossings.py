"""Where handoff contracts are checked: on every edge between two phases, as early as can be."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from realms.journey.language.ordering import Step
from realms.journey.language.promises import Promises
from realms.journey.language.roads import Roads, members
from realms.journey.language.template import ContractField, HandoffContract, Trace
from realms.journey.plans.binding import FROM_CONTEXT
from realms.journey.plans.contracts import Check, Fits
from realms.journey.plans.plan import JsonSchema
from realms.journey.plans.schemas import clash
from utilities.marked_faults import Faults

Pair = tuple[str, str]
_INPUT = -1
"""Stands for the run's input among the producers."""


def pairs_of(steps: Sequence[Step], contracts: Iterable[str], faults: Faults) -> Mapping[str, Pair]:
    """The phases that each contract is about, by its name; one that names none is a fault."""
    phases = list(dict.fromkeys(s.written.phase for s in steps if s.written.phase))
    known = set(phases)
    found: dict[str, Pair] = {}
    for name in contracts if steps else ():
        parts = name.split("_to_")
        ways = [("_to_".join(parts[:n]), "_to_".join(parts[n:])) for n in range(1, len(parts))]
        pairs = [pair for pair in ways if known.issuperset(pair) and pair[0] != pair[1]]
        if pairs:
            found[name] = pairs[0]
            continue
        problem = f'"{name}" names no two phases of this journey'
        right = (f"{a}_to_{b}" for a in phases for b in phases if a != b)
        faults.add(f"handoff {name}", problem, wrong=name, right=right)
    return found


class Crossings:
    """Places the contracts of one template; one that cannot be kept is a fault."""

    def __init__(
        self,
        roads: Roads,
        *,
        pairs: Mapping[str, Pair],
        inputs: Mapping[str, JsonSchema],
        promises: Promises,
        faults: Faults,
    ) -> None:
        self._roads = roads
        self._inputs = inputs
        self._promises = promises
        self._faults = faults
        self._phases = [step.written.phase for step in roads.graph.order]
        self._pairs = pairs

    def place(self, name: str, contract: HandoffContract) -> None:
        """Place the checks of the contract called `name`."""
        pair = self._pairs.get(name)
        if pair is None:
            return
        entered = self._entered.get(pair, ())
        if not entered:
            problem = f'no milestone of "{pair[0]}" is followed by one of "{pair[1]}"'
            self._faults.add(f"handoff {name}", problem)
        for at in entered:
            if contract.trace_id is Trace.REQUIRED:
                self._promises.of(self._id(at)).traced[name] = None
            for wanted in contract.input:
                self._side(name, "input", wanted, at, (at,))
            lasts = self._lasts[at] if contract.output else ()
            for wanted in contract.output:
                self._side(name, "output", wanted, at, tuple(lasts))

    @cached_property
    def _entered(self) -> Mapping[Pair, tuple[int, ...]]:
        """For each pair of phases that an edge joins, the milestones entered there."""
        found: dict[Pair, dict[int, None]] = {}
        for at, needs in enumerate(self._roads.graph.needs):
            for need in needs:
                pair = (self._phases[need], self._phases[at])
                if all(pair) and pair[0] != pair[1]:
                    found.setdefault(pair, {})[at] = None
        return {pair: tuple(entered) for pair, entered in found.items()}

    @cached_property
    def _lasts(self) -> list[list[int]]:
        """For each milestone, the last ones of its phase that can be reached within it."""
        graph, within, ends = self._roads.graph, [0] * len(self._phases), 0
        for at in reversed(range(len(self._phases))):
            same = [f for f in graph.followers[at] if self._phases[f] == self._phases[at]]
            within[at] = 1 << at
            for follower in same:
                within[at] |= within[follower]
            ends |= 0 if same else 1 << at
        return [list(members(reached & ends)) for reached in within]

    def _side(
        self, name: str, side: str, wanted: ContractField, entered: int, until: tuple[int, ...]
    ) -> None:
        """Find who gives a field by the time that it must be there."""
        if wanted.name in FROM_CONTEXT:
            return
        found: dict[int, None] = {}
        for last in until:
            among = self._roads.graph.before[last] | (1 << last if side == "output" else 0)
            producers = self._roads.nearest(wanted.name, among)
            if not producers and wanted.name in self._inputs:
                producers = [_INPUT]
            if not producers and not self._roads.unknown(among):
                self._report_unkept(name, side, wanted.name, entered, last)
                return
            found.update(dict.fromkeys(producers))
        for producer in found:
            self._check(name, side, wanted, entered, producer)

    def _check(
        self, name: str, side: str, wanted: ContractField, entered: int, producer: int
    ) -> None:
        given = (
            self._inputs[wanted.name]
            if producer == _INPUT
            else self._roads.works[producer].feeds[wanted.name]
        )
        schema = wanted.value_schema
        if schema is not None and (problem := clash(given, schema)):
            place, text = f"handoff {name}.{side}.{wanted.name}", f'"{wanted.name}" {problem}'
            self._faults.add(place, text, path=f"handoff {name}")
        path = "" if producer == _INPUT else self._id(producer)
        fits = None if schema is None else Fits(schema)
        check = Check(name, side, wanted.name, path, fits)
        key = (name, side, wanted.name)
        if path:
            self._promises.of(path).on_done[key] = check
            self._promises.field(path, wanted.name)
        if side == "input" or not path:
            self._promises.of(self._id(entered)).on_entry[*key, path] = check

    def _report_unkept(self, name: str, side: str, wanted: str, entered: int, last: int) -> None:
        to, bound = f"by {self._phases[entered]}", last
        if side == "input":
            needs = self._roads.graph.needs[entered]
            from_ = [n for n in needs if self._phases[n] and self._phases[n] != self._phases[last]]
            to, bound = f"to {self._id(entered)}", from_[0]
        step, work = self._roads.graph.order[bound], self._roads.works[bound]
        returns = ", ".join(work.feeds) or ("a list" if step.written.for_each else "nothing")
        problem = (
            f'"{wanted}" is promised {to}, but {step.written.api or step.id} returns {returns}'
        )
        self._faults.add(f"handoff {name}.{side}", problem, path=f"handoff {name}")

    def _id(self, at: int) -> str:
        return self._roads.graph.order[at].id
