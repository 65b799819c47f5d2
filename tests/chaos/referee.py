"""The referee: holds what clients were told, the ledger and the store against the promises."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.core import SUSPECT_AFTER
from realms.journey.engine.facts import (
    AttemptLost,
    GenerationBegan,
    IterationEnded,
    MilestoneBegan,
    MilestoneReopened,
    MilestoneSucceeded,
)
from realms.journey.engine.folding import apply
from realms.journey.engine.state import RunState, Stage
from tests.chaos.store import Kept, Store, outcome
from tests.chaos.witness import Note

_FOR_OTHERS = frozenset({Reason.PERSON, Reason.SIGNAL, Reason.AMBIGUOUS})


@dataclass(slots=True)
class Verdict:
    """What was broken; each line says which run and how."""

    runs: int = 0
    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    stale_writes: list[str] = field(default_factory=list)
    stranded: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    """Runs that came to something else than undisturbed ones."""

    @property
    def sound(self) -> bool:
        return not any(self.broken())

    def broken(self) -> Iterator[str]:
        """Every line, with the promise it breaks."""
        for name in PROMISES:
            yield from (f"{name}: {line}" for line in getattr(self, name))

    def add(self, other: "Verdict") -> None:
        self.runs += other.runs
        for name in PROMISES:
            getattr(self, name).extend(getattr(other, name))

    def figures(self) -> dict[str, int]:
        return {"runs": self.runs} | {name: len(getattr(self, name)) for name in PROMISES}


PROMISES = ("lost", "repeated", "stale_writes", "stranded", "differs")


def judge(
    store: Store,
    notes: Sequence[Note],
    *,
    expected: Mapping[str, Any],
    healed: bool = True,
    clock_held: bool = True,
) -> Verdict:
    """Hold everything against everything.

    `expected` is what undisturbed runs of each template come to. `healed`: nothing disturbs any
    more, and so long that nothing may be under way. `clock_held`: times can be compared.
    """
    verdict = Verdict(runs=sum(not kept.parent for kept in store.runs.values()))
    verdict.lost += _lost(store, notes)
    verdict.lost += (f"{run_id} has facts and is in no list" for run_id in store.strays)
    effects = _Effects(notes)
    bookings = Counter(store.bookings)
    for kept in store.runs.values():
        if kept.run is None:
            verdict.lost.append(f"{_named(kept)} cannot be read: {kept.unreadable}")
            continue
        verdict.repeated += _attempts_after_checkpoints(kept)
        verdict.repeated += effects.repeated(kept, clock_held=clock_held)
        verdict.lost += effects.missing(kept, bookings)
        verdict.repeated += _booked(kept, bookings)
        verdict.stale_writes += _stale(kept)
        if healed:
            verdict.stranded += _stranded(kept, store)
            if not _poisoned(kept, store):
                verdict.differs += _differs(kept, expected)
    verdict.repeated += effects.of_nobody(store)
    return verdict


# what clients were told


def _lost(store: Store, notes: Sequence[Note]) -> Iterator[str]:
    for note in notes:
        if note["what"] != "told" or note["answer"] != "ok":
            continue
        kept = store.runs.get(note["run_id"])
        if kept is None:
            yield f"{note['order']} was accepted as {note['run_id']}, which is not in the store"
        elif kept.run is None:
            continue  # told of as unreadable
        elif note["asked"] == "signal" and note["id"] not in kept.run.signal_ids:
            yield f"a signal of {_named(kept)} was accepted and is not in its journal"
        elif note["asked"] == "answer" and not _answered(kept.run):
            yield f"an answer to {_named(kept)} was accepted and is not in its journal"


def _answered(run: RunState) -> bool:
    return any(node.answers for node in run.nodes.values())


# what the journal says


def _attempts_after_checkpoints(kept: Kept) -> Iterator[str]:
    done: set[str] = set()
    begun: dict[str, int] = {}
    for fact in kept.facts:
        match fact:
            case MilestoneBegan(path=path, attempt=attempt):
                if path in done:
                    yield f"attempt {attempt} of {path} of {_named(kept)} follows its checkpoint"
                begun[path] = attempt
            case MilestoneSucceeded(path=path):
                if path in done:
                    yield f"{path} of {_named(kept)} has two checkpoints"
                done.add(path)
            case GenerationBegan(again=again):
                done -= {path for path in done if _whole(path) in again}
                begun = {path: n for path, n in begun.items() if _whole(path) not in again}
            case MilestoneReopened(path=path):
                done.discard(path)


def _stale(kept: Kept) -> Iterator[str]:
    """Entries of dismissed holders, entries written over, and runs taken from those who live."""
    seen: dict[int, int] = {}
    run: RunState | None = None
    before = 0
    for write in kept.writes:
        if write.ended:
            yield f"entry {write.seq} of {_named(kept)} is of {write.holder}, dismissed before"
        if write.seq in seen:
            yield f"entry {write.seq} of {_named(kept)} was written over"
            continue
        seen[write.seq] = write.holder
        taken = before and before != write.holder and before in write.living
        if taken and run is not None and run.performing:
            yield f"{_named(kept)} was taken from holder {before}, which lived"
        before = write.holder
        if write.seq < len(kept.entries):
            for fact in kept.entries[write.seq]:
                run = apply(run, fact, run_id=kept.run_id)


def _stranded(kept: Kept, store: Store) -> Iterator[str]:
    run = kept.run
    assert run is not None
    if run.ended is not None:
        if kept.status != run.status.value:
            yield f"{_named(kept)} is {run.status} and listed as {kept.status}"
        return
    if run.stage is Stage.QUEUED or run.performing or not run.active:
        yield f"{_named(kept)} is still {run.status}"
        return
    waits = {node.reason for node in run.active.values() if node.status is RunStatus.WAITING}
    if waits & _FOR_OTHERS:
        if kept.status != RunStatus.WAITING.value:
            yield f"{_named(kept)} waits for others and is listed as {kept.status}"
        return
    children = [store.runs.get(node.child) for node in run.active.values() if node.child]
    if any(child and child.run and child.run.ended is None for child in children):
        return  # told of with the child
    if waits == {Reason.TIMER} and _poisoned(kept, store):
        return  # a branch of its race was given up: it has to wait for the other
    yield f"{_named(kept)} still waits: {', '.join(sorted(waits))}"


def _poisoned(kept: Kept, store: Store) -> bool:
    """Whether attempts died with their process so often, the last alone, that it was given up."""
    assert kept.run is not None
    nodes = kept.run.nodes.values()
    if any(n.reason is Reason.POISON and n.alone and n.crashes > SUSPECT_AFTER for n in nodes):
        return True
    children = (store.runs.get(node.child) for node in nodes if node.child)
    return any(child and child.run and _poisoned(child, store) for child in children)


def _differs(kept: Kept, expected: Mapping[str, Any]) -> Iterator[str]:
    run = kept.run
    assert run is not None
    wanted = expected.get(kept.template)
    if run.ended is None or run.ended is RunStatus.CANCELLED or wanted is None:
        return
    if (found := outcome(kept)) != wanted:
        yield f"{_named(kept)} came to {found}, not to {wanted}"


# what the ledger says


class _Effects:
    """The effects of the ledger, by run."""

    def __init__(self, notes: Iterable[Note]) -> None:
        self._by_run: defaultdict[str, list[Note]] = defaultdict(list)
        self._without_key: list[Note] = []
        for note in notes:
            if note["what"] == "effect":
                run_id = str(note["key"]).rsplit(":", 3)[0]
                if run_id:
                    self._by_run[run_id].append(note)
                else:
                    self._without_key.append(note)

    def of_nobody(self, store: Store) -> Iterator[str]:
        """Effects of runs that are not in the store: nobody accepted them."""
        for note in self._without_key:
            yield f"an effect of {note['order']} {note['step']} has no key"
        for run_id in self._by_run.keys() - store.runs.keys():
            yield f"{run_id} had an effect and is not in the store"

    def repeated(self, kept: Kept, *, clock_held: bool) -> Iterator[str]:
        begun, checkpoints = _attempts(kept), _checkpoints(kept)
        made: Counter[tuple[str, str]] = Counter()
        keys: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
        for note in self._by_run[kept.run_id]:
            _, path, iteration, _ = str(note["key"]).rsplit(":", 3)
            made[path, iteration] += 1
            keys[path, note["step"], note["n"], iteration].add(note["key"])
            checkpoint = checkpoints.get(note["key"])
            if clock_held and checkpoint is not None and note["at"] > checkpoint:
                yield f"{path} of {_named(kept)} had an effect after its checkpoint"
            if note["effect"] == "guarded" and made[path, iteration] > 1:
                yield f"{path} of {_named(kept)} is guarded and was repeated"
        for (path, step, *_), used in keys.items():
            if len(used) > 1:
                yield f"{step} at {path} of {_named(kept)} had an effect under {len(used)} keys"
        for (path, iteration), times in made.items():
            if times > begun[path, iteration]:
                yield (
                    f"{path} of {_named(kept)} had {times} effects in "
                    f"{begun[path, iteration]} attempts"
                )

    def missing(self, kept: Kept, bookings: Counter[str]) -> Iterator[str]:
        """Checkpoints of calls that never had their effect."""
        had = {note["key"] for note in self._by_run[kept.run_id]}
        for key, fact in _succeeded(kept):
            output = fact.output
            noted = isinstance(output, dict) and output.keys() == {"order", "step", "n"}
            booked = isinstance(output, dict) and output.keys() == {"entry"}
            if fact.attempt and not fact.memo and (noted or booked) and key not in had:
                yield f"{fact.path} of {_named(kept)} has a checkpoint and had no effect"
            if booked and not bookings[key]:
                yield f"{fact.path} of {_named(kept)} has a checkpoint and no booking"


def _booked(kept: Kept, bookings: Counter[str]) -> Iterator[str]:
    wanted = {key for key, _ in _succeeded(kept)}
    for key, times in bookings.items():
        if key.startswith(f"{kept.run_id}:") and (times > 1 or key not in wanted):
            yield f"{key} was booked {times} times, {int(key in wanted)} of them with a checkpoint"


def _succeeded(kept: Kept) -> Iterator[tuple[str, MilestoneSucceeded]]:
    """Each checkpoint with the key under which its call was made."""
    iterations: Counter[str] = Counter()
    generations: defaultdict[str, int] = defaultdict(lambda: 1)
    for fact in kept.facts:
        match fact:
            case MilestoneSucceeded(path=path):
                key = f"{kept.run_id}:{path}:{iterations[path]}:{generations[_whole(path)]}"
                yield key, fact
            case IterationEnded(path=path):
                iterations[path] += 1
            case GenerationBegan(again=again):
                for path in again:
                    generations[path] += 1
                    iterations[path] = 0


def _checkpoints(kept: Kept) -> dict[str, float]:
    return {key: fact.at.timestamp() for key, fact in _succeeded(kept)}


def _attempts(kept: Kept) -> Counter[tuple[str, str]]:
    """How many attempts were journalled, by path and iteration."""
    begun: Counter[tuple[str, str]] = Counter()
    iterations: Counter[str] = Counter()
    for fact in kept.facts:
        match fact:
            case MilestoneBegan(path=path):
                begun[path, str(iterations[path])] += 1
            case IterationEnded(path=path):
                iterations[path] += 1
    return begun


def _whole(path: str) -> str:
    return path.partition("[")[0].partition("~")[0]


def _named(kept: Kept) -> str:
    return f"{kept.template} {kept.alias or kept.run_id}"


def crashes(store: Store) -> int:
    """How many attempts died with their process."""
    return sum(isinstance(fact, AttemptLost) for kept in store.runs.values() for fact in kept.facts)
