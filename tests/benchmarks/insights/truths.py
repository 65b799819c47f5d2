"""What was planted into a file, and how the insights that come back are judged by it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundations.public_works.parsing.insights.model import Insight, InsightKind

K = InsightKind
PLAIN = frozenset(
    {K.OVERVIEW, K.NOTHING_UNUSUAL, K.STRUCTURE, K.SUMMARY, K.KEY_PHRASE, K.ENTITY, K.FIGURE}
)
"""What says how a file is, not that something is to be seen in it: counted only where planted."""
DESCRIPTIVE = frozenset({K.MISSING, K.CONSTANT, K.CONCENTRATION, K.FOREIGN_KEY, K.JOIN})
"""What can be true and yet not worth telling. Anything else that was not planted is false."""


@dataclass(frozen=True)
class Truth:
    """Something planted: an insight tells it that has the kind, the columns, the rows."""

    kinds: frozenset[InsightKind]
    columns: frozenset[str] = frozenset()
    rows: frozenset[int] = frozenset()
    check: Callable[[Insight], bool] = lambda _insight: True
    name: str = ""

    def told_by(self, insight: Insight) -> bool:
        named = set(insight.evidence.columns) | {c for e in insight.further for c in e.columns}
        rows = set(insight.evidence.rows) | {r for e in insight.further for r in e.rows}
        return (
            insight.kind in self.kinds
            and self.columns <= named
            and self.rows <= rows
            and self.check(insight)
        )

    def __str__(self) -> str:
        kind = self.name or "/".join(sorted(self.kinds))
        return f"{kind} of {', '.join(sorted(self.columns))}"


def truth(
    *kinds: InsightKind,
    of: Sequence[str] = (),
    rows: Sequence[int] = (),
    check: Callable[[Insight], bool] = lambda _insight: True,
    name: str = "",
) -> Truth:
    """A truth; `rows` are counted from 1."""
    return Truth(frozenset(kinds), frozenset(of), frozenset(rows), check, name)


@dataclass(frozen=True)
class World:
    """Files with what is true of them.

    `implied` is true because the truths are; telling it is no falsehood, but noise. `silent` are
    pairs of columns with an effect below the floor: telling them is a fault of its own.
    """

    name: str
    files: dict[str, bytes]
    truths: list[Truth]
    implied: list[Truth] = field(default_factory=list)
    silent: list[Truth] = field(default_factory=list)


@dataclass
class Verdict:
    """How one world was told."""

    world: str
    seed: int
    told: int = 0
    found: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)
    below_floor: list[str] = field(default_factory=list)


def judged(world: World, insights: Sequence[Insight], seed: int) -> Verdict:
    """Each insight is a truth, told for the first time, or it is noise or false."""
    verdict = Verdict(world.name, seed)
    open_truths = list(world.truths)
    for insight in insights:
        now = [t for t in open_truths if t.told_by(insight)]
        if insight.kind in PLAIN and not now:
            continue
        verdict.told += 1
        for one in now:
            open_truths.remove(one)
            verdict.found.append(str(one))
        if now:
            continue
        line = f"{world.name}, seed {seed}: [{insight.kind}] {insight.sentence}"
        if any(t.told_by(insight) for t in world.silent):
            verdict.below_floor.append(line)
        elif any(t.told_by(insight) for t in (*world.truths, *world.implied)) or (
            insight.kind in DESCRIPTIVE
        ):
            verdict.noise.append(line)
        else:
            verdict.false.append(line)
    verdict.missed = [f"{world.name}, seed {seed}: {one}" for one in open_truths]
    return verdict


def figure(insight: Insight, name: str) -> Any:
    """A figure of an insight, NaN where it has none of that name."""
    return insight.figures.get(name, float("nan"))
